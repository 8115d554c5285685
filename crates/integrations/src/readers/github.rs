//! Reads files, trees and globs from GitHub.

mod analyzer;
mod api;
mod client;
mod hosts;
#[cfg(test)]
mod tests;
mod visibility;

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use callboard_sdk::{
    CancellationToken, LoadContent, ReadError, ReadTreeOptions, ReadTreeResponse, ReadUrlOptions,
    ReadUrlResponse, SearchFile, SearchOptions, SearchResponse, TreeFile, TreeFilter, UrlReader,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use super::archive::Unpack;
use super::{parse_url, search_one};
use crate::fetch::Fetcher;
use crate::glob::PathGlob;
use crate::redact::shown;
use crate::scm::config::GitHubConfig;
use crate::scm::git_url::GitUrl;
use crate::{AllowList, IntegrationsError};
use api::{GitHubApi, encoded};
use client::Call;

/// What would not come through as the character that it is when a URL's path is set: it is taken for syntax,
/// or dropped.
const NOT_IN_PATHS: &AsciiSet = &CONTROLS.add(b'%').add(b'\\').add(b'?').add(b'#');

/// The reader of one GitHub instance.
#[derive(Debug)]
pub(crate) struct GitHubReader {
    api: Arc<GitHubApi>,
}

/// A repository at a commit.
#[derive(Debug, Clone)]
struct Commit {
    full_name: String,
    sha: String,
}

impl GitHubReader {
    pub(crate) fn new(
        fetcher: Fetcher,
        config: GitHubConfig,
        allow: Arc<AllowList>,
    ) -> Result<Self, IntegrationsError> {
        Ok(Self { api: Arc::new(GitHubApi::new(fetcher, config, allow)?) })
    }

    /// The commit that the URL's ref, or else the default branch, stands at.
    async fn commit(&self, parsed: &GitUrl, call: Call<'_>) -> Result<Commit, ReadError> {
        let full_name = encoded(&parsed.full_name());
        let git_ref = match parsed.git_ref.as_str() {
            "" => self.api.default_branch(&full_name, call).await?,
            git_ref => git_ref.to_owned(),
        };
        let sha = self.api.commit_sha(&full_name, &git_ref, call).await?;
        Ok(Commit { full_name, sha })
    }

    /// Downloads the repository and unpacks what is wanted of it.
    async fn tree(
        &self,
        url: &str,
        commit: &Commit,
        subpath: String,
        filter: Option<TreeFilter>,
        call: Call<'_>,
    ) -> Result<Vec<TreeFile>, ReadError> {
        let archive = self.api.tarball(&commit.full_name, &commit.sha, call).await?;
        let (url, cancellation, api) = (url.to_owned(), call.cancellation.clone(), Arc::clone(&self.api));
        let unpack = move || {
            let settings = api.settings();
            let filter = filter.as_ref();
            Unpack { subpath: &subpath, filter, settings, cancellation: &cancellation }.tar_gz(&url, &archive)
        };
        tokio::task::spawn_blocking(unpack)
            .await
            .map_err(|error| ReadError::failed(format!("unpacking the tree failed: {error}")))?
    }

    /// The files of the repository whose paths are wanted; contents are loaded when asked for.
    async fn matching(
        &self,
        url: &Url,
        commit: &Commit,
        is_wanted: impl Fn(&str) -> bool + Send + Sync + 'static,
        options: &SearchOptions,
    ) -> Result<Vec<SearchFile>, ReadError> {
        let call = Call { token: options.token.as_deref(), cancellation: &options.cancellation };
        let listing = self.api.listing(&commit.full_name, &commit.sha, call).await?;
        if listing.truncated {
            // Half a listing proves nothing about the rest; the archive has all of it.
            let filter: TreeFilter = Arc::new(move |path, _| is_wanted(path));
            let files = self.tree(url.as_str(), commit, String::new(), Some(filter), call).await?;
            return Ok(files.into_iter().map(|file| ready(url, file)).collect());
        }
        let blobs = listing.tree.into_iter().filter(|item| item.kind == "blob" && is_wanted(&item.path));
        let lazy = blobs.map(|item| {
            let blob = Blob {
                api: Arc::clone(&self.api),
                full_name: commit.full_name.clone(),
                sha: item.sha,
                token: options.token.clone(),
                cancellation: options.cancellation.clone(),
            };
            SearchFile::lazy(file_url(url, &item.path), Arc::new(blob))
        });
        Ok(lazy.collect())
    }
}

#[async_trait]
impl UrlReader for GitHubReader {
    async fn read_url(&self, url: &str, options: &ReadUrlOptions) -> Result<ReadUrlResponse, ReadError> {
        let file = parse_url(url)?;
        let parsed = parse_file_url(&file).map_err(|reason| incorrect(url, reason))?;
        self.api.file(&parsed, options).await
    }

    async fn read_tree(&self, url: &str, options: &ReadTreeOptions) -> Result<ReadTreeResponse, ReadError> {
        let parsed = parse_repository_url(url)?;
        let call = Call { token: options.token.as_deref(), cancellation: &options.cancellation };
        let commit = self.commit(&parsed, call).await?;
        if options.etag.as_ref() == Some(&commit.sha) {
            return Err(ReadError::NotModified);
        }
        let subpath = parsed.path.trim_matches('/').to_owned();
        let files = self.tree(url, &commit, subpath, options.filter.clone(), call).await?;
        Ok(ReadTreeResponse { files, etag: commit.sha })
    }

    async fn search(&self, url: &str, options: &SearchOptions) -> Result<SearchResponse, ReadError> {
        let parsed = parse_repository_url(url)?;
        if !PathGlob::is_glob(&parsed.path) {
            return search_one(self, url, options).await;
        }
        let glob = PathGlob::new(&parsed.path)
            .map_err(|reason| ReadError::failed(format!("Unable to search {}, {reason}", shown(url))))?;
        let call = Call { token: options.token.as_deref(), cancellation: &options.cancellation };
        let commit = self.commit(&parsed, call).await?;
        if options.etag.as_ref() == Some(&commit.sha) {
            return Err(ReadError::NotModified);
        }
        let is_wanted = move |path: &str| glob.is_match(path);
        let files = self.matching(&parse_url(url)?, &commit, is_wanted, options).await?;
        Ok(SearchResponse { files, etag: commit.sha })
    }
}

fn parse_file_url(url: &Url) -> Result<GitUrl, &'static str> {
    if has_dot_segment(url.path()) {
        return Err("path traversal is not allowed");
    }
    GitUrl::parse(url)
        .filter(|parsed| {
            matches!(parsed.kind.as_str(), "blob" | "tree" | "raw") && !parsed.git_ref.is_empty()
        })
        .ok_or("Invalid GitHub URL or file path")
}

