//! Damage of every kind is found, told by its name, and mended so that the catalog is what it was.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use callboard_model::LocationSpec;
use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::Tables;
use crate::rules::statement::FaultHook;
use crate::suite::world::{World, entity, keyed, outcome, processed, processed_value, relation};
use crate::{
    Claim, Invariant, LocationConflict, NewEntity, Outcome, OutcomeKind, Processed, StoreError,
    StoredLocation, Violation,
};

const A: &str = "component:default/a";
const B: &str = "component:default/b";
const C: &str = "component:default/c";
const D: &str = "component:default/d";
const ROOT: &str = "location:default/root";
const REGISTERED: &str = "location:default/registered";
const LOCATION_STORE: &str = "locations";

/// How often mending and the loop take turns at most.
const ROUNDS_MAX: usize = 4;

/// Repairs at a time, as each waits for its database most of the time.
const PARALLEL: usize = 2;

/// A relation to another entity in both directions, a refresh key, a child, and a child that is refused.
async fn begin(world: &World<'_>) -> StoredLocation {
    let spec = LocationSpec::new("url", "https://example.com/registered");
    let location = world
        .store
        .location_create(LOCATION_STORE, &spec, entity(REGISTERED, "x"), LocationConflict::Reject, world.now)
        .await
        .unwrap();
    hand_over(world).await;
    work(world).await;
    assert_eq!(found(world).await, []);
    location
}

/// What providers do when they start.
async fn hand_over(world: &World<'_>) {
    world.full("p", [entity(A, "x"), entity(B, "x"), keyed(C, "x", "key"), entity(ROOT, "x")]).await;
}

async fn hand_over_locations(world: &World<'_>) {
    let locations = world.store.locations_list(None, 10).await.unwrap();
    let entities: Vec<NewEntity> = locations.iter().map(|it| entity(&it.entity_ref, "x")).collect();
    world.full(LOCATION_STORE, entities).await;
}

fn result(claim: &Claim) -> Processed {
    let entity = serde_json::from_str(&claim.unprocessed).unwrap();
    let plain = processed_value(entity);
    match claim.entity_ref.as_ref() {
        A => Processed {
            relations: vec![relation(A, "dependsOn", B), relation(B, "dependencyOf", A)],
            refresh_keys: vec!["key".to_owned()],
            ..plain
        },
        ROOT => Processed { children: vec![self::entity(D, "x"), keyed(C, "y", "other")], ..plain },
        _ => plain,
    }
}

/// The loop, until nothing is left to do.
async fn work(world: &World<'_>) {
    loop {
        let claims = world.claim(100).await;
        if claims.is_empty() {
            break;
        }
        let kind = |claim: &Claim| OutcomeKind::Processed(Box::new(result(claim)));
        let outcomes: Vec<Outcome> =
            claims.iter().map(|claim| outcome(claim, kind(claim), world.now)).collect();
        world.commit_all(&outcomes, 0).await;
    }
    world.stitch().await;
}

async fn found(world: &World<'_>) -> Vec<Violation> {
    world.violations(Some(LOCATION_STORE)).await
}

fn kinds(found: &[Violation]) -> BTreeSet<Invariant> {
    found.iter().map(|found| found.invariant).collect()
}

/// All that is served, without what is drawn anew when an entity comes back.
async fn served(world: &World<'_>) -> Vec<Value> {
    let page = world.store.entities_page(None, 100).await.unwrap();
    let read = |json: &str| {
        let mut entity: Value = serde_json::from_str(json).unwrap();
        entity["metadata"]["uid"].take();
        entity
    };
    page.entities.iter().map(|entity| read(&entity.json)).collect()
}

