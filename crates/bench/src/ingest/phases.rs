//! The two phases that every run has: the first pass, from an empty store until every entity is visible, and the steady
//! state, in which nothing changes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::IngestPlan;
use super::contract;
use super::figures::{float, ratio};
use super::metrics::added;
use super::observer::{Observer, Snapshot};
use super::report::{FirstPass, Setup, SteadyState, Work};
use crate::error::BenchError;

/// Waits until all entities are visible and the daemon has come to rest. The snapshot is that of the last change.
pub(super) fn first_pass(
    observer: &mut Observer,
    setup: &Setup,
) -> Result<(FirstPass, Snapshot), BenchError> {
    let (entities, locations) = (setup.entities as u64, setup.location_entities as u64);
    let mut first = None;
    let mut seen = 0;
    let complete = observer.wait_for(
        || format!("{entities} entities and {locations} locations to be visible"),
        |observer| {
            let Some(now) = observer.look()? else {
                return Ok(None);
            };
            seen = visible(&now.entities);
            if seen > 0 && first.is_none() {
                first = Some((now.at, seen));
            }
            let is_complete = seen >= entities && visible_locations(&now.entities) >= locations;
            Ok(is_complete.then_some(now))
        },
    )?;
    let settled = observer.rest()?;

    let (first_at, first_seen) = first.unwrap_or((complete.at, seen));
    let since_start = |snapshot: &Snapshot| (snapshot.at - observer.started()).as_secs_f64();
    let from_first_seconds = (complete.at - first_at).as_secs_f64();
    let store_bytes = observer.store_bytes()?;
    let per_entity = |figure: f64| ratio(figure, float(entities));
    let first_pass = FirstPass {
        seconds_to_first_entity: (first_at - observer.started()).as_secs_f64(),
        seconds_to_all_visible: since_start(&complete),
        seconds_to_rest: since_start(&settled),
        entities_per_second: ratio(float(entities), since_start(&complete)),
        // Everything at once leaves no time to measure a rate over.
        entities_per_second_from_first: (from_first_seconds > 0.0)
            .then(|| float(seen - first_seen) / from_first_seconds),
        cpu_seconds: settled.usage.cpu_seconds,
        cpu_microseconds_per_entity: per_entity(settled.usage.cpu_seconds * 1e6),
        peak_rss_bytes: settled.usage.peak_rss_bytes,
        store_bytes,
        store_bytes_per_entity: per_entity(float(store_bytes)),
        written_bytes: settled.usage.written_bytes,
        written_bytes_per_entity: per_entity(float(settled.usage.written_bytes)),
        disk_bytes: settled.usage.disk_bytes,
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
    let cycle: Duration = plan.interval.mul_f64(contract::MEAN_CYCLE_IN_INTERVALS);
    // Files that were written just before they were read are read once more before they are trusted not to change.
    let before = observer.snapshot_after(plan.interval * 2)?;
    let after = observer.snapshot_after(cycle * plan.cycles)?;
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

fn visible(entities: &BTreeMap<String, u64>) -> u64 {
    entities.iter().filter(|(kind, _)| *kind != contract::LOCATION_KIND).map(|(_, count)| count).sum()
}

fn visible_locations(entities: &BTreeMap<String, u64>) -> u64 {
    entities.get(contract::LOCATION_KIND).copied().unwrap_or_default()
}