fn parse_repository_url(url: &str) -> Result<GitUrl, ReadError> {
    let parsed = parse_url(url)?;
    if has_dot_segment(parsed.path()) {
        return Err(incorrect(url, "path traversal is not allowed"));
    }
    GitUrl::parse(&parsed).ok_or_else(|| incorrect(url, "Invalid GitHub URL or file path"))
}

fn incorrect(url: &str, reason: &str) -> ReadError {
    ReadError::failed(format!("Incorrect URL: {}, Error: {reason}", shown(url)))
}

/// Whether the path has a dot segment however often it is decoded. Plain ones are gone since the URL was
/// parsed.
fn has_dot_segment(path: &str) -> bool {
    let mut path = path.to_owned();
    loop {
        if path.split(['/', '\\']).any(|segment| segment == "." || segment == "..") {
            return true;
        }
        let decoded = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned();
        if decoded == path {
            return false;
        }
        path = decoded;
    }
}

/// The URL of another file in the same repository at the same ref: the first four segments stay.
fn file_url(url: &Url, path: &str) -> String {
    let base: Vec<&str> = url.path().split('/').skip(1).take(4).collect();
    let mut url = url.clone();
    url.set_path(&format!("{}/{}", base.join("/"), utf8_percent_encode(path, NOT_IN_PATHS)));
    url.into()
}

fn ready(url: &Url, file: TreeFile) -> SearchFile {
    let mut found = SearchFile::ready(file_url(url, &file.path), file.data);
    found.last_modified_at = file.last_modified_at;
    found
}

/// A file of a listing.
#[derive(Debug)]
struct Blob {
    api: Arc<GitHubApi>,
    full_name: String,
    sha: String,
    token: Option<String>,
    cancellation: CancellationToken,
}

#[async_trait]
impl LoadContent for Blob {
    async fn load(&self) -> Result<Bytes, ReadError> {
        let call = Call { token: self.token.as_deref(), cancellation: &self.cancellation };
        let content = match self.api.blob(&self.full_name, &self.sha, call).await {
            // The listing has it, so it is there, and something else is wrong.
            Err(ReadError::NotFound(message)) => return Err(ReadError::failed(message)),
            content => content?,
        };
        let compact: String = content.split_ascii_whitespace().collect();
        let decoded = BASE64_STANDARD.decode(compact);
        decoded.map(Bytes::from).map_err(|error| {
            ReadError::failed(format!("blob {} of {} is not base64: {error}", self.sha, self.full_name))
        })
    }
}
