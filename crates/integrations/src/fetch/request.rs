//! What to fetch, and where it may lead.

use callboard_sdk::{CancellationToken, ReadError, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use url::Url;

use crate::redact::shown;

/// Of a URL that is fetched, decides where a request may go.
pub trait HopPolicy: Send + Sync {
    /// Asked before each request, redirects included; the text of an `Err` becomes the read's error.
    fn check(&self, url: &Url) -> Result<(), String>;
}

/// A GET request.
#[expect(missing_debug_implementations, reason = "holds a bearer token")]
pub struct FetchRequest<'a> {
    pub(super) url: &'a Url,
    pub(super) policy: &'a dyn HopPolicy,
    pub(super) cancellation: &'a CancellationToken,
    pub(super) headers: HeaderMap,
    token: Option<&'a str>,
    pub(super) is_archive: bool,
}

impl<'a> FetchRequest<'a> {
    /// A request without headers of its own.
    pub fn new(url: &'a Url, policy: &'a dyn HopPolicy, cancellation: &'a CancellationToken) -> Self {
        Self { url, policy, cancellation, headers: HeaderMap::new(), token: None, is_archive: false }
    }

    /// Sends a header to every hop. Not for credentials.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends the validator, verbatim. One that no header can carry is left out, which costs a full read.
    #[must_use]
    pub fn if_none_match(mut self, etag: Option<&str>) -> Self {
        if let Some(value) = etag.and_then(|etag| HeaderValue::from_bytes(etag.as_bytes()).ok()) {
            self.headers.insert(IF_NONE_MATCH, value);
        }
        self
    }

    /// Asks for the content only if it is newer than this.
    #[must_use]
    pub fn if_modified_since(mut self, time: Option<Timestamp>) -> Self {
        let text = time.map(|time| time.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            self.headers.insert(IF_MODIFIED_SINCE, value);
        }
        self
    }

    /// Sends a bearer token to the URL's own origin, and to no other that it redirects to.
    #[must_use]
    pub fn bearer(mut self, token: Option<&'a str>) -> Self {
        self.token = token;
        self
    }

    /// The limit on the body's size is that of archives.
    #[must_use]
    pub fn archive(mut self) -> Self {
        self.is_archive = true;
        self
    }

    pub(crate) fn url(&self) -> &'a Url {
        self.url
    }

    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, ReadError> {
        let Some(token) = self.token else { return Ok(None) };
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| self.failed("its token holds characters that a header cannot carry"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    pub(super) fn failed(&self, reason: impl std::fmt::Display) -> ReadError {
        ReadError::failed(format!("Unable to read {}, {reason}", shown(self.url.as_str())))
    }
}
