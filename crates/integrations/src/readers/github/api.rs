//! The calls to GitHub's REST API that reading takes.
//!
//! All URLs are built from the configured base URLs, not from templates in responses: a response does not
//! decide where a token goes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callboard_sdk::{CancellationToken, ReadError, ReadUrlOptions, ReadUrlResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::hosts::GitHubHosts;
use crate::fetch::{FetchRequest, FetchResponse, FetchSettings, Fetcher, server_time};
use crate::redact::shown;
use crate::scm::config::GitHubConfig;
use crate::scm::git_url::GitUrl;
use crate::{AllowList, IntegrationsError};

const RAW_MEDIA_TYPE: &str = "application/vnd.github.v3.raw";

/// What stays as it is in a segment of a path.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Access to one GitHub instance.
#[derive(Debug)]
pub(super) struct GitHubApi {
    fetcher: Fetcher,
    config: GitHubConfig,
    hosts: GitHubHosts,
}

/// What the caller of a reader said about the calls for it.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    /// In place of the configured token.
    pub(super) token: Option<&'a str>,
    pub(super) cancellation: &'a CancellationToken,
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
struct Repository {
    default_branch: String,
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
        let hosts = GitHubHosts::new(&config, allow);
        Ok(Self { fetcher, config, hosts })
    }

    pub(super) fn settings(&self) -> &FetchSettings {
        self.fetcher.settings()
    }

    /// One file: through the API with a token or where there is nothing else, else from the host of raw
    /// files, whose limits on anonymous requests are wider.
    pub(super) async fn file(
        &self,
        file: &GitUrl,
        options: &ReadUrlOptions,
    ) -> Result<ReadUrlResponse, ReadError> {
        let token = self.token(options.token.as_deref());
        let (name, path) = (encoded(&file.full_name()), encoded(&file.path));
        let url = match (&self.config.api_base_url, &self.config.raw_base_url) {
            (_, Some(raw)) if token.is_none() => {
                url(raw, &format!("/{name}/{}/{path}", encoded(&file.git_ref)))?
            }
            _ => {
                let mut url = self.api_url(&format!("/repos/{name}/contents/{path}"))?;
                url.set_query(Some(&format!("ref={}", encoded_segment(&file.git_ref))));
                url
            }
        };
        let request = FetchRequest::new(&url, &self.hosts, &options.cancellation)
            .header(ACCEPT, HeaderValue::from_static(RAW_MEDIA_TYPE))
            .if_none_match(options.etag.as_deref())
            .if_modified_since(options.last_modified_after)
            .bearer(token);
        self.send(request, &url).await.map(FetchResponse::into_file)
    }

    pub(super) async fn default_branch(&self, full_name: &str, call: Call<'_>) -> Result<String, ReadError> {
        let url = self.api_url(&format!("/repos/{full_name}"))?;
        Ok(self.json::<Repository>(&url, call).await?.default_branch)
    }

    pub(super) async fn commit_sha(
        &self,
        full_name: &str,
        git_ref: &str,
        call: Call<'_>,
    ) -> Result<String, ReadError> {
        let git_ref = encoded_segment(git_ref);
        let mut url = self.api_url(&format!("/repos/{full_name}/commits/{git_ref}/status"))?;
        url.set_query(Some("per_page=0"));
        Ok(self.json::<CommitStatus>(&url, call).await?.sha)
    }

    pub(super) async fn listing(
        &self,
        full_name: &str,
        sha: &str,
        call: Call<'_>,
    ) -> Result<Listing, ReadError> {
        let mut url = self.api_url(&format!("/repos/{full_name}/git/trees/{}", encoded_segment(sha)))?;
        url.set_query(Some("recursive=true"));
        self.json(&url, call).await
    }

    /// The content of a blob, in base64.
    pub(super) async fn blob(&self, full_name: &str, sha: &str, call: Call<'_>) -> Result<String, ReadError> {
        let url = self.api_url(&format!("/repos/{full_name}/git/blobs/{}", encoded_segment(sha)))?;
        let blob: BlobContent = self.json(&url, call).await?;
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
        let url = self.api_url(&format!("/repos/{full_name}/tarball/{}", encoded_segment(sha)))?;
        let request = FetchRequest::new(&url, &self.hosts, call.cancellation).bearer(self.token(call.token));
        Ok(self.send(request.archive(), &url).await?.body)
    }

    async fn json<T: DeserializeOwned>(&self, url: &Url, call: Call<'_>) -> Result<T, ReadError> {
        let request = FetchRequest::new(url, &self.hosts, call.cancellation).bearer(self.token(call.token));
        let response = self.send(request, url).await?;
        serde_json::from_slice(&response.body).map_err(|error| {
            let shown = shown(url.as_str());
            ReadError::failed(format!("Unable to read {shown}, the response is malformed: {error}"))
        })
    }

    async fn send(&self, request: FetchRequest<'_>, url: &Url) -> Result<FetchResponse, ReadError> {
        let is_anonymous = !request.has_token();
        let mut response = self.fetcher.get(&request).await?;
        let is_limited = is_rate_limited(&response);
        if is_limited {
            response.retry_after = response.retry_after.or_else(|| time_to_reset(&response));
            if let Some(time) = response.retry_after {
                self.fetcher.pause(&response.url, time);
            }
        }
        let accepted = response.accepted(|response| {
            let suffix = if is_limited { " (rate limit exceeded)" } else { "" };
            format!("Request failed for {}, {}{suffix}", shown(url.as_str()), response.status)
        });
        match accepted {
            // What an app could see answers 404 to everybody else.
            Err(ReadError::NotFound(message)) if is_anonymous && self.config.has_apps => {
                Err(ReadError::failed(format!("{message} without the credentials of a GitHub App")))
            }
            accepted => accepted,
        }
    }

    fn token<'a>(&'a self, of_caller: Option<&'a str>) -> Option<&'a str> {
        of_caller.or_else(|| self.config.token())
    }

    fn api_url(&self, path: &str) -> Result<Url, ReadError> {
        let base = self.config.api_base_url.as_deref().ok_or_else(|| {
            ReadError::failed(format!("the GitHub integration of {} has no apiBaseUrl", self.config.host))
        })?;
        url(base, path)
    }
}

fn url(base: &str, path: &str) -> Result<Url, ReadError> {
    Url::parse(&format!("{base}{path}")).map_err(|_| ReadError::failed("Invalid URL"))
}

/// The path with all but slashes and unreserved characters escaped.
pub(super) fn encoded(path: &str) -> String {
    path.split('/').map(encoded_segment).collect::<Vec<_>>().join("/")
}

fn encoded_segment(segment: &str) -> String {
    utf8_percent_encode(segment, UNRESERVED).to_string()
}

fn is_rate_limited(response: &FetchResponse) -> bool {
    match response.status.as_u16() {
        429 => true,
        403 => header(response, "x-ratelimit-remaining").is_some_and(|left| left.trim() == "0"),
        _ => false,
    }
}

/// Until when the limit lasts, by the server's clock.
fn time_to_reset(response: &FetchResponse) -> Option<Duration> {
    let reset: i64 = header(response, "x-ratelimit-reset")?.trim().parse().ok()?;
    let now = server_time(&response.headers)?.timestamp();
    u64::try_from(reset.checked_sub(now)?).ok().map(Duration::from_secs)
}

fn header<'a>(response: &'a FetchResponse, name: &str) -> Option<&'a str> {
    response.headers.get(name)?.to_str().ok()
}
