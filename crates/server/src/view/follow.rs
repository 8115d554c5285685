//! Following the change log.

use std::collections::{BTreeSet, HashSet, VecDeque};
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
            match self.follow().await {
                Err(StoreError::NotFound(_)) => {
                    tracing::warn!(
                        "the change log was trimmed before the query index read it; building it anew"
                    );
                    self.rebuild().await?;
                }
                result => return result,
            }
        }
    }

    /// Reads on while the index takes in what was read before.
    async fn follow(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut log =
            Log { shared: self, position: *self.position.borrow(), last: None, refs: VecDeque::new() };
        let mut next = log.read_on().await?;
        while let Some(Read { updates, reached }) = next {
            // Also if reading fails: what comes after this must not overtake these updates.
            let (applied, read) = tokio::join!(self.apply(updates), log.read_on());
            applied?;
            if let Some(position) = reached {
                self.position.send_replace(position);
            }
            next = read?;
        }
        Ok(())
    }

    async fn apply(self: &Arc<Self>, updates: Vec<Change>) -> Result<(), StoreError> {
        let shared = Arc::clone(self);
        let applied = tokio::task::spawn_blocking(move || shared.index.apply(&updates)).await;
        applied.map_err(|error| StoreError::Internal(Box::new(error)))
    }
}

/// The change log from some position on.
struct Log<'a> {
    shared: &'a Arc<Shared>,
    /// All changes up to here were looked at.
    position: i64,
    /// The position of the last change to the entities that are still to be read.
    last: Option<i64>,
    refs: VecDeque<String>,
}

/// What became of some entities.
struct Read {
    updates: Vec<Change>,
    /// With these updates all changes up to here are known.
    reached: Option<i64>,
}

impl Log<'_> {
    /// What became of the next entities; `None` at the end of the log.
    async fn read_on(&mut self) -> Result<Option<Read>, StoreError> {
        if self.refs.is_empty() && !self.read_changes().await? {
            return Ok(None);
        }
        let refs: Vec<&str> = self.refs.iter().map(String::as_str).collect();
        let found = self.shared.store.entities_by_refs(&refs, BYTES_MAX).await?;
        let looked_at: Vec<String> = self.refs.drain(..found.looked_at.clamp(1, self.refs.len())).collect();
        let there: HashSet<&str> = found.entities.iter().map(|entity| entity.entity_ref.as_str()).collect();
        let gone = looked_at.iter().filter(|entity_ref| !there.contains(entity_ref.as_str()));
        let mut updates: Vec<Change> =
            gone.map(|entity_ref| Change::Remove(entity_ref.as_str().into())).collect();
        updates.extend(self.shared.prepare_all(found.entities).await?.into_iter().map(Change::Put));
        let reached = if self.refs.is_empty() { self.last.take() } else { None };
        self.position = reached.unwrap_or(self.position);
        Ok(Some(Read { updates, reached }))
    }

    /// Reads whose changes are next; answers whether there are any.
    async fn read_changes(&mut self) -> Result<bool, StoreError> {
        let store = &self.shared.store;
        // Nearly always there is nothing, which is cheaper to find out in this way.
        if store.position().await? == self.position {
            return Ok(false);
        }
        let changes = store.changes_after(self.position, CHANGES_MAX).await?;
        self.last = changes.last().map(|change| change.position);
        // What counts is what is there now, however often it changed.
        let refs: BTreeSet<String> = changes.into_iter().map(|change| change.entity_ref).collect();
        self.refs = refs.into_iter().collect();
        Ok(!self.refs.is_empty())
    }
}
