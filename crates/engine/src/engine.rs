//! Starting, watching and stopping the loop.

use std::sync::Arc;
use std::time::Duration;

use callboard_sdk::{
    CancellationToken, Clock, EntityProvider, EntityProviderConnection as _, EntityProviderMutation,
    ProviderError,
};
use callboard_store::{Lane, ProviderMutation, Store, StoreError, error_chain};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::leases::Leases;
use crate::locations::{LOCATION_STORE, registered_locations};
use crate::outage::Outage;
use crate::processing::Processing;
use crate::queue::{Queue, Serves};
use crate::standing::Standing;
use crate::{
    Catalog, EngineSettings, OrphanStrategy, Pipeline, Wake, claimer, committer, doctor, janitor, standing,
    stitcher, worker,
};

/// How often a wait for rest looks again.
const SETTLE_POLL: Duration = Duration::from_millis(25);

/// Workers that take only what somebody waits for: all others may wait for a slow source at the same time.
const INTERACTIVE_WORKERS: usize = 4;

/// The loop, before it runs.
#[derive(Debug)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    providers: Vec<Arc<dyn EntityProvider>>,
}

/// What the parts of the loop share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: EngineSettings,
    pub(crate) wake: Wake,
    pub(crate) outage: Arc<Outage>,
    pub(crate) standing: Standing,
    pub(crate) queue: Queue,
    pub(crate) leases: Leases,
    pub(crate) processing: Processing,
    /// Memory for outcomes that wait to be written, in KiB.
    pub(crate) pending_kib: Arc<Semaphore>,
    pub(crate) pending_kib_max: u32,
    /// Nothing new is begun.
    pub(crate) stopping: CancellationToken,
    /// Nothing is under way any more, and all that came of it is written.
    pub(crate) drained: CancellationToken,
}

/// Why the loop cannot start, or broke down.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A defect: a part of the loop died.
    #[error("a part of the loop died")]
    Died,
    /// Others are to do the work.
    #[error("another process started with other processors, another version or another configuration")]
    Superseded,
    /// A provider has the name of the built-in one whose bucket holds the registered locations.
    #[error(
        "an entity provider cannot be named '{LOCATION_STORE}': its entities would take the place of those of the \
         registered locations"
    )]
    ReservedName,
    /// A provider failed.
    #[error("Failed to connect entity provider '{name}'")]
    Provider {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: ProviderError,
    },
}

impl Engine {
    /// A loop over `store`. Of two providers of one name the first one counts; none may be named [`LOCATION_STORE`].
    pub fn new(
        store: Arc<dyn Store>,
        pipeline: Arc<Pipeline>,
        providers: Vec<Arc<dyn EntityProvider>>,
        clock: Arc<dyn Clock>,
        settings: EngineSettings,
    ) -> Result<Self, EngineError> {
        let mut unique: Vec<Arc<dyn EntityProvider>> = Vec::new();
        for provider in providers {
            if provider.name() == LOCATION_STORE {
                return Err(EngineError::ReservedName);
            }
            if !unique.iter().any(|known| known.name() == provider.name()) {
                unique.push(provider);
            }
        }
        let processing = Processing {
            pipeline,
            clock: Arc::clone(&clock),
            interval: settings.interval,
            randomness: settings.randomness.clone(),
            on_error: settings.on_processing_error.clone(),
            cancellation: CancellationToken::new(),
        };
        let pending_kib_max = u32::try_from(settings.pending_bytes_max / 1024).unwrap_or(u32::MAX).max(1);
        let shared = Shared {
            pending_kib: Arc::new(Semaphore::new(pending_kib_max as usize)),
            pending_kib_max,
            store,
            clock,
            queue: Queue::new(settings.queue_max),
            settings,
            wake: Wake::default(),
            outage: Arc::default(),
            standing: Standing::default(),
            leases: Leases::default(),
            processing,
            stopping: CancellationToken::new(),
            drained: CancellationToken::new(),
        };
        Ok(Self { shared: Arc::new(shared), providers: unique })
    }

    /// The catalog over this loop.
    pub fn catalog(&self) -> Catalog {
        let Shared { store, clock, wake, processing, settings, standing, .. } = self.shared.as_ref();
        Catalog::new(Arc::clone(store), Arc::clone(&processing.pipeline), Arc::clone(clock), wake.clone())
            .with_location_store(settings.has_location_store)
            .with_randomness(settings.randomness.clone())
            .with_standing(standing.clone())
    }

