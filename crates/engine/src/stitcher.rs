//! Makes final entities of what was committed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_store::StitchReport;

use crate::engine::Shared;

/// Longest sleep, in case another process left work.
const POLL: Duration = Duration::from_secs(5);
const POLL_AFTER_ERROR: Duration = Duration::from_secs(1);

/// Rest between two rounds while much is being processed: an entity that many others point at, such as a large
/// group, is then made once for many of them.
const GATHER: Duration = Duration::from_millis(100);

pub(crate) async fn run(shared: Arc<Shared>) {
    while !shared.stopping.is_cancelled() {
        let started = Instant::now();
        let rest = match shared
            .store
            .stitch(shared.settings.stitch_batch_max, shared.clock.now())
            .await
        {
            Ok(report) => {
                record(&report, started);
                if !report.has_more {
                    POLL
                } else if shared.queue.len() > shared.settings.queue_max / 4 {
                    GATHER
                } else {
                    Duration::ZERO
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "Failed to load stitchable entities"
                );
                metrics::counter!("catalog_stitched_entities_count", "result" => "error").increment(1);
                POLL_AFTER_ERROR
            }
        };
        if rest < POLL {
            tokio::time::sleep(rest).await;
            continue;
        }
        tokio::select! {
            () = shared.stopping.cancelled() => {}
            () = shared.wake.stitch_wanted() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

fn record(report: &StitchReport, started: Instant) {
    let StitchReport {
        changed,
        unchanged,
        abandoned,
        ..
    } = *report;
    for (result, count) in [
        ("changed", changed),
        ("unchanged", unchanged),
        ("abandoned", abandoned),
    ] {
        if count > 0 {
            metrics::counter!("catalog_stitched_entities_count", "result" => result).increment(count as u64);
        }
    }
    if changed + unchanged + abandoned > 0 {
        metrics::histogram!("catalog_stitching_duration_seconds").record(started.elapsed().as_secs_f64());
    }
}
