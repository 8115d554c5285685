//! What can be set about the loop, with the defaults and their reasons.

use std::time::Duration;

use crate::{DoctorSettings, ProcessingErrorHandler, Randomness};

/// Limits of one run of one entity. What is over a limit fails the run with an error that names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimits {
    /// Entities that one entity may emit.
    pub emitted_entities_max: usize,
    /// Bytes of JSON that one entity may emit.
    pub emitted_bytes_max: usize,
    /// Relations that one entity may emit.
    pub emitted_relations_max: usize,
    /// Errors kept of one run; further ones are only counted.
    pub errors_max: usize,
    /// Files that are parsed at once; all runs together.
    pub parallel_parses_max: usize,
    /// Time for which nothing may happen in one call of one processor.
    pub processor_timeout: Duration,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            emitted_entities_max: 50_000,
            emitted_bytes_max: 256 << 20,
            emitted_relations_max: 200_000,
            errors_max: 100,
            parallel_parses_max: 2,
            // Longer than the readers' own limit, so that theirs, which says more, strikes first.
            processor_timeout: Duration::from_mins(2),
        }
    }
}

/// How long an entity rests between two runs: uniformly random, so that the runs spread out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// At least so long.
    pub min: Duration,
    /// Less than this.
    pub max: Duration,
}

impl Default for Interval {
    fn default() -> Self {
        Self { min: Duration::from_secs(100), max: Duration::from_secs(150) }
    }
}

impl Interval {
    /// From `catalog.processingInterval`: that long to one and a half times that long, in whole seconds, at least one.
    pub fn from_processing_interval(interval: Duration) -> Self {
        let rounded = interval + Duration::from_millis(500);
        let seconds = Duration::from_secs(rounded.as_secs().max(1));
        Self { min: seconds, max: seconds.mul_f64(1.5) }
    }
}

/// What becomes of entities that nobody hands over any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrphanStrategy {
    /// They are deleted.
    Delete,
    /// They stay, annotated.
    Keep,
}

/// What can be set about the loop.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// The rest between two runs.
    pub interval: Interval,
    /// What becomes of orphans.
    pub orphans: OrphanStrategy,
    /// What becomes of the buckets of providers that are not installed any more.
    pub provider_orphans: OrphanStrategy,
    /// Whether locations can be registered; without it the entities of those that are registered go like those of a
    /// provider that is not installed any more.
    pub has_location_store: bool,
    /// Runs that may be under way at once; most of them wait for the network. A few more are for what somebody waits
    /// for.
    pub concurrency: usize,
    /// Claims that may wait in memory.
    pub queue_max: usize,
    /// Outcomes in one transaction.
    pub commit_batch_max: usize,
    /// Bytes of outcomes that may wait to be written.
    pub pending_bytes_max: usize,
    /// Final entities in one transaction.
    pub stitch_batch_max: usize,
    /// A crashed process' work comes back after this long.
    pub lease: Duration,
    /// Rest between two looks for orphans.
    pub janitor_interval: Duration,
    /// Time that a shutdown gives to runs under way.
    pub drain_timeout: Duration,
    /// Changes that the change log keeps.
    pub changes_kept: u64,
    /// How the store is looked after; not at all if `None`.
    pub doctor: Option<DoctorSettings>,
    /// Who is told of entities that cannot be processed.
    pub on_processing_error: Option<ProcessingErrorHandler>,
    /// Where random numbers come from.
    pub randomness: Randomness,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            interval: Interval::default(),
            orphans: OrphanStrategy::Delete,
            provider_orphans: OrphanStrategy::Delete,
            has_location_store: true,
            concurrency: 16,
            queue_max: 2_500,
            commit_batch_max: 2_000,
            pending_bytes_max: 4 << 20,
            stitch_batch_max: 250,
            lease: Duration::from_mins(1),
            janitor_interval: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            changes_kept: 100_000,
            doctor: Some(DoctorSettings::default()),
            on_processing_error: None,
            randomness: Randomness::default(),
        }
    }
}
