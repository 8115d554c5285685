//! One store that several processes have open.
//!
//! [`shared_store_suite!`](crate::shared_store_suite) makes the tests, for stores that allow it.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use std::sync::atomic::{AtomicUsize, Ordering};

use callboard_model::Digest;
use futures::future::join_all;

use super::world::{LEASE, World, entity, keyed, outcome, processed, processed_value, relation};
use crate::{Claim, ClaimRequest, Claimed, Hint, Lane, Outcome, OutcomeKind, Processed, ProviderMutation};

const A: &str = "component:default/a";

fn done(claim: &Claim, content: &str) -> OutcomeKind {
    OutcomeKind::Processed(Box::new(processed(&claim.entity_ref, content)))
}

pub async fn a_late_outcome_of_a_lease_that_another_took_over_is_refused(
    [first, mut second]: [World<'_>; 2],
) {
    first.full("p", [entity(A, "x")]).await;
    let late = first.claim_one(A).await;
    second.pass(LEASE);
    let taken = second.claim_one(A).await;
    assert_eq!(taken.id, late.id);
    assert_eq!(first.commit(outcome(&late, done(&late, "late"), first.now)).await.refused, [0]);
    let lost = first.store.leases_extend(&[(late.id, late.token)], first.now + LEASE).await.unwrap();
    assert_eq!(lost, [late.id]);
    second.end(&taken, done(&taken, "good")).await;
    first.stitch().await;
    assert_eq!(first.get(A).await["spec"]["content"], "good");
}

pub async fn what_one_wrote_the_other_one_reads([first, second]: [World<'_>; 2]) {
    first.full("p", [entity(A, "x")]).await;
    second.relate(A, [relation(A, "dependsOn", "component:default/b")]).await;
    first.stitch().await;
    let position = first.store.position().await.unwrap();
    assert_eq!(second.store.position().await.unwrap(), position);
    assert_eq!(second.store.changes_after(0, 10).await.unwrap().len(), 1);
    assert_eq!(second.relations_of(A).await, ["dependsOn component:default/b"]);
    second.full("p", []).await;
    assert_eq!(first.store.changes_after(position, 10).await.unwrap().len(), 1);
    assert_eq!(first.find(A).await, None);
}

/// Both hand over the same entities at the same time, and neither is told that it cannot.
pub async fn two_providers_bring_in_the_same_entities_at_once([first, second]: [World<'_>; 2]) {
    let refs: Vec<String> = (0..50).map(|n| format!("component:default/{n}")).collect();
    for round in 0..10 {
        let (one, other) = tokio::join!(
            first.full("p", refs.iter().map(|name| entity(name, &round.to_string()))),
            second.full("q", refs.iter().rev().map(|name| entity(name, &round.to_string()))),
        );
        let added = if round == 0 { refs.len() } else { 0 };
        assert_eq!((one.added + other.added, one.updated + other.updated), (added, refs.len() - added));
    }
    assert_eq!(second.full("q", []).await.removed, 0);
    assert_eq!(first.full("p", []).await.removed, refs.len());
}

/// Whether a claim comes before new content or after it: somebody processes the content.
pub async fn new_content_is_not_lost_to_a_claim_at_the_same_time([first, second]: [World<'_>; 2]) {
    first.full("p", [entity(A, "0")]).await;
    first.process(A, processed(A, "0")).await;
    for round in 1..40 {
        let content = round.to_string();
        first.refresh(A).await;
        let (_, claims) = tokio::join!(first.full("p", [keyed(A, &content, &content)]), second.claim(1));
        let mut last = None;
        let mut next = if claims.is_empty() { second.claim(1).await } else { claims };
        while let Some(claim) = next.pop() {
            let report = second.commit(outcome(&claim, done(&claim, &content), second.now)).await;
            if report.refused.is_empty() {
                last = claim.location_key;
            }
            next = second.claim(1).await;
        }
        assert_eq!(last.as_deref(), Some(content.as_str()));
    }
}

/// Whatever the old ones claim and commit meanwhile, and whether or not it counts as news.
pub async fn nothing_is_left_to_old_processors_that_work_while_new_ones_are_applied(
    [mut first, mut second]: [World<'_>; 2],
) {
    let refs: Vec<String> = (0..20).map(|n| format!("component:default/{n:02}")).collect();
    first.full("p", refs.iter().map(|name| entity(name, "x"))).await;
    for round in 0..20 {
        let name = format!("processors {round}");
        let work = async {
            let (store, now, fingerprint) = (second.store, second.now, second.processors);
            let request = ClaimRequest { limit: 3, lane_max: Lane::Periodic, now, lease: LEASE, fingerprint };
            // As long as it gets anything.
            while let Claimed::Leased(claims) = store.claim(&request).await.unwrap()
                && !claims.is_empty()
            {
                let kind = |claim| if round % 2 == 0 { done(claim, &name) } else { OutcomeKind::Unchanged };
                let run = |claim| Outcome { fingerprint, ..outcome(claim, kind(claim), now) };
                let outcomes: Vec<Outcome> = claims.iter().map(run).collect();
                second.commit_all(&outcomes, 0).await;
            }
        };
        tokio::join!(first.apply(&name), work);
        for world in [&mut first, &mut second] {
            world.pass(LEASE);
            world.processors = Digest::of(&name);
        }
        assert_eq!(second.due().await.len(), refs.len(), "round {round}");
    }
}

/// The other one looked the numbers of refs up before they were forgotten.
pub async fn a_ref_that_one_forgot_is_good_for_the_other([first, second]: [World<'_>; 2]) {
    let refs: Vec<String> = (0..200).map(|n| format!("component:default/{n}")).collect();
    let all = || refs.iter().map(|name| entity(name, "x"));
    for _ in 0..3 {
        second.full("p", all()).await;
        second.process_all().await;
        second.stitch().await;
        assert_eq!(first.refs().await.len(), refs.len());
        first.full("p", []).await;
        first.store.tidy(0, first.now).await.unwrap();
    }
    second.full("p", [entity(A, "x")]).await;
    second.relate(A, refs.iter().map(|target| relation(A, "dependsOn", target))).await;
    first.store.tidy(0, first.now).await.unwrap();
    second.stitch().await;
    assert_eq!(first.relations_of(A).await.len(), refs.len());
}

pub async fn what_one_did_the_other_one_hears_of([first, second]: [World<'_>; 2]) {
    // Whoever begins to listen may have missed anything.
    for hint in Hint::ALL {
        second.store.hinted(hint).await;
    }
    let b = "component:default/b";
    first.full("p", [entity(A, "x"), entity(b, "x")]).await;
    second.store.hinted(Hint::Due).await;
    first.relate(A, [relation(b, "partOf", A)]).await;
    first.process_all().await;
    first.stitch().await;
    second.store.hinted(Hint::Changed).await;
    // Whoever takes something away need not be the one that stitches.
    first.full("p", [entity(b, "x")]).await;
    second.store.hinted(Hint::Unstitched).await;
    assert_eq!(second.stitch_changed().await, [b]);
    first.store.hinted(Hint::Changed).await;
}

pub async fn a_job_is_done_by_one_at_a_time([mut first, second]: [World<'_>; 2]) {
    let (job, until) = ("job\0".repeat(1_000), first.now + LEASE);
    let held = first.store.lease_take(&job, until, first.now).await.unwrap().unwrap();
    assert_eq!(second.store.lease_take(&job, until, second.now).await.unwrap(), None);
    assert!(second.store.lease_take("another job", until, second.now).await.unwrap().is_some());
    // As long as nobody asked for it, a lease that ran out can be prolonged.
    first.pass(2 * LEASE);
    assert!(first.store.lease_extend(&job, held, first.now + LEASE).await.unwrap());
    assert_eq!(second.store.lease_take(&job, until, first.now).await.unwrap(), None);
    first.pass(LEASE);
    let taken = second.store.lease_take(&job, first.now + LEASE, first.now).await.unwrap().unwrap();
    assert!(!first.store.lease_extend(&job, held, first.now + LEASE).await.unwrap());
    first.store.lease_end(&job, held).await.unwrap();
    assert_eq!(first.store.lease_take(&job, until, first.now).await.unwrap(), None);
    second.store.lease_end(&job, taken).await.unwrap();
    assert!(first.store.lease_take(&job, until, first.now).await.unwrap().is_some());
}

const WRITERS: usize = 8;
const ROUNDS: usize = 12;

/// One of several engines, in as much haste as they are.
async fn work(world: &World<'_>, writer: usize) {
    let provider = format!("p{writer}");
    for round in 0..ROUNDS {
        // Half of them are everybody's.
        let names =
            (0..10).map(|n| if n % 2 == 0 { format!("own-{writer}-{n}") } else { format!("all-{n}") });
        let entities = names.map(|name| entity(&format!("component:default/{name}"), &round.to_string()));
        let entities = if round % 4 == 3 { Vec::new() } else { entities.collect() };
        let mutation = ProviderMutation::Full(entities);
        world.store.provider_mutate(&provider, mutation, Lane::New, world.now).await.unwrap();
        let claims = world.claim(5).await;
        let outcomes: Vec<Outcome> = claims.iter().map(|claim| run(claim, world)).collect();
        world.commit_all(&outcomes, 2).await;
        world.store.stitch(3, world.now).await.unwrap();
        world.store.orphans_delete(10, world.now).await.unwrap();
    }
}

fn run(claim: &Claim, world: &World<'_>) -> Outcome {
    let own = claim.entity_ref.as_ref();
    let children =
        if own.contains("own-") { vec![entity("component:default/child", own)] } else { Vec::new() };
    let result = Processed {
        relations: vec![
            relation("group:default/g", "ownerOf", own),
            relation(own, "ownedBy", "group:default/g"),
        ],
        refresh_keys: vec![own.to_owned()],
        children,
        ..processed_value(serde_json::from_str(&claim.unprocessed).unwrap())
    };
    outcome(claim, OutcomeKind::Processed(Box::new(result)), world.now)
}

/// Whoever follows the log while many write to it sees each position, in order, and once.
pub async fn the_log_has_no_gaps_while_many_write([first, second]: [World<'_>; 2]) {
    let working = AtomicUsize::new(WRITERS);
    let writers = join_all((0..WRITERS).map(|writer| {
        let world = if writer % 2 == 0 { &first } else { &second };
        let working = &working;
        async move {
            work(world, writer).await;
            working.fetch_sub(1, Ordering::Relaxed);
        }
    }));
    let reader = async {
        let mut seen = 0;
        loop {
            let is_last = working.load(Ordering::Relaxed) == 0;
            let head = first.store.position().await.unwrap();
            for change in second.store.changes_after(seen, 50).await.unwrap() {
                assert_eq!(change.position, seen + 1);
                seen = change.position;
            }
            if is_last && seen == head {
                return seen;
            }
        }
    };
    let (_, seen) = tokio::join!(writers, reader);
    assert!(seen > 0);
}
