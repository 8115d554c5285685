//! A URL reader over a table in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    ReadError, ReadTreeOptions, ReadTreeResponse, ReadUrlOptions, ReadUrlResponse, SearchFile, SearchOptions,
    SearchResponse, TreeFile, UrlReader,
};

/// A request that a [`FakeReader`] saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What was asked for.
    pub url: String,
    /// The validator that was sent.
    pub etag: Option<String>,
}

#[derive(Debug, Clone)]
enum Entry {
    Content { data: Bytes, etag: Option<String> },
    Failure(ReadError),
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    requests: Vec<Request>,
}

/// Answers from a table of URLs; clones share it. Unknown URLs are not found, and a validator that matches is
/// answered by [`ReadError::NotModified`]. In searches a `*` stands for anything.
#[derive(Debug, Clone, Default)]
pub struct FakeReader(Arc<Mutex<State>>);

impl FakeReader {
    /// Puts content behind a URL.
    pub fn put(&self, url: &str, data: impl Into<Bytes>, etag: Option<&str>) {
        let entry = Entry::Content { data: data.into(), etag: etag.map(str::to_owned) };
        self.state().entries.insert(url.to_owned(), entry);
    }

    /// Makes reads of a URL fail.
    pub fn fail(&self, url: &str, error: ReadError) {
        self.state().entries.insert(url.to_owned(), Entry::Failure(error));
    }

    /// Takes away what is behind a URL.
    pub fn remove(&self, url: &str) {
        self.state().entries.remove(url);
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, url: &str, etag: Option<&String>) {
        self.state().requests.push(Request { url: url.to_owned(), etag: etag.cloned() });
    }

    fn answer(&self, url: &str, sent: Option<&String>) -> Result<(Bytes, Option<String>), ReadError> {
        match self.state().entries.get(url) {
            None => Err(ReadError::NotFound(format!("could not read {url}, 404 Not Found"))),
            Some(Entry::Failure(error)) => Err(error.clone()),
            Some(Entry::Content { etag, .. }) if sent.is_some() && etag.as_ref() == sent => {
                Err(ReadError::NotModified)
            }
            Some(Entry::Content { data, etag }) => Ok((data.clone(), etag.clone())),
        }
    }

    fn contents(&self, matches: impl Fn(&str) -> bool) -> Vec<(String, Bytes)> {
        let state = self.state();
        let contents = state.entries.iter().filter_map(|(url, entry)| match entry {
            Entry::Content { data, .. } if matches(url) => Some((url.clone(), data.clone())),
            _ => None,
        });
        contents.collect()
    }
}

#[async_trait]
impl UrlReader for FakeReader {
    async fn read_url(&self, url: &str, options: &ReadUrlOptions) -> Result<ReadUrlResponse, ReadError> {
        self.record(url, options.etag.as_ref());
        let (data, etag) = self.answer(url, options.etag.as_ref())?;
        Ok(ReadUrlResponse { data, etag, last_modified_at: None })
    }

    async fn read_tree(&self, url: &str, options: &ReadTreeOptions) -> Result<ReadTreeResponse, ReadError> {
        self.record(url, options.etag.as_ref());
        let prefix = format!("{}/", url.trim_end_matches('/'));
        let wanted = |path: &str, size: u64| options.filter.as_ref().is_none_or(|filter| filter(path, size));
        let files = self
            .contents(|url| url.starts_with(&prefix))
            .into_iter()
            .filter_map(|(url, data)| Some((url.strip_prefix(&prefix)?.to_owned(), data)))
            .filter(|(path, data)| wanted(path, data.len() as u64))
            .map(|(path, data)| TreeFile { path, data, last_modified_at: None })
            .collect();
        Ok(ReadTreeResponse { files, etag: String::new() })
    }

    async fn search(&self, url: &str, options: &SearchOptions) -> Result<SearchResponse, ReadError> {
        self.record(url, options.etag.as_ref());
        if url.contains('*') {
            let files = self.contents(|candidate| wildcard_matches(url, candidate));
            let files = files.into_iter().map(|(url, data)| SearchFile::ready(url, data)).collect();
            return Ok(SearchResponse { files, etag: String::new() });
        }
        match self.answer(url, options.etag.as_ref()) {
            Ok((data, etag)) => Ok(SearchResponse {
                files: vec![SearchFile::ready(url, data)],
                etag: etag.unwrap_or_default(),
            }),
            Err(ReadError::NotFound(_)) => Ok(SearchResponse { files: Vec::new(), etag: String::new() }),
            Err(error) => Err(error),
        }
    }
}

fn wildcard_matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("a/*/c.yaml", "a/b/c.yaml", true),
            ("a/*", "a/", true),
            ("a/*/c", "a/b/d", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("*b*d", "abcd", true),
        ] {
            assert_eq!(wildcard_matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
