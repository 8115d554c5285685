//! Clears away what nobody needs: orphans, old changes, forgotten refs.

use std::sync::Arc;

use callboard_store::StoreError;

use crate::engine::Shared;
use crate::settings::OrphanStrategy;

const ORPHANS_BATCH_MAX: usize = 1_000;

/// Deleting a parent makes orphans of its children, which the next round takes. What is left after so many rounds
/// waits for the next look.
const ROUNDS_MAX: usize = 100;

pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(shared.settings.janitor_interval) => {}
        }
        if shared.settings.orphans == OrphanStrategy::Delete {
            match delete_orphans(&shared).await {
                Ok(0) => {}
                Ok(deleted) => {
                    tracing::info!("Deleted {deleted} orphaned entities");
                    shared.wake.stitch();
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "Failed to delete orphaned entities"
                    );
                }
            }
        }
        if let Err(error) = shared.store.tidy(shared.settings.changes_kept, shared.clock.now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot tidy the store");
        }
    }
}

async fn delete_orphans(shared: &Shared) -> Result<u64, StoreError> {
    let mut total = 0;
    for _ in 0..ROUNDS_MAX {
        if shared.stopping.is_cancelled() {
            break;
        }
        match shared.store.orphans_delete(ORPHANS_BATCH_MAX, shared.clock.now()).await? {
            0 => break,
            deleted => total += deleted,
        }
    }
    Ok(total)
}
