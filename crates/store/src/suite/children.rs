//! What becomes of the entities that a run emits.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use std::time::Duration;

use callboard_model::Digest;

use super::world::{INTERVAL, World, entity, error, keyed, outcome, processed};
use crate::{CacheWrite, Lane, NewEntity, Outcome, OutcomeKind, Processed};

const ROOT: &str = "location:default/root";
const OTHER: &str = "location:default/other";
const A: &str = "component:default/a";
const B: &str = "component:default/b";

async fn with_root(world: &World<'_>) {
    world.full("p", [entity(ROOT, "x")]).await;
}

fn emitting(children: impl IntoIterator<Item = NewEntity>) -> OutcomeKind {
    let children = children.into_iter().collect();
    OutcomeKind::Processed(Box::new(Processed { children, ..processed(ROOT, "parent") }))
}

pub async fn new_children_are_due(world: World<'_>) {
    with_root(&world).await;
    let report = world.emit(ROOT, [entity(A, "x"), entity(B, "x")]).await;
    assert_eq!((report.left_due, report.handed.len()), (2, 0));
    assert_eq!(world.due().await, [A, B]);
}

pub async fn the_first_children_are_handed_out_with_leases(mut world: World<'_>) {
    with_root(&world).await;
    let claim = world.claim_one(ROOT).await;
    let names = ["e", "d", "c", "b"].map(|name| format!("component:default/{name}"));
    let parent = outcome(&claim, emitting(names.iter().map(|name| entity(name, "x"))), world.now);
    let report = world.commit_all(&[parent], 3).await;
    assert_eq!(report.left_due, 1);
    let handed: Vec<_> = report.handed.iter().map(|claim| claim.entity_ref.to_string()).collect();
    assert_eq!(handed, names[..3]);
    assert_eq!(world.due().await, names[3..]);
    let child = &report.handed[0];
    let given = entity(&names[0], "x");
    assert_eq!(
        (&child.unprocessed, child.unprocessed_digest, child.lane),
        (&given.json, given.digest, Lane::New)
    );
    world.end(child, OutcomeKind::Processed(Box::new(processed(&names[0], "x")))).await;
    world.stitch().await;
    assert_eq!(world.get(&names[0]).await["metadata"]["uid"], child.uid.to_string());
    world.pass(super::world::LEASE);
    assert_eq!(world.due().await.len(), 3, "leases of handed children run out like any other");
}

pub async fn children_queue_behind_whoever_waits_for_their_parent(world: World<'_>) {
    let lanes = [
        (Lane::Interactive, Lane::Interactive),
        (Lane::Event, Lane::Event),
        (Lane::New, Lane::New),
        (Lane::Periodic, Lane::New),
    ];
    for (index, (parent, child)) in lanes.into_iter().enumerate() {
        let (root, name) = (format!("location:default/{index}"), format!("component:default/{index}"));
        world.delta("p", [entity(&root, "x")], &[]).await;
        let claim = world.claim_one(&root).await;
        let kind = emitting([entity(&name, "x")]);
        let report =
            world.commit_all(&[Outcome { lane: parent, ..outcome(&claim, kind, world.now) }], 1).await;
        assert_eq!(report.handed[0].lane, child);
    }
}

pub async fn children_with_the_same_content_are_left_alone(world: World<'_>) {
    with_root(&world).await;
    world.emit(ROOT, [entity(A, "x"), entity(B, "x")]).await;
    world.process_all().await;
    world.refresh(ROOT).await;
    let report = world.emit(ROOT, [entity(A, "x"), entity(B, "other")]).await;
    assert_eq!(report.left_due, 1);
    assert_eq!(world.due().await, [B]);
}

