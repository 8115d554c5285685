use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use callboard_model::{Entity, LocationSpec};
use callboard_sdk::{
    DeferredEntity, EntityProviderConnection, EntityProviderMutation, SystemClock, async_trait,
};
use callboard_store::postgres::{PostgresOptions, PostgresStore};
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::{ClaimRequest, Claimed, ErrorFilter, LocationConflict, StoredLocation};
use futures::FutureExt as _;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::testing::{Act, AllBut, Fake, Warnings, cluster, pipeline, stored};

async fn store() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(SqliteOptions::memory()).await.unwrap())
}

/// An engine that can read `url:quick`.
fn engine(
    store: &Arc<dyn Store>,
    providers: Vec<Arc<dyn EntityProvider>>,
    settings: EngineSettings,
) -> Result<Engine, EngineError> {
    let reader = Fake::new("reader").read("url:quick", []);
    Engine::new(Arc::clone(store), pipeline([reader]), providers, Arc::new(SystemClock), settings)
}

/// An engine without providers, started.
async fn running(store: &Arc<dyn Store>, settings: EngineSettings) -> (Catalog, RunningEngine) {
    let engine = engine(store, Vec::new(), settings).unwrap();
    (engine.catalog(), engine.start().await.unwrap())
}

async fn register(catalog: &Catalog) -> StoredLocation {
    catalog.location_register(&LocationSpec::new("url", "quick"), LocationConflict::Reject).await.unwrap()
}

/// Has nothing to say.
#[derive(Debug)]
struct Silent(&'static str);

#[async_trait]
impl EntityProvider for Silent {
    fn name(&self) -> &str {
        self.0
    }

    async fn connect(&self, _connection: Arc<dyn EntityProviderConnection>) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// Brings in Locations that read `url:slow`.
#[derive(Debug)]
struct Slow(usize);

#[async_trait]
impl EntityProvider for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    async fn connect(&self, connection: Arc<dyn EntityProviderConnection>) -> Result<(), ProviderError> {
        let location = |index| {
            let mut entity = stored("Location", &format!("slow-{index}"));
            entity["spec"] = json!({"target": "slow"});
            DeferredEntity { entity: Entity::from_value(entity).unwrap(), location_key: None }
        };
        let entities = (0..self.0).map(location).collect();
        connection.apply_mutation(EntityProviderMutation::Full { entities }).await
    }
}

/// A loop with one worker, which `url:slow` keeps from all else.
async fn start(slow: usize, queue_max: usize) -> (Arc<dyn Store>, Catalog, RunningEngine) {
    let store = store().await;
    let reader = Fake::new("reader").read("url:slow", [Act::Hang]).read("url:quick", []);
    let settings = EngineSettings {
        concurrency: 1,
        queue_max,
        drain_timeout: Duration::from_millis(1),
        ..EngineSettings::default()
    };
    let engine = Engine::new(
        Arc::clone(&store),
        pipeline([reader]),
        vec![Arc::new(Slow(slow))],
        Arc::new(SystemClock),
        settings,
    )
    .unwrap();
    let catalog = engine.catalog();
    engine.connect().await.unwrap();
    let running = engine.start().await.unwrap();
    let claimed = slow.min(queue_max);
    while running.shared.leases.all().len() < claimed || running.shared.queue.len() == claimed {
        tokio::task::yield_now().await;
    }
    (store, catalog, running)
}

#[tokio::test]
async fn a_store_that_does_not_answer_at_the_start_is_waited_for() {
    let (is_away, struck) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let mut options = SqliteOptions::memory();
    // Each statement fails the first time.
    let (away, strikes) = (Arc::clone(&is_away), Arc::clone(&struck));
    options.fault =
        Some(Arc::new(move |name| away.load(Ordering::Relaxed) && strikes.lock().unwrap().insert(name)));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).await.unwrap());
    let engine = engine(&store, vec![Arc::new(Slow(1))], EngineSettings::default()).unwrap();
    register(&engine.catalog()).await;
    let empty = ProviderMutation::Full(Vec::new());
    store.provider_mutate(LOCATION_STORE, empty.clone(), Lane::New, engine.shared.clock.now()).await.unwrap();
    Slow(2).connect(Arc::new(Connection::new("gone", &engine.shared))).await.unwrap();

    let (warnings, _guard) = Warnings::collect();
    is_away.store(true, Ordering::Relaxed);
    engine.connect().await.unwrap();
    let running = engine.start().await.unwrap();
    is_away.store(false, Ordering::Relaxed);
    assert!(struck.lock().unwrap().len() > 5, "{struck:?}");
    assert!(!warnings.all().is_empty());
    assert_eq!(store.providers().await.unwrap(), [LOCATION_STORE, "slow"]);
    running.stop().await;
}

