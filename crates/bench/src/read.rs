//! Starts a daemon on a generated catalog, waits until it is at rest, and reports how fast its API answers the questions
//! that catalogs are asked most, over connections that stay open.
//!
//! The clients run in this process and take their share of the machine: what they cost is reported beside what the
//! daemon costs. Any answer but 200 ends the run.

mod client;
mod latency;
pub mod report;
mod response;
pub mod scenario;

use std::time::Duration;

use crate::daemon::{Daemon, Usage};
use crate::error::BenchError;
use crate::interrupt::Interrupt;
use crate::test_bed::{TestBed, TestBedPlan};
use client::{Clients, Tally, Target};
use report::{Costs, Measurement, Report};
use scenario::Scenario;

/// For how long the clients ask before it counts: the daemon builds what it builds once, connections grow their windows.
const WARM_UP: Duration = Duration::from_millis(500);

/// One run.
#[derive(Debug, Clone)]
pub struct ReadPlan {
    pub test_bed: TestBedPlan,
    pub scenarios: Vec<Scenario>,
    /// Each scenario is measured with each of these numbers of clients.
    pub clients: Vec<usize>,
    /// Length of each measurement.
    pub time: Duration,
}

/// Does the run.
pub fn run(plan: &ReadPlan, interrupt: &Interrupt) -> Result<Report, BenchError> {
    let mut bed = TestBed::set_up(&plan.test_bed, interrupt)?;
    bed.observer.ingested(bed.setup.entities as u64, bed.setup.location_entities as u64)?;
    let daemon = &mut bed.observer.daemon;
    let mut measurements = Vec::with_capacity(plan.scenarios.len() * plan.clients.len());
    for scenario in &plan.scenarios {
        let requests = scenario.requests(&plan.test_bed.catalog.population, daemon.address);
        let target = Target { address: daemon.address, requests: &requests, interrupt };
        for clients in &plan.clients {
            let measured = measure(daemon, target, *clients, plan.time);
            // What became of a daemon that has ended says more than a connection that broke.
            let (tally, costs) = measured.map_err(|error| daemon.check().err().unwrap_or(error))?;
            measurements.push(Measurement::new(*scenario, *clients, tally, &costs));
        }
    }
    Ok(Report { setup: bed.setup, seconds: plan.time.as_secs_f64(), measurements })
}

fn measure(
    daemon: &Daemon,
    target: Target<'_>,
    clients: usize,
    time: Duration,
) -> Result<(Tally, Costs), BenchError> {
    daemon.reset_peak()?;
    let at_rest = daemon.usage()?;
    let mut clients = Clients::connect(target, clients)?;
    clients.ask_for(WARM_UP)?;

    let before = (daemon.usage()?, own_usage()?);
    let tally = clients.ask_for(time)?;
    let after = (daemon.usage()?, own_usage()?);
    let costs = Costs {
        daemon_cpu_seconds: after.0.cpu_seconds - before.0.cpu_seconds,
        client_cpu_seconds: after.1.cpu_seconds - before.1.cpu_seconds,
        rss_bytes_before: at_rest.rss_bytes,
        peak_rss_bytes: after.0.peak_rss_bytes,
    };
    Ok((tally, costs))
}

fn own_usage() -> Result<Usage, BenchError> {
    Usage::of(std::process::id())
}
