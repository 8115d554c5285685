//! An index that is read while it is updated.
//!
//! One lock, held for short: an entity is flattened before, and a long batch lets readers in between. The alternatives
//! were weighed. Two copies of which one is read while the other is written (left-right) take twice the memory of the
//! largest thing in the process. Copies of what changes (persistent maps) make every query slower. Shards by entity
//! make every query a merge. An update takes a few microseconds, so a reader waits for less than a millisecond.
//!
//! What a reader must not do is to hold the lock for long, as a writer then waits, and everybody else behind it: lists
//! of the whole catalog are to be read in pages.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError};

use crate::index::Index;
use crate::prepared::Change;

/// Changes that are made under one hold of the lock.
const CHANGES_PER_HOLD: usize = 32;

/// An [`Index`] for many readers and one writer.
#[derive(Debug, Default)]
pub struct SharedIndex {
    index: RwLock<Index>,
}

impl SharedIndex {
    /// Shares an index.
    pub fn new(index: Index) -> Self {
        Self { index: RwLock::new(index) }
    }

    /// The index to read. Not to be held over anything that waits.
    pub fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies changes in their order. Readers may see the first ones of a batch before the last ones.
    pub fn apply(&self, changes: &[Change]) {
        for part in changes.chunks(CHANGES_PER_HOLD) {
            self.index.write().unwrap_or_else(PoisonError::into_inner).apply(part);
            // Whoever waits gets the lock before it is taken again.
            std::thread::yield_now();
        }
    }

    /// Puts another index in the place of this one: after a rebuild.
    pub fn replace(&self, index: Index) {
        let mut place = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *place, index);
        drop(place);
        self.index.clear_poison();
        // Freeing a large index takes a while: not under the lock.
        drop(old);
    }

    /// Whether a panic cut an update short. What is read may then be wrong until [`Self::replace`].
    pub fn is_broken(&self) -> bool {
        self.index.is_poisoned() || matches!(self.index.try_read(), Err(TryLockError::Poisoned(_)))
    }
}