/// Mends and works until nothing is found any more.
async fn heal(world: &World<'_>, damage: &str) {
    for _ in 0..ROUNDS_MAX {
        let found = found(world).await;
        if found.is_empty() {
            return;
        }
        let mended = world.store.mend(&found, world.now).await.unwrap();
        assert_eq!(mended.gone, Vec::<usize>::new(), "{damage}");
        if mended.needs_locations {
            hand_over_locations(world).await;
        }
        work(world).await;
        hand_over(world).await;
        work(world).await;
    }
    panic!("{damage}: {:?}", found(world).await);
}

macro_rules! id_of {
    ($name:literal) => {
        concat!("(SELECT id FROM refs WHERE entity_ref = 'component:default/", $name, "')")
    };
}

/// Damage that is the same in all stores, and what is found then.
const DAMAGE: &[(&str, &[Invariant])] = &[
    (concat!("DELETE FROM schedule WHERE id = ", id_of!("a")), &[Invariant::UnscheduledEntity]),
    (
        "UPDATE schedule SET next_update_at = NULL, result_digest = NULL, fingerprint = NULL",
        &[Invariant::LostDueTime],
    ),
    (concat!("UPDATE schedule SET lane = 7 WHERE id = ", id_of!("b")), &[Invariant::LostDueTime]),
    (
        "DELETE FROM refs WHERE entity_ref = 'component:default/d'",
        &[Invariant::NamelessEntity, Invariant::DanglingEdge, Invariant::NamelessChange],
    ),
    (
        concat!(
            "INSERT INTO caches (id, ttl, json) SELECT id, 1, substr(json, 1, 10) FROM bodies WHERE id = ",
            id_of!("a")
        ),
        &[Invariant::UnreadableCache],
    ),
    (concat!("DELETE FROM results WHERE id = ", id_of!("b")), &[Invariant::LostResult]),
    (concat!("DELETE FROM bodies WHERE id = ", id_of!("b")), &[Invariant::LostBody]),
    (
        concat!(
            "UPDATE bodies SET json = (SELECT b.json FROM bodies b WHERE b.id = ",
            id_of!("a"),
            ") WHERE id = ",
            id_of!("b")
        ),
        &[Invariant::LostBody],
    ),
    (concat!("DELETE FROM final_entities WHERE id = ", id_of!("a")), &[Invariant::MissingFinalEntity]),
    ("DELETE FROM final_entities", &[Invariant::MissingFinalEntity]),
    ("UPDATE final_entities SET is_orphan = NOT is_orphan", &[Invariant::StaleFinalEntity]),
    ("UPDATE final_entities SET status = '{}'", &[Invariant::StaleFinalEntity]),
    ("UPDATE final_entities SET etag = ''", &[Invariant::StaleFinalEntity]),
    (
        concat!(
            "UPDATE final_entities SET uid = (SELECT uid FROM refresh_state WHERE id = ",
            id_of!("a"),
            ")"
        ),
        &[Invariant::StaleFinalEntity],
    ),
    (
        concat!(
            "UPDATE final_entities SET relations = (SELECT f.relations FROM final_entities f WHERE f.id = ",
            id_of!("a"),
            ")"
        ),
        &[Invariant::StaleFinalEntity],
    ),
    (concat!("DELETE FROM edges WHERE target = ", id_of!("d")), &[Invariant::MissingOrphanMark]),
    (
        concat!("INSERT INTO orphans (id) SELECT ", id_of!("a")),
        &[Invariant::StaleFinalEntity, Invariant::StrayOrphanMark],
    ),
    ("DELETE FROM peer_relations", &[Invariant::StaleFinalEntity, Invariant::MissingPeerRelation]),
    (
        concat!(
            "INSERT INTO peer_relations (source, type, target, originator) SELECT ",
            id_of!("c"),
            ", type, target, originator FROM peer_relations"
        ),
        &[Invariant::StaleFinalEntity, Invariant::StrayPeerRelation],
    ),
    ("DELETE FROM refresh_keys", &[Invariant::MissingRefreshKey]),
    (
        concat!("INSERT INTO refresh_keys (key, id) SELECT key, ", id_of!("b"), " FROM refresh_keys"),
        &[Invariant::StrayRefreshKey],
    ),
    (
        concat!(
            "INSERT INTO edges (source, target, refused, grp) \
             SELECT e.source, t.id, e.refused, 0 FROM edges e CROSS JOIN refs t \
             WHERE t.entity_ref = '::type:dependsOn' AND e.target = ",
            id_of!("d")
        ),
        &[Invariant::DanglingEdge],
    ),
    (
        concat!(
            "INSERT INTO edges (source, target, refused, grp) \
             SELECT s.id, e.target, e.refused, 0 FROM edges e CROSS JOIN refs s \
             WHERE s.entity_ref = '::type:dependsOn' AND e.target = ",
            id_of!("d")
        ),
        &[Invariant::DanglingEdge],
    ),
    ("DELETE FROM errors WHERE category = 1", &[Invariant::UnexplainedConflict]),
    ("UPDATE errors SET category = 9", &[Invariant::UnexplainedConflict, Invariant::StrayError]),
    ("DELETE FROM edges WHERE refused", &[Invariant::StrayError]),
    ("INSERT INTO stitch_queue (id, rank) VALUES (987654, 0)", &[Invariant::StrayStitchWork]),
    ("UPDATE change_log SET id = 987654 WHERE position = 2", &[Invariant::NamelessChange]),
];

