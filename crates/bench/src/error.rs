//! The one error type of the tool: every variant names the thing that a person has to look at.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a subcommand could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("cannot {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },

    #[error("{} already holds a catalog", folder.display())]
    FolderInUse { folder: PathBuf },

    #[error("cannot listen on {address}")]
    Listen { address: String, source: io::Error },

    #[error("cannot start the file server's runtime")]
    Runtime(#[source] io::Error),

    #[error("cannot write the output")]
    Output(#[source] io::Error),

    #[error("the base URL {url} has no host")]
    BaseUrlWithoutHost { url: String },

    #[error("URL locations take no globs: use --locations per-file or --locations index")]
    GlobOverHttp,

    #[error("cannot start {}", binary.display())]
    Spawn { binary: PathBuf, source: io::Error },

    /// The daemon ended although nobody asked it to. `log` holds the last lines that it wrote.
    #[error("the daemon ended with {status}; the last lines of its log:\n{log}")]
    DaemonEnded { status: String, log: String },

    #[error("there is no PostgreSQL server here to be started; name one by its URL")]
    NoPostgres,

    #[error("the database already holds a catalog")]
    StoreInUse,

    #[error("psql gave no figures: {0}")]
    Psql(String),

    #[error("no figure {field} in {file}")]
    ProcFigure { field: &'static str, file: String },

    #[error("cannot connect to {address}")]
    Connect { address: SocketAddr, source: io::Error },

    #[error("no answer to {request}")]
    NoAnswer { request: String, source: io::Error },

    /// An answer that was not 200. `body` holds its beginning.
    #[error("{request} was answered with {status}: {body}")]
    Refused { request: String, status: u16, body: String },

    #[error("gave up after {} s while waiting for {waiting_for}", timeout.as_secs_f64())]
    TimedOut { timeout: Duration, waiting_for: String },

    #[error(
        "the first pass took {first_pass:.1} s, which is too long to tell cycles of {interval} s from each other"
    )]
    IntervalTooShort { first_pass: f64, interval: f64 },

    #[error("interrupted")]
    Interrupted,

    #[error("entity {entity} is not in {}", path.display())]
    EntityNotInFile { entity: String, path: PathBuf },
}

impl BenchError {
    /// Wraps an error of the file system with what was tried on which path.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { action, path, source }
    }
}
