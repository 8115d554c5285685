//! What came back, and what its status says about the file: present, absent, unchanged or unknown.

use std::time::Duration;

use bytes::Bytes;
use callboard_sdk::{ReadError, ReadUrlResponse, Timestamp};
use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderMap, LAST_MODIFIED};
use url::Url;

use super::retry_after::http_date;

/// The response to the last hop of a request.
#[derive(Debug, Clone)]
pub struct FetchResponse {
    /// The URL that answered.
    pub url: Url,
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, decompressed; empty unless the status is a success.
    pub body: Bytes,
    /// How long the host wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl FetchResponse {
    /// Turns every status but a success into an error. Only 404 says that there is nothing; `message` words
    /// it and all others.
    pub fn accepted(self, message: impl FnOnce(&Self) -> String) -> Result<Self, ReadError> {
        match self.status {
            status if status.is_success() => Ok(self),
            StatusCode::NOT_MODIFIED => Err(ReadError::NotModified),
            StatusCode::NOT_FOUND => Err(ReadError::NotFound(message(&self))),
            _ => Err(ReadError::Failed { message: message(&self), retry_after: self.retry_after }),
        }
    }

    /// The status as messages word it: with its usual reason, or the number alone if it has none.
    pub fn status_text(&self) -> String {
        match self.status.canonical_reason() {
            Some(reason) => format!("{} {reason}", self.status.as_str()),
            None => self.status.as_str().to_owned(),
        }
    }

    /// The `ETag` header, verbatim.
    pub fn etag(&self) -> Option<String> {
        self.headers.get(ETAG)?.to_str().ok().map(str::to_owned)
    }

    /// The `Last-Modified` header; a date that cannot be read counts as absent.
    pub fn last_modified_at(&self) -> Option<Timestamp> {
        http_date(self.headers.get(LAST_MODIFIED)?.to_str().ok()?)
    }

    /// The file that was read.
    pub fn into_file(self) -> ReadUrlResponse {
        ReadUrlResponse { etag: self.etag(), last_modified_at: self.last_modified_at(), data: self.body }
    }
}