pub(crate) async fn what_is_damaged_is_found_and_mended<S: Tables>() {
    let of_store: [(&[&'static str], &[Invariant]); 5] = [
        (&[S::UNREADABLE[0]], &[Invariant::UnreadableResult]),
        (&[S::UNREADABLE_UNPROCESSED], &[Invariant::UnreadableEntity]),
        (S::LOSE_UNPROCESSED, &[Invariant::RowsWithoutEntity, Invariant::DanglingEdge]),
        (&[S::MISCOUNT], &[Invariant::RelationCount]),
        (&[S::LOSE_HEAD], &[Invariant::ChangeHead]),
    ];
    let common = DAMAGE.iter().map(|(damage, expected)| (std::slice::from_ref(damage), *expected));
    for (damage, expected) in common.chain(of_store) {
        let Some(store) = S::open_empty().await else { return };
        let world = World::new(&store);
        begin(&world).await;
        let before = served(&world).await;
        let position = store.position().await.unwrap();
        for statement in damage {
            store.execute(statement).await;
        }
        let found = found(&world).await;
        assert_eq!(kinds(&found), expected.iter().copied().collect(), "{damage:?}");
        heal(&world, damage[0]).await;
        assert_eq!(served(&world).await, before, "{damage:?}");
        assert!(store.position().await.unwrap() >= position, "{damage:?}");
        check_nothing_is_mended_twice(&world, &found, damage[0]).await;
    }
}

pub(crate) async fn what_only_a_person_can_mend_is_found_and_left<S: Tables>() {
    let Some(store) = S::open_empty().await else { return };
    let world = World::new(&store);
    let location = begin(&world).await;
    store.execute("UPDATE locations SET entity = 987654").await;
    let found = found(&world).await;
    let nameless = found.iter().find(|found| found.invariant == Invariant::NamelessLocation).unwrap();
    assert_eq!(nameless.subject, location.id);
    assert_eq!(nameless.invariant.remedy(), None);
    let mended = store.mend(std::slice::from_ref(nameless), world.now).await.unwrap();
    assert_eq!((mended.mended, mended.gone), (Vec::new(), Vec::new()));
}

pub(crate) async fn locations_are_held_by_their_entities_and_the_other_way_round<S: Tables>() {
    let edge = "SELECT e.source FROM edges e JOIN refs s ON s.id = e.source \
                WHERE s.entity_ref = '::provider:locations'";
    for (damage, expected) in [
        (
            "DELETE FROM edges WHERE source = (SELECT id FROM refs WHERE entity_ref = '::provider:locations')",
            vec![Invariant::MissingOrphanMark, Invariant::UnheldLocation],
        ),
        ("DELETE FROM locations", vec![Invariant::UnregisteredLocation]),
    ] {
        let Some(store) = S::open_empty().await else { return };
        let world = World::new(&store);
        begin(&world).await;
        store.execute(damage).await;
        assert_eq!(kinds(&found(&world).await), expected.into_iter().collect(), "{damage}");
        assert!(!kinds(&world.violations(None).await).contains(&Invariant::UnheldLocation), "{damage}");
        heal(&world, damage).await;
        let held = store.rows::<(i64,)>(edge.to_owned()).await.len();
        assert_eq!(held, store.locations_list(None, 10).await.unwrap().len(), "{damage}");
    }
}

/// Mending again what was mended does nothing.
async fn check_nothing_is_mended_twice(world: &World<'_>, found: &[Violation], damage: &str) {
    let position = world.store.position().await.unwrap();
    let mended = world.store.mend(found, world.now).await.unwrap();
    assert_eq!((mended.mended, mended.gone), (Vec::new(), (0..found.len()).collect()), "{damage}");
    assert_eq!(world.due().await, Vec::<String>::new(), "{damage}");
    assert_eq!(world.stitch().await.changed, 0, "{damage}");
    assert_eq!(world.store.position().await.unwrap(), position, "{damage}");
}

pub(crate) async fn an_entity_that_awaits_a_full_run_is_in_order<S: Tables>() {
    let Some(store) = S::open_empty().await else { return };
    let world = World::new(&store);
    begin(&world).await;
    store.execute(concat!("DELETE FROM bodies WHERE id = ", id_of!("b"))).await;
    let lost = found(&world).await;
    store.mend(&lost, world.now).await.unwrap();
    assert_eq!(found(&world).await, []);
    // A run that fails leaves the wish for a full one, and says itself what is wrong.
    world.fail(B, vec![crate::suite::world::error("x")]).await;
    world.stitch().await;
    assert_eq!(found(&world).await, []);
    world.refresh(B).await;
    world.process(B, processed(B, "x")).await;
    world.stitch().await;
    assert_eq!(found(&world).await, []);
    assert_eq!(world.get(B).await["spec"]["content"], "x");
}

pub(crate) async fn no_page_leaves_out_what_the_next_one_begins_after<S: Tables>() {
    let Some(store) = S::open_empty().await else { return };
    let world = World::new(&store);
    begin(&world).await;
    let entities = usize::try_from(store.count("SELECT count(*) FROM refresh_state").await).unwrap();
    for statement in S::LOSE_ALL_UNPROCESSED {
        store.execute(statement).await;
    }
    let found = found(&world).await;
    let lost = found.iter().filter(|found| found.invariant == Invariant::RowsWithoutEntity);
    assert_eq!(lost.count(), entities);
}

/// Damage that is mended together, of about every kind.
const MUCH: &[&str] = &[
    concat!(
        "INSERT INTO edges (source, target, refused, grp) \
         SELECT s.id, e.target, e.refused, 0 FROM edges e CROSS JOIN refs s \
         WHERE s.entity_ref = '::type:dependsOn' AND e.target = ",
        id_of!("d")
    ),
    "DELETE FROM edges WHERE source = (SELECT id FROM refs WHERE entity_ref = '::provider:locations')",
    concat!("DELETE FROM schedule WHERE id = ", id_of!("c")),
    concat!("DELETE FROM results WHERE id = ", id_of!("c")),
    concat!("UPDATE schedule SET lane = 7 WHERE id = ", id_of!("b")),
    concat!("DELETE FROM bodies WHERE id = ", id_of!("b")),
    concat!(
        "INSERT INTO caches (id, ttl, json) SELECT id, 1, substr(json, 1, 10) FROM bodies WHERE id = ",
        id_of!("a")
    ),
    concat!("DELETE FROM final_entities WHERE id = ", id_of!("a")),
    concat!("INSERT INTO orphans (id) SELECT ", id_of!("a")),
    concat!("UPDATE peer_relations SET source = ", id_of!("c")),
    concat!("UPDATE refresh_keys SET id = ", id_of!("b")),
    "UPDATE errors SET category = 9",
    "INSERT INTO stitch_queue (id, rank) VALUES (987654, 0)",
    "UPDATE change_log SET id = 987654 WHERE position = 2",
];

/// The statement fails that comes after so many others, once armed.
struct Fuse {
    /// How many statements are left until then; armed is what is less than this.
    left: AtomicUsize,
    seen: Mutex<Vec<&'static str>>,
}

impl Fuse {
    const UNARMED: usize = usize::MAX;

    fn new() -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(Self::UNARMED), seen: Mutex::default() })
    }

    fn hook(self: &Arc<Self>) -> FaultHook {
        let fuse = Arc::clone(self);
        Arc::new(move |name| {
            let left = fuse.left.load(Ordering::Relaxed);
            if left == Self::UNARMED {
                return false;
            }
            fuse.seen.lock().unwrap().push(name);
            fuse.left.store(left.wrapping_sub(1), Ordering::Relaxed);
            left == 0
        })
    }

    fn arm(&self, nth: usize) {
        self.left.store(nth, Ordering::Relaxed);
    }

    fn disarm(&self) -> Vec<&'static str> {
        self.arm(Self::UNARMED);
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Damages an empty store; answers what is found, and what was served before.
async fn begin_damaged<S: Tables>(store: &S, damage: &[&'static str]) -> (Vec<Violation>, Vec<Value>) {
    let world = World::new(store);
    begin(&world).await;
    let before = served(&world).await;
    for statement in damage {
        store.execute(statement).await;
    }
    (found(&world).await, before)
}

pub(crate) async fn mending_that_fails_at_any_statement_changes_nothing<S: Tables>() {
    let much: Vec<&'static str> = MUCH.iter().chain(S::LOSE_UNPROCESSED).copied().collect();
    let more = [S::UNREADABLE_UNPROCESSED, S::MISCOUNT, S::LOSE_HEAD];
    let much: Vec<&'static str> = much.into_iter().chain(more).collect();
    for (damage, kinds_min) in [(much.as_slice(), 17), (&[S::UNREADABLE[0]], 1)] {
        let fuse = Fuse::new();
        let Some(store) = S::open_with(Some(fuse.hook())).await else { return };
        let (found, before) = begin_damaged(&store, damage).await;
        assert!(kinds(&found).len() >= kinds_min, "{:?}", kinds(&found));
        fuse.arm(Fuse::UNARMED - 1);
        store.mend(&found, World::new(&store).now).await.unwrap();
        let statements = fuse.disarm();
        let mut struck = BTreeSet::new();
        let firsts = statements.into_iter().enumerate().filter(|(_, name)| struck.insert(*name));
        let repairs = firsts.map(|(nth, name)| fails_at::<S>(damage, nth, name, &before));
        stream::iter(repairs).for_each_concurrent(PARALLEL, |repair| repair).await;
    }
}

async fn fails_at<S: Tables>(damage: &[&'static str], nth: usize, name: &str, before: &[Value]) {
    let fuse = Fuse::new();
    let store = S::open_with(Some(fuse.hook())).await.unwrap();
    let (found, _) = begin_damaged(&store, damage).await;
    let world = World::new(&store);
    fuse.arm(nth);
    let failed = store.mend(&found, world.now).await;
    fuse.disarm();
    assert!(failed.as_ref().is_err_and(StoreError::is_retryable), "{name}: {failed:?}");
    assert_eq!(self::found(&world).await, found, "{name}");
    heal(&world, name).await;
    assert_eq!(served(&world).await, before, "{name}");
    store.close().await;
}
