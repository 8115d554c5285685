use callboard_sdk::SystemClock;
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::suite::world::{World, entity};
use callboard_store::{LocationConflict, StoredLocation};

use super::*;
use crate::engine::Engine;
use crate::testing::{Warnings, pipeline};
use crate::{Catalog, EngineSettings};

async fn store() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(SqliteOptions::memory()).await.unwrap())
}

fn engine(store: &Arc<dyn Store>, doctor: Option<DoctorSettings>) -> Engine {
    let settings = EngineSettings { doctor, ..EngineSettings::default() };
    Engine::new(Arc::clone(store), pipeline([]), Vec::new(), Arc::new(SystemClock), settings).unwrap()
}

async fn register(catalog: &Catalog, target: &str) -> StoredLocation {
    let spec = callboard_model::LocationSpec::new("url", target);
    catalog.location_register(&spec, LocationConflict::Reject).await.unwrap()
}

/// Puts Locations into the bucket of registered locations that are not registered, and takes those out that are.
async fn damage(store: &Arc<dyn Store>) {
    let entities = ["one", "two"].map(|name| entity(&format!("location:default/{name}"), "x"));
    World::new(store.as_ref()).full(LOCATION_STORE, entities).await;
}

async fn whole_pass(checkup: &mut Checkup) -> Vec<Finding> {
    let mut findings = Vec::new();
    while let Some(page) = checkup.next_page().await.unwrap() {
        findings.extend(page.findings);
    }
    findings
}

fn checkup(store: &Arc<dyn Store>, has_location_store: bool, mends: bool) -> Checkup {
    Checkup::new(Arc::clone(store), Arc::new(SystemClock), has_location_store, mends)
}

#[tokio::test]
async fn registered_locations_are_handed_over_again() {
    let store = store().await;
    let registered = register(&engine(&store, None).catalog(), "https://example.com/a.yaml").await;
    damage(&store).await;
    for (mends, care) in [(false, Care::None), (true, Care::Mended)] {
        let findings = whole_pass(&mut checkup(&store, true, mends)).await;
        let found: Vec<_> = findings.iter().map(|it| (it.violation.invariant, it.care)).collect();
        assert_eq!(found, [(Invariant::UnregisteredLocation, care); 2]);
    }
    assert!(whole_pass(&mut checkup(&store, true, true)).await.is_empty());
    let mut world = World::new(store.as_ref());
    world.now = SystemClock.now();
    assert_eq!(world.due().await, [registered.entity_ref]);
}

#[tokio::test]
async fn what_no_location_store_hands_over_is_not_missed() {
    let store = store().await;
    damage(&store).await;
    assert!(whole_pass(&mut checkup(&store, false, true)).await.is_empty());
}

/// Without pauses that a test would have to wait for.
fn quick(mends: bool) -> DoctorSettings {
    DoctorSettings { rows_per_second: u32::MAX, mends, ..DoctorSettings::default() }
}

#[tokio::test]
async fn each_violation_is_told_once_for_as_long_as_it_lasts() {
    let store = store().await;
    damage(&store).await;
    let settings = quick(false);
    let shared = engine(&store, Some(settings)).shared;
    let (warnings, _guard) = Warnings::collect();
    let known = pass(&shared, settings, &HashSet::new()).await.unwrap();
    assert_eq!((known.len(), warnings.all().len()), (2, 2), "{:?}", warnings.all());
    let known = pass(&shared, settings, &known).await.unwrap();
    assert_eq!((known.len(), warnings.all().len()), (2, 2), "{:?}", warnings.all());
    pass(&shared, quick(true), &known).await.unwrap();
    assert!(pass(&shared, quick(true), &HashSet::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_pass_ends_with_the_loop() {
    let store = store().await;
    let shared = engine(&store, Some(DoctorSettings::default())).shared;
    shared.stopping.cancel();
    assert!(pass(&shared, DoctorSettings::default(), &HashSet::new()).await.is_none());
    run(Arc::clone(&shared)).await;
    let shared = engine(&store, None).shared;
    shared.stopping.cancel();
    run(shared).await;
}
