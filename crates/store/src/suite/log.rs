//! The change log.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use super::world::{World, entity, processed, relation};
use crate::{ChangeKind, StoreError};

const A: &str = "component:default/a";
const B: &str = "component:default/b";

async fn changes(world: &World<'_>, after: i64) -> Vec<(String, ChangeKind)> {
    let changes = world.store.changes_after(after, 100).await.unwrap();
    assert!(changes.is_sorted_by_key(|change| change.position));
    changes.into_iter().map(|change| (change.entity_ref, change.kind)).collect()
}

pub async fn changes_are_logged_in_order(world: World<'_>) {
    assert_eq!(world.store.position().await.unwrap(), 0);
    world.full("p", [entity(A, "x"), entity(B, "x")]).await;
    world.process(A, processed(A, "x")).await;
    world.stitch().await;
    let first = world.store.position().await.unwrap();
    world.process(B, processed(B, "x")).await;
    world.stitch().await;
    world.full("p", [entity(B, "x")]).await;
    let (a, b) = (A.to_owned(), B.to_owned());
    let upserted = |entity_ref: &String| (entity_ref.clone(), ChangeKind::Upserted);
    assert_eq!(changes(&world, 0).await, [upserted(&a), upserted(&b), (a, ChangeKind::Deleted)]);
    assert_eq!(changes(&world, first).await.len(), 2);
    let newest = world.store.position().await.unwrap();
    assert_eq!(changes(&world, newest).await, []);
    let page = world.store.changes_after(0, 1).await.unwrap();
    assert_eq!((page.len(), page[0].position), (1, first));
}

pub async fn what_is_as_it_was_is_not_logged(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.process(A, processed(A, "x")).await;
    world.stitch().await;
    world.refresh(A).await;
    world.process(A, processed(A, "x")).await;
    assert_eq!(world.stitch_changed().await, Vec::<String>::new());
}

pub async fn what_was_never_visible_is_not_logged_when_it_goes(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.full("p", []).await;
    assert_eq!(changes(&world, 0).await, []);
}

pub async fn a_trimmed_log_says_where_it_begins(world: World<'_>) {
    for content in ["a", "b", "c", "d"] {
        world.full("p", [entity(A, content)]).await;
        world.process(A, processed(A, content)).await;
        world.stitch().await;
    }
    world.store.tidy(2, world.now).await.unwrap();
    let newest = world.store.position().await.unwrap();
    assert!(matches!(world.store.changes_after(0, 10).await, Err(StoreError::NotFound(_))));
    assert!(matches!(world.store.changes_after(newest - 3, 10).await, Err(StoreError::NotFound(_))));
    assert_eq!(changes(&world, newest - 2).await.len(), 2);
    world.store.tidy(0, world.now).await.unwrap();
    assert_eq!(world.store.position().await.unwrap(), newest);
    assert_eq!(changes(&world, newest).await, []);
    world.full("p", []).await;
    assert!(world.store.position().await.unwrap() > newest, "positions are not reused");
}

pub async fn tidying_forgets_only_refs_that_nothing_mentions(world: World<'_>) {
    world.full("p", (0..300).map(|n| entity(&format!("component:default/{n}"), "x"))).await;
    world.process_all().await;
    world.stitch().await;
    world.full("p", [entity(A, "x")]).await;
    let targets: Vec<String> = (0..50).map(|n| format!("component:default/{n}")).collect();
    world.relate(A, targets.iter().map(|target| relation(A, "dependsOn", target))).await;
    world.stitch().await;
    world.store.tidy(0, world.now).await.unwrap();
    assert_eq!(world.relations_of(A).await.len(), 50);
    assert_eq!(
        world.full("p", (0..300).map(|n| entity(&format!("component:default/{n}"), "x"))).await.added,
        300
    );
    world.process_all().await;
    world.stitch().await;
    assert_eq!(world.refs().await.len(), 300);
}
