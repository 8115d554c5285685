//! Doing a whole method again: what was decided rests on rows that others changed, or the database ended one of two
//! transactions that waited for each other. Nothing was written then.

use std::time::Duration;

use super::error::{UNIQUE_VIOLATION, has_code};
use super::locks::Graph;
use crate::StoreError;

/// How often a method is begun.
const TRIES_MAX: u32 = 4;
/// Transactions that the database ended because of others: deadlock, serialization failure, and a prepared plan that no
/// longer fits the tables.
const AGAIN: [&str; 3] = ["40P01", "40001", "0A000"];

/// Why a method is begun again: rows that others changed, or a transaction that the database ended.
const INTERRUPTED: &str = "interrupted";
const ENDED: &str = "ended";

/// Why a transaction of ours cannot go on. If it is no better the next time, callers may try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Interrupted {
    /// Rows have to be locked out of order, which is only harmless while nobody else changes the graph.
    #[error("rows of the catalog are in use by another process")]
    NeedsGraph,
    /// A row that was looked at before it was locked is another one now.
    #[error("rows of the catalog were changed by another process")]
    Overtaken,
}

impl From<Interrupted> for StoreError {
    fn from(interrupted: Interrupted) -> Self {
        Self::Unavailable(Box::new(interrupted))
    }
}

/// The tries of one method.
#[derive(Debug)]
pub(super) struct Tries {
    graph: Graph,
    begun: u32,
    finds_strays: bool,
}

impl Tries {
    pub(super) fn new(graph: Graph) -> Self {
        Self { graph, begun: 0, finds_strays: false }
    }

    /// How the next try is to hold the graph.
    pub(super) fn graph(&self) -> Graph {
        self.graph
    }

    /// Whether a row was there already that only damage leaves behind.
    pub(super) fn finds_strays(&self) -> bool {
        self.finds_strays
    }

    /// The result of a try, unless there is to be another one.
    pub(super) async fn settle<T>(&mut self, result: Result<T, StoreError>) -> Option<Result<T, StoreError>> {
        self.begun += 1;
        if !self.finds_strays && result.as_ref().is_err_and(|error| has_code(error, UNIQUE_VIOLATION)) {
            self.finds_strays = true;
            retries(INTERRUPTED).increment(1);
            return None;
        }
        let Err(StoreError::Unavailable(error)) = &result else { return Some(result) };
        let interrupted = error.downcast_ref::<Interrupted>();
        let code = error.downcast_ref::<sqlx::Error>().and_then(|error| error.as_database_error()?.code());
        let is_ended = code.is_some_and(|code| AGAIN.contains(&code.as_ref()));
        if self.begun >= TRIES_MAX || (interrupted.is_none() && !is_ended) {
            return Some(result);
        }
        retries(if interrupted.is_some() { INTERRUPTED } else { ENDED }).increment(1);
        if interrupted == Some(&Interrupted::NeedsGraph) {
            self.graph = Graph::Exclusive;
        } else {
            // Whoever was in the way is not to be met again at once.
            let millis = 1 + rand_below(10 * u64::from(self.begun));
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        None
    }
}

fn retries(reason: &'static str) -> metrics::Counter {
    metrics::counter!("callboard_store_retries_total", "reason" => reason)
}

/// Counters are there from the start, so that their first event is an increase.
pub(super) fn begin_counters() {
    for reason in [INTERRUPTED, ENDED] {
        retries(reason).increment(0);
    }
}

fn rand_below(end: u64) -> u64 {
    super::nonce() % end.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_interrupted_is_tried_again_a_few_times() {
        let mut tries = Tries::new(Graph::Shared);
        for _ in 1..TRIES_MAX {
            let overtaken: Result<(), _> = Err(Interrupted::Overtaken.into());
            assert!(tries.settle(overtaken).await.is_none());
        }
        let last: Result<(), _> = Err(Interrupted::Overtaken.into());
        assert!(tries.settle(last).await.is_some_and(|result| result.unwrap_err().is_retryable()));
        assert_eq!(tries.graph(), Graph::Shared);
    }

    #[tokio::test]
    async fn locks_out_of_order_take_the_graph() {
        let mut tries = Tries::new(Graph::Shared);
        let needed: Result<(), _> = Err(Interrupted::NeedsGraph.into());
        assert!(tries.settle(needed).await.is_none());
        assert_eq!(tries.graph(), Graph::Exclusive);
    }

    #[tokio::test]
    async fn other_errors_are_the_callers() {
        let mut tries = Tries::new(Graph::Shared);
        let failed: Result<(), _> = Err(StoreError::Unavailable("the server is gone".into()));
        assert!(tries.settle(failed).await.is_some());
        assert!(tries.settle(Ok(())).await.is_some());
    }
}
