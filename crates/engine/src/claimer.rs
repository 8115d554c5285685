//! Fills the queue with due entities, and keeps the leases of those that are under way.

use std::sync::Arc;
use std::time::Duration;

use callboard_store::{ClaimRequest, Claimed, Hint, Lane, StoreError};

use crate::engine::Shared;
use crate::outage::Part;
use crate::standing;

/// Claims taken at once.
const CLAIM_BATCH_MAX: usize = 500;

/// Claims of the interactive lane that may wait in memory beside a full queue.
const INTERACTIVE_MAX: usize = 500;

/// Longest sleep, in case another process made something due of which there was no hint.
pub(crate) const POLL: Duration = Duration::from_secs(5);

/// Shortest sleep, or this part of the interval if that is longer. What becomes due by its interval meanwhile is
/// claimed together; everything else that becomes due wakes the claimer.
const GATHER: Duration = Duration::from_secs(1);
const GATHER_PART_OF_INTERVAL: u32 = 4;
const POLL_AFTER_ERROR: Duration = Duration::from_secs(1);

pub(crate) async fn run(shared: Arc<Shared>) {
    standing::begin_gauge();
    while !shared.stopping.is_cancelled() {
        let claimed = claim(&shared).await;
        shared.outage.note(Part::Claimer, &claimed, "Failed to load processing items");
        let rest = claimed.unwrap_or(POLL_AFTER_ERROR);
        tokio::select! {
            biased;
            () = shared.stopping.cancelled() => {}
            () = shared.wake.claim_wanted() => {}
            () = shared.store.hinted(Hint::Due) => {}
            () = wait(&shared, rest) => {}
        }
    }
}

/// While there is more work than room, room is what to wait for; but what somebody waits for needs none.
async fn wait(shared: &Shared, rest: Duration) {
    if rest.is_zero() {
        drop(tokio::time::timeout(GATHER, shared.queue.half_empty()).await);
    } else {
        tokio::time::sleep(rest).await;
    }
}

/// Claims what there is room for; answers how long there will be nothing to do, zero if there is more.
async fn claim(shared: &Shared) -> Result<Duration, StoreError> {
    let room = shared.queue.room();
    let (limit, lane_max) = if room >= shared.settings.queue_max / 2 {
        (room.min(CLAIM_BATCH_MAX), Lane::Periodic)
    } else {
        (INTERACTIVE_MAX.saturating_sub(shared.queue.interactive_len()), Lane::Interactive)
    };
    let now = shared.clock.now();
    let fingerprint = shared.processing.pipeline.fingerprint();
    let request = ClaimRequest { limit, lane_max, now, lease: shared.settings.lease, fingerprint };
    let claimed = shared.store.claim(&request).await?;
    shared.standing.note(fingerprint, matches!(claimed, Claimed::Superseded));
    let Claimed::Leased(claims) = claimed else { return Ok(POLL) };
    let has_more = claims.len() == limit || lane_max == Lane::Interactive;
    shared.leases.add(&claims);
    shared.queue.push(claims);
    if has_more {
        return Ok(Duration::ZERO);
    }
    let due_at = shared.store.next_due_at().await?;
    let rest = due_at.map_or(POLL, |due_at| (due_at - now).to_std().unwrap_or_default());
    Ok(rest.clamp(gather(shared), POLL))
}

fn gather(shared: &Shared) -> Duration {
    (shared.settings.interval.min / GATHER_PART_OF_INTERVAL).clamp(GATHER, POLL)
}

/// Prolongs the leases of everything between claim and commit. Lost ones need no care: their commits are refused.
pub(crate) async fn keep_leases(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(shared.settings.lease / 3);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shared.drained.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let held = shared.leases.all();
        if held.is_empty() {
            continue;
        }
        let until = shared.clock.now() + shared.settings.lease;
        let extended = shared.store.leases_extend(&held, until).await;
        shared.outage.mention(&extended, "cannot prolong leases");
        let Ok(lost) = extended else { continue };
        // Those that were committed meanwhile are not lost.
        let held = shared.leases.all();
        let lost = held.iter().filter(|(id, _)| lost.contains(id)).count();
        if lost > 0 {
            tracing::warn!(lost, "leases were lost; others process these entities");
        }
    }
}
