//! Clears away what nobody needs: orphans, old changes, forgotten refs. Of several processes on a store one does so.

use std::sync::Arc;

use callboard_store::StoreError;

use crate::engine::Shared;
use crate::job::Job;
use crate::settings::OrphanStrategy;

const ORPHANS_BATCH_MAX: usize = 1_000;

/// Deleting a parent makes orphans of its children, which the next round takes. What is left after so many rounds
/// waits for the next look.
const ROUNDS_MAX: usize = 100;

pub(crate) async fn run(shared: Arc<Shared>) {
    let mut job = Job::new("janitor");
    loop {
        tokio::select! {
            biased;
            () = shared.stopping.cancelled() => break,
            () = shared.wake.tidy_wanted() => {}
            () = tokio::time::sleep(shared.settings.janitor_interval) => {}
        }
        match job.is_ours(&shared, shared.settings.janitor_interval).await {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                shared.outage.mention(&Err::<(), _>(error), "cannot tidy the store");
                continue;
            }
        }
        shared.outage.mention(&delete_orphans(&shared).await, "Failed to delete orphaned entities");
        let tidied = shared.store.tidy(shared.settings.changes_kept, shared.clock.now()).await;
        shared.outage.mention(&tidied, "cannot tidy the store");
    }
    job.give_back(&shared).await;
}

/// Deletes all orphans, if that is wanted.
pub(crate) async fn delete_orphans(shared: &Shared) -> Result<(), StoreError> {
    if shared.settings.orphans == OrphanStrategy::Keep {
        return Ok(());
    }
    let mut total = 0;
    for _ in 0..ROUNDS_MAX {
        if shared.stopping.is_cancelled() {
            break;
        }
        match shared.store.orphans_delete(ORPHANS_BATCH_MAX, shared.clock.now()).await? {
            0 => break,
            deleted => {
                shared.wake.changed();
                total += deleted;
            }
        }
    }
    if total > 0 {
        tracing::info!("Deleted {total} orphaned entities");
        shared.wake.stitch();
    }
    Ok(())
}
