//! Starts a daemon on a generated catalog and reports what it cost to get every entity into the API, what it costs to
//! keep it there, and what one changed entity costs.
//!
//! The daemon is observed only: its CPU time, memory and writes by the kernel, its progress by its metrics, its requests
//! by the server that answers them. It is killed when the run ends, however the run ends.

mod change;
mod phases;
pub mod report;

use crate::error::BenchError;
use crate::interrupt::Interrupt;
use crate::test_bed::{TestBed, TestBedPlan};
use report::Report;

/// One run.
#[derive(Debug, Clone)]
pub struct IngestPlan {
    pub test_bed: TestBedPlan,
    /// Length of the observation after the first pass; 0 leaves it out.
    pub cycles: u32,
    /// Whether to change one entity at the end.
    pub change_one: bool,
}

/// Does the run.
pub fn run(plan: &IngestPlan, interrupt: &Interrupt) -> Result<Report, BenchError> {
    let mut bed = TestBed::set_up(&plan.test_bed, interrupt)?;
    let (first_pass, settled) = phases::first_pass(&mut bed.observer, &bed.setup)?;
    let steady_state = (plan.cycles > 0)
        .then(|| phases::steady_state(&mut bed.observer, plan, settled.usage.cpu_seconds))
        .transpose()?;
    let change = match plan.test_bed.catalog.sample(&bed.catalog) {
        Some((identity, file)) if plan.change_one => {
            Some(change::change_one(&mut bed.observer, &identity, &file)?)
        }
        _ => None,
    };
    Ok(Report { setup: bed.setup, first_pass, steady_state, change })
}
