//! Texts of entities, from the store through a cache that is weighed by bytes.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use callboard_index::Hit;
use callboard_store::{FoundEntities, Store, StoreError};
use moka::sync::Cache;
use tokio::sync::Semaphore;

/// What an entry takes beside the text.
const ENTRY_BYTES: usize = 200;

/// Requests that read from the store at a time: one fewer than it has connections to read.
const TURNS: usize = 2;

/// Text that is given at once.
const BYTES_AT_ONCE: usize = 192 * 1024;

/// The cache: texts by the number of the entity's version.
#[derive(Debug)]
pub(super) struct Texts {
    cache: Cache<i64, Bytes>,
    /// For asking the store: the loop and whoever follows the change log must not stand in line behind all requests.
    turns: Semaphore,
}

/// Whether texts that had to be read stay in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// If they are asked for often enough.
    Yes,
    /// They are some of very many, which would push others out.
    No,
}

impl Texts {
    pub(super) fn new(bytes_max: u64) -> Self {
        let weigh = |_: &i64, text: &Bytes| u32::try_from(text.len() + ENTRY_BYTES).unwrap_or(u32::MAX);
        let cache = Cache::builder().max_capacity(bytes_max).weigher(weigh).build();
        Self { cache, turns: Semaphore::new(TURNS) }
    }

    /// The texts of the first of these entities, of at least one, and of not many more bytes than it takes at once;
    /// `None` for one that is gone meanwhile.
    pub(super) async fn first(
        &self,
        store: &dyn Store,
        hits: &[&Hit],
        keep: Keep,
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        let cached: Vec<Option<Bytes>> = hits.iter().map(|hit| self.cache.get(&hit.id)).collect();
        let mut known = HashSet::new();
        let missing = hits.iter().zip(&cached).filter(|(_, text)| text.is_none());
        let missing: Vec<&str> = missing
            .map(|(hit, _)| hit.entity_ref.as_str())
            .filter(|entity_ref| known.insert(*entity_ref))
            .collect();
        let found = if missing.is_empty() {
            FoundEntities::default()
        } else {
            // It is never closed.
            let _turn = self.turns.acquire().await;
            store.entities_by_refs(&missing, BYTES_AT_ONCE).await?
        };
        let looked_at: HashSet<&str> = missing.iter().take(found.looked_at.max(1)).copied().collect();
        let read: HashMap<String, (String, Bytes)> = found
            .entities
            .into_iter()
            .map(|entity| (entity.entity_ref, (entity.uid.hyphenated().to_string(), entity.json.into())))
            .collect();
        let text_of = |hit: &Hit| {
            // One of another uid is another entity, which the index does not know yet.
            let (_, text) = read.get(&hit.entity_ref).filter(|(uid, _)| *uid == hit.uid)?;
            Some(text.clone())
        };
        if keep == Keep::Yes && !read.is_empty() {
            // All that was read, also what is not given this time.
            for hit in hits {
                if let Some(text) = text_of(hit) {
                    self.cache.insert(hit.id, text);
                }
            }
        }
        let mut texts = Vec::with_capacity(hits.len());
        let mut bytes = 0;
        for (hit, cached) in hits.iter().zip(cached) {
            let entity_ref = hit.entity_ref.as_str();
            if bytes >= BYTES_AT_ONCE || (cached.is_none() && !looked_at.contains(entity_ref)) {
                break;
            }
            let text = cached.or_else(|| text_of(hit));
            bytes += text.as_ref().map_or(0, Bytes::len);
            texts.push(text);
        }
        Ok(texts)
    }
}