#[tokio::test]
async fn what_somebody_waits_for_waits_neither_for_slow_sources_nor_for_room() {
    for queue_max in [100, 4] {
        let (store, catalog, running) = start(10, queue_max).await;
        let quick = LocationSpec::new("url", "quick");
        let location = catalog.location_register(&quick, LocationConflict::Reject).await.unwrap();
        while store.entity_by_ref(&location.entity_ref).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn claims_that_nobody_worked_on_and_runs_that_do_not_end_are_given_back() {
    let (store, _, running) = start(10, 100).await;
    let fingerprint = running.shared.processing.pipeline.fingerprint();
    running.stop().await;
    let (now, lease) = (SystemClock.now(), Duration::from_mins(1));
    let request = ClaimRequest { limit: 100, lane_max: Lane::Periodic, now, lease, fingerprint };
    let claimed = store.claim(&request).await.unwrap();
    assert!(matches!(&claimed, Claimed::Leased(claims) if claims.len() == 10), "{claimed:?}");
}

#[tokio::test]
async fn a_part_that_dies_ends_the_wait_for_rest() {
    let (_, _, mut running) = start(10, 100).await;
    running.committers.abort_all();
    assert!(matches!(running.settled().await, Err(EngineError::Died)));
    running.stop().await;
}

#[tokio::test]
async fn a_store_that_fails_for_a_moment_while_work_is_looked_for_is_asked_again() {
    let failures = Arc::new(AtomicUsize::new(2));
    let left = Arc::clone(&failures);
    let mut options = SqliteOptions::memory();
    options.fault = Some(Arc::new(move |statement| {
        let fails = |left: usize| left.checked_sub(1);
        statement == "SELECT_DUE" && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails).is_ok()
    }));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).await.unwrap());
    let (warnings, _guard) = Warnings::collect();
    let (catalog, mut engine) = running(&store, EngineSettings::default()).await;
    let location = register(&catalog).await;
    engine.settled().await.unwrap();
    assert!(store.entity_by_ref(&location.entity_ref).await.unwrap().is_some());
    assert_eq!(warnings.all(), ["Failed to load processing items; trying again until the database takes it"]);
    assert_eq!(failures.load(Ordering::Relaxed), 0);
    engine.stop().await;
}

/// A store in which these providers have an entity each, and one location is registered.
async fn with_buckets(providers: &[&str]) -> Arc<dyn Store> {
    let store = store().await;
    let engine = engine(&store, Vec::new(), EngineSettings::default()).unwrap();
    for provider in providers {
        let entity = Entity::from_value(stored("Component", provider)).unwrap();
        let entities = vec![DeferredEntity { entity, location_key: None }];
        let connection = Connection::new(provider, &engine.shared);
        connection.apply_mutation(EntityProviderMutation::Full { entities }).await.unwrap();
    }
    register(&engine.catalog()).await;
    store
}

