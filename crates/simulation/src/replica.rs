//! One process of several: an engine with its providers, and a reader of the change log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callboard_engine::{Catalog, Engine, EngineSettings, Pipeline, PipelineParts, Randomness, RulesEnforcer};
use callboard_processors::{BuiltinKindsProcessor, UrlReaderProcessor};
use callboard_sdk::{
    CatalogProcessor, Clock, DeferredEntity, Entity, EntityProvider, EntityProviderConnection,
    EntityProviderMutation, LocationSpec, ProviderError, RemovedEntity, ScmFile, ScmResolver, async_trait,
};
use callboard_store::{ChangeKind, Store, StoreError};
use tokio::sync::{oneshot, watch};

use crate::clock::SkewedClock;
use crate::trace::Trace;
use crate::upstream::Upstream;
use crate::world::{PROVIDERS, World};

/// Changes that a reader takes at once.
const CHANGES_MAX: usize = 20;
const READER_REST: Duration = Duration::from_millis(700);
const CONFIGURATION_REST: Duration = Duration::from_secs(2);

/// Everything is allowed to come in, by one of several configurations.
#[derive(Debug)]
struct Lenient(usize);

impl RulesEnforcer for Lenient {
    fn is_allowed(&self, _entity: &Entity, _origin: &LocationSpec) -> bool {
        true
    }

    fn fingerprint(&self) -> String {
        self.0.to_string()
    }
}

#[derive(Debug)]
struct NoForges;

impl ScmResolver for NoForges {
    fn resolve_url(&self, target: &str, _base: &str) -> Result<String, String> {
        Ok(target.to_owned())
    }

    fn resolve_edit_url(&self, _url: &str) -> Option<String> {
        None
    }

    fn integration_kind(&self, _url: &str) -> Option<&'static str> {
        None
    }

    fn file(&self, _url: &str) -> Option<ScmFile> {
        None
    }

    fn fingerprint(&self) -> String {
        String::new()
    }
}

/// Does nothing, in one of several versions.
#[derive(Debug)]
struct Versioned(usize);

#[async_trait]
impl CatalogProcessor for Versioned {
    fn name(&self) -> &'static str {
        "Versioned"
    }

    fn is_pure(&self, _entity: &Entity) -> bool {
        true
    }

    fn fingerprint(&self) -> String {
        self.0.to_string()
    }
}

/// A provider over the world. It says what there is when it connects, and whenever it is told to.
#[derive(Debug)]
struct WorldProvider {
    name: &'static str,
    world: World,
    connections: Connections,
}

/// The ways into the catalog, by provider.
pub(crate) type Connections = Arc<Mutex<BTreeMap<&'static str, Arc<dyn EntityProviderConnection>>>>;

#[async_trait]
impl EntityProvider for WorldProvider {
    fn name(&self) -> &str {
        self.name
    }

    async fn connect(&self, connection: Arc<dyn EntityProviderConnection>) -> Result<(), ProviderError> {
        connection.apply_mutation(full(&self.world, self.name)).await?;
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name, connection);
        Ok(())
    }
}

/// All that a provider has.
pub(crate) fn full(world: &World, provider: &'static str) -> EntityProviderMutation {
    let refs: Vec<String> =
        world.outside().buckets.get(provider).into_iter().flatten().map(|(it, _)| it.clone()).collect();
    EntityProviderMutation::Full { entities: deferred(world, provider, &refs) }
}

/// What changed of what a provider has.
pub(crate) fn delta(
    world: &World,
    provider: &'static str,
    added: &[String],
    removed: &[String],
) -> EntityProviderMutation {
    let removed = removed.iter().map(|it| RemovedEntity { entity_ref: it.clone() }).collect();
    EntityProviderMutation::Delta { added: deferred(world, provider, added), removed }
}

fn deferred(world: &World, provider: &'static str, refs: &[String]) -> Vec<DeferredEntity> {
    let outside = world.outside();
    let bucket = outside.buckets.get(provider);
    let entities = refs.iter().filter_map(|entity_ref| {
        let (document, location_key) = bucket?.get(entity_ref)?;
        let entity = document.to_entity(&format!("url:https://sim.example.com/{provider}"))?;
        Some(DeferredEntity { entity, location_key: location_key.clone() })
    });
    entities.collect()
}

/// What a replica is made of.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) replica: usize,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SkewedClock,
    pub(crate) upstream: Upstream,
    pub(crate) settings: EngineSettings,
    pub(crate) version: usize,
    pub(crate) trace: Trace,
    pub(crate) face: Face,
}

/// What others see of a replica while it is up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Face {
    pub(crate) catalog: Arc<Mutex<Option<Catalog>>>,
    pub(crate) connections: Connections,
    /// What it read of the change log: final entities as JSON.
    pub(crate) view: Arc<Mutex<BTreeMap<String, String>>>,
    /// Its configuration, also while it is down.
    pub(crate) configuration: watch::Sender<usize>,
}

