//! The two phases that every run has: the first pass, from an empty store until every entity is visible, and the steady
//! state, in which nothing changes.

use std::time::{Duration, Instant};

use super::IngestPlan;
use super::report::{FirstPass, SteadyState, Work};
use crate::daemon::metrics::added;
use crate::daemon::{Ingested, Observer, Snapshot, contract};
use crate::error::BenchError;
use crate::figures::{float, ratio};
use crate::test_bed::Setup;

/// Waits until all entities are visible and the daemon has come to rest. The snapshot is that of the last change.
pub(super) fn first_pass(
    observer: &mut Observer,
    setup: &Setup,
) -> Result<(FirstPass, Snapshot), BenchError> {
    let entities = setup.entities as u64;
    let Ingested { first, complete, settled } =
        observer.ingested(entities, setup.location_entities as u64)?;
    let started = observer.daemon.started;
    let since_start = |at: Instant| (at - started).as_secs_f64();
    let from_first_seconds = (complete.at - first.at).as_secs_f64();
    let store_bytes = observer.store_bytes()?;
    let postgres = observer.postgres_figures()?.map(|figures| figures.since_start());
    let per_entity = |figure: f64| ratio(figure, float(entities));
    let first_pass = FirstPass {
        seconds_to_first_entity: since_start(first.at),
        seconds_to_all_visible: since_start(complete.at),
        seconds_to_rest: since_start(settled.at),
        entities_per_second: ratio(float(entities), since_start(complete.at)),
        // Everything at once leaves no time to measure a rate over.
        entities_per_second_from_first: (from_first_seconds > 0.0)
            .then(|| float(complete.entities - first.entities) / from_first_seconds),
        cpu_seconds: settled.usage.cpu_seconds,
        cpu_microseconds_per_entity: per_entity(settled.usage.cpu_seconds * 1e6),
        peak_rss_bytes: settled.usage.peak_rss_bytes,
        store_bytes,
        store_bytes_per_entity: per_entity(float(store_bytes)),
        written_bytes: settled.usage.written_bytes,
        written_bytes_per_entity: per_entity(float(settled.usage.written_bytes)),
        disk_bytes: settled.usage.disk_bytes,
        postgres,
        work: Work {
            processed: settled.processed.clone(),
            stitched: settled.stitched.clone(),
            rows_written: settled.rows_written.clone(),
            http: settled.http.clone(),
        },
    };
    Ok((first_pass, settled))
}

/// Lets some cycles pass in which nothing changes.
pub(super) fn steady_state(
    observer: &mut Observer,
    plan: &IngestPlan,
    first_pass_cpu_seconds: f64,
) -> Result<SteadyState, BenchError> {
    let cycle: Duration = plan.test_bed.interval.mul_f64(contract::MEAN_CYCLE_IN_INTERVALS);
    // Files that were written just before they were read are read once more before they are trusted not to change.
    let before = observer.snapshot_after(plan.test_bed.interval * 2)?;
    let postgres_before = observer.postgres_figures()?;
    let after = observer.snapshot_after(cycle * plan.cycles)?;
    let postgres_after = observer.postgres_figures()?;
    let cpu_seconds = after.usage.cpu_seconds - before.usage.cpu_seconds;
    let cpu_seconds_per_cycle = ratio(cpu_seconds, f64::from(plan.cycles));
    Ok(SteadyState {
        cycles: plan.cycles,
        seconds: (after.at - before.at).as_secs_f64(),
        cpu_seconds_per_cycle,
        cpu_relative_to_first_pass: ratio(cpu_seconds_per_cycle, first_pass_cpu_seconds),
        written_bytes: after.usage.written_bytes.saturating_sub(before.usage.written_bytes),
        peak_rss_bytes: after.usage.peak_rss_bytes,
        store_bytes: observer.store_bytes()?,
        postgres: postgres_after.zip(postgres_before).map(|(after, before)| after.since(&before)),
        work: work_between(&before, &after),
    })
}

/// What a daemon did between two snapshots.
pub(super) fn work_between(before: &Snapshot, after: &Snapshot) -> Work {
    let http = after.http.as_ref().zip(before.http.as_ref()).map(|(after, before)| after.since(before));
    Work {
        processed: added(&after.processed, &before.processed),
        stitched: added(&after.stitched, &before.stitched),
        rows_written: added(&after.rows_written, &before.rows_written),
        http,
    }
}
