//! Which outcomes are accepted, and what they change.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use std::sync::Arc;
use std::time::Duration;

use callboard_model::Digest;

use super::world::{INTERVAL, World, entity, error, keyed, outcome, processed, relation, result_digest};
use crate::{CacheWrite, EntityId, Lane, LeaseToken, Outcome, OutcomeKind, Processed};

const A: &str = "component:default/a";

fn good(content: &str) -> OutcomeKind {
    OutcomeKind::Processed(Box::new(processed(A, content)))
}

pub async fn an_outcome_for_an_unknown_entity_is_refused(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    let unknown = Outcome { id: EntityId(claim.id.0 + 1000), ..outcome(&claim, good("x"), world.now) };
    assert_eq!(world.commit(unknown).await.refused, [0]);
}

pub async fn an_outcome_of_another_lease_is_refused(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    let other = Outcome { token: LeaseToken(claim.token.0 + 1000), ..outcome(&claim, good("x"), world.now) };
    assert_eq!(world.commit(other).await.refused, [0]);
    world.end(&claim, good("x")).await;
}

pub async fn an_outcome_is_good_once(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    let outcome = outcome(&claim, good("x"), world.now);
    let report = world.commit_all(&[outcome.clone(), outcome.clone()], 0).await;
    assert_eq!(report.refused, [1]);
    assert_eq!(world.commit(outcome).await.refused, [0]);
}

pub async fn an_outcome_under_another_location_key_is_refused(world: World<'_>) {
    world.full("p", [keyed(A, "x", "key")]).await;
    let claim = world.claim_one(A).await;
    let wrong = Outcome { location_key: Some(Arc::from("fail")), ..outcome(&claim, good("x"), world.now) };
    assert_eq!(world.commit(wrong).await.refused, [0]);
    let claim = world.claim_one(A).await;
    let none = Outcome { location_key: None, ..outcome(&claim, good("x"), world.now) };
    assert_eq!(world.commit(none).await.refused, [0]);
    let claim = world.claim_one(A).await;
    world.end(&claim, good("x")).await;
}

pub async fn an_outcome_gives_its_location_key_to_an_entity_without(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    let keyed = Outcome { location_key: Some(Arc::from("key")), ..outcome(&claim, good("x"), world.now) };
    assert!(world.commit(keyed).await.refused.is_empty());
    world.refresh(A).await;
    assert_eq!(world.claim_one(A).await.location_key.as_deref(), Some("key"));
}

pub async fn an_entity_that_was_taken_over_meanwhile_refuses_the_outcome(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    world.full("q", [keyed(A, "taken", "key")]).await;
    let refused = world.commit(outcome(&claim, good("x"), world.now)).await;
    assert_eq!(refused.refused, [0]);
    assert!(!refused.needs_stitching);
    let again = world.claim_one(A).await;
    assert!(again.unprocessed.contains("taken"));
}

pub async fn an_entity_that_was_deleted_meanwhile_refuses_the_outcome(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    world.full("p", []).await;
    assert_eq!(world.commit(outcome(&claim, good("x"), world.now)).await.refused, [0]);
    // A new entity under the same ref is another one.
    world.full("p", [entity(A, "x")]).await;
    assert_eq!(world.commit(outcome(&claim, good("x"), world.now)).await.refused, [0]);
}

/// Everything that a good run can leave behind.
fn rich() -> Processed {
    Processed {
        relations: vec![relation(A, "ownedBy", "group:default/g"), relation("group:default/g", "ownerOf", A)],
        children: vec![entity("component:default/child", "x")],
        refresh_keys: vec!["key".to_owned()],
        warnings: vec![error("look")],
        ..processed(A, "rich")
    }
}

