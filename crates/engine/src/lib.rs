//! The ingestion loop.
//!
//! ```text
//!  due rows ─► Claimer ─► Queue ─► Workers ─► Committer ─► store ─► Stitcher ─► final entities
//!                           ▲      (Pipeline)     │
//!                           └── leased children ──┘
//! ```
//!
//! The [`Pipeline`] is pure of storage: an entity goes in, an outcome comes out. Everything else moves claims and
//! outcomes between it and the store in batches. The truth about what is to be done is in the store alone: queues
//! and wake-ups in memory may be lost at any moment without losing work.
//!
//! Time, randomness and everything slow come in from outside, and a part of the loop that waits for several things looks
//! at them in a fixed order (`biased`): under simulated time a seed gives the same history again.

mod catalog;
mod claimer;
mod collector;
mod committer;
mod connection;
mod digest;
mod doctor;
mod dry_run;
mod engine;
mod error_handler;
mod janitor;
mod job;
mod leases;
mod location_step;
mod locations;
mod order;
mod outage;
mod pipeline;
mod processing;
mod queue;
mod randomness;
mod rules;
mod run;
mod settings;
mod spans;
mod standing;
mod stitcher;
#[cfg(test)]
mod testing;
mod threads;
mod wake;
mod worker;

pub use catalog::{Catalog, CatalogOpError, DryRun, ExistingFile, LocationAnalysis, ProcessorInfo};
pub use doctor::{Care, CheckedPage, Checkup, DoctorSettings, Finding};
pub use dry_run::{DryRunEntity, DryRunItem};
pub use engine::{Engine, EngineError, RunningEngine};
pub use error_handler::ProcessingErrorHandler;
pub use locations::LOCATION_STORE;
pub use order::ProcessorOptions;
pub use pipeline::{Pipeline, PipelineParts, RulesEnforcer};
pub use randomness::Randomness;
pub use rules::{CatalogRules, RulesError};
pub use settings::{EngineSettings, Interval, OrphanStrategy, RunLimits};
pub use threads::RunThreads;
pub use wake::Wake;
