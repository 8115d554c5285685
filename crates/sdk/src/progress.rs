//! How a run gets on: what processors say about it, and what the host that waits for them sees.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How a run gets on. A host gives up a call in which nothing happens for too long; emitting and parsing count as
/// happening, and what else does has to be said with [`step`](Self::step).
#[derive(Debug, Default)]
pub struct Progress {
    steps: AtomicUsize,
    waits: AtomicUsize,
    parse_slots: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Progress {
    /// Something was done, such as a page that was read: the host's patience begins anew.
    pub fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for what others hold, such as a permit. That does not count as nothing happening, so it must not be
    /// used for what may never come.
    pub async fn waiting<T>(&self, wait: impl Future<Output = T>) -> T {
        let _waiting = Waiting::begin(&self.waits);
        wait.await
    }

    /// For hosts: how much was done. Another number than before means that the run gets on.
    pub fn steps(&self) -> usize {
        self.steps.load(Ordering::Relaxed)
    }

    /// For hosts: whether the run waits for others.
    pub fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::Relaxed) > 0
    }

    /// For hosts that give up a run without being able to end it: others may parse in its place.
    pub fn free_parse_slots(&self) {
        self.held_slots().take();
    }

    fn held_slots(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.parse_slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn parse_slot<'s>(&'s self, slots: &Arc<Semaphore>) -> ParseSlot<'s> {
        // A host that closed the slots is about to drop this call.
        let slot = self.waiting(Arc::clone(slots).acquire_owned()).await.ok();
        self.step();
        let mut held = self.held_slots();
        match (held.as_mut(), slot) {
            (Some(held), Some(slot)) => held.merge(slot),
            (None, slot) => *held = slot,
            (Some(_), None) => {}
        }
        drop(held);
        ParseSlot(self)
    }
}

/// Gives the slot back when it is dropped, unless the host did so before.
#[derive(Debug)]
pub(crate) struct ParseSlot<'s>(&'s Progress);

impl Drop for ParseSlot<'_> {
    fn drop(&mut self) {
        drop(self.0.held_slots().as_mut().and_then(|held| held.split(1)));
        self.0.step();
    }
}

struct Waiting<'s>(&'s AtomicUsize);

impl<'s> Waiting<'s> {
    fn begin(waits: &'s AtomicUsize) -> Self {
        waits.fetch_add(1, Ordering::Relaxed);
        Self(waits)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_a_slot_waits_and_does_not_stand_still() {
        let slots = Arc::new(Semaphore::new(1));
        let (first, second) = (Progress::default(), Progress::default());
        let held = first.parse_slot(&slots).await;
        let mut wait = Box::pin(second.parse_slot(&slots));
        assert!((&mut wait).now_or_never().is_none());
        assert!(second.is_waiting() && !first.is_waiting());
        let before = second.steps();
        drop(held);
        drop(wait.await);
        assert!(!second.is_waiting());
        assert_ne!(second.steps(), before);
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_is_over() {
        let progress = Progress::default();
        assert!(progress.waiting(std::future::pending::<()>()).now_or_never().is_none());
        assert!(!progress.is_waiting());
    }

    #[tokio::test]
    async fn a_slot_that_the_host_took_back_is_not_given_back_twice() {
        let slots = Arc::new(Semaphore::new(1));
        let progress = Progress::default();
        let held = progress.parse_slot(&slots).await;
        assert_eq!(slots.available_permits(), 0);
        progress.free_parse_slots();
        assert_eq!(slots.available_permits(), 1);
        drop(held);
        assert_eq!(slots.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_run_that_parses_two_files_at_once_holds_two_slots() {
        let slots = Arc::new(Semaphore::new(2));
        let progress = Progress::default();
        let first = progress.parse_slot(&slots).await;
        let second = progress.parse_slot(&slots).await;
        assert_eq!(slots.available_permits(), 0);
        drop(first);
        assert_eq!(slots.available_permits(), 1);
        drop(second);
        assert_eq!(slots.available_permits(), 2);
        let held = [progress.parse_slot(&slots).await, progress.parse_slot(&slots).await];
        progress.free_parse_slots();
        assert_eq!(slots.available_permits(), 2);
        drop(held);
        assert_eq!(slots.available_permits(), 2);
    }
}
