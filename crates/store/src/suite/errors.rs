//! Errors live as long as their cause.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use std::time::Duration;

use callboard_model::Digest;
use serde_json::json;

use super::world::{World, entity, error, processed};
use crate::{ErrorCategory, ErrorFilter, NewError};

const A: &str = "component:default/a";
const B: &str = "component:default/b";

async fn begin(world: &World<'_>) {
    world.full("p", [entity(A, "x"), entity(B, "x")]).await;
}

pub async fn an_error_is_kept_with_its_address(world: World<'_>) {
    begin(&world).await;
    world.fail(A, vec![error("no")]).await;
    let errors = world.errors().await;
    let found = &errors[0];
    assert_eq!((found.category, found.subject.as_str(), found.count), (ErrorCategory::Processing, A, 1));
    assert_eq!(found.error, error("no"));
    assert_eq!((found.first_seen_at, found.last_seen_at), (world.now, world.now));
}

pub async fn the_same_error_again_is_counted(mut world: World<'_>) {
    begin(&world).await;
    world.process(A, processed(A, "x")).await;
    world.refresh(A).await;
    world.fail(A, vec![error("no")]).await;
    world.stitch().await;
    let before = world.errors().await.remove(0);
    world.pass(Duration::from_secs(5));
    world.refresh(A).await;
    let newer = NewError { digest: Digest::of("newer content"), ..error("no") };
    let report = world.fail(A, vec![newer.clone()]).await;
    assert!(!report.needs_stitching, "nothing that is shown changed");
    let after = world.errors().await.remove(0);
    assert_eq!((after.id, after.count), (before.id, 2));
    assert_eq!((after.first_seen_at, after.last_seen_at), (before.first_seen_at, world.now));
    assert_eq!(after.error, newer);
}

pub async fn errors_go_away_with_their_cause(world: World<'_>) {
    begin(&world).await;
    world.fail(A, vec![error("one"), error("two")]).await;
    world.fail(B, vec![error("other")]).await;
    world.refresh(A).await;
    world.fail(A, vec![error("two"), error("three")]).await;
    let messages = async || {
        let errors = world.errors().await;
        errors.into_iter().map(|found| (found.error.error.message, found.count)).collect::<Vec<_>>()
    };
    let expected = [("two", 2), ("other", 1), ("three", 1)].map(|(text, count)| (text.to_owned(), count));
    assert_eq!(messages().await, expected);
    world.refresh(A).await;
    world.process(A, processed(A, "x")).await;
    assert_eq!(messages().await, [("other".to_owned(), 1)]);
    world.full("p", []).await;
    assert_eq!(messages().await, []);
}

pub async fn repeated_errors_of_one_run_are_one(world: World<'_>) {
    begin(&world).await;
    world.fail(A, vec![error("no"), error("no")]).await;
    let errors = world.errors().await;
    assert_eq!((errors.len(), errors[0].count), (1, 1));
}

pub async fn errors_are_shown_in_the_status_until_they_are_gone(world: World<'_>) {
    begin(&world).await;
    world.process(A, processed(A, "x")).await;
    world.stitch().await;
    world.refresh(A).await;
    assert!(world.fail(A, vec![error("b"), error("a")]).await.needs_stitching);
    world.stitch().await;
    let item = |message: &str| {
        json!({
            "type": "backstage.io/catalog-processing",
            "level": "error",
            "message": format!("InputError: {message}"),
            "error": { "name": "InputError", "message": message },
        })
    };
    let failing = world.get(A).await;
    assert_eq!(failing["status"], json!({ "items": [item("b"), item("a")] }));
    assert_eq!(failing["spec"]["content"], "x");
    world.refresh(A).await;
    assert!(world.fail(A, vec![error("a"), error("b")]).await.needs_stitching, "they are shown in order");
    world.stitch().await;
    assert_eq!(world.get(A).await["status"], json!({ "items": [item("a"), item("b")] }));
    world.refresh(A).await;
    world.process(A, processed(A, "x")).await;
    world.stitch().await;
    assert_eq!(world.get(A).await.get("status"), None);
}

pub async fn an_entity_that_never_ran_well_has_errors_but_no_final_entity(world: World<'_>) {
    begin(&world).await;
    world.fail(A, vec![error("no")]).await;
    let report = world.stitch().await;
    assert_eq!((report.changed, report.abandoned), (0, 1));
    assert!(world.find(A).await.is_none());
    assert_eq!(world.errors().await.len(), 1);
    assert_eq!(world.store.counts(world.now).await.unwrap().stitch_queue, 0);
}

pub async fn errors_are_found_by_what_they_are_about(world: World<'_>) {
    begin(&world).await;
    let elsewhere = NewError { location: Some("url:elsewhere".into()), ..error("far") };
    world.fail(A, vec![error("near"), elsewhere]).await;
    world.fail(B, vec![NewError { rule: Some("other/rule".to_owned()), ..error("ruled") }]).await;
    let any = || ErrorFilter { limit: 10, ..ErrorFilter::default() };
    let list = async |filter: ErrorFilter| {
        let errors = world.store.errors_list(&filter).await.unwrap();
        errors.into_iter().map(|found| found.error.error.message).collect::<Vec<_>>()
    };
    let by = |entity_ref: &str| Some(entity_ref.to_owned());
    assert_eq!(list(any()).await, ["near", "far", "ruled"]);
    assert_eq!(list(ErrorFilter { entity_ref: by(A), ..any() }).await, ["near", "far"]);
    assert_eq!(list(ErrorFilter { entity_ref: by("component:default/c"), ..any() }).await, [""; 0]);
    assert_eq!(list(ErrorFilter { location: by("url:elsewhere"), ..any() }).await, ["far"]);
    assert_eq!(list(ErrorFilter { rule: by("other/rule"), ..any() }).await, ["ruled"]);
    let both = ErrorFilter { entity_ref: by(A), rule: by("other/rule"), ..any() };
    assert_eq!(list(both).await, [""; 0]);
}

pub async fn errors_come_in_pages(world: World<'_>) {
    begin(&world).await;
    world.fail(A, (0..5).map(|n| error(&n.to_string())).collect()).await;
    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let filter = ErrorFilter { limit: 2, after, ..ErrorFilter::default() };
        let page = world.store.errors_list(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|found| found.error.error.message));
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);
}

pub async fn conflicts_of_a_provider_are_found_under_its_name(world: World<'_>) {
    world.full("owner", [super::world::keyed(A, "x", "k")]).await;
    world.full("late", [super::world::keyed(A, "x", "j")]).await;
    let filter =
        ErrorFilter { entity_ref: Some("provider:late".to_owned()), limit: 9, ..ErrorFilter::default() };
    assert_eq!(world.store.errors_list(&filter).await.unwrap().len(), 1);
}
