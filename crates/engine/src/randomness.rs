//! Where the loop's random numbers come from.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

/// Where random numbers come from: the machine, unless a seed was given. Clones share their numbers.
#[derive(Debug, Clone, Default)]
pub struct Randomness(Option<Arc<Mutex<StdRng>>>);

impl Randomness {
    /// Numbers that are the same ones each time, for runs that are to be repeated.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    pub(crate) fn duration(&self, range: Range<Duration>) -> Duration {
        match &self.0 {
            Some(seeded) => seeded.lock().unwrap_or_else(PoisonError::into_inner).random_range(range),
            None => machine().random_range(range),
        }
    }

    pub(crate) fn uuid(&self) -> Uuid {
        let bytes = match &self.0 {
            Some(seeded) => seeded.lock().unwrap_or_else(PoisonError::into_inner).random(),
            None => machine().random(),
        };
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
fn machine() -> rand::rngs::ThreadRng {
    rand::rng()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let numbers = || {
            let randomness = Randomness::seeded(7);
            let second = Duration::from_secs(1);
            (randomness.duration(second..second * 100), randomness.clone().uuid(), randomness.uuid())
        };
        let (rest, first, second) = numbers();
        assert_eq!(numbers(), (rest, first, second));
        assert_ne!(first, second);
        assert_ne!(Randomness::default().uuid(), first);
    }
}
