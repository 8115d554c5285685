//! A worker: takes claims, runs them, and hands on what came out.

use std::sync::Arc;
use std::time::Instant;

use callboard_store::{Claim, Outcome};
use tokio::sync::mpsc;

use crate::digest;
use crate::engine::Shared;

/// A finished run, on its way to the store.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) entity_ref: Arc<str>,
    pub(crate) had_failed: bool,
    pub(crate) started: Instant,
    pub(crate) outcome: Outcome,
}

pub(crate) async fn run(shared: Arc<Shared>, outcomes: mpsc::Sender<Finished>) {
    while let Some(claim) = shared.queue.pop().await {
        let started = Instant::now();
        record_delay(&shared, &claim);
        let outcome = shared.processing.process(&claim).await;
        let had_failed = claim.result_digest.is_some_and(digest::is_failed);
        let finished = Finished {
            entity_ref: claim.entity_ref,
            had_failed,
            started,
            outcome,
        };
        if outcomes.send(finished).await.is_err() {
            return;
        }
    }
}

fn record_delay(shared: &Shared, claim: &Claim) {
    let delay = shared.clock.now() - claim.due_at;
    let seconds = delay.to_std().unwrap_or_default().as_secs_f64();
    metrics::histogram!("catalog_processing_queue_delay_seconds").record(seconds);
}