    /// Connects the providers, all at once, and waits for them. They may take over what providers had that are to be
    /// evicted. A store that does not answer is waited for, here and in [`start`](Self::start).
    pub async fn connect(&self) -> Result<(), EngineError> {
        if self.shared.settings.provider_orphans == OrphanStrategy::Delete {
            release_missing_providers(&self.shared, &self.providers).await?;
        }
        let connections = self.providers.iter().map(|provider| async {
            let name = provider.name().to_owned();
            let connection = Arc::new(Connection::new(&name, &self.shared));
            let connected = provider.connect(Arc::clone(&connection) as _).await;
            connection.connected();
            connected.map_err(|source| EngineError::Provider { name, source })
        });
        futures::future::try_join_all(connections).await.map(drop)
    }

    /// Starts the loop. Expects the providers to be connected.
    pub async fn start(self) -> Result<RunningEngine, EngineError> {
        let shared = self.shared;
        let fingerprint = shared.processing.pipeline.fingerprint();
        let apply = || shared.store.fingerprint_apply(fingerprint, None, shared.clock.now());
        let due = shared.outage.ride_through("cannot begin", apply).await?;
        shared.standing.set_given(fingerprint);
        if due > 0 {
            tracing::info!(entities = due, "the processors changed: all entities are processed afresh");
        }
        if shared.settings.provider_orphans == OrphanStrategy::Delete {
            evict_missing_providers(&shared, &self.providers).await?;
        }
        if shared.settings.has_location_store {
            hand_over_locations(&shared).await?;
        }
        let (outcomes, commits) = mpsc::channel(shared.settings.commit_batch_max);
        let mut workers = JoinSet::new();
        for _ in 0..shared.settings.concurrency {
            workers.spawn(worker::run(Arc::clone(&shared), Serves::All, outcomes.clone()));
        }
        for _ in 0..INTERACTIVE_WORKERS {
            workers.spawn(worker::run(Arc::clone(&shared), Serves::Interactive, outcomes.clone()));
        }
        drop(outcomes);
        let mut tasks = JoinSet::new();
        tasks.spawn(claimer::run(Arc::clone(&shared)));
        tasks.spawn(claimer::keep_leases(Arc::clone(&shared)));
        tasks.spawn(stitcher::run(Arc::clone(&shared)));
        tasks.spawn(janitor::run(Arc::clone(&shared)));
        tasks.spawn(doctor::run(Arc::clone(&shared)));
        tasks.spawn(standing::run(Arc::clone(&shared)));
        let mut committers = JoinSet::new();
        let commits = Arc::new(Mutex::new(commits));
        for _ in 0..shared.store.commits_at_once() {
            committers.spawn(committer::run(Arc::clone(&shared), Arc::clone(&commits)));
        }
        Ok(RunningEngine { shared, workers, tasks, committers })
    }
}

/// A provider that was renamed hands over the same entities under other location keys. It would be refused because of
/// the old ones, and the entities would go with the old bucket.
async fn release_missing_providers(
    shared: &Shared,
    providers: &[Arc<dyn EntityProvider>],
) -> Result<(), EngineError> {
    let installed = installed(shared, providers);
    let mut gone = known_providers(shared).await?;
    gone.retain(|name| !installed.contains(&name.as_str()));
    if !gone.is_empty() {
        let release = || shared.store.providers_release(&gone, shared.clock.now());
        shared.outage.ride_through("cannot release what a provider had that is gone", release).await?;
    }
    Ok(())
}

/// Buckets of providers that are not installed any more would otherwise stay for ever.
async fn evict_missing_providers(
    shared: &Shared,
    providers: &[Arc<dyn EntityProvider>],
) -> Result<(), EngineError> {
    let installed = installed(shared, providers);
    let known = known_providers(shared).await?;
    let orphaned: Vec<_> = known.iter().filter(|name| !installed.contains(&name.as_str())).collect();
    if orphaned.is_empty() {
        return Ok(());
    }
    tracing::warn!("Found {} orphaned entity provider(s)", orphaned.len());
    tracing::warn!("Database contained providers: {}", quoted(known.iter().map(String::as_str)));
    tracing::warn!("Installed providers were: {}", quoted(installed.iter().copied()));
    tracing::warn!("Orphaned providers were thus: {}", quoted(orphaned.iter().map(|name| name.as_str())));
    for name in orphaned {
        let evict = || {
            let empty = ProviderMutation::Full(Vec::new());
            shared.store.provider_mutate(name, empty, Lane::New, shared.clock.now())
        };
        match shared.outage.ride_through("cannot evict a provider that is gone", evict).await {
            Ok(_) => tracing::info!("Removed entities for orphaned provider {name}"),
            Err(error) => tracing::error!(
                error = error_chain(&error),
                "Failed to remove entities for orphaned provider {name}"
            ),
        }
    }
    Ok(())
}

