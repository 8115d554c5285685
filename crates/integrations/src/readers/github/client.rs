//! Requests to one GitHub instance, and what its answers say: which of them are limits, and which 404s are
//! believed.

use std::sync::Arc;
use std::time::Duration;

use callboard_sdk::{CancellationToken, ReadError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::hosts::GitHubHosts;
use super::visibility::Visibility;
use crate::AllowList;
use crate::fetch::{FetchRequest, FetchResponse, FetchSettings, Fetcher, server_time};
use crate::redact::shown;
use crate::scm::config::GitHubConfig;

/// Access to one GitHub instance.
#[derive(Debug)]
pub(super) struct GitHubClient {
    fetcher: Fetcher,
    config: GitHubConfig,
    hosts: GitHubHosts,
    visibility: Visibility,
}

/// What the caller of a reader said about the calls for it.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    /// In place of the configured token.
    pub(super) token: Option<&'a str>,
    pub(super) cancellation: &'a CancellationToken,
}

#[derive(Deserialize)]
struct Repository {
    default_branch: String,
}

impl GitHubClient {
    pub(super) fn new(fetcher: Fetcher, config: GitHubConfig, allow: Arc<AllowList>) -> Self {
        let hosts = GitHubHosts::new(&config, allow);
        Self { fetcher, config, hosts, visibility: Visibility::default() }
    }

    pub(super) fn settings(&self) -> &FetchSettings {
        self.fetcher.settings()
    }

    pub(super) fn host(&self) -> &str {
        &self.config.host
    }

    /// The host of raw files, if it is the one to read a file from: without a token, as its limits on anonymous
    /// requests are wider, or where there is no API.
    pub(super) fn raw_base_url(&self, call: Call<'_>) -> Option<&str> {
        let is_raw = self.token(call).is_none() || self.config.api_base_url.is_none();
        self.config.raw_base_url.as_deref().filter(|_| is_raw)
    }

    pub(super) fn api_url(&self, path: &str) -> Result<Url, ReadError> {
        let base = self.config.api_base_url.as_deref().ok_or_else(|| {
            ReadError::failed(format!("the GitHub integration of {} has no apiBaseUrl", self.config.host))
        })?;
        url(base, path)
    }

    pub(super) fn request<'a>(&'a self, url: &'a Url, call: Call<'a>) -> FetchRequest<'a> {
        FetchRequest::new(url, &self.hosts, call.cancellation).bearer(self.token(call))
    }

    pub(super) async fn default_branch(&self, full_name: &str, call: Call<'_>) -> Result<String, ReadError> {
        match self.repository(full_name, call).await {
            Ok(repository) => Ok(repository.default_branch),
            Err(ReadError::NotFound(message)) => Err(self.judged(message, full_name, call).await),
            Err(error) => Err(error),
        }
    }

    /// Asks for JSON about something within a repository.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        full_name: &str,
        url: &Url,
        call: Call<'_>,
    ) -> Result<T, ReadError> {
        parsed(url, &self.send_within(full_name, self.request(url, call), call).await?)
    }

    /// Asks for something within a repository.
    pub(super) async fn send_within(
        &self,
        full_name: &str,
        request: FetchRequest<'_>,
        call: Call<'_>,
    ) -> Result<FetchResponse, ReadError> {
        match self.send(&request).await {
            Err(ReadError::NotFound(message)) => Err(self.judged(message, full_name, call).await),
            answer => answer,
        }
    }

    /// What a 404 says. What somebody may not see answers 404 as well: for a token, something is absent only
    /// if the repository that it would be in is there.
    async fn judged(&self, message: String, full_name: &str, call: Call<'_>) -> ReadError {
        if self.token(call).is_none() {
            return if self.config.has_apps {
                ReadError::failed(format!("{message} without the credentials of a GitHub App"))
            } else {
                ReadError::NotFound(message)
            };
        }
        let unknown = |reason: &str| {
            format!("{message} (it is not known whether the token may see the repository: {reason})")
        };
        match self.is_visible(full_name, call).await {
            Ok(true) => ReadError::NotFound(message),
            Ok(false) => ReadError::failed(format!("{message} (the token sees no such repository)")),
            Err(ReadError::Failed { message: reason, retry_after }) => {
                ReadError::Failed { message: unknown(&reason), retry_after }
            }
            Err(error) => ReadError::failed(unknown(&error.to_string())),
        }
    }

    async fn is_visible(&self, full_name: &str, call: Call<'_>) -> Result<bool, ReadError> {
        // The token of a caller may see something else.
        if call.token.is_none()
            && let Some(is_visible) = self.visibility.get(full_name)
        {
            return Ok(is_visible);
        }
        match self.repository(full_name, call).await {
            Ok(_) => Ok(true),
            Err(ReadError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn repository(&self, full_name: &str, call: Call<'_>) -> Result<Repository, ReadError> {
        let url = self.api_url(&format!("/repos/{full_name}"))?;
        let answer = self.send(&self.request(&url, call)).await;
        let repository = answer.and_then(|response| parsed(&url, &response));
        if call.token.is_none() && matches!(repository, Ok(_) | Err(ReadError::NotFound(_))) {
            self.visibility.set(full_name, repository.is_ok());
        }
        repository
    }

    async fn send(&self, request: &FetchRequest<'_>) -> Result<FetchResponse, ReadError> {
        let mut response = self.fetcher.get(request).await?;
        let is_limited = is_rate_limited(&response);
        if is_limited {
            response.retry_after = response.retry_after.or_else(|| time_to_reset(&response));
            if let Some(time) = response.retry_after {
                self.fetcher.pause(&response.url, time);
            }
        }
        response.accepted(|response| {
            let suffix = if is_limited { " (rate limit exceeded)" } else { "" };
            let (url, status) = (shown(request.url().as_str()), response.status_text());
            format!("Request failed for {url}, {status}{suffix}")
        })
    }

    fn token<'a>(&'a self, call: Call<'a>) -> Option<&'a str> {
        call.token.or_else(|| self.config.token())
    }
}

pub(super) fn url(base: &str, path: &str) -> Result<Url, ReadError> {
    Url::parse(&format!("{base}{path}")).map_err(|_| ReadError::failed("Invalid URL"))
}

fn parsed<T: DeserializeOwned>(url: &Url, response: &FetchResponse) -> Result<T, ReadError> {
    serde_json::from_slice(&response.body).map_err(|error| {
        let shown = shown(url.as_str());
        ReadError::failed(format!("Unable to read {shown}, the response is malformed: {error}"))
    })
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