#[tokio::test]
async fn the_buckets_of_providers_that_are_gone_are_emptied_unless_they_are_to_be_kept() {
    let gone = [
        "Found 2 orphaned entity provider(s)",
        "Database contained providers: 'DefaultLocationStore', 'bar', 'foo', 'provider1'",
        "Installed providers were: 'provider1', 'provider2', 'DefaultLocationStore'",
        "Orphaned providers were thus: 'bar', 'foo'",
    ];
    let left: [&[&str]; 2] =
        [&["DefaultLocationStore", "provider1"], &["DefaultLocationStore", "bar", "foo", "provider1"]];
    for (strategy, left, log) in
        [(OrphanStrategy::Delete, left[0], &gone[..]), (OrphanStrategy::Keep, left[1], &[])]
    {
        let store = with_buckets(&["foo", "bar", "provider1"]).await;
        let installed: Vec<Arc<dyn EntityProvider>> =
            vec![Arc::new(Silent("provider1")), Arc::new(Silent("provider2"))];
        let settings = EngineSettings { provider_orphans: strategy, ..EngineSettings::default() };
        let engine = engine(&store, installed, settings).unwrap();
        let (warnings, _guard) = Warnings::collect();
        let running = engine.start().await.unwrap();
        assert_eq!(store.providers().await.unwrap(), left);
        assert_eq!(warnings.all(), log);
        running.stop().await;
    }
}

