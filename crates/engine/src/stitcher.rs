//! Makes final entities of what was committed.

use std::sync::Arc;
use std::time::Duration;

use callboard_store::{Hint, StitchFailure, StitchReport};
use tokio::time::Instant;

use crate::engine::Shared;
use crate::outage::Part;

/// Longest sleep, in case another process left work of which there was no hint.
const POLL: Duration = Duration::from_secs(5);
const POLL_AFTER_ERROR: Duration = Duration::from_secs(1);

/// Rest between two rounds while much is being processed: an entity that others point at is then made once for many
/// of them. What somebody waits for does not wait for its end.
const GATHER: Duration = Duration::from_secs(1);

/// Rest at most for as long as the last round took, which is the same for what makes it long: a group with very many
/// members whose members change without pause would be made without pause.
const COSTLY_REST_MAX: Duration = Duration::from_secs(5);

/// How often the rest looks whether there is still much being processed.
const GATHER_POLL: Duration = Duration::from_millis(50);

/// After so many final entities the janitor is called as soon as there is nothing else to do.
const MUCH: usize = 1_000;

pub(crate) async fn run(shared: Arc<Shared>) {
    // Counters are there from the start, so that their first event is an increase.
    for result in ["changed", "unchanged", "abandoned", "error"] {
        stitched(result).increment(0);
    }
    let mut written = 0;
    while !shared.stopping.is_cancelled() {
        let started = Instant::now();
        let made = shared.store.stitch(shared.settings.stitch_batch_max, shared.clock.now()).await;
        shared.outage.note(Part::Stitcher, &made, "Failed to load stitchable entities");
        let Ok(report) = made else {
            stitched("error").increment(1);
            tokio::time::sleep(POLL_AFTER_ERROR).await;
            continue;
        };
        record(&report, started);
        if report.changed > 0 {
            shared.wake.changed();
        }
        written += report.changed;
        if !report.has_more {
            if written >= MUCH && shared.leases.is_empty() {
                written = 0;
                shared.wake.tidy();
            }
            rest(&shared, started.elapsed().min(COSTLY_REST_MAX)).await;
        }
    }
}

async fn rest(shared: &Shared, cost: Duration) {
    tokio::select! {
        biased;
        () = shared.stopping.cancelled() => return,
        () = shared.wake.stitch_wanted() => {}
        () = shared.store.hinted(Hint::Unstitched) => {}
        () = tokio::time::sleep(POLL) => {}
    }
    let is_drained = async {
        tokio::time::sleep(cost).await;
        while !shared.leases.is_empty() {
            tokio::time::sleep(GATHER_POLL).await;
        }
    };
    tokio::select! {
        biased;
        () = shared.stopping.cancelled() => {}
        () = shared.wake.stitch_wanted_at_once() => {}
        () = is_drained => {}
        () = tokio::time::sleep(GATHER.max(cost)) => {}
    }
}

fn stitched(result: &'static str) -> metrics::Counter {
    metrics::counter!("catalog_stitched_entities_count", "result" => result)
}

fn record(report: &StitchReport, started: Instant) {
    let StitchReport { changed, unchanged, abandoned, ref failed, .. } = *report;
    for StitchFailure { entity_ref, error } in failed {
        tracing::error!("Failed to stitch {entity_ref}, {error}");
    }
    let results =
        [("changed", changed), ("unchanged", unchanged), ("abandoned", abandoned), ("error", failed.len())];
    let total: usize = results.iter().map(|(_, count)| count).sum();
    // They were made together, so each took its share.
    let share = started.elapsed() / u32::try_from(total.max(1)).unwrap_or(u32::MAX);
    for (result, count) in results.into_iter().filter(|(_, count)| *count > 0) {
        stitched(result).increment(count as u64);
        metrics::histogram!("catalog_stitching_duration_seconds", "result" => result)
            .record_many(share, count);
    }
}

#[cfg(test)]
mod tests;
