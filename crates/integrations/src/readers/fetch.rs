//! Reads plain HTTP URLs that `backend.reading.allow` admits.

use std::sync::Arc;

use async_trait::async_trait;
use callboard_sdk::{
    ReadError, ReadTreeOptions, ReadTreeResponse, ReadUrlOptions, ReadUrlResponse, SearchOptions,
    SearchResponse, UrlReader,
};

use super::{parse_url, search_one};
use crate::AllowList;
use crate::fetch::{FetchRequest, Fetcher};
use crate::redact::shown;

/// The reader of last resort: no integration knows the host, but the allow list names it.
#[derive(Debug)]
pub(crate) struct FetchReader {
    fetcher: Fetcher,
    allow: Arc<AllowList>,
}

impl FetchReader {
    pub(crate) fn new(fetcher: Fetcher, allow: Arc<AllowList>) -> Self {
        Self { fetcher, allow }
    }
}

#[async_trait]
impl UrlReader for FetchReader {
    async fn read_url(&self, url: &str, options: &ReadUrlOptions) -> Result<ReadUrlResponse, ReadError> {
        let parsed = parse_url(url)?;
        let request = FetchRequest::new(&parsed, &*self.allow, &options.cancellation)
            .if_none_match(options.etag.as_deref())
            .if_modified_since(options.last_modified_after)
            .bearer(options.token.as_deref());
        let response = self.fetcher.get(&request).await?;
        let response = response
            .accepted(|response| format!("could not read {}, {}", shown(url), response.status_text()))?;
        Ok(response.into_file())
    }

    async fn read_tree(&self, _: &str, _: &ReadTreeOptions) -> Result<ReadTreeResponse, ReadError> {
        Err(ReadError::failed("FetchUrlReader does not implement readTree"))
    }

    async fn search(&self, url: &str, options: &SearchOptions) -> Result<SearchResponse, ReadError> {
        // A glob would be sent as it stands, and its 404 would look as if there were no such files.
        if parse_url(url)?.path().contains(['*', '?']) {
            return Err(ReadError::failed("Unsupported search pattern URL"));
        }
        search_one(self, url, options).await
    }
}

#[cfg(test)]
mod tests;
