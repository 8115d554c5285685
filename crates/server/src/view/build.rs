//! Building the index anew: at start, and when it lost touch with the change log.

use std::sync::Arc;
use std::thread::available_parallelism;

use callboard_index::{Index, Prepared};
use callboard_store::{FinalEntity, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Shared;

/// Entities that are read at once.
const PAGE_LEN: usize = 100;

/// Fields whose order the first requests ask for.
const ORDERED: [&str; 2] = ["metadata.name", "metadata.title"];

/// Between two lines of the log about a build that takes long.
const PROGRESS_EVERY: usize = 50_000;

impl Shared {
    /// Builds the index from the final entities and puts it in the place of the old one.
    pub(super) async fn rebuild(self: &Arc<Self>) -> Result<(), StoreError> {
        let started = std::time::Instant::now();
        // What changes from here on is in the log after this position.
        let position = self.store.position().await?;
        let index = self.build().await?;
        let entities = index.len();
        self.index.replace(index);
        self.position.send_replace(position);
        tracing::info!(entities, seconds = started.elapsed().as_secs_f32(), "the query index is built");
        Ok(())
    }

    /// Pages go from the store through as many threads as there are to one that puts the index together.
    async fn build(self: &Arc<Self>) -> Result<Index, StoreError> {
        let threads = available_parallelism().map_or(2, usize::from);
        let (puts, mut prepared) = mpsc::channel::<Vec<Prepared>>(threads);
        let assembly = tokio::task::spawn_blocking(move || {
            let mut index = Index::new();
            let mut reported = 0;
            while let Some(entities) = prepared.blocking_recv() {
                for entity in &entities {
                    index.put(entity);
                }
                if index.len() >= reported + PROGRESS_EVERY {
                    reported = index.len();
                    tracing::info!(entities = reported, "building the query index");
                }
            }
            index.warm(&ORDERED);
            index
        });
        let mut running = JoinSet::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.entities_page(after.as_deref(), PAGE_LEN).await?;
            if running.len() >= threads
                && let Some(prepared) = running.join_next().await
            {
                prepared.map_err(internal)?;
            }
            let (shared, puts) = (Arc::clone(self), puts.clone());
            running.spawn_blocking(move || {
                let entities: Vec<_> = page.entities.iter().map(|entity| shared.prepare(entity)).collect();
                // The other end is there for as long as somebody sends.
                drop(puts.blocking_send(entities));
            });
            after = page.next_after;
            if after.is_none() {
                break;
            }
        }
        drop(puts);
        while let Some(prepared) = running.join_next().await {
            prepared.map_err(internal)?;
        }
        assembly.await.map_err(internal)
    }

    /// Makes entities ready on a thread that may take its time.
    pub(super) async fn prepare_all(
        self: &Arc<Self>,
        entities: Vec<FinalEntity>,
    ) -> Result<Vec<Prepared>, StoreError> {
        let shared = Arc::clone(self);
        let prepare = move || entities.iter().map(|entity| shared.prepare(entity)).collect();
        tokio::task::spawn_blocking(prepare).await.map_err(internal)
    }
}

fn internal(error: tokio::task::JoinError) -> StoreError {
    StoreError::Internal(Box::new(error))
}
