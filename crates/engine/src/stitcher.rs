//! Makes final entities of what was committed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_store::StitchReport;

use crate::engine::Shared;

/// Longest sleep, in case another process left work.
const POLL: Duration = Duration::from_secs(5);
const POLL_AFTER_ERROR: Duration = Duration::from_secs(1);

/// Rest between two rounds while much is being processed: an entity that others point at is then made once for many
/// of them. What somebody waits for does not wait for its end.
const GATHER: Duration = Duration::from_secs(1);

/// How often the rest looks whether there is still much being processed.
const GATHER_POLL: Duration = Duration::from_millis(50);

pub(crate) async fn run(shared: Arc<Shared>) {
    while !shared.stopping.is_cancelled() {
        let started = Instant::now();
        match shared.store.stitch(shared.settings.stitch_batch_max, shared.clock.now()).await {
            Ok(report) => {
                record(&report, started);
                if !report.has_more {
                    rest(&shared).await;
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "Failed to load stitchable entities"
                );
                metrics::counter!("catalog_stitched_entities_count", "result" => "error").increment(1);
                tokio::time::sleep(POLL_AFTER_ERROR).await;
            }
        }
    }
}

async fn rest(shared: &Shared) {
    tokio::select! {
        () = shared.stopping.cancelled() => return,
        () = shared.wake.stitch_wanted() => {}
        () = tokio::time::sleep(POLL) => {}
    }
    let is_drained = async {
        while !shared.leases.is_empty() {
            tokio::time::sleep(GATHER_POLL).await;
        }
    };
    tokio::select! {
        () = shared.stopping.cancelled() => {}
        () = shared.wake.stitch_wanted_at_once() => {}
        () = is_drained => {}
        () = tokio::time::sleep(GATHER) => {}
    }
}

fn record(report: &StitchReport, started: Instant) {
    let StitchReport { changed, unchanged, abandoned, .. } = *report;
    for (result, count) in [("changed", changed), ("unchanged", unchanged), ("abandoned", abandoned)] {
        if count > 0 {
            metrics::counter!("catalog_stitched_entities_count", "result" => result).increment(count as u64);
        }
    }
    if changed + unchanged + abandoned > 0 {
        metrics::histogram!("catalog_stitching_duration_seconds").record(started.elapsed().as_secs_f64());
    }
}
