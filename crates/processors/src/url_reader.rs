//! Reads locations of type `url` through the URL readers: a file behind a URL, or a glob of files.
//!
//! The cache holds the ETag of the last good read. When the upstream confirms it, nothing is parsed and what the
//! last good run emitted stands. An answer without a result (an error, a limit, a refusal) is an error, so that
//! everything that was read before stays; only an explicit "not found" of an optional location empties it.
//!
//! The files of a glob are emitted in their order while further ones are loaded, so that no more than a few of them
//! are in memory as texts.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use callboard_sdk::{
    Bytes, CatalogProcessor, Emit, Entity, Handled, LocationSpec, Presence, ProcessorContext, ProcessorError,
    Progress, ReadError, SearchFile, SearchOptions, SearchResponse, UrlReader, async_trait, results,
};
use futures::{StreamExt as _, stream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::cache::{emptied, remember, validator};

const TYPE: &str = "url";
/// File contents that are loaded at the same time, over all locations.
const CONCURRENT_LOADS_MAX: usize = 5;
/// File contents of one location that are loaded, or wait for their turn to be parsed.
const LOADS_AHEAD_MAX: usize = CONCURRENT_LOADS_MAX;
/// Length of an error text, in UTF-16 units; upstreams answer with whole pages.
const MESSAGE_UNITS_MAX: usize = 5000;

/// `url-reader`: reads `url` locations.
///
/// Emits the entities and errors of each file with the file's own URL as location, then the refresh key
/// `url:<target>`, also if nothing was found. A failed read ends with its error.
#[derive(Debug)]
pub struct UrlReaderProcessor {
    reader: Arc<dyn UrlReader>,
    loads: Arc<Semaphore>,
}

impl UrlReaderProcessor {
    /// A processor that reads through `reader`.
    pub fn new(reader: Arc<dyn UrlReader>) -> Self {
        Self { reader, loads: Arc::new(Semaphore::new(CONCURRENT_LOADS_MAX)) }
    }

    async fn emit_found(
        &self,
        location: &LocationSpec,
        presence: Presence,
        found: SearchResponse,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<(), ProcessorError> {
        if found.files.is_empty() && presence == Presence::Required {
            let message = format!("Unable to read {TYPE}, no matching files found for {}", location.target);
            cx.emit(results::not_found_error(location, message))?;
        }
        let was_filled = found.files.len() == 1 && cx.has_emitted_before();
        let mut is_all_entities = true;
        let mut tasks = JoinSet::new();
        let progress = cx.progress();
        let mut files = stream::iter(found.files)
            .map(|file| self.load(file, &mut tasks, progress))
            .buffered(LOADS_AHEAD_MAX);
        while let Some((url, loaded)) = files.next().await {
            match loaded {
                Ok(data) if data.is_empty() && was_filled => {
                    return cx.emit(unreadable(location, &ReadError::failed(emptied(&url))));
                }
                Ok(data) => {
                    let summary = cx.emit_parsed(&data, &LocationSpec::new(TYPE, url)).await?;
                    is_all_entities &= summary.is_all_entities();
                }
                // A file that was listed and is gone a moment later says nothing about the others, so even an
                // optional location stays as it was.
                Err(error) => return cx.emit(unreadable(location, &error)),
            }
        }
        let etag = Some(found.etag.as_str()).filter(|etag| is_all_entities && !etag.is_empty());
        remember(cx, etag)?;
        cx.emit(refresh_key(location))
    }

    /// Starts to load a file. As a task, so that it goes on while a file before it waits to be parsed: otherwise it
    /// would keep its place among the loads, and hold up all other locations.
    fn load<'p>(
        &self,
        file: SearchFile,
        tasks: &mut JoinSet<()>,
        progress: &'p Progress,
    ) -> impl Future<Output = (String, Result<Bytes, ReadError>)> + use<'p> {
        while tasks.try_join_next().is_some() {}
        let (url, loads) = (file.url.clone(), Arc::clone(&self.loads));
        let ((begun, has_begun), (sender, loaded)) = (oneshot::channel(), oneshot::channel());
        tasks.spawn(async move {
            // Fails when somebody has closed the semaphore, which nobody does.
            let permit = loads.acquire().await.ok();
            begun.send(()).ok();
            let content = file.content().await;
            drop(permit);
            sender.send(content).ok();
        });
        async move {
            progress.waiting(has_begun).await.ok();
            let interrupted = |_| Err(ReadError::failed(format!("loading {url} was interrupted")));
            let content = loaded.await.unwrap_or_else(interrupted);
            (url, content)
        }
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
        let etag = validator(cx);
        let is_known = etag.is_some();
        let options =
            SearchOptions { etag, cancellation: cx.cancellation().clone(), ..SearchOptions::default() };
        match self.reader.search(&location.target, &options).await {
            Ok(found) => self.emit_found(location, presence, found, cx).await?,
            Err(ReadError::NotModified) if is_known => {
                cx.emit(results::unchanged())?;
                cx.emit(refresh_key(location))?;
            }
            Err(ReadError::NotFound(_)) if presence == Presence::Optional => remember(cx, None)?,
            Err(error) => cx.emit(unreadable(location, &error))?,
        }
        Ok(Handled::Yes)
    }
}

fn unreadable(location: &LocationSpec, error: &ReadError) -> Emit {
    let message = cut(format!("Unable to read {TYPE}, {error}"));
    match error {
        ReadError::NotFound(_) => results::not_found_error(location, message),
        _ => results::general_error(location, message),
    }
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
