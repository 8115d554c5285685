//! What users ask for: refreshing and deleting.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use std::time::Duration;

use uuid::Uuid;

use super::world::{INTERVAL, World, entity, error, message, processed, relation};
use crate::{Lane, OutcomeKind, Processed};

const ROOT: &str = "location:default/root";
const MID: &str = "location:default/mid";
const OTHER: &str = "location:default/other";
const A: &str = "component:default/a";
const B: &str = "component:default/b";

async fn begin(world: &mut World<'_>) {
    world.full("p", [entity(ROOT, "grown"), entity(OTHER, "grown")]).await;
    world.grow(&[(ROOT, &[MID]), (MID, &[A]), (OTHER, &[A]), (A, &[B])], &[]).await;
    world.pass(Duration::from_secs(1));
}

async fn uid(world: &World<'_>, entity_ref: &str) -> Uuid {
    world.store.entity_by_ref(entity_ref).await.unwrap().unwrap().uid
}

pub async fn a_refresh_reaches_the_entity_and_all_locations_above(mut world: World<'_>) {
    begin(&mut world).await;
    world.store.entity_refresh("Component:Default/B", world.now).await.unwrap();
    let mut due = world.due().await;
    due.sort();
    assert_eq!(due, [B, MID, OTHER, ROOT], "not the component in between");
    assert_eq!(world.claim_one(B).await.lane, Lane::Interactive);
}

pub async fn a_refresh_of_an_unknown_entity_is_refused(world: World<'_>) {
    let refused = world.store.entity_refresh("component:default/x", world.now).await;
    assert_eq!(message(refused), "Entity component:default/x not found");
}

pub async fn an_orphan_can_be_refreshed(mut world: World<'_>) {
    begin(&mut world).await;
    world.refresh(A).await;
    world.emit(A, []).await;
    world.refresh(B).await;
    assert!(world.due().await.contains(&B.to_owned()));
}

pub async fn a_refresh_ends_at_a_limit_of_depth(world: World<'_>) {
    let names: Vec<String> = (0..40).map(|n| format!("location:default/{n}")).collect();
    world.full("p", [entity(&names[0], "grown")]).await;
    let children: Vec<[&str; 1]> = names.iter().skip(1).map(|name| [name.as_str()]).collect();
    let edges: Vec<(&str, &[&str])> =
        names.iter().zip(&children).map(|(parent, child)| (parent.as_str(), child.as_slice())).collect();
    world.grow(&edges, &[]).await;
    world.refresh(&names[39]).await;
    assert_eq!(world.due().await.len(), 33);
}

pub async fn a_deleted_entity_comes_back_as_another_one(mut world: World<'_>) {
    begin(&mut world).await;
    let before = uid(&world, A).await;
    world.store.entity_delete(before, world.now).await.unwrap();
    assert!(world.find(A).await.is_none());
    let mut due = world.due().await;
    due.sort();
    assert_eq!(due, [MID, OTHER], "whoever emits it is due");
    let claim = world.claim_one(MID).await;
    assert_eq!(claim.fingerprint, None, "a full run");
    world.end(&claim, OutcomeKind::Abandoned).await;
    world.stitch().await;
    assert!(world.is_orphan(B).await, "children are not deleted with it");
    world.emit(MID, [entity(A, "grown")]).await;
    world.process_all().await;
    world.stitch().await;
    assert_ne!(uid(&world, A).await, before);
}

pub async fn a_full_run_that_was_asked_for_outlives_a_run_under_way(mut world: World<'_>) {
    begin(&mut world).await;
    world.refresh(MID).await;
    let claim = world.claim_one(MID).await;
    world.store.entity_delete(uid(&world, A).await, world.now).await.unwrap();
    world.end(&claim, OutcomeKind::Unchanged).await;
    assert_eq!(world.claim_one(MID).await.fingerprint, None);
}

pub async fn a_full_run_that_was_asked_for_outlives_failures_and_other_results(mut world: World<'_>) {
    begin(&mut world).await;
    world.refresh(MID).await;
    let claim = world.claim_one(MID).await;
    world.store.entity_delete(uid(&world, A).await, world.now).await.unwrap();
    let kept = Processed { kept_groups: vec![0], ..processed(MID, "other") };
    world.end(&claim, OutcomeKind::Processed(Box::new(kept))).await;
    for _ in 0..2 {
        let claim = world.claim_one(MID).await;
        assert_eq!(claim.fingerprint, None);
        world.end(&claim, OutcomeKind::Failed(vec![error("unreachable")])).await;
        world.pass(INTERVAL);
    }
    world.emit(MID, [entity(A, "back")]).await;
    world.refresh(MID).await;
    assert_ne!(world.claim_one(MID).await.fingerprint, None, "done");
}

pub async fn deleting_stitches_those_with_relations_from_the_deleted(world: World<'_>) {
    world.full("p", [entity(A, "x"), entity(B, "x")]).await;
    world.relate(A, [relation(B, "dependsOn", A)]).await;
    world.process_all().await;
    world.stitch().await;
    world.store.entity_delete(uid(&world, A).await, world.now).await.unwrap();
    assert_eq!(world.stitch_changed().await, [B]);
    assert_eq!(world.relations_of(B).await, Vec::<String>::new());
}

pub async fn deleting_an_unknown_uid_is_no_error(world: World<'_>) {
    world.store.entity_delete(Uuid::from_u128(7), world.now).await.unwrap();
}

pub async fn a_deleted_root_comes_back_with_the_next_mutation(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.process_all().await;
    world.stitch().await;
    world.store.entity_delete(uid(&world, A).await, world.now).await.unwrap();
    assert_eq!(world.due().await, Vec::<String>::new());
    assert_eq!(world.full("p", [entity(A, "x")]).await.added, 1);
}

pub async fn everything_can_be_made_due_at_once(mut world: World<'_>) {
    begin(&mut world).await;
    let claim = {
        world.refresh(ROOT).await;
        world.claim_one(ROOT).await
    };
    assert_eq!(world.store.refresh_all(world.now).await.unwrap(), 4);
    world.end(&claim, OutcomeKind::Unchanged).await;
    assert_eq!(world.due().await.len(), 4, "the one that was due anyway had its run");
}
