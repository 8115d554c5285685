//! Damaged rows: each is the business of its own entity, and goes with the entity's next result, or with the entity.

use sqlx::Row as _;

use crate::sqlite::{SqliteOptions, SqliteStore};
use crate::suite::world::{World, entity, processed, relation};
use crate::{OutcomeKind, Processed, RelationKey, Store as _};

use super::histories::check_packed;

const A: &str = "component:default/a";
const B: &str = "component:default/b";
const C: &str = "component:default/c";

/// Each makes the result of `a` unreadable.
const UNREADABLE: [&str; 3] = [
    "UPDATE results SET relations = x'80' WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')",
    "UPDATE results SET refresh_keys = x'00' WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')",
    "UPDATE results SET status = x'00' WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')",
];

async fn open() -> SqliteStore {
    SqliteStore::open(SqliteOptions::memory()).await.unwrap()
}

async fn execute(store: &SqliteStore, sql: &'static str) {
    sqlx::query(sql).execute(&store.connections.writer).await.unwrap();
}

async fn count(store: &SqliteStore, sql: &'static str) -> i64 {
    sqlx::query(sql).fetch_one(&store.connections.writer).await.unwrap().get(0)
}

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

#[tokio::test]
async fn a_new_result_takes_the_place_of_one_that_cannot_be_read() {
    for damage in UNREADABLE {
        let store = open().await;
        let world = World::new(&store);
        begin(&world).await;
        execute(&store, damage).await;
        world.refresh(A).await;
        world.refresh(B).await;
        // The neighbour in the batch is none of the damage's business.
        let (a, b) = (world.claim_one(A).await, world.claim_one(B).await);
        let relations =
            [relation(A, "dependsOn", B), relation(B, "dependencyOf", A), relation(A, "dependsOn", A)];
        let a = (a, emitting("new", relations, "new"));
        let b = (b, processed(B, "new"));
        let batch = [a, b].map(|(claim, processed)| {
            crate::suite::world::outcome(&claim, OutcomeKind::Processed(Box::new(processed)), world.now)
        });
        world.commit_all(&batch, 0).await;
        check_packed(&store).await;
        assert_eq!(world.stitch_changed().await, [A, B, C], "{damage}");
        assert_eq!(world.relations_of(B).await, [format!("dependencyOf {A}")]);
        assert_eq!(world.relations_of(C).await, Vec::<String>::new());
        assert_eq!(world.get(A).await["spec"]["content"], "new");
        for (key, due) in [("old", 0), ("new", 1)] {
            assert_eq!(store.refresh_by_keys(&[key.to_owned()], world.now).await.unwrap(), due, "{key}");
        }
    }
}

#[tokio::test]
async fn an_entity_whose_result_cannot_be_read_can_be_deleted() {
    for damage in UNREADABLE {
        let store = open().await;
        let world = World::new(&store);
        begin(&world).await;
        execute(&store, damage).await;
        assert_eq!(world.full("p", [entity(B, "x"), entity(C, "x")]).await.removed, 1, "{damage}");
        assert_eq!(count(&store, "SELECT count(*) FROM peer_relations").await, 0);
        assert_eq!(count(&store, "SELECT count(*) FROM refresh_keys").await, 0);
        world.stitch().await;
        for entity_ref in [B, C] {
            assert_eq!(world.relations_of(entity_ref).await, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn no_ref_is_forgotten_while_a_result_cannot_be_read() {
    let store = open().await;
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
    execute(&store, UNREADABLE[0]).await;
    pass("first").await;
    let refs = "SELECT count(*) FROM refs WHERE entity_ref LIKE 'component:%'";
    assert_eq!(count(&store, refs).await, 201);
    world.refresh(A).await;
    world.process(A, emitting("new", [relation(A, "dependsOn", target)], "key")).await;
    pass("second").await;
    assert_eq!(count(&store, refs).await, 2);
    assert_eq!(world.relations_of(A).await, [format!("dependsOn {target}")]);
}

#[tokio::test]
async fn a_text_that_cannot_be_read_fails_only_those_that_mention_it() {
    for damaged in ["component:default/target", "::type:ownedBy"] {
        let store = open().await;
        let world = World::new(&store);
        world.full("p", [entity(A, "x"), entity(B, "x")]).await;
        world.relate(A, [relation(A, "ownedBy", "component:default/target")]).await;
        world.relate(B, [relation(B, "dependsOn", A)]).await;
        let damage = "UPDATE refs SET entity_ref = CAST(x'ff' AS TEXT) WHERE entity_ref = ?1";
        sqlx::query(damage).bind(damaged).execute(&store.connections.writer).await.unwrap();
        store.state.lock().await.refs.clear();
        let report = world.stitch().await;
        assert_eq!((report.changed, report.failed.len()), (1, 1), "{damaged}");
        let failure = &report.failed[0];
        assert_eq!(failure.entity_ref, A);
        assert!(failure.error.contains("no text has the number"), "{}", failure.error);
        assert_eq!(world.relations_of(B).await, [format!("dependsOn {A}")]);
        world.refresh(A).await;
        world.relate(A, [relation(A, "ownedBy", "component:default/other")]).await;
        assert_eq!(world.stitch().await.failed, []);
    }
}

#[tokio::test]
async fn a_due_entity_that_cannot_be_read_does_not_hold_up_the_others() {
    let store = open().await;
    let mut world = World::new(&store);
    world.full("p", [entity(A, "x"), entity(B, "x")]).await;
    execute(
        &store,
        "UPDATE refresh_state SET unprocessed = x'00' \
         WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')",
    )
    .await;
    for _ in 0..2 {
        assert_eq!(world.due().await, [B]);
        world.pass(crate::suite::world::LEASE);
    }
    world.full("p", [entity(A, "new"), entity(B, "x")]).await;
    world.pass(crate::suite::world::LEASE);
    assert_eq!(world.due().await, [A, B]);
}
