//! The clock of one replica: simulated time, and how far it is off.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use callboard_sdk::{Clock, Timestamp};
use chrono::{DateTime, TimeDelta};
use tokio::time::Instant;

/// When all simulations begin.
const START_MICROS: i64 = 1_800_000_000_000_000;

/// Shows the simulated time, and some milliseconds more or less.
#[derive(Debug, Clone)]
pub(crate) struct SkewedClock {
    began: Instant,
    skew_millis: Arc<AtomicI64>,
}

impl SkewedClock {
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, skew_millis: Arc::default() }
    }

    pub(crate) fn set_skew(&self, millis: i64) {
        self.skew_millis.store(millis, Ordering::Relaxed);
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let start = DateTime::from_timestamp_micros(START_MICROS).unwrap_or_default();
        let skew = TimeDelta::milliseconds(self.skew_millis.load(Ordering::Relaxed));
        start + self.began.elapsed() + skew
    }
}
