//! Starts one daemon, and then several on one database, on the same generated catalog, and reports what each of both cost,
//! and how often entities were processed.
//!
//! Every entity has to be processed once in the first pass, and every location once in the cycle that follows, by whichever
//! replica. Cycles are told apart by time: an entity rests for one to one and a half intervals between two visits, so just
//! before the second interval is over each location was visited once more, and none twice.

mod fleet;
pub mod report;

use std::path::PathBuf;
use std::time::Duration;

use crate::error::BenchError;
use crate::generate::app_config::Locations;
use crate::generate::layout::CatalogPlan;
use crate::interrupt::Interrupt;
use report::Report;

/// One run.
#[derive(Debug, Clone)]
pub struct ReplicasPlan {
    pub binary: PathBuf,
    pub catalog: CatalogPlan,
    /// One location would be read by one replica.
    pub locations: Locations,
    pub replicas: usize,
    pub interval: Duration,
    /// For all waiting of one of both runs together.
    pub timeout: Duration,
    /// Whether to leave the folders with the catalogs and the logs.
    pub keep: bool,
}

/// Does the run.
pub fn run(plan: &ReplicasPlan, interrupt: &Interrupt) -> Result<Report, BenchError> {
    Ok(Report {
        entities: plan.catalog.population.entities(),
        interval_seconds: plan.interval.as_secs_f64(),
        alone: fleet::measure(plan, 1, interrupt)?,
        together: fleet::measure(plan, plan.replicas, interrupt)?,
    })
}
