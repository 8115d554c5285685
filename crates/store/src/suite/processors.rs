//! Which processors are to work on the store: those that were applied last.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use std::time::Duration;

use callboard_model::Digest;

use super::world::{INTERVAL, LEASE, World, entity, error, outcome, processed};
use crate::{ClaimRequest, Claimed, Lane, Outcome, OutcomeKind, Processed};

const A: &str = "component:default/a";
const OLD: &str = "processors";
const NEW: &str = "new processors";

fn good(content: &str) -> OutcomeKind {
    OutcomeKind::Processed(Box::new(processed(A, content)))
}

pub async fn new_processors_make_everything_due_that_ran_with_the_old_ones(mut world: World<'_>) {
    world.full("p", ["good", "bad", "new"].map(|n| entity(&format!("component:default/{n}"), "x"))).await;
    world.process("component:default/good", processed("component:default/good", "x")).await;
    world.fail("component:default/bad", vec![error("no")]).await;
    world.pass(Duration::from_secs(1));
    assert_eq!(world.apply(OLD).await, 1, "what never ran well may run well now");
    assert_eq!(world.apply(NEW).await, 1);
    world.processors = Digest::of(NEW);
    assert_eq!(world.due().await.len(), 3);
}

pub async fn only_new_processors_make_due_what_is_under_way(mut world: World<'_>) {
    let run_while = async |world: &World<'_>, fingerprint: &str| {
        let claim = world.claim(1).await.remove(0);
        let marked = world.apply(fingerprint).await;
        world.end(&claim, good("x")).await;
        marked
    };
    world.apply(OLD).await;
    world.full("p", [entity(A, "x")]).await;
    // As when another process with the same processors starts.
    assert_eq!(run_while(&world, OLD).await, 0);
    assert_eq!(world.due().await, Vec::<String>::new());
    world.full("p", [entity(A, "y")]).await;
    assert_eq!(run_while(&world, NEW).await, 1);
    world.pass(Duration::from_secs(1));
    world.processors = Digest::of(NEW);
    assert_eq!(world.due().await, [A]);
}

pub async fn only_the_processors_that_were_applied_last_get_claims(world: World<'_>) {
    let claim = async |lane_max, processors| {
        let (now, fingerprint) = (world.now, Digest::of(processors));
        let request = ClaimRequest { limit: 10, lane_max, now, lease: Duration::ZERO, fingerprint };
        match world.store.claim(&request).await.unwrap() {
            Claimed::Leased(claims) => Some(claims.len()),
            Claimed::Superseded => None,
        }
    };
    assert_eq!(claim(Lane::Periodic, OLD).await, Some(0), "none were applied yet");
    for applied in [OLD, NEW, OLD] {
        world.apply(applied).await;
        let superseded = if applied == OLD { NEW } else { OLD };
        for (is_there, lane_max) in
            [(false, Lane::Periodic), (true, Lane::Interactive), (true, Lane::Periodic)]
        {
            world.full("p", is_there.then(|| entity(A, "x"))).await;
            if is_there {
                world.refresh(A).await;
            }
            assert_eq!(claim(lane_max, superseded).await, None);
            assert_eq!(claim(lane_max, applied).await, Some(usize::from(is_there)));
        }
    }
}

pub async fn what_old_processors_gave_is_kept_and_the_entity_stays_due(mut world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    for (processors, kind, content) in [
        ("first", good("first"), "first"),
        ("second", good("second"), "second"),
        ("third", OutcomeKind::Unchanged, "second"),
        ("fourth", OutcomeKind::Failed(vec![error("no")]), "second"),
    ] {
        world.processors = Digest::of(processors);
        world.apply(processors).await;
        let claim = world.claim_one(A).await;
        // A lease that ran out is no sign that nobody works on it.
        world.pass(LEASE + LEASE);
        world.apply(NEW).await;
        let fingerprint = world.processors;
        let report = world.commit(Outcome { fingerprint, ..outcome(&claim, kind, world.now) }).await;
        assert_eq!((report.refused, report.left_due), (Vec::new(), 1), "{processors}");
        world.stitch().await;
        assert_eq!(world.get(A).await["spec"]["content"], content);
        world.processors = Digest::of(NEW);
        let claim = world.claim_one(A).await;
        let unchanged = outcome(&claim, OutcomeKind::Unchanged, world.now);
        world.commit(Outcome { fingerprint: world.processors, ..unchanged }).await;
        assert_eq!(world.due().await, Vec::<String>::new(), "{processors}");
    }
}

pub async fn what_only_old_processors_put_off_stays_due(mut world: World<'_>) {
    world.apply(OLD).await;
    world.full("p", [entity(A, "x")]).await;
    world.process(A, processed(A, "x")).await;
    world.pass(INTERVAL);
    let claim = world.claim_one(A).await;
    world.pass(LEASE + LEASE);
    world.apply(NEW).await;
    world.end(&claim, OutcomeKind::Unchanged).await;
    world.processors = Digest::of(NEW);
    assert_eq!(world.claim_one(A).await.fingerprint, Some(Digest::of(OLD)));
}

pub async fn children_of_old_processors_are_left_to_new_ones(mut world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    world.apply(NEW).await;
    let children = vec![entity("component:default/child", "x")];
    let kind = OutcomeKind::Processed(Box::new(Processed { children, ..processed(A, "x") }));
    let report = world.commit_all(&[outcome(&claim, kind, world.now)], 10).await;
    assert_eq!((report.handed.len(), report.left_due), (0, 2));
    world.processors = Digest::of(NEW);
    assert_eq!(world.due().await.len(), 2);
}

pub async fn what_is_given_back_by_old_processors_is_due(mut world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let claim = world.claim_one(A).await;
    world.apply(NEW).await;
    world.end(&claim, OutcomeKind::Abandoned).await;
    world.processors = Digest::of(NEW);
    assert_eq!(world.due().await, [A]);
}

pub async fn processors_that_follow_others_do_not_take_the_place_of_third_ones(mut world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.apply(OLD).await;
    world.process(A, processed(A, "x")).await;
    let follow = async |before: &str, processors: &str| {
        let (before, processors) = (Digest::of(before), Digest::of(processors));
        world.store.fingerprint_apply(processors, Some(before), world.now).await.unwrap()
    };
    assert_eq!(follow("third", NEW).await, 0);
    assert_eq!(world.due().await, Vec::<String>::new());
    assert_eq!(follow("third", OLD).await, 0, "these are applied");
    assert_eq!(follow(OLD, NEW).await, 1);
    assert_eq!(follow(OLD, "third").await, 0);
    world.processors = Digest::of(NEW);
    assert_eq!(world.due().await, [A]);
}
