//! Reading files, trees and globs behind URLs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::Timestamp;

/// Why something could not be read.
///
/// Only [`NotFound`](Self::NotFound) says that nothing is there. All others say that it is not known, so that
/// whatever was read before stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The validator that was sent still holds.
    #[error("")]
    NotModified,
    /// The upstream said that there is nothing.
    #[error("{0}")]
    NotFound(String),
    /// No reader may read this.
    #[error("{0}")]
    NotAllowed(String),
    /// Anything else: network, status, limits.
    #[error("{message}")]
    Failed {
        /// What happened.
        message: String,
        /// How long the upstream wants to be left alone.
        retry_after: Option<Duration>,
    },
}

impl ReadError {
    /// A [`Failed`](Self::Failed) without advice on when to try again.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), retry_after: None }
    }

    /// The class name that Backstage's clients know.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotModified => "NotModifiedError",
            Self::NotFound(_) => "NotFoundError",
            Self::NotAllowed(_) => "NotAllowedError",
            Self::Failed { .. } => "Error",
        }
    }
}

/// How to read a file.
#[derive(Debug, Clone, Default)]
pub struct ReadUrlOptions {
    /// Sent as `If-None-Match`, verbatim.
    pub etag: Option<String>,
    /// Sent as `If-Modified-Since`.
    pub last_modified_after: Option<Timestamp>,
    /// A bearer token in place of the integration's own credentials, where the reader supports it.
    pub token: Option<String>,
    /// Ends the read.
    pub cancellation: CancellationToken,
}

/// A file that was read.
#[derive(Debug, Clone)]
pub struct ReadUrlResponse {
    /// The content.
    pub data: Bytes,
    /// The validator for the next read.
    pub etag: Option<String>,
    /// When the file last changed.
    pub last_modified_at: Option<Timestamp>,
}

/// Decides by path and size which files of a tree are wanted.
pub type TreeFilter = Arc<dyn Fn(&str, u64) -> bool + Send + Sync>;

/// How to read a tree.
#[derive(Clone, Default)]
pub struct ReadTreeOptions {
    /// The etag of an earlier read; the same tree again is [`ReadError::NotModified`].
    pub etag: Option<String>,
    /// Which files are wanted; all if absent.
    pub filter: Option<TreeFilter>,
    /// A bearer token in place of the integration's own credentials, where the reader supports it.
    pub token: Option<String>,
    /// Ends the read.
    pub cancellation: CancellationToken,
}

impl std::fmt::Debug for ReadTreeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadTreeOptions").field("etag", &self.etag).finish_non_exhaustive()
    }
}

/// A file of a tree.
#[derive(Debug, Clone)]
pub struct TreeFile {
    /// Relative to the directory named in the URL, without a leading slash.
    pub path: String,
    /// The content.
    pub data: Bytes,
    /// When the file last changed.
    pub last_modified_at: Option<Timestamp>,
}

/// A tree that was read.
#[derive(Debug, Clone)]
pub struct ReadTreeResponse {
    /// The files, in the order of the archive.
    pub files: Vec<TreeFile>,
    /// The validator for the next read; may be empty.
    pub etag: String,
}

/// How to search.
#[derive(Debug, Clone, Default)]
pub struct SearchOptions {
    /// The etag of an earlier search.
    pub etag: Option<String>,
    /// A bearer token in place of the integration's own credentials, where the reader supports it.
    pub token: Option<String>,
    /// Ends the search.
    pub cancellation: CancellationToken,
}

/// Loads the content of a file that a search found.
#[async_trait]
pub trait LoadContent: Send + Sync + std::fmt::Debug {
    /// The content.
    async fn load(&self) -> Result<Bytes, ReadError>;
}

#[derive(Debug, Clone)]
enum Content {
    Ready(Bytes),
    Lazy(Arc<dyn LoadContent>),
}

/// A file that a search found.
#[derive(Debug, Clone)]
pub struct SearchFile {
    /// Its full URL.
    pub url: String,
    /// When it last changed.
    pub last_modified_at: Option<Timestamp>,
    content: Content,
}

impl SearchFile {
    /// A file whose content is at hand.
    pub fn ready(url: impl Into<String>, data: Bytes) -> Self {
        Self { url: url.into(), last_modified_at: None, content: Content::Ready(data) }
    }

    /// A file whose content is fetched when asked for.
    pub fn lazy(url: impl Into<String>, loader: Arc<dyn LoadContent>) -> Self {
        Self { url: url.into(), last_modified_at: None, content: Content::Lazy(loader) }
    }

    /// The content.
    pub async fn content(&self) -> Result<Bytes, ReadError> {
        match &self.content {
            Content::Ready(data) => Ok(data.clone()),
            Content::Lazy(loader) => loader.load().await,
        }
    }
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct SearchResponse {
    /// The files; none is a valid answer.
    pub files: Vec<SearchFile>,
    /// The validator for the next search; may be empty.
    pub etag: String,
}

/// Reads what is behind URLs, within the limits and the allow list of the configuration.
#[async_trait]
pub trait UrlReader: Send + Sync + std::fmt::Debug + 'static {
    /// Reads one file.
    async fn read_url(&self, url: &str, options: &ReadUrlOptions) -> Result<ReadUrlResponse, ReadError>;

    /// Reads all files below a directory.
    async fn read_tree(&self, url: &str, options: &ReadTreeOptions) -> Result<ReadTreeResponse, ReadError>;

    /// Finds the files that match a URL with a glob in its path; without a glob it is a read of one file that
    /// gives an empty list where there is nothing.
    async fn search(&self, url: &str, options: &SearchOptions) -> Result<SearchResponse, ReadError>;
}