pub async fn a_child_with_other_content_is_handed_out_with_its_memory(world: World<'_>) {
    with_root(&world).await;
    world.emit(ROOT, [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    let memory = Some(("{}".to_owned(), 3));
    let good = outcome(&claim, OutcomeKind::Processed(Box::new(processed(A, "x"))), world.now);
    world.commit(Outcome { cache: CacheWrite::Put(memory.clone()), ..good.clone() }).await;
    world.refresh(ROOT).await;
    let parent = world.claim_one(ROOT).await;
    let report = world.commit_all(&[outcome(&parent, emitting([entity(A, "y")]), world.now)], 9).await;
    let child = &report.handed[0];
    assert_eq!((child.uid, &child.cache), (claim.uid, &memory));
    assert_eq!(
        (child.result_digest, child.fingerprint),
        (Some(good.result_digest), Some(Digest::of("processors")))
    );
    world.end(child, OutcomeKind::Unchanged).await;
    assert_eq!(world.due().await, Vec::<String>::new());
}

pub async fn a_child_that_failed_waits_for_its_own_retry(mut world: World<'_>) {
    with_root(&world).await;
    world.emit(ROOT, [entity(A, "x")]).await;
    world.fail(A, vec![error("no")]).await;
    world.pass(Duration::from_secs(1));
    world.refresh(ROOT).await;
    let report = world.emit(ROOT, [entity(A, "x")]).await;
    assert_eq!((report.left_due, report.handed.len()), (0, 0));
    world.pass(INTERVAL);
    assert!(world.due().await.contains(&A.to_owned()));
}

pub async fn a_child_that_is_being_processed_is_not_handed_out(world: World<'_>) {
    with_root(&world).await;
    world.emit(ROOT, [entity(A, "x")]).await;
    let child = world.claim_one(A).await;
    world.refresh(ROOT).await;
    let parent = world.claim_one(ROOT).await;
    let report = world.commit_all(&[outcome(&parent, emitting([entity(A, "y")]), world.now)], 9).await;
    assert_eq!((report.left_due, report.handed.len()), (1, 0));
    world.end(&child, OutcomeKind::Processed(Box::new(processed(A, "x")))).await;
    assert_eq!(world.due().await, [A]);
}

pub async fn all_parents_are_kept(world: World<'_>) {
    world.full("p", [entity(ROOT, "x"), entity(OTHER, "x")]).await;
    world.emit(ROOT, [entity(A, "x")]).await;
    world.process_all().await;
    world.refresh(OTHER).await;
    let report = world.emit(OTHER, [entity(A, "x")]).await;
    assert_eq!((report.left_due, world.due().await.len()), (0, 0), "only the edge is new");
    world.stitch().await;
    assert_eq!(world.parents(A).await, [OTHER, ROOT]);
    world.refresh(OTHER).await;
    world.emit(OTHER, []).await;
    world.stitch().await;
    assert_eq!(world.parents(A).await, [ROOT]);
    assert!(!world.is_orphan(A).await);
}

pub async fn two_parents_may_emit_the_same_new_child_in_one_batch(world: World<'_>) {
    world.full("p", [entity(ROOT, "x"), entity(OTHER, "x")]).await;
    let claims = world.claim(2).await;
    let batch: Vec<Outcome> = claims
        .iter()
        .map(|claim| outcome(claim, emitting([entity(A, &claim.entity_ref)]), world.now))
        .collect();
    let report = world.commit_all(&batch, 9).await;
    assert_eq!(report.handed.len(), 1);
    assert!(report.handed[0].unprocessed.contains(claims[1].entity_ref.as_ref()), "the last one wins");
    world.end(&report.handed[0], OutcomeKind::Processed(Box::new(processed(A, "x")))).await;
    world.stitch().await;
    assert_eq!(world.parents(A).await, [OTHER, ROOT]);
}

pub async fn a_child_may_be_committed_with_its_parent(world: World<'_>) {
    with_root(&world).await;
    world.emit(ROOT, [entity(A, "x")]).await;
    world.refresh(ROOT).await;
    let mut claims = world.claim(2).await;
    claims.sort_by_key(|claim| claim.entity_ref.to_string());
    let child = outcome(&claims[0], OutcomeKind::Processed(Box::new(processed(A, "x"))), world.now);
    let parent = outcome(&claims[1], emitting([entity(A, "y")]), world.now);
    let report = world.commit_all(&[child, parent], 9).await;
    assert_eq!((report.refused.len(), report.left_due, report.handed.len()), (0, 1, 0));
    assert!(world.claim_one(A).await.unprocessed.contains('y'));
}

pub async fn a_child_that_is_no_longer_emitted_is_an_orphan(world: World<'_>) {
    with_root(&world).await;
    world.emit(ROOT, [entity(A, "x"), entity(B, "x")]).await;
    world.process_all().await;
    world.stitch().await;
    world.refresh(ROOT).await;
    let report = world.emit(ROOT, [entity(B, "x")]).await;
    assert!(report.needs_stitching);
    assert_eq!(world.stitch_changed().await, [A]);
    assert!(world.is_orphan(A).await && !world.is_orphan(B).await);
    world.refresh(ROOT).await;
    world.emit(ROOT, [entity(A, "x"), entity(B, "x")]).await;
    assert_eq!(world.stitch_changed().await, [A]);
    assert!(!world.is_orphan(A).await);
}

pub async fn children_of_kept_groups_stay(world: World<'_>) {
    with_root(&world).await;
    let grouped = |name: &str, group| NewEntity { group, ..entity(name, "x") };
    world.emit(ROOT, [grouped(A, 1), grouped(B, 2)]).await;
    world.process_all().await;
    world.refresh(ROOT).await;
    let kept = Processed { kept_groups: vec![1], ..processed(ROOT, "parent") };
    world.process(ROOT, kept).await;
    world.stitch().await;
    assert!(!world.is_orphan(A).await && world.is_orphan(B).await);
    world.refresh(ROOT).await;
    world.emit(ROOT, []).await;
    world.stitch().await;
    assert!(world.is_orphan(A).await);
}

pub async fn a_child_may_move_to_another_group(world: World<'_>) {
    with_root(&world).await;
    let grouped = |group| NewEntity { group, ..entity(A, "x") };
    world.emit(ROOT, [grouped(1)]).await;
    world.refresh(ROOT).await;
    let report = world.emit(ROOT, [grouped(2)]).await;
    assert_eq!(report.left_due, 0);
    world.refresh(ROOT).await;
    world.process(ROOT, Processed { kept_groups: vec![1], ..processed(ROOT, "parent") }).await;
    assert_eq!(world.delete_orphans().await, 1);
}

pub async fn a_child_of_two_targets_needs_a_run_that_reads_both(world: World<'_>) {
    with_root(&world).await;
    let of = |group, content: &str, key: &str| NewEntity { group, ..keyed(A, content, key) };
    world.emit(ROOT, [of(1, "x", "one")]).await;
    world.process_all().await;
    world.refresh(ROOT).await;
    let children = vec![of(2, "y", "two")];
    let half = Processed { children, kept_groups: vec![1], ..processed(ROOT, "parent") };
    let report = world.process(ROOT, half).await;
    assert_eq!((report.conflicts.len(), report.left_due), (0, 1));
    world.stitch().await;
    assert!(!world.is_orphan(A).await);
    assert_eq!(world.get(A).await["spec"]["content"], "x");
    let claim = world.claim_one(ROOT).await;
    assert_eq!(claim.fingerprint, None, "a full run");
    let report = world.end(&claim, emitting([of(2, "y", "two")])).await;
    assert_eq!(report.conflicts, [], "the only target that is left");
}

pub async fn a_refused_child_of_two_targets_is_not_lost_with_one_of_them(world: World<'_>) {
    with_root(&world).await;
    world.full("owner", [keyed(A, "x", "owner")]).await;
    world.process(A, processed(A, "x")).await;
    let of = |group, key: &str| NewEntity { group, ..keyed(A, "y", key) };
    world.refresh(ROOT).await;
    assert_eq!(world.emit(ROOT, [of(1, "one")]).await.conflicts.len(), 1);
    world.refresh(ROOT).await;
    let half = Processed { children: vec![of(2, "two")], kept_groups: vec![1], ..processed(ROOT, "parent") };
    assert_eq!(world.process(ROOT, half).await.left_due, 1);
    let claim = world.claim_one(ROOT).await;
    assert_eq!(claim.fingerprint, None, "a full run");
    world.end(&claim, emitting([of(1, "one")])).await;
    world.refresh(ROOT).await;
    world.process(ROOT, Processed { kept_groups: vec![1], ..processed(ROOT, "parent") }).await;
    world.full("owner", []).await;
    assert_eq!(world.due().await, [ROOT], "it takes over");
}

pub async fn an_outcome_without_children_drops_them_all(world: World<'_>) {
    with_root(&world).await;
    world.emit(ROOT, (0..100).map(|n| entity(&format!("component:default/{n}"), "x"))).await;
    world.refresh(ROOT).await;
    world.emit(ROOT, []).await;
    assert_eq!(world.delete_orphans().await, 100);
}

pub async fn whole_batches_go_in_at_once(world: World<'_>) {
    with_root(&world).await;
    let claim = world.claim_one(ROOT).await;
    let names: Vec<String> = (0..1500).map(|n| format!("component:default/{n}")).collect();
    let parent = outcome(&claim, emitting(names.iter().map(|name| entity(name, "x"))), world.now);
    let report = world.commit_all(&[parent], 2000).await;
    let batch: Vec<Outcome> = report
        .handed
        .iter()
        .map(|claim| {
            let processed = processed(&claim.entity_ref, "x");
            outcome(claim, OutcomeKind::Processed(Box::new(processed)), world.now)
        })
        .collect();
    assert!(world.commit_all(&batch, 0).await.refused.is_empty());
    assert_eq!(world.stitch().await.changed, 1501);
    assert_eq!(world.refs().await.len(), 1501);
}
