//! Damaged rows: each is the business of its own entity, and goes with the entity's next result, or with the entity.

use super::Tables;
use super::histories::check_packed;
use crate::suite::world::{LEASE, World, entity, outcome, processed, relation};
use crate::{OutcomeKind, Processed, RelationKey};

const A: &str = "component:default/a";
const B: &str = "component:default/b";
const C: &str = "component:default/c";

fn emitting(content: &str, relations: impl Into<Vec<RelationKey>>, key: &str) -> Processed {
    Processed { relations: relations.into(), refresh_keys: vec![key.to_owned()], ..processed(A, content) }
}

/// `a` says that it depends on `b` and on `c`, in both directions.
async fn begin(world: &World<'_>) {
    world.full("p", [entity(A, "x"), entity(B, "x"), entity(C, "x")]).await;
    let relations = [
        relation(A, "dependsOn", B),
        relation(B, "dependencyOf", A),
        relation(A, "dependsOn", C),
        relation(C, "dependencyOf", A),
    ];
    world.process(A, emitting("old", relations, "old")).await;
    world.process_all().await;
    world.stitch().await;
}

pub(crate) async fn a_new_result_takes_the_place_of_one_that_cannot_be_read<S: Tables>() {
    for damage in S::UNREADABLE {
        let Some(store) = S::open_empty().await else { return };
        let world = World::new(&store);
        begin(&world).await;
        store.execute(damage).await;
        world.refresh(A).await;
        world.refresh(B).await;
        // The neighbour in the batch is none of the damage's business.
        let (a, b) = (world.claim_one(A).await, world.claim_one(B).await);
        let relations =
            [relation(A, "dependsOn", B), relation(B, "dependencyOf", A), relation(A, "dependsOn", A)];
        let a = (a, emitting("new", relations, "new"));
        let b = (b, processed(B, "new"));
        let batch = [a, b].map(|(claim, processed)| {
            outcome(&claim, OutcomeKind::Processed(Box::new(processed)), world.now)
        });
        world.commit_all(&batch, 0).await;
        check_packed(&world, &store).await;
        assert_eq!(world.stitch_changed().await, [A, B, C], "{damage}");
        assert_eq!(world.relations_of(B).await, [format!("dependencyOf {A}")]);
        assert_eq!(world.relations_of(C).await, Vec::<String>::new());
        assert_eq!(world.get(A).await["spec"]["content"], "new");
        for (key, due) in [("old", 0), ("new", 1)] {
            assert_eq!(store.refresh_by_keys(&[key.to_owned()], world.now).await.unwrap(), due, "{key}");
        }
    }
}

pub(crate) async fn a_new_result_meets_relations_of_one_that_was_lost<S: Tables>() {
    let Some(store) = S::open_empty().await else { return };
    let world = World::new(&store);
    begin(&world).await;
    store.execute(S::LOSE_RESULT).await;
    world.refresh(A).await;
    let relations = [relation(A, "dependsOn", B), relation(B, "dependencyOf", A), relation(B, "partOf", A)];
    world.process(A, emitting("new", relations, "old")).await;
    assert_eq!(world.stitch_changed().await, [A, B]);
    assert_eq!(world.relations_of(B).await, [format!("dependencyOf {A}"), format!("partOf {A}")]);
}

pub(crate) async fn an_entity_whose_result_cannot_be_read_can_be_deleted<S: Tables>() {
    for damage in S::UNREADABLE {
        let Some(store) = S::open_empty().await else { return };
        let world = World::new(&store);
        begin(&world).await;
        store.execute(damage).await;
        assert_eq!(world.full("p", [entity(B, "x"), entity(C, "x")]).await.removed, 1, "{damage}");
        assert_eq!(store.count("SELECT count(*) FROM peer_relations").await, 0);
        assert_eq!(store.count("SELECT count(*) FROM refresh_keys").await, 0);
        world.stitch().await;
        for entity_ref in [B, C] {
            assert_eq!(world.relations_of(entity_ref).await, Vec::<String>::new());
        }
    }
}

pub(crate) async fn no_ref_is_forgotten_while_a_result_cannot_be_read<S: Tables>() {
    let Some(store) = S::open_empty().await else { return };
    let world = World::new(&store);
    let pass = async |prefix: &str| {
        let others = (0..200).map(|n| entity(&format!("component:default/{prefix}{n}"), "x"));
        world.full("p", others.chain([entity(A, "x")])).await;
        world.full("p", [entity(A, "x")]).await;
        world.stitch().await;
        store.tidy(0, world.now).await.unwrap();
    };
    let target = "component:default/first0";
    world.full("p", [entity(A, "x")]).await;
    world.process(A, emitting("old", [relation(A, "dependsOn", target)], "key")).await;
    store.execute(S::UNREADABLE[0]).await;
    pass("first").await;
    let refs = "SELECT count(*) FROM refs WHERE entity_ref LIKE 'component:%'";
    assert_eq!(store.count(refs).await, 201);
    world.refresh(A).await;
    world.process(A, emitting("new", [relation(A, "dependsOn", target)], "key")).await;
    pass("second").await;
    assert_eq!(store.count(refs).await, 2);
    assert_eq!(world.relations_of(A).await, [format!("dependsOn {target}")]);
}

pub(crate) async fn a_due_entity_that_cannot_be_read_does_not_hold_up_the_others<S: Tables>() {
    let Some(store) = S::open_empty().await else { return };
    let mut world = World::new(&store);
    world.full("p", [entity(A, "x"), entity(B, "x")]).await;
    store.execute(S::UNREADABLE_UNPROCESSED).await;
    for _ in 0..2 {
        assert_eq!(world.due().await, [B]);
        world.pass(LEASE);
    }
    world.full("p", [entity(A, "new"), entity(B, "x")]).await;
    world.pass(LEASE);
    assert_eq!(world.due().await, [A, B]);
}
