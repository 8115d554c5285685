//! Claims that wait in memory for a worker, lowest lane first.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use callboard_store::{Claim, Lane};
use tokio::sync::{Notify, Semaphore};

const LANES: [Lane; 4] = [Lane::Interactive, Lane::Event, Lane::New, Lane::Periodic];

/// Those who push keep to the limit; see [`room`](Self::room).
#[derive(Debug)]
pub(crate) struct Queue {
    lanes: Mutex<[VecDeque<Claim>; LANES.len()]>,
    ready: Semaphore,
    drained: Notify,
    capacity: usize,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { lanes: Mutex::default(), ready: Semaphore::new(0), drained: Notify::new(), capacity }
    }

    pub(crate) fn push(&self, claims: Vec<Claim>) {
        let count = claims.len();
        let mut lanes = self.lanes();
        for claim in claims {
            let lane = LANES.iter().position(|lane| *lane == claim.lane).unwrap_or_default();
            if let Some(lane) = lanes.get_mut(lane) {
                lane.push_back(claim);
            }
        }
        drop(lanes);
        self.ready.add_permits(count);
    }

    /// The next claim; waits for one. `None` once the queue is closed.
    pub(crate) async fn pop(&self) -> Option<Claim> {
        self.ready.acquire().await.ok()?.forget();
        let mut lanes = self.lanes();
        let claim = lanes.iter_mut().find_map(VecDeque::pop_front);
        let left: usize = lanes.iter().map(VecDeque::len).sum();
        drop(lanes);
        if left <= self.capacity / 2 {
            self.drained.notify_one();
        }
        claim
    }

    /// How many claims may be pushed.
    pub(crate) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.lanes().iter().map(VecDeque::len).sum()
    }

    /// Waits until at least half of the queue is free.
    pub(crate) async fn half_empty(&self) {
        while self.len() > self.capacity / 2 {
            self.drained.notified().await;
        }
    }

    /// Lets nobody wait any longer, and gives back what nobody took.
    pub(crate) fn close(&self) -> Vec<Claim> {
        self.ready.close();
        let left = self.lanes().iter_mut().flat_map(std::mem::take).collect();
        self.drained.notify_one();
        left
    }

    fn lanes(&self) -> MutexGuard<'_, [VecDeque<Claim>; LANES.len()]> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