async fn known_providers(shared: &Shared) -> Result<Vec<String>, StoreError> {
    shared.outage.ride_through("cannot read the names of the providers", || shared.store.providers()).await
}

/// Names of all providers that may have a bucket.
fn installed<'a>(shared: &Shared, providers: &'a [Arc<dyn EntityProvider>]) -> Vec<&'a str> {
    let location_store = shared.settings.has_location_store.then_some(LOCATION_STORE);
    providers.iter().map(|provider| provider.name()).chain(location_store).collect()
}

/// Brings back the entities of registered locations that were deleted by themselves, as other providers do when they
/// connect.
async fn hand_over_locations(shared: &Shared) -> Result<(), EngineError> {
    let read = || registered_locations(shared.store.as_ref());
    let mut entities = shared.outage.ride_through("cannot read the registered locations", read).await?;
    loop {
        Connection::new(LOCATION_STORE, shared)
            .apply_mutation(EntityProviderMutation::Full { entities: entities.clone() })
            .await
            .map_err(|source| EngineError::Provider { name: LOCATION_STORE.to_owned(), source })?;
        // What another process registered or removed since they were read was undone in the bucket.
        let now = shared.outage.ride_through("cannot read the registered locations", read).await?;
        if now == entities {
            return Ok(());
        }
        entities = now;
    }
}

async fn settled(shared: &Shared) -> Result<(), EngineError> {
    let Shared { store, clock, queue, leases, wake, standing, .. } = shared;
    loop {
        // Nobody knows whether the others ever come to an end.
        if standing.is_superseded() {
            return Err(EngineError::Superseded);
        }
        if leases.is_empty() && queue.len() == 0 {
            let counts = store.counts(clock.now()).await?;
            if counts.due == 0 && counts.stitch_queue == 0 && leases.is_empty() {
                return Ok(());
            }
            wake.claim();
            wake.stitch();
        }
        tokio::time::sleep(SETTLE_POLL).await;
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// The loop, while it runs.
#[derive(Debug)]
pub struct RunningEngine {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
    tasks: JoinSet<()>,
    committers: JoinSet<()>,
}

impl RunningEngine {
    /// Comes back when a part of the loop died, which only a defect can cause: the process should end.
    pub async fn died(&mut self) {
        tokio::select! {
            Some(_) = self.workers.join_next() => {}
            Some(_) = self.tasks.join_next() => {}
            Some(_) = self.committers.join_next() => {}
            else => {}
        }
    }

    /// Comes back when nothing is due, under way, or waiting to be stitched. An error if others are to do the work.
    pub async fn settled(&mut self) -> Result<(), EngineError> {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            result = settled(&shared) => result,
            () = self.died() => Err(EngineError::Died),
        }
    }

    /// Deletes orphans at once, without waiting for their turn.
    pub async fn delete_orphans(&self) -> Result<(), StoreError> {
        janitor::delete_orphans(&self.shared).await
    }

    /// Begins nothing new, lets what is under way end (for a limited time), writes its outcomes, and gives back
    /// the rest: no lease is left that would have to run out.
    pub async fn stop(mut self) {
        self.shared.stopping.cancel();
        let mut unworked = self.shared.queue.close();
        let drain = async { while self.workers.join_next().await.is_some() {} };
        if tokio::time::timeout(self.shared.settings.drain_timeout, drain).await.is_err() {
            tracing::warn!(runs = self.workers.len(), "runs under way did not end in time and are given up");
            self.shared.processing.cancellation.cancel();
            while self.workers.join_next().await.is_some() {}
        }
        // The workers held the senders, so the committers end when they have written everything.
        while self.committers.join_next().await.is_some() {}
        self.shared.drained.cancel();
        while self.tasks.join_next().await.is_some() {}
        // What was being claimed or handed out when the queue closed, and what was given up.
        unworked.extend(self.shared.queue.close());
        committer::give_back(&self.shared, &unworked).await;
    }
}

#[cfg(test)]
mod tests;
