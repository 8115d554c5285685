//! What the API reads from: the query index and the texts of entities, kept up with the store.
//!
//! The index is built from the final entities at start and follows the change log from then on. It says which entities
//! a request means; their texts come as bytes from the store, through a cache, and are not parsed. Each entity of the
//! index has a number that no other version of any entity has, and the cache goes by that number: a text that was read
//! before a change is never served after the index has seen the change, whoever was how fast.
//!
//! The index is a little behind the store. Whoever has to see a change waits for its position in the change log.

mod build;
mod compare;
mod follow;
mod texts;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use bytes::Bytes;
use callboard_engine::Catalog;
use callboard_index::{Hit, Index, Prepared, SharedIndex};
use callboard_store::{FinalEntity, Store, StoreError};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

pub use compare::CompareSettings;
pub(crate) use compare::Contents;
pub(crate) use texts::Keep;
use texts::Texts;

/// How much of the catalog's text is kept in memory unless the configuration says it.
pub(crate) const CACHE_BYTES: u64 = 32 << 20;

/// What a question may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// It goes by what is ordered.
    Usual,
    /// It may look at every value of a field.
    AllValues,
}

impl Effort {
    pub(crate) fn of(scans_values: bool) -> Self {
        if scans_values { Self::AllValues } else { Self::Usual }
    }

    /// Up to so many entities, no question takes longer than to find another thread for it is worth.
    fn entities_asked_in_place_max(self) -> usize {
        match self {
            Self::Usual => 200_000,
            Self::AllValues => 20_000,
        }
    }
}

/// A view of the catalog; clones share it. It is kept up for as long as one of them lives.
#[derive(Debug, Clone)]
pub struct View {
    shared: Arc<Shared>,
    /// Ends with the last clone.
    _follower: Arc<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    index: SharedIndex,
    texts: Texts,
    /// For questions that take long.
    searches: Semaphore,
    /// For those of them that may look at all values.
    scans: Semaphore,
    /// The index holds what the change log says up to here.
    position: watch::Sender<i64>,
    /// Somebody waits for a position that the index has not come to.
    wanted: Notify,
    /// The number of the last version of an entity.
    versions: AtomicI64,
}

impl View {
    /// Builds the view of a catalog and keeps it up.
    pub async fn of(catalog: &Catalog, cache_bytes: u64) -> Result<Self, StoreError> {
        let threads = available_parallelism().map_or(2, usize::from);
        let shared = Arc::new(Shared {
            store: Arc::clone(catalog.store()),
            index: SharedIndex::default(),
            texts: Texts::new(cache_bytes),
            searches: Semaphore::new(threads),
            scans: Semaphore::new((threads / 2).max(1)),
            position: watch::Sender::new(0),
            wanted: Notify::new(),
            versions: AtomicI64::new(0),
        });
        shared.rebuild().await?;
        let mut follower = JoinSet::new();
        follower.spawn(follow::run(Arc::clone(&shared), catalog.clone()));
        Ok(Self { shared, _follower: Arc::new(follower) })
    }

    /// Asks the index something that it answers in microseconds.
    pub(crate) fn query<T>(&self, ask: impl FnOnce(&Index) -> T) -> T {
        ask(&self.shared.index.read())
    }

    /// Asks the index something that may take it milliseconds if it is large. Other requests go on meanwhile, on other
    /// threads, and no more of such questions are answered at a time than there are processors. Those that may look at
    /// every value of a field stand in a line of their own first, so that others do not wait behind all of them.
    pub(crate) async fn search<T>(&self, effort: Effort, ask: impl FnOnce(&Index) -> T) -> T {
        let is_large = self.query(Index::len) > effort.entities_asked_in_place_max();
        if !is_large || Handle::current().runtime_flavor() != RuntimeFlavor::MultiThread {
            return self.query(ask);
        }
        // They are never closed.
        let _own_turn =
            if effort == Effort::AllValues { self.shared.scans.acquire().await.ok() } else { None };
        let _turn = self.shared.searches.acquire().await;
        tokio::task::block_in_place(|| self.query(ask))
    }

    /// The text of an entity; `None` if it is gone meanwhile.
    pub(crate) async fn text(&self, hit: &Hit) -> Result<Option<Bytes>, StoreError> {
        let texts = self.first_texts(&[hit], Keep::Yes).await?;
        Ok(texts.into_iter().next().flatten())
    }

    /// The texts of the first of these entities, as many as are to be had at once, and of at least one; `None` for one
    /// that is gone meanwhile.
    pub(crate) async fn first_texts(
        &self,
        hits: &[&Hit],
        keep: Keep,
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.shared.texts.first(self.shared.store.as_ref(), hits, keep).await
    }

    /// The position in the change log that the index has come to.
    pub(crate) fn position(&self) -> i64 {
        *self.shared.position.borrow()
    }

    /// The position in the change log that is certain to hold all that was written before.
    pub(crate) async fn newest_position(&self) -> Result<i64, StoreError> {
        self.shared.store.position().await
    }

    /// Follows the change log at once.
    #[cfg(test)]
    pub(crate) async fn keep_up(&self) {
        self.shared.keep_up().await.unwrap();
    }

    /// Waits until the index holds what the change log says up to a position; answers whether it came to that in time.
    pub(crate) async fn wait_for(&self, position: i64, limit: Duration) -> bool {
        self.shared.wait_for(position, limit).await
    }
}

impl Shared {
    async fn wait_for(&self, position: i64, limit: Duration) -> bool {
        let mut positions = self.position.subscribe();
        if *positions.borrow() < position {
            // It may be another replica that changed something.
            self.wanted.notify_one();
        }
        let reached = positions.wait_for(|reached| *reached >= position);
        tokio::time::timeout(limit, reached).await.is_ok_and(|reached| reached.is_ok())
    }

    /// Makes an entity ready for the index. One that cannot be taken apart is found by its names alone.
    fn prepare(&self, entity: &FinalEntity) -> Prepared {
        let FinalEntity { entity_ref, uid, json, .. } = entity;
        let version = self.versions.fetch_add(1, Ordering::Relaxed) + 1;
        let uid = uid.hyphenated().to_string();
        // A defect in here must not keep all others out of the index.
        let prepared = std::panic::catch_unwind(|| Prepared::new(version, entity_ref, &uid, json));
        let problem = match prepared {
            Ok(Ok(prepared)) => return prepared,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "panic".to_owned(),
        };
        tracing::error!(problem, entity = entity_ref, "queries find this entity by its name and uid only");
        Prepared::bare(version, entity_ref, &uid)
    }
}

#[cfg(test)]
mod tests;
