//! Following the change log.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use callboard_engine::Catalog;
use callboard_index::Change;
use callboard_store::StoreError;
use futures::FutureExt as _;

use super::Shared;

/// Changes that are taken at once.
const CHANGES_MAX: usize = 100;

/// Text that is read at once.
const BYTES_MAX: usize = 1 << 20;

/// Longest sleep, in case another process changed something.
const POLL: Duration = Duration::from_secs(5);
const POLL_AFTER_ERROR: Duration = Duration::from_secs(1);

/// Never comes back.
pub(super) async fn run(shared: Arc<Shared>, catalog: Catalog) {
    loop {
        match AssertUnwindSafe(shared.keep_up()).catch_unwind().await {
            Ok(Ok(())) => {
                // Nothing at all means that it is time to look.
                drop(tokio::time::timeout(POLL, catalog.change()).await);
                continue;
            }
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the query index cannot follow the change log; trying again");
            }
            Err(_) => tracing::error!("following the change log panicked; trying again"),
        }
        tokio::time::sleep(POLL_AFTER_ERROR).await;
    }
}

impl Shared {
    /// Brings the index up to the end of the change log.
    pub(super) async fn keep_up(self: &Arc<Self>) -> Result<(), StoreError> {
        if self.index.is_broken() {
            tracing::error!("the query index was left unfinished; building it anew");
            self.rebuild().await?;
        }
        loop {
            match self.take_changes().await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(StoreError::NotFound(_)) => {
                    tracing::warn!(
                        "the change log was trimmed before the query index read it; building it anew"
                    );
                    self.rebuild().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Applies the next changes; answers whether there were any.
    async fn take_changes(self: &Arc<Self>) -> Result<bool, StoreError> {
        let from = *self.position.borrow();
        // Nearly always there is nothing, which is cheaper to find out in this way.
        if self.store.position().await? == from {
            return Ok(false);
        }
        let changes = self.store.changes_after(from, CHANGES_MAX).await?;
        let Some(last) = changes.last() else { return Ok(false) };
        // What counts is what is there now, however often it changed.
        let refs: BTreeSet<&str> = changes.iter().map(|change| change.entity_ref.as_str()).collect();
        let refs: Vec<&str> = refs.into_iter().collect();
        let mut rest = refs.as_slice();
        while !rest.is_empty() {
            let found = self.store.entities_by_refs(rest, BYTES_MAX).await?;
            let (looked_at, after) = rest.split_at(found.looked_at.clamp(1, rest.len()));
            rest = after;
            let there: BTreeSet<String> =
                found.entities.iter().map(|entity| entity.entity_ref.clone()).collect();
            let gone = looked_at.iter().filter(|entity_ref| !there.contains(**entity_ref));
            let mut updates: Vec<Change> =
                gone.map(|entity_ref| Change::Remove((*entity_ref).into())).collect();
            updates.extend(self.prepare_all(found.entities).await?.into_iter().map(Change::Put));
            self.apply(updates).await?;
        }
        self.position.send_replace(last.position);
        Ok(true)
    }

    async fn apply(self: &Arc<Self>, updates: Vec<Change>) -> Result<(), StoreError> {
        let shared = Arc::clone(self);
        let applied = tokio::task::spawn_blocking(move || shared.index.apply(&updates)).await;
        applied.map_err(|error| StoreError::Internal(Box::new(error)))
    }
}