impl Face {
    pub(crate) fn catalog(&self) -> Option<Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn connection(&self, provider: &str) -> Option<Arc<dyn EntityProviderConnection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).get(provider).cloned()
    }

    pub(crate) fn view(&self) -> BTreeMap<String, String> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn clear(&self) {
        *self.catalog.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Why a replica ended by itself.
type Ended = Result<(), String>;

/// The life of a replica: until it is told to stop, or dropped, which is a crash.
pub(crate) async fn live(parts: Parts, stop: oneshot::Receiver<()>, randomness: Randomness) -> Ended {
    let Parts { replica, store, clock, upstream, mut settings, version, trace, face } = parts;
    let clock: Arc<dyn Clock> = Arc::new(clock);
    settings.randomness = randomness;
    let world = upstream.world.clone();
    let mut configuration = face.configuration.subscribe();
    let rules = Lenient(*configuration.borrow_and_update());
    let mut pipeline = PipelineParts::new(Arc::new(rules), Arc::new(NoForges));
    pipeline.processors = vec![
        Arc::new(BuiltinKindsProcessor),
        Arc::new(UrlReaderProcessor::new(Arc::new(upstream))),
        Arc::new(Versioned(version)),
    ];
    pipeline.clock = Arc::clone(&clock);
    pipeline.limits.processor_timeout = Duration::from_secs(8);
    let providers = PROVIDERS.map(|name| {
        let connections = Arc::clone(&face.connections);
        Arc::new(WorldProvider { name, world: world.clone(), connections }) as Arc<dyn EntityProvider>
    });
    let pipeline = Arc::new(Pipeline::new(pipeline));
    let engine = Engine::new(Arc::clone(&store), Arc::clone(&pipeline), providers.into(), clock, settings);
    let engine = engine.map_err(|error| error.to_string())?;
    let catalog = engine.catalog();
    engine.connect().await.map_err(|error| error.to_string())?;
    let mut running = engine.start().await.map_err(|error| error.to_string())?;
    *face.catalog.lock().unwrap_or_else(PoisonError::into_inner) = Some(catalog.clone());
    trace.say(format_args!("replica {replica} is up"));
    tokio::select! {
        biased;
        () = running.died() => trace.break_promise(format_args!("a part of the loop of replica {replica} died")),
        () = follow(store.as_ref(), &face.view) => {}
        () = follow_configuration(configuration, &pipeline, &catalog) => {}
        _ = stop => {}
    }
    trace.say(format_args!("replica {replica} stops"));
    running.stop().await;
    Ok(())
}

/// Puts changes of the configuration into force, as every server does.
async fn follow_configuration(
    mut configuration: watch::Receiver<usize>,
    pipeline: &Pipeline,
    catalog: &Catalog,
) {
    while configuration.changed().await.is_ok() {
        pipeline.set_rules(Arc::new(Lenient(*configuration.borrow_and_update())));
        while catalog.pipeline_changed().await.is_err() {
            tokio::time::sleep(CONFIGURATION_REST).await;
        }
    }
}

/// Keeps a view up to date, as every server does.
async fn follow(store: &dyn Store, view: &Mutex<BTreeMap<String, String>>) {
    let mut position = None;
    loop {
        match catch_up(store, view, position).await {
            Ok(reached) => position = Some(reached),
            Err(StoreError::NotFound(_)) => position = None,
            Err(_) => {}
        }
        tokio::time::sleep(READER_REST).await;
    }
}

async fn catch_up(
    store: &dyn Store,
    view: &Mutex<BTreeMap<String, String>>,
    position: Option<i64>,
) -> Result<i64, StoreError> {
    let set = |entity_ref: String, json: Option<String>| {
        let mut view = view.lock().unwrap_or_else(PoisonError::into_inner);
        match json {
            Some(json) => view.insert(entity_ref, json),
            None => view.remove(&entity_ref),
        }
    };
    let Some(mut position) = position else {
        let position = store.position().await?;
        let mut after = None;
        let mut all = BTreeMap::new();
        loop {
            let page = store.entities_page(after.as_deref(), CHANGES_MAX).await?;
            all.extend(page.entities.into_iter().map(|it| (it.entity_ref, it.json)));
            after = page.next_after;
            if after.is_none() {
                *view.lock().unwrap_or_else(PoisonError::into_inner) = all;
                return Ok(position);
            }
        }
    };
    for change in store.changes_after(position, CHANGES_MAX).await? {
        let json = match change.kind {
            ChangeKind::Upserted => store.entity_by_ref(&change.entity_ref).await?.map(|found| found.json),
            ChangeKind::Deleted => None,
        };
        set(change.entity_ref, json);
        position = change.position;
    }
    Ok(position)
}
