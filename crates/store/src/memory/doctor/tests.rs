use std::collections::BTreeSet;

use callboard_model::LocationSpec;

use super::*;
use crate::memory::{Edge, MemoryStore};
use crate::suite::world::{World, entity, keyed, outcome, processed, processed_value};
use crate::{Claim, LocationConflict, Outcome, OutcomeKind, Store as _};

const A: &str = "component:default/a";
const B: &str = "component:default/b";
const REGISTERED: &str = "location:default/registered";
const LOCATION_STORE: &str = "locations";

/// Two entities of a provider, of which another one would like to have one, and a registered location.
async fn begin(world: &World<'_>) {
    let spec = LocationSpec::new("url", "https://example.com/registered");
    let entity = entity(REGISTERED, "x");
    let created =
        world.store.location_create(LOCATION_STORE, &spec, entity, LocationConflict::Reject, world.now);
    created.await.unwrap();
    hand_over(world).await;
    work(world).await;
    assert_eq!(found(world).await, []);
}

async fn hand_over(world: &World<'_>) {
    world.full("p", [keyed(A, "x", "key"), entity(B, "x")]).await;
    world.full("q", [keyed(A, "x", "other")]).await;
    world.full(LOCATION_STORE, [entity(REGISTERED, "x")]).await;
}

async fn work(world: &World<'_>) {
    let result = |claim: &Claim| {
        OutcomeKind::Processed(Box::new(processed_value(serde_json::from_str(&claim.unprocessed).unwrap())))
    };
    loop {
        let claims = world.claim(100).await;
        let outcomes: Vec<Outcome> =
            claims.iter().map(|claim| outcome(claim, result(claim), world.now)).collect();
        if outcomes.is_empty() {
            break;
        }
        world.commit_all(&outcomes, 0).await;
    }
    world.stitch().await;
}

async fn found(world: &World<'_>) -> Vec<Violation> {
    world.violations(Some(LOCATION_STORE)).await
}

fn row<'t>(tables: &'t mut Tables, entity_ref: &str) -> &'t mut Row {
    tables.rows.get_mut(entity_ref).unwrap()
}

type Damage = fn(&mut Tables);

const DAMAGE: &[(Damage, &[Invariant])] = &[
    (|tables| row(tables, A).schedule.lane = 7, &[Invariant::LostDueTime]),
    (|tables| row(tables, A).digest = Digest::of("other"), &[Invariant::UnreadableEntity]),
    (|tables| drop(row(tables, A).good.take()), &[Invariant::LostResult]),
    (
        |tables| row(tables, A).good.as_mut().unwrap().body.digest = Digest::of("other"),
        &[Invariant::LostBody],
    ),
    (|tables| drop(row(tables, A).shown.take()), &[Invariant::MissingFinalEntity]),
    (|tables| row(tables, A).shown.as_mut().unwrap().is_orphan = true, &[Invariant::StaleFinalEntity]),
    (
        |tables| drop(tables.edges.insert(Arc::from("component:default/gone"), tables.edges[A].clone())),
        &[Invariant::DanglingEdge],
    ),
    (
        |tables| {
            let source = Source::Entity(Arc::from("component:default/gone"));
            let edge = Edge { is_refused: false, group: 0, position: None };
            tables.edges.get_mut(A).unwrap().insert(source, edge);
        },
        &[Invariant::DanglingEdge],
    ),
    (
        |tables| tables.errors.retain(|_, row| row.category != ErrorCategory::Conflict),
        &[Invariant::UnexplainedConflict],
    ),
    (|tables| tables.edges.get_mut(A).unwrap().retain(|_, edge| !edge.is_refused), &[Invariant::StrayError]),
    (
        |tables| drop(tables.edges.get_mut(REGISTERED).unwrap().pop_first()),
        &[Invariant::StaleFinalEntity, Invariant::UnheldLocation],
    ),
    (|tables| tables.locations.clear(), &[Invariant::UnregisteredLocation]),
    (|tables| tables.position = 0, &[Invariant::ChangeHead]),
];

#[tokio::test]
async fn what_is_damaged_is_found_and_mended() {
    for (nth, (damage, expected)) in DAMAGE.iter().enumerate() {
        let store = MemoryStore::new();
        let world = World::new(&store);
        begin(&world).await;
        store.tamper(damage);
        let violations = found(&world).await;
        let kinds: BTreeSet<Invariant> = violations.iter().map(|found| found.invariant).collect();
        assert_eq!(kinds, expected.iter().copied().collect(), "{nth}");
        let mended = store.mend(&violations, world.now).await.unwrap();
        assert_eq!(mended.gone, Vec::<usize>::new(), "{nth}");
        if *expected == [Invariant::UnregisteredLocation] {
            world.full(LOCATION_STORE, []).await;
        } else {
            hand_over(&world).await;
        }
        work(&world).await;
        assert_eq!(found(&world).await, [], "{nth}");
        assert_eq!(store.mend(&violations, world.now).await.unwrap().mended, Vec::<usize>::new(), "{nth}");
    }
}

#[tokio::test]
async fn an_entity_under_way_is_in_order() {
    let store = MemoryStore::new();
    let world = World::new(&store);
    begin(&world).await;
    world.refresh(A).await;
    let claim = world.claim_one(A).await;
    assert_eq!(found(&world).await, []);
    let kind = OutcomeKind::Processed(Box::new(processed(A, "y")));
    let outcome = outcome(&claim, kind, world.now);
    world.commit_all(&[outcome], 0).await;
    assert_eq!(found(&world).await, []);
}
