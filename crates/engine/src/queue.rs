//! Claims that wait in memory for a worker, lowest lane first.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use callboard_store::{Claim, Lane};
use tokio::sync::{Notify, Semaphore};

const LANES: [Lane; 4] = [Lane::Interactive, Lane::Event, Lane::New, Lane::Periodic];

/// Which claims a worker takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    All,
    /// Those for which somebody waits.
    Interactive,
}

/// Those who push keep to the limit; see [`room`](Self::room).
#[derive(Debug)]
pub(crate) struct Queue {
    lanes: Mutex<[VecDeque<Claim>; LANES.len()]>,
    /// At least one permit for each claim. There are more where a worker of the other kind took the claim; whoever
    /// gets one of those finds nothing and waits on.
    ready: Semaphore,
    /// The same, for the claims of the interactive lane.
    ready_interactive: Semaphore,
    drained: Notify,
    capacity: usize,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            lanes: Mutex::default(),
            ready: Semaphore::new(0),
            ready_interactive: Semaphore::new(0),
            drained: Notify::new(),
            capacity,
        }
    }

    pub(crate) fn push(&self, claims: Vec<Claim>) {
        let count = claims.len();
        let interactive = claims.iter().filter(|claim| claim.lane == Lane::Interactive).count();
        let mut lanes = self.lanes();
        for claim in claims {
            let lane = LANES.iter().position(|lane| *lane == claim.lane).unwrap_or_default();
            if let Some(lane) = lanes.get_mut(lane) {
                lane.push_back(claim);
            }
        }
        drop(lanes);
        self.ready.add_permits(count);
        self.ready_interactive.add_permits(interactive);
    }

    /// The next claim; waits for one. `None` once the queue is closed.
    pub(crate) async fn pop(&self, serves: Serves) -> Option<Claim> {
        let (ready, lanes) = match serves {
            Serves::All => (&self.ready, LANES.len()),
            Serves::Interactive => (&self.ready_interactive, 1),
        };
        loop {
            ready.acquire().await.ok()?.forget();
            if let Some(claim) = self.take(lanes) {
                return Some(claim);
            }
        }
    }

    /// The oldest claim of the lowest of the first few lanes.
    fn take(&self, first: usize) -> Option<Claim> {
        let mut lanes = self.lanes();
        let claim = lanes.iter_mut().take(first).find_map(VecDeque::pop_front);
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

    /// How many claims of the interactive lane wait.
    pub(crate) fn interactive_len(&self) -> usize {
        self.lanes().first().map_or(0, VecDeque::len)
    }

    /// Waits until at least half of the queue is free.
    pub(crate) async fn half_empty(&self) {
        while self.len() > self.capacity / 2 {
            self.drained.notified().await;
        }
    }

    /// Lets nobody wait any longer, and gives back what nobody took. What is pushed afterwards is given back by the
    /// next call.
    pub(crate) fn close(&self) -> Vec<Claim> {
        self.ready.close();
        self.ready_interactive.close();
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
