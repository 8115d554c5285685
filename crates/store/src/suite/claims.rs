//! Claiming, lanes and leases.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use std::time::Duration;

use super::world::{INTERVAL, LEASE, World, entity, keyed, outcome, processed};
use crate::{Lane, OutcomeKind, Processed};

pub async fn a_claim_carries_all_that_processing_needs(world: World<'_>) {
    world.full("p", [keyed("component:default/a", "x", "url:k")]).await;
    let claim = world.claim(10).await.remove(0);
    let given = keyed("component:default/a", "x", "url:k");
    assert_eq!(claim.entity_ref.as_ref(), "component:default/a");
    assert_eq!((claim.unprocessed, claim.unprocessed_digest), (given.json, given.digest));
    assert_eq!(claim.location_key.as_deref(), Some("url:k"));
    assert_eq!((claim.lane, claim.due_at), (Lane::New, world.now));
    assert_eq!((claim.cache, claim.result_digest, claim.fingerprint), (None, None, None));
}

pub async fn nothing_is_claimed_twice(world: World<'_>) {
    world.full("p", [entity("component:default/a", "x")]).await;
    assert_eq!(world.claim(2).await.len(), 1);
    assert_eq!(world.claim(2).await.len(), 0);
}

pub async fn concurrent_claimers_get_disjoint_sets(world: World<'_>) {
    world.full("p", (0..12).map(|n| entity(&format!("component:default/{n}"), "x"))).await;
    let mut refs: Vec<_> = world.claim(5).await.into_iter().map(|claim| claim.entity_ref).collect();
    refs.extend(world.claim(50).await.into_iter().map(|claim| claim.entity_ref));
    refs.sort();
    refs.dedup();
    assert_eq!(refs.len(), 12);
}

pub async fn the_longest_due_is_claimed_first(mut world: World<'_>) {
    for name in ["c", "a", "b"] {
        world.delta("p", [entity(&format!("component:default/{name}"), "x")], &[]).await;
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(world.due().await, ["component:default/c", "component:default/a", "component:default/b"]);
    let oldest: Vec<_> = world.claim(2).await.into_iter().map(|claim| claim.entity_ref).collect();
    assert_eq!(oldest, ["component:default/c".into(), "component:default/a".into()]);
}

pub async fn lower_lanes_are_served_first(mut world: World<'_>) {
    world
        .full(
            "p",
            ["new", "periodic", "event", "asked"].map(|n| entity(&format!("component:default/{n}"), "x")),
        )
        .await;
    for name in ["periodic", "event", "asked"] {
        let name = format!("component:default/{name}");
        let refresh_keys = vec![name.clone()];
        world.process(&name, Processed { refresh_keys, ..processed(&name, "x") }).await;
    }
    world.pass(INTERVAL);
    world.store.refresh_by_keys(&["component:default/event".to_owned()], world.now).await.unwrap();
    world.refresh("component:default/asked").await;
    let due = world.due().await;
    let expected = ["asked", "event", "new", "periodic"].map(|name| format!("component:default/{name}"));
    assert_eq!(due, expected);
    for (lane_max, count) in [(Lane::Interactive, 1), (Lane::Event, 2), (Lane::New, 3), (Lane::Periodic, 4)] {
        assert_eq!(world.claim_as(10, lane_max, Duration::ZERO).await.len(), count);
    }
}

pub async fn what_is_not_due_yet_is_not_claimed(mut world: World<'_>) {
    world.full("p", [entity("component:default/a", "x")]).await;
    world.process("component:default/a", processed("component:default/a", "x")).await;
    assert_eq!(world.store.next_due_at().await.unwrap(), Some(world.now + INTERVAL));
    let moment = Duration::from_micros(1);
    world.now -= moment;
    world.pass(INTERVAL);
    assert_eq!(world.claim(1).await.len(), 0);
    world.pass(moment);
    let claim = world.claim(1).await.remove(0);
    assert_eq!((claim.lane, claim.due_at), (Lane::Periodic, world.now));
}

pub async fn an_entity_whose_lease_ran_out_is_due(mut world: World<'_>) {
    world.full("p", [entity("component:default/a", "x")]).await;
    let first = world.claim(1).await.remove(0);
    assert_eq!(world.store.next_due_at().await.unwrap(), Some(world.now + LEASE));
    world.pass(LEASE);
    let second = world.claim(1).await.remove(0);
    assert_ne!(first.token, second.token);
    let late = outcome(
        &first,
        OutcomeKind::Processed(Box::new(processed("component:default/a", "late"))),
        world.now,
    );
    assert_eq!(world.commit(late).await.refused, [0]);
    world.end(&second, OutcomeKind::Processed(Box::new(processed("component:default/a", "good")))).await;
    world.stitch().await;
    assert_eq!(world.get("component:default/a").await["spec"]["content"], "good");
}

pub async fn a_lease_that_ran_out_is_still_good_until_somebody_claims(mut world: World<'_>) {
    world.full("p", [entity("component:default/a", "x")]).await;
    let claim = world.claim(1).await.remove(0);
    world.pass(LEASE + LEASE);
    world.end(&claim, OutcomeKind::Processed(Box::new(processed("component:default/a", "x")))).await;
}

pub async fn leases_can_be_prolonged_while_they_are_held(mut world: World<'_>) {
    world.full("p", [entity("component:default/a", "x"), entity("component:default/b", "x")]).await;
    let claims = world.claim(2).await;
    world.commit(outcome(&claims[1], OutcomeKind::Abandoned, world.now)).await;
    let leases: Vec<_> = claims.iter().map(|claim| (claim.id, claim.token)).collect();
    let lost = world.store.leases_extend(&leases, world.now + LEASE + LEASE).await.unwrap();
    assert_eq!(lost, [claims[1].id]);
    world.pass(LEASE);
    assert_eq!(world.due().await, [claims[1].entity_ref.to_string()]);
}

pub async fn nothing_is_due_in_an_empty_catalog(world: World<'_>) {
    assert_eq!(world.store.next_due_at().await.unwrap(), None);
    assert_eq!(world.claim(10).await.len(), 0);
}

pub async fn a_job_is_leased_prolonged_and_given_back(world: World<'_>) {
    let until = world.now + LEASE;
    for _ in 0..2 {
        let token = world.store.lease_take("job", until, world.now).await.unwrap().unwrap();
        assert!(world.store.lease_extend("job", token, until + LEASE).await.unwrap());
        world.store.lease_end("job", token).await.unwrap();
    }
}
