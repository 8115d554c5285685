//! Everything random in a simulation comes from one seed.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Random numbers from a seed; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Dice(Arc<Mutex<StdRng>>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    fn rng(&self) -> MutexGuard<'_, StdRng> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seed for something else.
    pub(crate) fn seed(&self) -> u64 {
        self.rng().random()
    }

    /// Whether something happens that happens so many times in a thousand.
    pub(crate) fn per_mille(&self, chances: u32) -> bool {
        self.rng().random_range(0..1000) < chances
    }

    /// A number below a limit, and zero if there is none.
    pub(crate) fn below(&self, limit: usize) -> usize {
        if limit == 0 { 0 } else { self.rng().random_range(0..limit) }
    }

    pub(crate) fn millis(&self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.rng().random_range(range))
    }

    pub(crate) fn pick<'a, T>(&self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// One of several.
    pub(crate) fn one_of<T, const N: usize>(&self, items: [T; N]) -> T {
        const { assert!(N > 0, "there must be one") };
        Vec::from(items).swap_remove(self.below(N))
    }
}
