//! From a hash to a handle, for tables whose content lies elsewhere.
//!
//! The table is cut into shards by hash. A hash table that grows hashes everything in it again; with shards that is
//! a small part of the whole at a time, so an update never waits for all of it.

use hashbrown::HashTable;

const SHARDS: usize = 64;

/// Handles by hash. What they stand for is compared and hashed by the caller.
#[derive(Debug)]
pub(crate) struct HandleTable {
    shards: Vec<HashTable<u32>>,
}

impl Default for HandleTable {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| HashTable::new()).collect() }
    }
}

impl HandleTable {
    /// The top bits choose places within a shard and the lowest ones its buckets: these are neither.
    fn shard_of(hash: u64) -> usize {
        (hash >> 40) as usize % SHARDS
    }

    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.shards.get(Self::shard_of(hash))?.find(hash, |handle| is_it(*handle)).copied()
    }

    /// Adds a handle that is not there yet.
    pub(crate) fn insert(&mut self, hash: u64, handle: u32, hash_of: impl Fn(u32) -> u64) {
        if let Some(shard) = self.shards.get_mut(Self::shard_of(hash)) {
            shard.insert_unique(hash, handle, |other| hash_of(*other));
        }
    }

    pub(crate) fn remove(&mut self, hash: u64, handle: u32) {
        let shard = self.shards.get_mut(Self::shard_of(hash));
        if let Some(entry) = shard.and_then(|shard| shard.find_entry(hash, |other| *other == handle).ok()) {
            entry.remove();
        }
    }
}
