//! A worker: takes claims, runs them, and hands on what came out.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use callboard_store::{Claim, Outcome, OutcomeKind, RelationKey};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use uuid::Uuid;

use crate::digest;
use crate::engine::Shared;
use crate::queue::Serves;

/// A finished run, on its way to the store.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) entity_ref: Arc<str>,
    pub(crate) uid: Uuid,
    pub(crate) had_failed: bool,
    pub(crate) started: Instant,
    pub(crate) outcome: Outcome,
    /// Its share of the memory for outcomes that wait to be written.
    pub(crate) room: OwnedSemaphorePermit,
}

pub(crate) async fn run(shared: Arc<Shared>, serves: Serves, outcomes: mpsc::Sender<Finished>) {
    let mut given_up = pin!(shared.processing.cancellation.cancelled());
    while let Some(claim) = shared.queue.pop(serves).await {
        tokio::select! {
            biased;
            // The queue is closed, and what comes into it now is given back.
            () = &mut given_up => return shared.queue.push(vec![claim]),
            is_taken = work(&shared, &claim, &outcomes) => {
                if !is_taken {
                    return;
                }
            }
        }
    }
}

/// Runs a claim; answers whether what came out was taken.
async fn work(shared: &Shared, claim: &Claim, outcomes: &mpsc::Sender<Finished>) -> bool {
    tracing::debug!("Processing {}", claim.entity_ref);
    let started = Instant::now();
    record_delay(shared, claim);
    let outcome = shared.processing.process(claim).await;
    let had_failed = claim.result_digest.is_some_and(digest::is_failed);
    let Some(room) = room(shared, &outcome).await else { return false };
    let entity_ref = Arc::clone(&claim.entity_ref);
    let finished = Finished { entity_ref, uid: claim.uid, had_failed, started, outcome, room };
    outcomes.send(finished).await.is_ok()
}

fn record_delay(shared: &Shared, claim: &Claim) {
    let delay = shared.clock.now() - claim.due_at;
    let seconds = delay.to_std().unwrap_or_default().as_secs_f64();
    metrics::histogram!("catalog_processing_queue_delay_seconds").record(seconds);
}

/// Waits until the outcome fits into the memory for those that wait. One that is too large for it takes all of it.
async fn room(shared: &Shared, outcome: &Outcome) -> Option<OwnedSemaphorePermit> {
    let bytes = match &outcome.kind {
        OutcomeKind::Processed(processed) => {
            let children = processed.children.iter().map(|child| child.json.len()).sum::<usize>();
            let relation = |it: &RelationKey| it.source.len() + it.kind.len() + it.target.len();
            processed.body.bytes() + children + processed.relations.iter().map(relation).sum::<usize>()
        }
        OutcomeKind::Unchanged | OutcomeKind::Failed(_) | OutcomeKind::Abandoned => 0,
    };
    let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(shared.pending_kib_max);
    Arc::clone(&shared.pending_kib).acquire_many_owned(kib).await.ok()
}
