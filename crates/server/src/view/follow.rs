//! Following the change log.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use callboard_engine::Catalog;
use callboard_index::Change;
use callboard_store::{FinalEntity, FoundEntities, StoreError, error_chain};
use futures::FutureExt as _;

use super::Shared;

/// Changes that are looked at together.
const CHANGES_MAX: usize = 500;

/// Entities that are read and taken in at once.
const ENTITIES_MAX: usize = 64;

/// Text that is read at once.
pub(super) const BYTES_MAX: usize = 1 << 20;

/// Longest sleep, in case another process changed something of which there was no hint.
const POLL: Duration = Duration::from_secs(5);
const POLL_AFTER_ERROR: Duration = Duration::from_secs(1);

/// Never comes back.
pub(super) async fn run(shared: Arc<Shared>, catalog: Catalog) {
    let mut is_behind = false;
    loop {
        match AssertUnwindSafe(shared.keep_up()).catch_unwind().await {
            Ok(Ok(())) => {
                if std::mem::take(&mut is_behind) {
                    tracing::info!("the query index follows the change log again");
                }
                tokio::select! {
                    () = catalog.change() => {}
                    () = shared.wanted.notified() => {}
                    // Nothing at all means that it is time to look.
                    () = tokio::time::sleep(POLL) => {}
                }
                continue;
            }
            // Once is enough.
            Ok(Err(error)) if is_behind && error.is_retryable() => {}
            Ok(Err(error)) => {
                is_behind = true;
                let error = error_chain(&error);
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

    /// Reads on and prepares while the index takes in what was read before.
    async fn follow(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut log =
            Log { shared: self, position: *self.position.borrow(), last: None, refs: VecDeque::new() };
        let mut read = log.read_on().await?;
        let mut prepared = None;
        while read.is_some() || prepared.is_some() {
            let (applied, further_prepared, further_read) =
                tokio::join!(self.take_in(prepared), self.prepare_read(read), log.read_on());
            // An error leaves the position at what is in the index: from there on the log is read again.
            applied?;
            (prepared, read) = (further_prepared?, further_read?);
        }
        Ok(())
    }

    async fn prepare_read(self: &Arc<Self>, read: Option<Read>) -> Result<Option<Updates>, StoreError> {
        let Some(Read { entities, gone, reached }) = read else { return Ok(None) };
        let removed = gone.into_iter().map(Change::Remove);
        let put = self.prepare_all(entities).await?.into_iter().map(Change::Put);
        Ok(Some(Updates { changes: removed.chain(put).collect(), reached }))
    }

    async fn take_in(self: &Arc<Self>, updates: Option<Updates>) -> Result<(), StoreError> {
        let Some(Updates { changes, reached }) = updates else { return Ok(()) };
        self.apply(changes).await?;
        if let Some(position) = reached {
            self.position.send_replace(position);
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
    entities: Vec<FinalEntity>,
    gone: Vec<Box<str>>,
    /// With these all changes up to here are known.
    reached: Option<i64>,
}

/// The same for the index.
struct Updates {
    changes: Vec<Change>,
    reached: Option<i64>,
}

impl Log<'_> {
    /// What became of the next entities; `None` at the end of the log.
    async fn read_on(&mut self) -> Result<Option<Read>, StoreError> {
        if self.refs.is_empty() && !self.read_changes().await? {
            return Ok(None);
        }
        let refs: Vec<&str> = self.refs.iter().take(ENTITIES_MAX).map(String::as_str).collect();
        let FoundEntities { entities, looked_at } =
            self.shared.store.entities_by_refs(&refs, BYTES_MAX).await?;
        let looked_at = looked_at.clamp(1, refs.len());
        let there: HashSet<&str> = entities.iter().map(|entity| entity.entity_ref.as_str()).collect();
        let looked_at = self.refs.drain(..looked_at);
        let gone =
            looked_at.filter(|entity_ref| !there.contains(entity_ref.as_str())).map(String::into).collect();
        let reached = if self.refs.is_empty() { self.last.take() } else { None };
        self.position = reached.unwrap_or(self.position);
        Ok(Some(Read { entities, gone, reached }))
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
