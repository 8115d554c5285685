//! A folder that a daemon lives in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Finished, run_to_end};
use crate::{AppConfig, Daemon, binary, store};

/// Its configuration, database, descriptors and logs. Daemons may be started in it one after the other, or two at once.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    logs: AtomicU32,
    database: Value,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let database = store::new_database(folder.path());
        Self { folder, logs: AtomicU32::new(0), database }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A configuration with this home's database.
    pub fn config(&self) -> AppConfig {
        AppConfig::new(&self.database)
    }

    /// Makes the database of this home one of this version, as a newer program would, for programs that know
    /// `compatible_from` or later.
    pub fn make_database_newer(&self, version: i64, compatible_from: i64) {
        store::make_newer(&self.database, version, compatible_from);
    }

    /// Writes a file beside its place and moves it there, so that nobody reads half of it. Answers its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("files have folders")).unwrap();
        let beside = path.with_extension("partial");
        fs::write(&beside, content).unwrap();
        fs::rename(&beside, &path).unwrap();
        path
    }

    /// Writes the configuration.
    pub fn configure(&self, config: &AppConfig) -> PathBuf {
        self.write("app-config.yaml", config.to_string())
    }

    /// Writes the configuration, starts a daemon and waits until it listens.
    pub fn start(&self, config: &AppConfig) -> Daemon {
        self.configure(config);
        self.restart()
    }

    /// Starts a daemon with the configuration that is there.
    pub fn restart(&self) -> Daemon {
        let daemon = self.spawn();
        daemon.wait_until_ready();
        daemon
    }

    /// Starts a daemon and does not wait for anything.
    pub fn spawn(&self) -> Daemon {
        let mut command = self.command(&["serve", "--config", "app-config.yaml", "--log-format", "json"]);
        Daemon::spawn(&mut command, &self.next_log())
    }

    /// Runs a command to its end, in this folder.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        run_to_end(&mut self.command(arguments))
    }

    /// A command in this folder that can reach the loopback interface and nothing else, in whatever network the tests
    /// are run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        const NOBODY: &str = "http://127.0.0.1:1";
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.path());
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env(proxy, NOBODY);
        }
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command
    }

    /// A file for the next daemon's log.
    pub fn next_log(&self) -> PathBuf {
        let number = self.logs.fetch_add(1, Ordering::Relaxed);
        self.path().join(format!("daemon-{number}.log"))
    }
}
