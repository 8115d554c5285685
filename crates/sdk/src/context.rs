//! What a processor can do besides returning: emit, remember, parse, look at the time.

use std::any::Any;
use std::sync::Arc;

use callboard_model::LocationSpec;
use tokio::runtime::RuntimeFlavor;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{CacheState, Clock, Emit, EntityDataParser, ProcessorCache, ProcessorError, Progress};

/// Documents parsed between two chances for other tasks to run: some milliseconds of work.
const DOCUMENTS_PER_YIELD: usize = 32;
/// Texts of this length take tens of milliseconds to parse, for which nothing else should have to wait.
const LARGE_BYTES: usize = 1 << 20;

/// Takes what processors emit.
pub trait EmitSink: Any + Send {
    /// Takes one item. An `Err` (a limit, a location that cannot be written as text) fails the processor.
    fn emit(&mut self, item: Emit) -> Result<(), ProcessorError>;

    /// A sink for items that come after those which this one takes meanwhile; `None` if all have to come here, one
    /// after the other.
    fn branch(&self) -> Option<Box<dyn EmitSink>> {
        None
    }

    /// Takes over what a [`branch`](Self::branch) of this sink has taken.
    fn join(&mut self, branch: Box<dyn EmitSink>) -> Result<(), ProcessorError> {
        drop(branch);
        Err(ProcessorError::general("this sink has no branches"))
    }
}

/// What the host puts into a [`ProcessorContext`].
#[expect(missing_debug_implementations, reason = "holds the host's trait objects for the time of one call")]
pub struct ContextParts<'a> {
    /// Name of the processor that is called.
    pub processor: &'a str,
    /// The target that is read; in `read_location` only.
    pub target: Option<&'a str>,
    /// Where the entity in hand was read from.
    pub location: &'a LocationSpec,
    /// The location through which the entity came into the catalog in the first place.
    pub origin_location: &'a LocationSpec,
    /// Takes what is emitted.
    pub sink: &'a mut dyn EmitSink,
    /// The memories of all processors.
    pub cache: &'a mut CacheState,
    /// Turns file contents into entities.
    pub parser: &'a Arc<dyn EntityDataParser>,
    /// Bounds how many files are parsed at once: what comes out of them is in memory until it is written.
    pub parse_slots: &'a Arc<Semaphore>,
    /// How the run gets on.
    pub progress: &'a Arc<Progress>,
    /// Ends the run.
    pub cancellation: &'a CancellationToken,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Handed to a processor for one call.
pub struct ProcessorContext<'a> {
    parts: ContextParts<'a>,
}

impl std::fmt::Debug for ProcessorContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessorContext")
            .field("processor", &self.parts.processor)
            .field("location", &self.parts.location)
            .finish_non_exhaustive()
    }
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// What is in it.
    pub data: Vec<u8>,
    /// Where it was read from.
    pub location: LocationSpec,
}

/// What [`ProcessorContext::emit_parsed`] found in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParseSummary {
    /// Entities emitted.
    pub entities: usize,
    /// Errors and other items emitted.
    pub others: usize,
    has_children: bool,
}

impl ParseSummary {
    /// Whether the result may be remembered as good: nothing but entities came out.
    pub fn is_all_entities(self) -> bool {
        self.others == 0
    }
}

impl<'a> ProcessorContext<'a> {
    /// For hosts.
    pub fn new(parts: ContextParts<'a>) -> Self {
        Self { parts }
    }

    /// Emits one item.
    pub fn emit(&mut self, item: Emit) -> Result<(), ProcessorError> {
        self.parts.progress.step();
        if let Some(target) = self.parts.target {
            let is_kept = matches!(item, Emit::Unchanged) && self.has_emitted_before();
            if is_kept || brings_children(&item) {
                self.parts.cache.note_emitted(target);
            }
        }
        self.parts.sink.emit(item)
    }

    /// In `read_location`: whether entities came from this target in the last good run. Known also where no memory is
    /// left.
    pub fn has_emitted_before(&self) -> bool {
        self.parts.target.is_some_and(|target| self.parts.cache.has_emitted_before(target))
    }

