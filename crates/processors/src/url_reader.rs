//! Reads locations of type `url` through the URL readers: a file behind a URL, or a glob of files.
//!
//! The cache holds the ETag of the last good read. When the upstream confirms it, nothing is parsed and what the
//! last good run emitted stands. An answer without a result (an error, a limit, a refusal) is an error, so that
//! everything that was read before stays; only an explicit "not found" of an optional location empties it.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use callboard_sdk::{
    Bytes, CatalogProcessor, Emit, Entity, Handled, LocationSpec, Presence, ProcessorContext, ProcessorError,
    ReadError, SearchFile, SearchOptions, UrlReader, async_trait, results,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::cache::forget;

const TYPE: &str = "url";
/// To be changed with [`CacheItem`].
const CACHE_KEY: &str = "v1";
/// File contents that are loaded at the same time, over all locations.
const CONCURRENT_LOADS_MAX: usize = 5;
/// Length of an error text, in UTF-16 units; upstreams answer with whole pages.
const MESSAGE_UNITS_MAX: usize = 5000;

/// `url-reader`: reads `url` locations.
///
/// Emits the entities and errors of each file with the file's own URL as location, then the refresh key
/// `url:<target>`, also if nothing was found. After a failed read there is the error and nothing else.
#[derive(Debug)]
pub struct UrlReaderProcessor {
    reader: Arc<dyn UrlReader>,
    loads: Semaphore,
}

#[derive(Debug, Serialize, Deserialize)]
struct CacheItem {
    etag: String,
}

/// A failed read.
enum Failure {
    /// The search itself.
    Search(ReadError),
    /// Loading a file that the search had found.
    Content(ReadError),
}

impl UrlReaderProcessor {
    /// A processor that reads through `reader`.
    pub fn new(reader: Arc<dyn UrlReader>) -> Self {
        Self { reader, loads: Semaphore::new(CONCURRENT_LOADS_MAX) }
    }

    async fn search(
        &self,
        target: &str,
        options: &SearchOptions,
    ) -> Result<(Vec<(String, Bytes)>, String), Failure> {
        let found = self.reader.search(target, options).await.map_err(Failure::Search)?;
        let files = stream::iter(found.files)
            .map(|file| self.load(file))
            .buffered(CONCURRENT_LOADS_MAX)
            .try_collect()
            .await
            .map_err(Failure::Content)?;
        Ok((files, found.etag))
    }

    async fn load(&self, file: SearchFile) -> Result<(String, Bytes), ReadError> {
        let _permit = self.loads.acquire().await.map_err(|error| ReadError::failed(error.to_string()))?;
        Ok((file.url.clone(), file.content().await?))
    }
}

#[async_trait]
impl CatalogProcessor for UrlReaderProcessor {
    fn name(&self) -> &'static str {
        "url-reader"
    }

    fn is_pure(&self, entity: &Entity) -> bool {
        entity.kind() != "Location"
    }

    fn fingerprint(&self) -> String {
        "1".to_owned()
    }

    async fn read_location(
        &self,
        location: &LocationSpec,
        presence: Presence,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Handled, ProcessorError> {
        if location.kind != TYPE {
            return Ok(Handled::No);
        }
        let cached = cx.cache().get::<CacheItem>(CACHE_KEY);
        let is_cached = cached.is_some();
        let options = SearchOptions {
            etag: cached.map(|item| item.etag),
            cancellation: cx.cancellation().clone(),
            ..SearchOptions::default()
        };
        match self.search(&location.target, &options).await {
            Ok((files, etag)) => emit_files(location, presence, &files, etag, cx).await?,
            Err(Failure::Search(ReadError::NotModified)) if is_cached => {
                cx.emit(results::unchanged())?;
                cx.emit(refresh_key(location))?;
            }
            Err(failure) => emit_failure(location, presence, &failure, cx)?,
        }
        Ok(Handled::Yes)
    }
}

async fn emit_files(
    location: &LocationSpec,
    presence: Presence,
    files: &[(String, Bytes)],
    etag: String,
    cx: &mut ProcessorContext<'_>,
) -> Result<(), ProcessorError> {
    if files.is_empty() && presence == Presence::Required {
        let message = format!("Unable to read {TYPE}, no matching files found for {}", location.target);
        cx.emit(results::not_found_error(location, message))?;
    }
    let mut is_all_entities = true;
    for (url, data) in files {
        let summary = cx.emit_parsed(data, &LocationSpec::new(TYPE, url.clone())).await?;
        is_all_entities &= summary.is_all_entities();
    }
    if is_all_entities && !etag.is_empty() {
        cx.cache().set(CACHE_KEY, &CacheItem { etag })?;
    } else {
        forget(cx, CACHE_KEY)?;
    }
    cx.emit(refresh_key(location))
}

fn emit_failure(
    location: &LocationSpec,
    presence: Presence,
    failure: &Failure,
    cx: &mut ProcessorContext<'_>,
) -> Result<(), ProcessorError> {
    let error = match failure {
        Failure::Search(ReadError::NotFound(_)) if presence == Presence::Optional => {
            return forget(cx, CACHE_KEY);
        }
        // A file that was listed and is gone a moment later says nothing about the others, so even an optional
        // location stays as it was.
        Failure::Search(error) | Failure::Content(error) => error,
    };
    let message = cut(format!("Unable to read {TYPE}, {error}"));
    cx.emit(match error {
        ReadError::NotFound(_) => results::not_found_error(location, message),
        _ => results::general_error(location, message),
    })
}

fn refresh_key(location: &LocationSpec) -> Emit {
    results::refresh(format!("{TYPE}:{}", location.target))
}

fn cut(mut message: String) -> String {
    let mut units = 0;
    let end = message.char_indices().find_map(|(at, character)| {
        units += character.len_utf16();
        (units > MESSAGE_UNITS_MAX).then_some(at)
    });
    if let Some(end) = end {
        message.truncate(end);
    }
    message
}
