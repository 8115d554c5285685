//! The calls to GitHub's REST API that reading takes.
//!
//! All URLs are built from the configured base URLs, not from templates in responses: a response does not
//! decide where a token goes.

use std::sync::Arc;

use bytes::Bytes;
use callboard_sdk::{ReadError, ReadUrlOptions, ReadUrlResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;

use super::client::{Call, GitHubClient, url};
use crate::fetch::{FetchResponse, FetchSettings, Fetcher};
use crate::redact::shown;
use crate::scm::config::GitHubConfig;
use crate::scm::git_url::GitUrl;
use crate::{AllowList, IntegrationsError};

const RAW_MEDIA_TYPE: &str = "application/vnd.github.v3.raw";

/// What stays as it is in a segment of a path.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The calls to one GitHub instance.
#[derive(Debug)]
pub(super) struct GitHubApi {
    client: GitHubClient,
}

/// All files of a commit.
#[derive(Deserialize)]
pub(super) struct Listing {
    /// Whether there are more than the listing has.
    #[serde(default)]
    pub(super) truncated: bool,
    pub(super) tree: Vec<ListingItem>,
}

#[derive(Deserialize)]
pub(super) struct ListingItem {
    #[serde(default)]
    pub(super) path: String,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) sha: String,
}

#[derive(Deserialize)]
struct CommitStatus {
    sha: String,
}

#[derive(Deserialize)]
struct BlobContent {
    content: String,
    encoding: String,
}

impl GitHubApi {
    pub(super) fn new(
        fetcher: Fetcher,
        config: GitHubConfig,
        allow: Arc<AllowList>,
    ) -> Result<Self, IntegrationsError> {
        if config.api_base_url.is_none() && config.raw_base_url.is_none() {
            return Err(IntegrationsError::Invalid(format!(
                "GitHub integration '{}' must configure an explicit apiBaseUrl or rawBaseUrl",
                config.host
            )));
        }
        Ok(Self { client: GitHubClient::new(fetcher, config, allow) })
    }

    pub(super) fn settings(&self) -> &FetchSettings {
        self.client.settings()
    }

    pub(super) fn host(&self) -> &str {
        self.client.host()
    }

    /// One file, from the API or from the host of raw files.
    pub(super) async fn file(
        &self,
        file: &GitUrl,
        options: &ReadUrlOptions,
    ) -> Result<ReadUrlResponse, ReadError> {
        let call = Call { token: options.token.as_deref(), cancellation: &options.cancellation };
        let (name, path) = (encoded(&file.full_name()), encoded(&file.path));
        let url = if let Some(raw) = self.client.raw_base_url(call) {
            url(raw, &format!("/{name}/{}/{path}", encoded(&file.git_ref)))?
        } else {
            let mut url = self.client.api_url(&format!("/repos/{name}/contents/{path}"))?;
            url.set_query(Some(&format!("ref={}", encoded_segment(&file.git_ref))));
            url
        };
        let request = self
            .client
            .request(&url, call)
            .header(ACCEPT, HeaderValue::from_static(RAW_MEDIA_TYPE))
            .if_none_match(options.etag.as_deref())
            .if_modified_since(options.last_modified_after);
        self.client.send_within(&name, request, call).await.map(FetchResponse::into_file)
    }

    pub(super) async fn default_branch(&self, full_name: &str, call: Call<'_>) -> Result<String, ReadError> {
        self.client.default_branch(full_name, call).await
    }

    pub(super) async fn commit_sha(
        &self,
        full_name: &str,
        git_ref: &str,
        call: Call<'_>,
    ) -> Result<String, ReadError> {
        let git_ref = encoded_segment(git_ref);
        let mut url = self.client.api_url(&format!("/repos/{full_name}/commits/{git_ref}/status"))?;
        url.set_query(Some("per_page=0"));
        Ok(self.client.json::<CommitStatus>(full_name, &url, call).await?.sha)
    }

    pub(super) async fn listing(
        &self,
        full_name: &str,
        sha: &str,
        call: Call<'_>,
    ) -> Result<Listing, ReadError> {
        let mut url =
            self.client.api_url(&format!("/repos/{full_name}/git/trees/{}", encoded_segment(sha)))?;
        url.set_query(Some("recursive=true"));
        self.client.json(full_name, &url, call).await
    }

    /// The content of a blob, in base64.
    pub(super) async fn blob(&self, full_name: &str, sha: &str, call: Call<'_>) -> Result<String, ReadError> {
        let url = self.client.api_url(&format!("/repos/{full_name}/git/blobs/{}", encoded_segment(sha)))?;
        let blob: BlobContent = self.client.json(full_name, &url, call).await?;
        if blob.encoding == "base64" {
            return Ok(blob.content);
        }
        Err(ReadError::failed(format!(
            "Unable to read {}, its encoding is {:?}",
            shown(url.as_str()),
            blob.encoding
        )))
    }

    pub(super) async fn tarball(
        &self,
        full_name: &str,
        sha: &str,
        call: Call<'_>,
    ) -> Result<Bytes, ReadError> {
        let url = self.client.api_url(&format!("/repos/{full_name}/tarball/{}", encoded_segment(sha)))?;
        let request = self.client.request(&url, call).archive();
        Ok(self.client.send_within(full_name, request, call).await?.body)
    }
}

/// The path with all but slashes and unreserved characters escaped.
pub(super) fn encoded(path: &str) -> String {
    path.split('/').map(encoded_segment).collect::<Vec<_>>().join("/")
}

pub(super) fn encoded_segment(segment: &str) -> String {
    utf8_percent_encode(segment, UNRESERVED).to_string()
}
