use callboard_sdk::SystemClock;
use callboard_store::memory::MemoryStore;
use callboard_store::suite::world::{World, entity};
use callboard_store::{LocationConflict, StoredLocation};
use tokio::task::JoinSet;

use super::*;
use crate::engine::Engine;
use crate::testing::{Counted, Warnings, pipeline};
use crate::{Catalog, EngineSettings};

/// What the processes of a test share.
fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn engine(store: &Arc<dyn Store>, doctor: Option<DoctorSettings>) -> Engine {
    engine_with(store, EngineSettings { doctor, ..EngineSettings::default() })
}

fn engine_with(store: &Arc<dyn Store>, settings: EngineSettings) -> Engine {
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
    let store = store();
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
    let store = store();
    damage(&store).await;
    assert!(whole_pass(&mut checkup(&store, false, true)).await.is_empty());
}

/// Without pauses that a test would have to wait for.
fn quick(mends: bool) -> DoctorSettings {
    DoctorSettings { rows_per_second: u32::MAX, interval: Duration::from_millis(1), mends }
}

/// What a pass found that went to its end.
async fn whole(shared: &Shared, settings: DoctorSettings, job: &mut Job, known: &Known) -> Known {
    match pass(shared, settings, job, known).await {
        Ended::Whole(found) => found,
        ended => panic!("{ended:?}"),
    }
}

#[tokio::test]
async fn each_violation_is_told_once_for_as_long_as_it_lasts() {
    let store = store();
    damage(&store).await;
    let settings = quick(false);
    let (shared, mut job) = (engine(&store, Some(settings)).shared, Job::new("doctor"));
    let (warnings, _guard) = Warnings::collect();
    let known = whole(&shared, settings, &mut job, &Known::new()).await;
    assert_eq!((known.len(), warnings.all().len()), (2, 2), "{:?}", warnings.all());
    let known = whole(&shared, settings, &mut job, &known).await;
    assert_eq!((known.len(), warnings.all().len()), (2, 2), "{:?}", warnings.all());
    whole(&shared, quick(true), &mut job, &known).await;
    assert!(whole(&shared, quick(true), &mut job, &Known::new()).await.is_empty());
}

#[tokio::test]
async fn a_pass_ends_with_the_loop() {
    let store = store();
    let shared = engine(&store, Some(DoctorSettings::default())).shared;
    shared.stopping.cancel();
    let ended = pass(&shared, DoctorSettings::default(), &mut Job::new("doctor"), &Known::new()).await;
    assert_eq!(ended, Ended::WithLoop);
    run(Arc::clone(&shared)).await;
    let shared = engine(&store, None).shared;
    shared.stopping.cancel();
    run(shared).await;
}

#[tokio::test]
async fn of_several_processes_one_makes_the_passes_until_it_stops() {
    let store = store();
    let settings = quick(false);
    let (one, other) = (engine(&store, Some(settings)).shared, engine(&store, Some(settings)).shared);
    let (mut ours, mut theirs) = (Job::new("doctor"), Job::new("doctor"));
    for _ in 0..2 {
        whole(&one, settings, &mut ours, &Known::new()).await;
        assert_eq!(pass(&other, settings, &mut theirs, &Known::new()).await, Ended::ByAnother);
    }
    ours.give_back(&one).await;
    whole(&other, settings, &mut theirs, &Known::new()).await;
}

#[tokio::test]
async fn a_pass_ends_when_another_process_has_taken_over() {
    let store = store();
    let lease = Duration::ZERO;
    let process = || engine_with(&store, EngineSettings { lease, ..EngineSettings::default() }).shared;
    let (one, other) = (process(), process());
    let (mut ours, mut theirs) = (Job::new("doctor"), Job::new("doctor"));
    let mut round = Round {
        shared: &one,
        job: &mut ours,
        checkup: checkup(&store, true, true),
        interval: Duration::ZERO,
        held_until: None,
    };
    assert!(matches!(round.step().await.unwrap(), Step::Page(_)));
    assert!(theirs.is_ours(&other, Duration::from_hours(1)).await.unwrap());
    assert!(matches!(round.step().await.unwrap(), Step::ByAnother));
}

#[tokio::test]
async fn what_another_process_looks_after_is_not_told_by_this_one() {
    let store = store();
    damage(&store).await;
    let shown = Counted::default();
    let _recorder = metrics::set_default_local_recorder(&shown);
    let violations = || shown.get("callboard_doctor_violations unregistered-location");
    let settings = EngineSettings { lease: Duration::ZERO, doctor: Some(quick(false)), ..Default::default() };
    let (one, other) = (engine_with(&store, settings.clone()).shared, engine_with(&store, settings).shared);
    let mut tasks = JoinSet::new();
    tasks.spawn(run(Arc::clone(&one)));
    wait_until(|| violations() == Some(2)).await;
    let mut theirs = Job::new("doctor");
    while !theirs.is_ours(&other, Duration::from_hours(1)).await.unwrap() {
        tokio::task::yield_now().await;
    }
    wait_until(|| violations() == Some(0)).await;
    one.stopping.cancel();
    tasks.join_all().await;
}

async fn wait_until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
