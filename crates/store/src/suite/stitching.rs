//! Final entities: a function of what processing left.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use serde_json::json;

use super::world::{World, entity, error, outcome, processed, processed_value, relation};
use crate::{Lane, Outcome, OutcomeKind, Processed, StitchReport};

const A: &str = "component:default/a";
const B: &str = "component:default/b";

pub async fn a_final_entity_is_the_processed_one_completed(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let uid = world.claim_one(A).await.uid;
    let report = world.store.stitch(10, world.now).await.unwrap();
    assert_eq!(report, StitchReport::default());
    let mut world = world;
    world.pass(super::world::LEASE);
    world.relate(A, [relation(A, "ownedBy", "group:default/g")]).await;
    assert!(world.find(A).await.is_none());
    world.stitch().await;
    let found = world.get(A).await;
    assert_eq!(found["metadata"]["uid"], uid.to_string());
    assert_eq!(found["metadata"]["etag"].as_str().unwrap().len(), 40);
    assert_eq!(found["relations"], json!([{ "type": "ownedBy", "targetRef": "group:default/g" }]));
    assert_eq!(found.get("status"), None);
    let by_uid = world.store.entity_by_uid(uid).await.unwrap().unwrap();
    let by_ref = world.store.entity_by_ref(A).await.unwrap().unwrap();
    assert_eq!(by_uid, by_ref);
    assert_eq!((by_ref.entity_ref.as_str(), by_ref.uid), (A, uid));
}

pub async fn the_etag_changes_with_the_content_and_only_then(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let etag = async || world.get(A).await["metadata"]["etag"].clone();
    world.relate(A, []).await;
    world.stitch().await;
    let first = etag().await;
    world.refresh(A).await;
    world.relate(A, []).await;
    let report = world.stitch().await;
    assert_eq!((report.changed, report.unchanged), (0, 1));
    assert_eq!(etag().await, first);
    world.refresh(A).await;
    world.relate(A, [relation(A, "dependsOn", B)]).await;
    world.stitch().await;
    let second = etag().await;
    assert_ne!(second, first);
    world.refresh(A).await;
    world.fail(A, vec![error("no")]).await;
    world.stitch().await;
    let third = etag().await;
    assert_ne!(third, second);
    world.refresh(A).await;
    world.relate(A, [relation(A, "dependsOn", B)]).await;
    world.stitch().await;
    assert_eq!(etag().await, second, "same content, same etag");
}

pub async fn new_content_never_goes_under_an_old_etag(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.process(A, processed(A, "x")).await;
    world.stitch().await;
    let before = world.get(A).await;
    world.refresh(A).await;
    world.process(A, processed(A, "y")).await;
    let between = world.get(A).await;
    assert_eq!(
        between["spec"]["content"] == before["spec"]["content"],
        between["metadata"]["etag"] == before["metadata"]["etag"]
    );
}

pub async fn an_etag_and_a_status_that_an_entity_brings_are_kept(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    let own = json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": { "name": "a", "uid": "not mine", "etag": "my own" },
        "status": { "items": [{ "type": "mine" }], "more": 1 },
    });
    world.process(A, processed_value(own.clone())).await;
    world.stitch().await;
    let found = world.get(A).await;
    assert_eq!(found["metadata"]["etag"], "my own");
    assert_ne!(found["metadata"]["uid"], "not mine");
    assert_eq!(found["status"], own["status"]);
    world.refresh(A).await;
    world.fail(A, vec![error("no")]).await;
    world.stitch().await;
    let status = &world.get(A).await["status"];
    assert_eq!((status["items"].as_array().unwrap().len(), &status["more"]), (2, &json!(1)));
    assert_eq!(status["items"][0], json!({ "type": "mine" }));
}

pub async fn a_change_of_the_own_status_alone_is_seen(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    for level in ["info", "warning"] {
        let own = json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Component",
            "metadata": { "name": "a" },
            "status": { "items": [{ "level": level }] },
        });
        world.process(A, processed_value(own)).await;
        assert_eq!(world.stitch_changed().await, [A]);
        assert_eq!(world.get(A).await["status"]["items"][0]["level"], level);
        world.refresh(A).await;
    }
}

pub async fn refs_without_an_entity_are_abandoned(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.relate(A, [relation("component:default/unknown", "dependsOn", A)]).await;
    let report = world.stitch().await;
    assert_eq!((report.changed, report.unchanged, report.abandoned), (1, 0, 1));
    assert_eq!(world.stitch().await, StitchReport::default());
}

pub async fn stitching_goes_in_rounds_own_changes_first(world: World<'_>) {
    let names: Vec<String> = (0..6).map(|n| format!("component:default/{n}")).collect();
    world.full("p", names.iter().map(|name| entity(name, "x"))).await;
    world.relate(&names[0], names.iter().skip(1).map(|name| relation(name, "dependsOn", A))).await;
    for name in names.iter().skip(1).take(2) {
        world.process(name, processed(name, "x")).await;
    }
    let first = world.store.stitch(3, world.now).await.unwrap();
    assert_eq!((first.changed, first.has_more), (3, true));
    let second = world.store.stitch(3, world.now).await.unwrap();
    assert_eq!((second.changed, second.abandoned, second.has_more), (0, 3, false));
}

