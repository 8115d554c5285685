//! Writes outcomes in batches: what gathered while the last batch was written is the next one.

use std::sync::Arc;
use std::time::Duration;

use callboard_model::Digest;
use callboard_store::{
    CacheWrite, Claim, CommitReport, Conflict, Lane, Outcome, OutcomeKind, StoreError, error_chain,
};
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

use crate::claimer;
use crate::engine::Shared;
use crate::outage::Part;
use crate::worker::Finished;

/// Tries of a batch before it is given up, while the store answers otherwise; its leases then run out, and the work is
/// done again. A store that does not answer is waited for.
const TRIES_MAX: u32 = 6;
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// What comes after a transaction that failed.
const TRIED_AGAIN: &str = "tried-again";
const GIVEN_UP: &str = "given-up";

/// A batch of fewer outcomes than these, for none of which anybody waits, waits a little for more.
const FEW: usize = 32;
const LINGER: Duration = Duration::from_millis(5);

pub(crate) async fn run(shared: Arc<Shared>, commits: Arc<Mutex<mpsc::Receiver<Finished>>>) {
    // Counters are there from the start, so that their first event is an increase.
    for result in ["changed", "unchanged", "errors", "failed"] {
        processed(result).increment(0);
    }
    for next in [TRIED_AGAIN, GIVEN_UP] {
        failed_tries(next).increment(0);
    }
    // A part of the memory for outcomes is left, which can be filled while batches are written.
    let parts = shared.store.commits_at_once() + 1;
    let max =
        BatchMax { outcomes: shared.settings.commit_batch_max, kib: shared.pending_kib_max as usize / parts };
    let mut finished = Vec::new();
    while gather(&mut *commits.lock().await, max, &mut finished).await {
        let mut rooms = Vec::with_capacity(finished.len());
        let (heads, outcomes): (Vec<_>, Vec<_>) = finished
            .drain(..)
            .map(|Finished { entity_ref, uid, had_failed, started, outcome, room }| {
                rooms.push(room);
                (Head { entity_ref, uid, had_failed, started }, outcome)
            })
            .unzip();
        write(&shared, &heads, &outcomes).await;
        drop((outcomes, rooms));
    }
}

/// How large a batch gets: it ends with the outcome that reaches one of these.
#[derive(Debug, Clone, Copy)]
struct BatchMax {
    outcomes: usize,
    kib: usize,
}

/// Takes the next batch out of the channel; answers whether there is one.
async fn gather(commits: &mut mpsc::Receiver<Finished>, max: BatchMax, finished: &mut Vec<Finished>) -> bool {
    let Some(first) = commits.recv().await else { return false };
    finished.push(first);
    take_ready(commits, max, finished);
    if finished.len() < FEW && finished.iter().all(|it| it.outcome.lane > Lane::Event) {
        tokio::time::sleep(LINGER).await;
        take_ready(commits, max, finished);
    }
    true
}

fn take_ready(commits: &mut mpsc::Receiver<Finished>, max: BatchMax, finished: &mut Vec<Finished>) {
    let mut kib: usize = finished.iter().map(|it| it.room.num_permits()).sum();
    while finished.len() < max.outcomes
        && kib < max.kib
        && let Ok(more) = commits.try_recv()
    {
        kib += more.room.num_permits();
        finished.push(more);
    }
}

/// What is said about a run once it is written.
struct Head {
    entity_ref: Arc<str>,
    uid: Uuid,
    had_failed: bool,
    started: std::time::Instant,
}

/// Writes a batch; if the store cannot take it as a whole, half by half, so that one outcome that it cannot take
/// does not hold up the others.
async fn write(shared: &Shared, heads: &[Head], outcomes: &[Outcome]) {
    let mut stack = vec![(heads, outcomes)];
    while let Some((heads, outcomes)) = stack.pop() {
        match commit(shared, outcomes).await {
            Ok(report) => concluded(shared, heads, outcomes, report),
            Err(error) if outcomes.len() > 1 && !error.is_retryable() => {
                let middle = outcomes.len() / 2;
                let (first, second) = (outcomes.split_at(middle), heads.split_at(middle));
                stack.push((second.1, first.1));
                stack.push((second.0, first.0));
            }
            Err(error) => give_up(shared, heads, outcomes, &error),
        }
    }
}

/// The store does not take these outcomes. Their leases run out, and the work is done again.
fn give_up(shared: &Shared, heads: &[Head], outcomes: &[Outcome], error: &StoreError) {
    failed_tries(GIVEN_UP).increment(1);
    processed("failed").increment(heads.len() as u64);
    for outcome in outcomes {
        shared.leases.remove(outcome.id, outcome.token);
    }
    let error = error_chain(error);
    if let [head] = heads {
        tracing::warn!(error, "Processing of {} failed", head.entity_ref);
    } else {
        let outcomes = heads.len();
        tracing::warn!(
            error,
            outcomes,
            "cannot write outcomes; the entities are processed again once their leases run out"
        );
    }
}

/// Runs that came to an end.
fn processed(result: &'static str) -> metrics::Counter {
    metrics::counter!("catalog_processed_entities_count", "result" => result)
}

/// Transactions of the loop that failed.
fn failed_tries(next: &'static str) -> metrics::Counter {
    metrics::counter!("callboard_store_commit_failures_total", "next" => next)
}

