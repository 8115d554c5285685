//! What is asked of the source-control integrations: how URLs of a forge are resolved, and what a repository has.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::ReadError;

/// A URL of a file in a repository, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScmFile {
    /// Host, with its port if there is one.
    pub host: String,
    /// Owner (or project path) and name of the repository, such as `example/shop`.
    pub full_name: String,
    /// Owner, organisation or project path.
    pub owner: String,
    /// Name of the repository.
    pub name: String,
    /// Path of the file in the repository, without a leading slash.
    pub path: String,
}

/// Knows the URL forms of the forges.
pub trait ScmResolver: Send + Sync + std::fmt::Debug + 'static {
    /// Resolves `target`, absolute or relative, against the URL of the file that mentions it.
    fn resolve_url(&self, target: &str, base: &str) -> Result<String, String>;

    /// The URL of the page on which the file can be edited; `None` if no integration knows the host.
    fn resolve_edit_url(&self, url: &str) -> Option<String>;

    /// The kind of integration (`github`, `gitlab`, …) that knows this URL's host.
    fn integration_kind(&self, url: &str) -> Option<&'static str>;

    /// The repository and path behind a URL, where the URL's form shows them.
    fn file(&self, url: &str) -> Option<ScmFile>;

    /// Changes whenever the configured integrations do.
    fn fingerprint(&self) -> String;
}

/// Finds the descriptor files that a repository has already, so that nobody is told to write them.
#[async_trait]
pub trait ScmLocationAnalyzer: Send + Sync + std::fmt::Debug + 'static {
    /// Whether it knows the forge of this URL.
    fn supports(&self, url: &str) -> bool;

    /// The URLs of all files of this name in the repository behind a URL: at the ref that the URL names, or else on the
    /// default branch. The shallowest come first.
    async fn existing_files(
        &self,
        url: &str,
        file_name: &str,
        cancellation: &CancellationToken,
    ) -> Result<Vec<String>, ReadError>;
}
