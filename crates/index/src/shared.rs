//! An index that is read while it is updated.
//!
//! One lock, held for short: an entity is flattened before, and a long batch lets readers in between, which takes more
//! than to release the lock: a writer that takes it again at once is quicker than those who have to wake up first. The
//! alternatives were weighed. Two copies of which one is read while the other is written (left-right) take twice the
//! memory of the largest thing in the process. Copies of what changes (persistent maps) make every query slower. Shards
//! by entity make every query a merge. An update takes some ten microseconds, so a reader waits for less than a
//! millisecond, unless an entity with tens of thousands of rows is put.
//!
//! What a reader must not do is to hold the lock for long, as a writer then waits, and everybody else behind it: lists
//! of the whole catalog are to be read in pages.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError};

use crate::index::Index;
use crate::prepared::Change;

/// Rows that are put under one hold of the lock, if they are not those of one entity: half a millisecond.
const ROWS_PER_HOLD: usize = 1000;

/// What a removal counts as.
const ROWS_OF_REMOVAL: usize = 40;

/// How often the writer gives way to readers that wait before it goes on all the same: for a millisecond at most.
const YIELDS_MAX: usize = 1000;

/// An [`Index`] for many readers and one writer.
#[derive(Debug, Default)]
pub struct SharedIndex {
    index: RwLock<Index>,
    /// Readers that wait for the lock.
    waiting: AtomicUsize,
}

impl SharedIndex {
    /// Shares an index.
    pub fn new(index: Index) -> Self {
        Self { index: RwLock::new(index), waiting: AtomicUsize::new(0) }
    }

    /// The index to read. Not to be held over anything that waits.
    pub fn read(&self) -> RwLockReadGuard<'_, Index> {
        match self.index.try_read() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(guard)) => return guard.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let guard = self.index.read().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    /// Applies changes in their order. Readers may see the first ones of a batch before the last ones.
    pub fn apply(&self, changes: &[Change]) {
        let mut rest = changes;
        while !rest.is_empty() {
            let (part, more) = rest.split_at(hold_len(rest));
            rest = more;
            self.index.write().unwrap_or_else(PoisonError::into_inner).apply(part);
            self.let_readers_in();
        }
    }

    fn let_readers_in(&self) {
        for _ in 0..YIELDS_MAX {
            if self.waiting.load(Ordering::Relaxed) == 0 {
                return;
            }
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

/// How many of the changes are made under one hold of the lock.
fn hold_len(changes: &[Change]) -> usize {
    let mut rows = 0;
    let beyond = changes.iter().position(|change| {
        rows += match change {
            Change::Put(entity) => entity.rows.len(),
            Change::Remove(_) => ROWS_OF_REMOVAL,
        };
        rows > ROWS_PER_HOLD
    });
    beyond.map_or(changes.len(), |beyond| beyond.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepared::Prepared;

    #[test]
    fn a_hold_of_the_lock_has_so_many_rows_or_one_entity() {
        let put = |rows: usize| {
            let items: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
            let json = serde_json::json!({"spec": items}).to_string();
            Change::Put(Prepared::new(1, "k:ns/n", "u", &json).unwrap())
        };
        let changes: Vec<Change> = [10_000, 400, 400, 400, 10_000].map(put).into();
        let mut holds = Vec::new();
        let mut rest = changes.as_slice();
        while !rest.is_empty() {
            holds.push(hold_len(rest));
            rest = &rest[hold_len(rest)..];
        }
        assert_eq!(holds, [1, 2, 1, 1]);
        assert_eq!(hold_len(&vec![Change::Remove("k:ns/n".into()); 100]), 25);
        assert_eq!(hold_len(&[]), 0);
    }
}