async fn commit(shared: &Shared, outcomes: &[Outcome]) -> Result<CommitReport, StoreError> {
    let mut tries = 1;
    loop {
        let now = shared.clock.now();
        let hand_out = if shared.stopping.is_cancelled() { 0 } else { shared.queue.room() };
        let result = shared.store.commit(outcomes, hand_out, now + shared.settings.lease, now).await;
        if !matches!(&result, Err(error) if error.is_retryable()) {
            // Whatever it is, it is an answer, and errors are told by whoever takes the batch apart.
            shared.outage.answered(Part::Committer);
            return result;
        }
        failed_tries(TRIED_AGAIN).increment(1);
        shared.outage.note(Part::Committer, &result, "cannot write outcomes");
        if tries >= TRIES_MAX && !is_worth_waiting(shared).await {
            return result;
        }
        tokio::time::sleep((BACKOFF * 2_u32.pow(tries.min(TRIES_MAX))).min(BACKOFF_MAX)).await;
        tries += 1;
    }
}

/// Whether there is no answer to anything at all, and time to wait for one.
async fn is_worth_waiting(shared: &Shared) -> bool {
    !shared.stopping.is_cancelled() && shared.store.position().await.is_err()
}

fn concluded(shared: &Shared, heads: &[Head], outcomes: &[Outcome], report: CommitReport) {
    for outcome in outcomes {
        shared.leases.remove(outcome.id, outcome.token);
    }
    shared.leases.add(&report.handed);
    // The claimer may sleep for as long as nothing was due when it looked.
    let horizon = shared.clock.now() + claimer::POLL;
    let is_due_soon = |outcome: &Outcome| outcome.next_update_at.is_some_and(|due| due < horizon);
    if report.left_due > 0 || outcomes.iter().any(is_due_soon) {
        shared.wake.claim();
    }
    if report.needs_stitching {
        if outcomes.iter().any(|outcome| outcome.lane == Lane::Interactive) {
            shared.wake.stitch_at_once();
        } else {
            shared.wake.stitch();
        }
    }
    shared.queue.push(report.handed);
    let mut refused = report.refused.iter().peekable();
    for (index, (head, outcome)) in heads.iter().zip(outcomes).enumerate() {
        let is_refused = refused.next_if(|refused| **refused == index).is_some();
        conclude_one(head, outcome, is_refused);
    }
    for conflict in report.conflicts {
        log_conflict(&conflict);
    }
}

fn conclude_one(head: &Head, outcome: &Outcome, is_refused: bool) {
    let result = match &outcome.kind {
        _ if is_refused => "failed",
        OutcomeKind::Unchanged => "unchanged",
        OutcomeKind::Processed(_) => "changed",
        OutcomeKind::Failed(_) => "errors",
        OutcomeKind::Abandoned => return,
    };
    processed(result).increment(1);
    if result != "failed" {
        let seconds = head.started.elapsed().as_secs_f64();
        metrics::histogram!("catalog_processing_duration_seconds", "result" => result).record(seconds);
    }
    if is_refused {
        tracing::warn!(error = refusal(head, outcome), "Processing of {} failed", head.entity_ref);
        return;
    }
    match &outcome.kind {
        OutcomeKind::Failed(errors) if !head.had_failed => {
            let messages: Vec<_> = errors.iter().take(3).map(|error| error.error.summary()).collect();
            tracing::warn!(
                entity = &*head.entity_ref,
                errors = errors.len(),
                "the entity cannot be processed and keeps its last good state: {}",
                messages.join("; ")
            );
        }
        OutcomeKind::Processed(_) | OutcomeKind::Unchanged if head.had_failed => {
            tracing::info!(entity = &*head.entity_ref, "the entity is processed well again");
        }
        _ => {}
    }
}

/// Why an outcome is not written whose entity was changed or taken over meanwhile.
fn refusal(head: &Head, outcome: &Outcome) -> String {
    let key = outcome.location_key.as_deref().unwrap_or("undefined");
    format!(
        "ConflictError: Conflicting write of processing result for {} with location key '{key}'",
        head.uid
    )
}

fn log_conflict(conflict: &Conflict) {
    let new_key = conflict.new_key.as_deref().unwrap_or("undefined");
    tracing::warn!(
        source = conflict.source,
        "Detected conflicting entityRef {} already referenced by {} and now also {new_key}",
        conflict.entity_ref,
        conflict.existing_key,
    );
}

/// Gives back claims that nobody worked on, so that they need not wait for the end of their leases.
pub(crate) async fn give_back(shared: &Shared, claims: &[Claim]) {
    let abandoned = |claim: &Claim| Outcome {
        id: claim.id,
        token: claim.token,
        location_key: claim.location_key.clone(),
        lane: claim.lane,
        next_update_at: Some(claim.due_at),
        cache: CacheWrite::Keep,
        result_digest: claim.result_digest.unwrap_or(Digest::from_bytes([0; 16])),
        fingerprint: claim.fingerprint.unwrap_or(Digest::from_bytes([0; 16])),
        kind: OutcomeKind::Abandoned,
    };
    let outcomes: Vec<_> = claims.iter().map(abandoned).collect();
    for batch in outcomes.chunks(shared.settings.commit_batch_max) {
        if let Err(error) = commit(shared, batch).await {
            tracing::warn!(
                error = error_chain(&error),
                "leases are not given back and run out by themselves"
            );
            return;
        }
    }
}

#[cfg(test)]
mod tests;