    /// What this processor remembers about this entity; in `read_location`, about this target.
    pub fn cache(&mut self) -> &mut ProcessorCache {
        self.parts.cache.handle(self.parts.processor, self.parts.target)
    }

    /// Where the entity in hand was read from.
    pub fn location(&self) -> &'a LocationSpec {
        self.parts.location
    }

    /// The location through which the entity in hand came into the catalog in the first place.
    pub fn origin_location(&self) -> &'a LocationSpec {
        self.parts.origin_location
    }

    /// Ends when the run shall end.
    pub fn cancellation(&self) -> &'a CancellationToken {
        self.parts.cancellation
    }

    /// To say that the call gets on, for calls that work for minutes without emitting or parsing anything: the host
    /// gives up a call in which nothing happens for too long.
    pub fn progress(&self) -> &'a Progress {
        self.parts.progress
    }

    /// The time.
    pub fn clock(&self) -> &'a dyn Clock {
        self.parts.clock
    }

    /// Parses the content of a file and emits every entity and every error in it.
    pub async fn emit_parsed(
        &mut self,
        data: &[u8],
        location: &LocationSpec,
    ) -> Result<ParseSummary, ProcessorError> {
        let summary = self.parsing_parts().parse(data, location, self.parts.sink).await?;
        self.note_parsed(summary);
        Ok(summary)
    }

    /// Like [`emit_parsed`](Self::emit_parsed) for one file after the other, but in parallel where the host can do that.
    pub async fn emit_parsed_files(
        &mut self,
        mut files: Vec<FileContent>,
    ) -> Result<Vec<ParseSummary>, ProcessorError> {
        let parts = self.parsing_parts();
        let branch = if files.len() > 1 { self.parts.sink.branch() } else { None };
        let mut beside = JoinSet::new();
        if let Some(mut sink) = branch {
            let (parts, later) = (parts.clone(), later_half(&mut files));
            let parse = async move { Ok((parts.parse_all(&later, sink.as_mut()).await?, sink)) };
            beside.spawn(parse.in_current_span());
        }
        let mut summaries = parts.parse_all(&files, self.parts.sink).await?;
        drop(files);
        if let Some(parsed) = beside.join_next().await {
            let (later, branch) = result_of(parsed)?;
            self.parts.sink.join(branch)?;
            summaries.extend(later);
        }
        for summary in &summaries {
            self.note_parsed(*summary);
        }
        Ok(summaries)
    }

    fn parsing_parts(&self) -> ParsingParts {
        ParsingParts {
            parser: Arc::clone(self.parts.parser),
            slots: Arc::clone(self.parts.parse_slots),
            progress: Arc::clone(self.parts.progress),
            cancellation: self.parts.cancellation.clone(),
        }
    }

    fn note_parsed(&mut self, summary: ParseSummary) {
        if let Some(target) = self.parts.target.filter(|_| summary.has_children) {
            self.parts.cache.note_emitted(target);
        }
    }

    /// Parses a text of `bytes` when it is its turn: only so many are parsed at the same time. For texts that are not
    /// emitted as they are; [`emit_parsed`](Self::emit_parsed) does it by itself.
    pub async fn parsing<T>(&mut self, bytes: usize, parse: impl FnOnce() -> T) -> T {
        let _slot = self.parts.progress.parse_slot(self.parts.parse_slots).await;
        aside(bytes, parse)
    }
}

/// What it takes to parse files.
#[derive(Clone)]
struct ParsingParts {
    parser: Arc<dyn EntityDataParser>,
    slots: Arc<Semaphore>,
    progress: Arc<Progress>,
    cancellation: CancellationToken,
}

impl ParsingParts {
    async fn parse_all(
        &self,
        files: &[FileContent],
        sink: &mut dyn EmitSink,
    ) -> Result<Vec<ParseSummary>, ProcessorError> {
        let mut summaries = Vec::with_capacity(files.len());
        for FileContent { data, location } in files {
            summaries.push(self.parse(data, location, sink).await?);
        }
        Ok(summaries)
    }

