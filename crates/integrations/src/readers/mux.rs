//! Chooses the reader for a URL.

use std::sync::Arc;

use async_trait::async_trait;
use callboard_sdk::{
    ReadError, ReadTreeOptions, ReadTreeResponse, ReadUrlOptions, ReadUrlResponse, SearchOptions,
    SearchResponse, UrlReader,
};
use url::{Url, quirks};

use super::parse_url;
use crate::AllowList;
use crate::redact::shown;

/// Which URLs a reader is for.
#[derive(Debug)]
pub(crate) enum Predicate {
    /// Those of one host, port included.
    Host(String),
    /// Those that `backend.reading.allow` admits.
    Allowed(Arc<AllowList>),
}

impl Predicate {
    fn accepts(&self, url: &Url) -> bool {
        match self {
            Self::Host(host) => quirks::host(url) == host,
            Self::Allowed(list) => list.is_allowed(url),
        }
    }
}

/// An ordered list of readers. The first whose predicate accepts the URL reads it; if that fails, no other is
/// tried, as the next one might know the host without its credentials and take a private file for absent.
#[derive(Debug)]
pub(crate) struct Mux {
    readers: Vec<(Predicate, Arc<dyn UrlReader>)>,
}

impl Mux {
    pub(crate) fn new(readers: Vec<(Predicate, Arc<dyn UrlReader>)>) -> Self {
        Self { readers }
    }

    fn reader(&self, url: &str) -> Result<&dyn UrlReader, ReadError> {
        let parsed = parse_url(url)?;
        let found = self.readers.iter().find(|(predicate, _)| predicate.accepts(&parsed));
        found.map(|(_, reader)| &**reader).ok_or_else(|| {
            ReadError::NotAllowed(format!(
                "Reading from '{}' is not allowed. You may need to configure an integration for the target \
                 host, or add it to the configured list of allowed hosts at 'backend.reading.allow'",
                shown(url)
            ))
        })
    }
}

#[async_trait]
impl UrlReader for Mux {
    async fn read_url(&self, url: &str, options: &ReadUrlOptions) -> Result<ReadUrlResponse, ReadError> {
        self.reader(url)?.read_url(url, options).await
    }

    async fn read_tree(&self, url: &str, options: &ReadTreeOptions) -> Result<ReadTreeResponse, ReadError> {
        self.reader(url)?.read_tree(url, options).await
    }

    async fn search(&self, url: &str, options: &SearchOptions) -> Result<SearchResponse, ReadError> {
        self.reader(url)?.search(url, options).await
    }
}