pub async fn a_refused_outcome_leaves_no_trace(world: World<'_>) {
    let kinds = [OutcomeKind::Processed(Box::new(rich())), OutcomeKind::Failed(vec![error("no")])];
    for (is_deleted, kind) in kinds.iter().flat_map(|kind| [(false, kind), (true, kind)]) {
        world.full("p", [entity(A, "x")]).await;
        let claim = world.claim_one(A).await;
        let meanwhile = (!is_deleted).then(|| keyed(A, "taken", "key"));
        world.full("q", meanwhile).await;
        world.full("p", []).await;
        let before = world.store.counts(world.now).await.unwrap();
        let memory = CacheWrite::Put(Some(("{}".to_owned(), 5)));
        let refused = Outcome { cache: memory, ..outcome(&claim, kind.clone(), world.now) };
        let report = world.commit_all(&[refused], 9).await;
        assert_eq!((report.refused, report.handed.len(), report.left_due), (vec![0], 0, 0));
        assert!(!report.needs_stitching && report.conflicts.is_empty());
        assert_eq!(world.store.counts(world.now).await.unwrap(), before);
        assert_eq!(world.errors().await, []);
        assert_eq!(world.store.refresh_by_keys(&["key".to_owned()], world.now).await.unwrap(), 0);
        assert_eq!(world.due().await, if is_deleted { &[][..] } else { &[A][..] });
        if !is_deleted {
            let now = world.claim_one(A).await;
            assert_eq!((now.cache, now.result_digest, now.fingerprint), (None, None, None));
            assert_eq!(now.location_key.as_deref(), Some("key"));
        }
        world.full("q", []).await;
    }
}

pub async fn a_refused_outcome_does_not_touch_the_others(world: World<'_>) {
    world.full("p", [entity(A, "x"), entity("component:default/b", "x")]).await;
    let claims = world.claim(2).await;
    let mut batch: Vec<Outcome> = claims
        .iter()
        .map(|claim| {
            let processed = processed(&claim.entity_ref, "x");
            outcome(claim, OutcomeKind::Processed(Box::new(processed)), world.now)
        })
        .collect();
    batch[0].token = LeaseToken(-1);
    assert_eq!(world.commit_all(&batch, 0).await.refused, [0]);
    world.stitch().await;
    assert_eq!(world.refs().await, [claims[1].entity_ref.to_string()]);
}

pub async fn a_good_run_is_remembered_for_the_next_claim(mut world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.process(A, processed(A, "x")).await;
    world.pass(INTERVAL);
    let claim = world.claim_one(A).await;
    assert_eq!(claim.result_digest, Some(result_digest(&processed(A, "x"))));
    assert_eq!(claim.fingerprint, Some(Digest::of("processors")));
}

pub async fn an_unchanged_outcome_only_moves_the_due_time(mut world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.process(A, processed(A, "x")).await;
    world.stitch().await;
    let before = world.get(A).await;
    world.pass(INTERVAL);
    let claim = world.claim_one(A).await;
    let unchanged =
        Outcome { fingerprint: Digest::of("newer"), ..outcome(&claim, OutcomeKind::Unchanged, world.now) };
    let report = world.commit(unchanged).await;
    assert!(report.refused.is_empty() && !report.needs_stitching);
    assert_eq!(world.store.next_due_at().await.unwrap(), Some(world.now + INTERVAL));
    assert_eq!(world.get(A).await, before);
    world.pass(INTERVAL);
    let again = world.claim_one(A).await;
    assert_eq!(again.result_digest, claim.result_digest);
    assert_eq!(again.fingerprint, Some(Digest::of("newer")));
}

pub async fn an_abandoned_entity_is_due_at_once(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    world.end(&claim, OutcomeKind::Abandoned).await;
    let again = world.claim_one(A).await;
    assert_eq!((again.lane, again.due_at), (claim.lane, claim.due_at));
}

pub async fn an_entity_without_a_next_time_is_never_due(mut world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    world.commit(Outcome { next_update_at: None, ..outcome(&claim, good("x"), world.now) }).await;
    world.pass(INTERVAL * 1000);
    assert_eq!(world.due().await, Vec::<String>::new());
    assert_eq!(world.store.next_due_at().await.unwrap(), None);
    world.refresh(A).await;
    assert_eq!(world.due().await, [A]);
}

pub async fn a_wish_during_a_run_outlives_its_outcome(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    for kind in [good("x"), OutcomeKind::Unchanged, OutcomeKind::Failed(vec![error("no")])] {
        let claim = world.claim_one(A).await;
        world.refresh(A).await;
        assert_eq!(world.due().await, Vec::<String>::new(), "it is leased");
        world.end(&claim, kind).await;
        let again = world.claim_one(A).await;
        assert_eq!(again.lane, Lane::Interactive);
        world.commit(outcome(&again, OutcomeKind::Unchanged, world.now)).await;
        world.refresh(A).await;
    }
}