/// Somebody waits for an entity of the interactive lane: it does not stand behind a backlog.
pub async fn what_somebody_waits_for_is_stitched_before_a_backlog(world: World<'_>) {
    world.full("p", [entity(A, "1"), entity(B, "1")]).await;
    world.process(A, processed(A, "1")).await;
    let claim = world.claim_one(B).await;
    let awaited = outcome(&claim, OutcomeKind::Processed(Box::new(processed(B, "1"))), world.now);
    world.commit(Outcome { lane: Lane::Interactive, ..awaited }).await;
    assert_eq!(world.store.stitch(1, world.now).await.unwrap().changed, 1);
    assert_eq!((world.find(A).await.is_some(), world.find(B).await.is_some()), (false, true));
}

pub async fn a_ref_that_is_queued_twice_is_stitched_once(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    for content in ["x", "y", "z"] {
        world.process(A, processed(A, content)).await;
        world.refresh(A).await;
    }
    assert_eq!(world.store.counts(world.now).await.unwrap().stitch_queue, 1);
    assert_eq!(world.stitch().await.changed, 1);
    assert_eq!(world.get(A).await["spec"]["content"], "z");
}

pub async fn pages_are_ordered_by_ref(world: World<'_>) {
    let mut names: Vec<String> = (0..25).map(|n| format!("component:default/{n}")).collect();
    world.full("p", names.iter().rev().map(|name| entity(name, "x"))).await;
    world.process_all().await;
    world.stitch().await;
    names.sort();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = world.store.entities_page(after.as_deref(), 10).await.unwrap();
        assert!(page.entities.len() <= 10);
        seen.extend(page.entities.into_iter().map(|entity| entity.entity_ref));
        after = page.next_after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, names);
}

pub async fn a_page_of_large_entities_has_fewer(world: World<'_>) {
    let names: Vec<String> = (0..9).map(|n| format!("component:default/{n}")).collect();
    let content = "x".repeat(1 << 20);
    world.full("p", names.iter().map(|name| entity(name, &content))).await;
    world.process_all().await;
    world.stitch().await;
    let (mut seen, mut after, mut pages) = (0, None, 0);
    loop {
        let page = world.store.entities_page(after.as_deref(), 100).await.unwrap();
        assert!((1..=6).contains(&page.entities.len()), "{}", page.entities.len());
        seen += page.entities.len();
        pages += 1;
        after = page.next_after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages > 1), (names.len(), true));
}

pub async fn ancestry_leads_up_to_the_roots_and_ends_in_cycles(world: World<'_>) {
    let root = "location:default/root";
    world.full("p", [entity(root, "grown")]).await;
    world
        .grow(
            &[(root, &[A, "location:default/mid"]), ("location:default/mid", &[B]), (A, &[B]), (B, &[A])],
            &[],
        )
        .await;
    let ancestry = world.store.ancestry(B).await.unwrap();
    let refs: Vec<&str> = ancestry.iter().map(|ancestor| ancestor.entity.entity_ref.as_str()).collect();
    assert_eq!(refs, [B, A, root, "location:default/mid"], "depth first");
    for ancestor in &ancestry {
        let expected: &[&str] = match ancestor.entity.entity_ref.as_str() {
            A => &[B, root],
            B => &[A, "location:default/mid"],
            "location:default/mid" => &[root],
            _ => &[],
        };
        assert_eq!(ancestor.parent_refs, expected);
    }
    assert!(world.store.ancestry("component:default/unknown").await.unwrap().is_empty());
}

pub async fn final_entities_are_counted_by_kind(world: World<'_>) {
    world.full("p", [entity(A, "x"), entity(B, "x"), entity("api:default/a", "x")]).await;
    world.process(A, Processed { ..processed(A, "x") }).await;
    world.process_all().await;
    world.stitch().await;
    assert_eq!(
        world.store.count_by_kind().await.unwrap(),
        [("api".to_owned(), 1), ("component".to_owned(), 2)]
    );
}

pub async fn a_body_that_is_as_before_again_is_told_if_readers_may_have_seen_another(world: World<'_>) {
    world.full("p", [entity(A, "x")]).await;
    world.process(A, processed(A, "x")).await;
    world.stitch().await;
    let before = world.store.position().await.unwrap();
    for content in ["y", "x"] {
        world.full("p", [entity(A, content)]).await;
        world.process(A, processed(A, content)).await;
    }
    world.stitch().await;
    assert_eq!(world.get(A).await["spec"]["content"], "x");
    assert_eq!(world.store.changes_after(before, 10).await.unwrap().len(), 1);
}
