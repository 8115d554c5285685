//! Mutations of buckets.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use super::world::{World, entity, keyed, processed};
use crate::{MutationReport, OutcomeKind};

const A: &str = "component:default/a";
const B: &str = "component:default/b";
const C: &str = "component:default/c";

fn counts(report: &MutationReport) -> (usize, usize, usize) {
    (report.added, report.updated, report.removed)
}

pub async fn a_full_mutation_adds_updates_and_removes(world: World<'_>) {
    assert_eq!(counts(&world.full("p", [entity(A, "x"), entity(B, "x")]).await), (2, 0, 0));
    world.process_all().await;
    world.stitch().await;
    assert_eq!(counts(&world.full("p", [entity(B, "y"), entity(C, "x")]).await), (1, 1, 1));
    assert_eq!(world.due().await, [B, C]);
    assert_eq!(world.refs().await, [B]);
}

pub async fn the_same_full_set_again_changes_nothing(world: World<'_>) {
    world.full("p", [entity(A, "x"), keyed(B, "x", "k")]).await;
    world.process_all().await;
    world.stitch().await;
    let report = world.full("p", [entity(A, "x"), keyed(B, "x", "k")]).await;
    assert_eq!(report, MutationReport::default());
    assert_eq!(world.due().await, Vec::<String>::new());
}

pub async fn an_empty_full_set_empties_the_bucket(world: World<'_>) {
    world.full("p", [entity(A, "x"), entity(B, "x")]).await;
    assert_eq!(counts(&world.full("p", []).await), (0, 0, 2));
    assert_eq!(world.claim(10).await.len(), 0);
    assert_eq!(world.store.providers().await.unwrap(), Vec::<String>::new());
}

pub async fn a_delta_leaves_the_rest_of_the_bucket_alone(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.process_all().await;
    assert_eq!(counts(&world.delta("p", [entity(B, "x")], &[]).await), (1, 0, 0));
    assert_eq!(world.due().await, [B]);
    assert_eq!(counts(&world.delta("p", [entity(A, "x"), entity(B, "y")], &[]).await), (0, 1, 0));
    assert_eq!(counts(&world.delta("p", [], &[A, "component:default/unknown"]).await), (0, 0, 1));
    assert_eq!(world.due().await, [B]);
}

pub async fn a_delta_removes_whatever_the_location_key_is(world: World<'_>) {
    world.full("p", [keyed(A, "x", "k")]).await;
    assert_eq!(counts(&world.delta("p", [], &[A]).await), (0, 0, 1));
}

pub async fn what_is_removed_and_added_at_once_stays(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.process_all().await;
    world.stitch().await;
    let uid = world.get(A).await["metadata"]["uid"].clone();
    assert_eq!(counts(&world.delta("p", [entity(A, "y")], &[A]).await), (0, 1, 0));
    assert_eq!(world.get(A).await["metadata"]["uid"], uid);
}

pub async fn a_provider_cannot_remove_what_is_not_in_its_bucket(world: World<'_>) {
    world.full("a", [entity(A, "x")]).await;
    assert_eq!(counts(&world.delta("b", [], &[A]).await), (0, 0, 0));
    assert_eq!(world.due().await, [A]);
}

pub async fn two_providers_may_hold_the_same_entity(world: World<'_>) {
    world.full("a", [keyed(A, "x", "k")]).await;
    let report = world.full("b", [keyed(A, "x", "k")]).await;
    assert_eq!(report, MutationReport::default(), "only the edge is new");
    assert_eq!(counts(&world.full("b", [keyed(A, "y", "k")]).await), (0, 1, 0));
    let report = world.full("a", [keyed(A, "x", "k")]).await;
    assert_eq!(counts(&report), (0, 1, 0), "the first one takes it back");
    let claim = world.claim_one(A).await;
    assert!(claim.unprocessed.contains('x'));
    world.end(&claim, OutcomeKind::Abandoned).await;
    assert_eq!(counts(&world.full("b", [keyed(A, "y", "k")]).await), (0, 1, 0));
    assert_eq!(counts(&world.full("a", []).await), (0, 0, 0));
    assert!(world.claim_one(A).await.unprocessed.contains('y'));
    assert_eq!(counts(&world.full("b", []).await), (0, 0, 1));
}

pub async fn of_two_entities_with_one_ref_the_last_counts(world: World<'_>) {
    let report = world.full("p", [entity(A, "first"), entity(B, "x"), entity(A, "last")]).await;
    assert_eq!(counts(&report), (2, 0, 0));
    assert!(world.claim_one(A).await.unprocessed.contains("last"));
}

pub async fn ten_thousand_entities_come_in_one_delta(world: World<'_>) {
    let entities = (0..10_000).map(|n| entity(&format!("component:default/{n}"), "x"));
    assert_eq!(counts(&world.delta("p", entities, &[]).await), (10_000, 0, 0));
    assert_eq!(world.store.counts(world.now).await.unwrap().due, 10_000);
    assert_eq!(counts(&world.full("p", []).await), (0, 0, 10_000));
}

pub async fn providers_with_a_bucket_are_listed(world: World<'_>) {
    world.full("foo", [entity(A, "x")]).await;
    world.full("bar:b/c", [entity(B, "x")]).await;
    world.full("empty", []).await;
    assert_eq!(world.store.providers().await.unwrap(), ["bar:b/c", "foo"]);
}

pub async fn an_orphan_can_be_adopted(world: World<'_>) {
    world.full("p", [entity("location:default/root", "x")]).await;
    world.emit("location:default/root", [entity(A, "x")]).await;
    world.process_all().await;
    world.refresh("location:default/root").await;
    world.emit("location:default/root", []).await;
    world.stitch().await;
    assert!(world.is_orphan(A).await);
    let report = world.full("q", [entity(A, "x")]).await;
    assert!(report.needs_stitching);
    world.stitch().await;
    assert!(!world.is_orphan(A).await);
    assert_eq!(world.delete_orphans().await, 0);
}

pub async fn new_content_waits_in_the_lane_of_the_mutation(world: World<'_>) {
    use crate::{Lane, ProviderMutation};
    for (name, lane) in [(A, Lane::Interactive), (B, Lane::Event), (C, Lane::New)] {
        let mutation = ProviderMutation::Delta { added: vec![entity(name, "x")], removed: Vec::new() };
        world.store.provider_mutate("p", mutation, lane, world.now).await.unwrap();
        let claim = world.claim_one(name).await;
        assert_eq!(claim.lane, lane);
        world.end(&claim, OutcomeKind::Processed(Box::new(processed(name, "x")))).await;
    }
}