    async fn parse(
        &self,
        data: &[u8],
        location: &LocationSpec,
        sink: &mut dyn EmitSink,
    ) -> Result<ParseSummary, ProcessorError> {
        let _slot = self.progress.parse_slot(&self.slots).await;
        let mut summary = ParseSummary::default();
        let mut items = self.parser.parse(data, location);
        loop {
            let is_done = aside(data.len(), || {
                for _ in 0..DOCUMENTS_PER_YIELD {
                    let Some(item) = items.next() else { return Ok(true) };
                    match item {
                        Emit::Entity { .. } => summary.entities += 1,
                        _ => summary.others += 1,
                    }
                    summary.has_children |= brings_children(&item);
                    self.progress.step();
                    sink.emit(item)?;
                }
                Ok::<_, ProcessorError>(false)
            })?;
            if is_done {
                return Ok(summary);
            }
            tokio::task::yield_now().await;
            if self.cancellation.is_cancelled() {
                return Err(cancelled());
            }
        }
    }
}

fn brings_children(item: &Emit) -> bool {
    matches!(item, Emit::Entity { .. } | Emit::Location(_))
}

/// Takes the later ones of several files out, so that about half of the text is left.
fn later_half(files: &mut Vec<FileContent>) -> Vec<FileContent> {
    let bytes: usize = files.iter().map(|file| file.data.len()).sum();
    let mut before = 0;
    let is_in_half = |file: &&FileContent| {
        before += file.data.len();
        before * 2 <= bytes
    };
    let half = files.iter().take_while(is_in_half).count();
    files.split_off(half.clamp(1, files.len() - 1))
}

/// What a task came to, as if it were a part of the one that waits for it.
fn result_of<T>(joined: Result<Result<T, ProcessorError>, JoinError>) -> Result<T, ProcessorError> {
    joined.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(cancelled()),
    })
}

fn cancelled() -> ProcessorError {
    ProcessorError::general("the run was cancelled")
}

/// Lets the other tasks of this thread go on elsewhere while much is parsed.
fn aside<T>(bytes: usize, parse: impl FnOnce() -> T) -> T {
    let flavor = tokio::runtime::Handle::try_current().map(|runtime| runtime.runtime_flavor());
    if bytes >= LARGE_BYTES && matches!(flavor, Ok(RuntimeFlavor::MultiThread)) {
        tokio::task::block_in_place(parse)
    } else {
        parse()
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, Handle};

    use super::*;

    #[test]
    fn much_can_be_parsed_wherever_a_run_happens_to_be() {
        assert_eq!(aside(LARGE_BYTES, || 1), 1, "outside of any runtime");
        let single = Builder::new_current_thread().build().unwrap();
        assert_eq!(single.block_on(async { aside(LARGE_BYTES, || 2) }), 2);
        let multi = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        assert_eq!(multi.block_on(async { aside(LARGE_BYTES, || 3) }), 3);
        let on_worker = multi.spawn(async { aside(LARGE_BYTES, || 4) });
        assert_eq!(multi.block_on(on_worker).unwrap(), 4);
        let handle = multi.handle().clone();
        let apart = multi.spawn(async move {
            let inner = Handle::current();
            handle.spawn_blocking(move || inner.block_on(async { aside(LARGE_BYTES, || 5) })).await
        });
        assert_eq!(multi.block_on(apart).unwrap().unwrap(), 5, "on a thread for code that may block");
    }

    #[test]
    fn files_are_shared_out_by_their_length_and_both_halves_have_some() {
        for (lengths, expected) in [
            (&[1, 1][..], 1),
            (&[1, 100], 1),
            (&[100, 1], 1),
            (&[0, 0, 0], 2),
            (&[10, 10, 10, 10], 2),
            (&[10, 10, 100, 10], 2),
            (&[30, 10, 10, 10], 1),
        ] {
            let location = LocationSpec::new("file", "/a.yaml");
            let file = |length: &usize| FileContent { data: vec![0; *length], location: location.clone() };
            let mut files: Vec<_> = lengths.iter().map(file).collect();
            let later = later_half(&mut files);
            assert_eq!((files.len(), later.len()), (expected, lengths.len() - expected), "{lengths:?}");
        }
    }
}
