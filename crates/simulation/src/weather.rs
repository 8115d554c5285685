//! How much goes wrong at the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::dice::Dice;

/// How bad it is, from 0 to 4; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weather(Arc<AtomicU32>);

impl Weather {
    pub(crate) fn set(&self, badness: u32) {
        self.0.store(badness, Ordering::Relaxed);
    }

    fn badness(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Calls of a thousand that the store fails, before or after it did what was asked.
    pub(crate) fn store_faults(&self) -> u32 {
        self.badness() * 15
    }

    /// Calls of a thousand that the store holds up for longer than a lease.
    pub(crate) fn stalls(&self) -> u32 {
        self.badness() * 2
    }

    /// Calls of a thousand that the store answers with an error and does later nevertheless.
    pub(crate) fn late_effects(&self) -> u32 {
        self.badness() * 4
    }

    /// Hints of a thousand that nobody hears.
    pub(crate) fn lost_hints(&self) -> u32 {
        self.badness() * 100
    }

    /// Reads of a thousand that come to nothing.
    pub(crate) fn read_faults(&self) -> u32 {
        self.badness() * 30
    }

    pub(crate) fn latency(&self, dice: &Dice) -> Duration {
        if dice.per_mille(self.badness() * 20) { dice.millis(500..4_000) } else { dice.millis(0..20) }
    }
}