/// Hands over `component:default/c` under a location key of its own.
#[derive(Debug)]
struct Jealous(&'static str);

#[async_trait]
impl EntityProvider for Jealous {
    fn name(&self) -> &str {
        self.0
    }

    async fn connect(&self, connection: Arc<dyn EntityProviderConnection>) -> Result<(), ProviderError> {
        let entity = Entity::from_value(stored("Component", "c")).unwrap();
        let entities = vec![DeferredEntity { entity, location_key: Some(self.0.to_owned()) }];
        connection.apply_mutation(EntityProviderMutation::Full { entities }).await
    }
}

/// The uid of what a [`Jealous`] of this name hands over, as it is once all is processed and the engine is stopped.
async fn uid_after(store: &Arc<dyn Store>, name: &'static str, strategy: OrphanStrategy) -> Uuid {
    let settings = EngineSettings { provider_orphans: strategy, ..EngineSettings::default() };
    let engine = engine(store, vec![Arc::new(Jealous(name))], settings).unwrap();
    engine.connect().await.unwrap();
    let mut running = engine.start().await.unwrap();
    running.settled().await.unwrap();
    running.stop().await;
    store.entity_by_ref("component:default/c").await.unwrap().unwrap().uid
}

#[tokio::test]
async fn a_provider_under_a_new_name_takes_over_what_it_had_under_the_old_one() {
    let store = store().await;
    let uid = uid_after(&store, "old", OrphanStrategy::Delete).await;
    let (warnings, _guard) = Warnings::collect();
    assert_eq!(uid_after(&store, "new", OrphanStrategy::Delete).await, uid);
    assert_eq!(store.providers().await.unwrap(), ["new"]);
    assert_eq!(store.errors_list(&ErrorFilter { limit: 10, ..ErrorFilter::default() }).await.unwrap(), []);
    assert!(!warnings.all().iter().any(|line| line.contains("conflicting")), "{:?}", warnings.all());
}

#[tokio::test]
async fn what_a_provider_that_is_gone_is_to_keep_nobody_takes_over() {
    let store = store().await;
    let uid = uid_after(&store, "old", OrphanStrategy::Delete).await;
    let (warnings, _guard) = Warnings::collect();
    assert_eq!(uid_after(&store, "new", OrphanStrategy::Keep).await, uid);
    assert_eq!(store.providers().await.unwrap(), ["new", "old"]);
    assert_eq!(
        warnings.all(),
        [
            "Source new detected conflicting entityRef component:default/c already referenced by old and now also new"
        ]
    );
}

#[tokio::test]
async fn no_provider_takes_the_name_of_the_location_store() {
    let store = store().await;
    let providers: Vec<Arc<dyn EntityProvider>> = vec![Arc::new(Silent(LOCATION_STORE))];
    let refused = engine(&store, providers, EngineSettings::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "an entity provider cannot be named 'DefaultLocationStore': its entities would take the place of those of the \
         registered locations"
    );
}

#[tokio::test]
async fn a_registered_location_whose_entity_was_deleted_is_back_after_the_next_start() {
    let store = store().await;
    let (catalog, mut engine) = running(&store, EngineSettings::default()).await;
    let location = register(&catalog).await;
    engine.settled().await.unwrap();
    let entity = store.entity_by_ref(&location.entity_ref).await.unwrap().unwrap();
    catalog.delete_entity(entity.uid).await.unwrap();
    engine.settled().await.unwrap();
    assert!(store.entity_by_ref(&location.entity_ref).await.unwrap().is_none());
    engine.stop().await;

    let (_, mut engine) = running(&store, EngineSettings::default()).await;
    engine.settled().await.unwrap();
    assert!(store.entity_by_ref(&location.entity_ref).await.unwrap().is_some());
    engine.stop().await;
}

#[tokio::test]
async fn registered_locations_of_which_nothing_is_missing_are_left_alone_at_start() {
    let store = store().await;
    let (catalog, mut engine) = running(&store, EngineSettings::default()).await;
    register(&catalog).await;
    engine.settled().await.unwrap();
    engine.stop().await;
    let engine = self::engine(&store, Vec::new(), EngineSettings::default()).unwrap();
    hand_over_locations(&engine.shared).await.unwrap();
    let counts = store.counts(SystemClock.now()).await.unwrap();
    assert_eq!((counts.due, counts.stitch_queue), (0, 0));
}

#[tokio::test]
async fn without_the_location_store_registered_locations_bring_in_nothing_until_it_is_back() {
    let store = with_buckets(&[]).await;
    let disabled = EngineSettings { has_location_store: false, ..EngineSettings::default() };
    let (catalog, mut engine) = running(&store, disabled).await;
    engine.settled().await.unwrap();
    assert_eq!(store.providers().await.unwrap(), Vec::<String>::new());
    let location = store.locations_list(None, 10).await.unwrap().remove(0);
    let spec = LocationSpec::new("url", "other");
    for refused in [
        catalog.location_register(&spec, LocationConflict::Reject).await.map(drop),
        catalog.location_update(&location.id, &spec).await.map(drop),
        catalog.location_delete(&location.id).await,
    ] {
        assert_eq!(refused.unwrap_err().to_string(), "location store is not initialized");
    }
    engine.stop().await;

    let (_, mut engine) = running(&store, EngineSettings::default()).await;
    engine.settled().await.unwrap();
    assert!(store.entity_by_ref(&location.entity_ref).await.unwrap().is_some());
    engine.stop().await;
}

#[tokio::test]
async fn unregistering_a_location_wakes_the_claimer_for_those_whom_it_was_in_the_way_of() {
    let store = store().await;
    let engine = engine(&store, Vec::new(), EngineSettings::default()).unwrap();
    let catalog = engine.catalog();
    let location = register(&catalog).await;
    let wake = &engine.shared.wake;
    assert!(wake.claim_wanted().now_or_never().is_some());
    catalog.location_delete(&location.id).await.unwrap();
    assert!(wake.claim_wanted().now_or_never().is_some());
}

#[tokio::test]
async fn a_process_that_only_serves_hears_of_changes() {
    let Some(cluster) = cluster() else { return };
    let options = PostgresOptions::new(cluster.database().await);
    let open = || PostgresStore::open(options.clone());
    let [here, there]: [Arc<dyn Store>; 2] =
        [Arc::new(open().await.unwrap()), Arc::new(open().await.unwrap())];
    let serving = engine(&there, Vec::new(), EngineSettings::default()).unwrap().catalog();
    // It listens from here on.
    serving.change().await;
    let (catalog, engine) = running(&here, EngineSettings::default()).await;
    let location = register(&catalog).await;
    while serving.store().entity_by_ref(&location.entity_ref).await.unwrap().is_none() {
        serving.change().await;
    }
    engine.stop().await;
}

/// A loop whose processors are of this version.
async fn of_version(store: &Arc<dyn Store>, version: &str) -> (Catalog, RunningEngine) {
    let reader = Fake::new("reader").read("url:quick", []).with_fingerprint(version);
    let (clock, settings) = (Arc::new(SystemClock), EngineSettings::default());
    let engine = Engine::new(Arc::clone(store), pipeline([reader]), Vec::new(), clock, settings).unwrap();
    (engine.catalog(), engine.start().await.unwrap())
}

/// Has the claimer ask until it knows whether its processors are superseded.
async fn superseded(running: &RunningEngine, is_superseded: bool) {
    while running.shared.standing.is_superseded() != is_superseded {
        running.shared.wake.claim();
        tokio::task::yield_now().await;
    }
}

async fn is_in_force(running: &RunningEngine) -> bool {
    let fingerprint = running.shared.processing.pipeline.fingerprint();
    let (now, lease) = (SystemClock.now(), Duration::ZERO);
    let request = ClaimRequest { limit: 1, lane_max: Lane::Periodic, now, lease, fingerprint };
    matches!(running.shared.store.claim(&request).await.unwrap(), Claimed::Leased(_))
}

#[tokio::test]
async fn a_process_leaves_the_work_to_one_that_started_later_with_other_processors() {
    let store = store().await;
    let (warnings, _guard) = Warnings::collect();
    let (serving, mut old) = of_version(&store, "1").await;
    let (_, mut new) = of_version(&store, "2").await;
    superseded(&old, true).await;
    let location = register(&serving).await;
    new.settled().await.unwrap();
    assert!(store.entity_by_ref(&location.entity_ref).await.unwrap().is_some());
    assert!(matches!(old.settled().await, Err(EngineError::Superseded)));
    new.stop().await;
    let (_, other) = of_version(&store, "1").await;
    superseded(&old, false).await;
    old.settled().await.unwrap();
    assert_eq!(warnings.all().len(), 1, "{:?}", warnings.all());
    for running in [old, other] {
        running.stop().await;
    }
}

#[tokio::test]
async fn a_changed_configuration_takes_nothing_from_a_process_that_started_later() {
    let store = store().await;
    let (catalog, old) = of_version(&store, "1").await;
    let rules = &old.shared.processing.pipeline;
    rules.set_rules(Arc::new(AllBut(&["User"])));
    catalog.pipeline_changed().await.unwrap();
    assert!(is_in_force(&old).await, "nobody else is there");
    let (_, new) = of_version(&store, "2").await;
    for denied in [&["Group"], &["User"]] {
        rules.set_rules(Arc::new(AllBut(denied)));
        catalog.pipeline_changed().await.unwrap();
        assert!(is_in_force(&new).await && !is_in_force(&old).await);
    }
    for running in [old, new] {
        running.stop().await;
    }
}

#[tokio::test]
async fn a_location_that_was_pointed_elsewhere_leaves_nothing_behind_after_it_was_registered_again() {
    let store = store().await;
    let (catalog, mut engine) = running(&store, EngineSettings::default()).await;
    let other = LocationSpec::new("url", "other");
    let location = catalog.location_register(&other, LocationConflict::Reject).await.unwrap();
    let quick = LocationSpec::new("url", "quick");
    catalog.location_update(&location.id, &quick).await.unwrap();
    let again = catalog.location_register(&quick, LocationConflict::Refresh).await.unwrap();
    assert_eq!((&again.id, &again.entity_ref), (&location.id, &location.entity_ref));
    catalog.location_delete(&location.id).await.unwrap();
    engine.settled().await.unwrap();
    assert_eq!(store.providers().await.unwrap(), Vec::<String>::new());
    engine.stop().await;
}
