//! Waiting for something that another process does.

use std::time::{Duration, Instant};

/// Far beyond what anything here takes, also on a machine that compiles meanwhile; a test that waits so long has failed.
const LIMIT: Duration = Duration::from_secs(100);

const PAUSE: Duration = Duration::from_millis(20);

/// Looks until `probe` finds something. Panics with `what` when it takes too long.
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(started.elapsed() < LIMIT, "waited {} s in vain for {what}", LIMIT.as_secs());
        std::thread::sleep(PAUSE);
    }
}