pub async fn new_content_during_a_run_outlives_its_outcome(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    world.full("p", [entity(A, "y")]).await;
    world.end(&claim, good("x")).await;
    assert!(world.claim_one(A).await.unprocessed.contains('y'));
}

pub async fn caches_are_kept_replaced_and_dropped(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let memory = Some((r#"{"reader":{"etag":"1"}}"#.to_owned(), 5));
    let steps = [
        (good("x"), CacheWrite::Put(memory.clone()), memory.clone()),
        (OutcomeKind::Unchanged, CacheWrite::Keep, memory.clone()),
        (
            OutcomeKind::Failed(vec![error("no")]),
            CacheWrite::Put(Some(("{}".to_owned(), 4))),
            Some(("{}".to_owned(), 4)),
        ),
        (OutcomeKind::Unchanged, CacheWrite::Put(memory.clone()), memory.clone()),
        (OutcomeKind::Abandoned, CacheWrite::Put(None), memory),
        (good("y"), CacheWrite::Put(None), None),
    ];
    for (kind, cache, expected) in steps {
        let claim = world.claim_one(A).await;
        world.commit(Outcome { cache, ..outcome(&claim, kind, world.now) }).await;
        world.refresh(A).await;
        let claim = world.claim_one(A).await;
        assert_eq!(claim.cache, expected);
        world.end(&claim, OutcomeKind::Abandoned).await;
    }
}

pub async fn a_run_that_fails_keeps_what_the_last_good_one_gave(mut world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.process(A, rich()).await;
    world.full("p", [entity(A, "x"), entity("group:default/g", "x")]).await;
    world.process_all().await;
    world.stitch().await;
    world.pass(Duration::from_secs(1));
    world.refresh(A).await;
    world.fail(A, vec![error("no")]).await;
    world.stitch().await;
    assert_eq!(world.get(A).await["spec"]["content"], "rich");
    assert_eq!(world.parents("component:default/child").await, [A]);
    assert_eq!(world.relations_of(A).await, ["ownedBy group:default/g"]);
    assert_eq!(world.relations_of("group:default/g").await, ["ownerOf component:default/a"]);
    assert_eq!(world.store.refresh_by_keys(&["key".to_owned()], world.now).await.unwrap(), 1);
    let claim = world.claim_one(A).await;
    assert_eq!(claim.fingerprint, Some(Digest::of("processors")));
    assert_ne!(claim.result_digest, None);
}

pub async fn a_batch_that_changes_nothing_is_sorted_out_like_any_other(mut world: World<'_>) {
    let refs = ["component:default/a", "component:default/b", "component:default/c", "component:default/d"];
    world.full("p", refs.map(|entity_ref| keyed(entity_ref, "x", "key"))).await;
    for entity_ref in refs {
        world.process(entity_ref, processed(entity_ref, "x")).await;
    }
    world.pass(INTERVAL);
    let mut claims = world.claim(10).await;
    claims.sort_by(|a, b| a.entity_ref.cmp(&b.entity_ref));
    world.refresh(refs[1]).await;
    let due = world.now + INTERVAL;
    let mut batch: Vec<Outcome> =
        claims.iter().map(|claim| outcome(claim, OutcomeKind::Unchanged, world.now)).collect();
    batch[2].location_key = Some(Arc::from("other"));
    batch[3].token = LeaseToken(batch[3].token.0 + 1000);
    batch.push(batch[0].clone());
    let report = world.commit_all(&batch, 0).await;
    assert_eq!((report.refused, report.left_due), (vec![2, 3, 4], 1));
    assert_eq!(world.due().await, [refs[1], refs[2]]);
    assert_eq!(world.store.next_due_at().await.unwrap(), Some(world.now));
    world.commit_all(&[outcome(&claims[3], OutcomeKind::Unchanged, world.now)], 0).await;
    world.pass(INTERVAL);
    assert_eq!((world.now, world.due().await.len()), (due, 4));
}
