//! Errors live as long as their cause.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use std::time::Duration;

use callboard_model::{Digest, SerializedError, caused_by};
use serde_json::json;

use super::world::{World, entity, error, processed};
use crate::{ErrorCategory, ErrorFilter, NewError, Processed};

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

pub async fn an_error_is_shown_with_its_causes(world: World<'_>) {
    begin(&world).await;
    world.process(A, processed(A, "x")).await;
    world.refresh(A).await;
    let caused = caused_by("InputError", "Processor p threw an error", SerializedError::new("Error", "NOPE"));
    world.fail(A, vec![NewError { error: caused.clone(), ..error("") }]).await;
    world.stitch().await;
    let message = "Processor p threw an error; caused by Error: NOPE";
    let item = json!({
        "type": "backstage.io/catalog-processing",
        "level": "error",
        "message": format!("InputError: {message}"),
        "error": {
            "name": "InputError",
            "message": message,
            "cause": { "name": "Error", "message": "NOPE" },
        },
    });
    assert_eq!(world.get(A).await["status"], json!({ "items": [item] }));
    assert_eq!(world.errors().await[0].error.error, caused);
}

pub async fn an_error_with_endless_causes_is_kept_like_any_other(world: World<'_>) {
    begin(&world).await;
    world.process(A, processed(A, "x")).await;
    world.refresh(A).await;
    let wrap = |cause, _| SerializedError {
        cause: Some(Box::new(cause)),
        ..SerializedError::new("Error", "outer; caused by all others")
    };
    let endless = (0..1000).fold(SerializedError::new("Error", "innermost"), wrap);
    world.fail(A, vec![NewError { error: endless, ..error("") }]).await;
    world.stitch().await;
    assert_eq!(world.errors().await[0].error.error.message, "outer; caused by all others");
    let shown = &world.get(A).await["status"]["items"][0]["error"];
    assert_eq!(shown["cause"]["cause"]["message"], "outer; caused by all others");
}

fn warning(message: &str) -> NewError {
    NewError { rule: Some("conflict/duplicate".to_owned()), ..error(message) }
}

async fn run_with(world: &World<'_>, warnings: &[NewError]) {
    let processed = Processed { warnings: warnings.to_vec(), ..processed(A, "x") };
    world.process(A, processed).await;
    world.refresh(A).await;
}

pub async fn a_warning_lasts_until_a_good_run_does_without_it(mut world: World<'_>) {
    begin(&world).await;
    let told = async |world: &World<'_>| {
        let errors = world.errors().await.into_iter();
        errors.map(|it| (it.category, it.error.error.message, it.count)).collect::<Vec<_>>()
    };
    let warned = |text: &str, count| (ErrorCategory::Warning, text.to_owned(), count);
    run_with(&world, &[warning("one"), warning("two")]).await;
    assert_eq!(told(&world).await, [warned("one", 1), warned("two", 1)]);
    let found = world.errors().await.remove(0);
    assert_eq!((found.error, found.subject.as_str()), (warning("one"), A));
    world.pass(Duration::from_secs(5));
    run_with(&world, &[warning("three"), warning("two")]).await;
    assert_eq!(told(&world).await, [warned("two", 2), warned("three", 1)]);
    let found = world.errors().await.remove(0);
    assert_eq!((found.first_seen_at + Duration::from_secs(5), found.last_seen_at), (world.now, world.now));
    world.fail(A, vec![error("no")]).await;
    world.refresh(A).await;
    let failed = (ErrorCategory::Processing, "no".to_owned(), 1);
    assert_eq!(
        told(&world).await,
        [warned("two", 2), warned("three", 1), failed],
        "it says what counts still"
    );
    run_with(&world, &[]).await;
    assert_eq!(told(&world).await, []);
}

pub async fn a_warning_is_neither_shown_in_the_status_nor_counted(world: World<'_>) {
    begin(&world).await;
    run_with(&world, &[]).await;
    world.stitch().await;
    let before = world.get(A).await;
    run_with(&world, &[warning("look")]).await;
    assert_eq!(world.stitch().await.changed, 0);
    assert_eq!(world.get(A).await, before);
    assert_eq!(world.store.counts(world.now).await.unwrap().errors, 0);
    world.fail(A, vec![error("no")]).await;
    world.stitch().await;
    assert_eq!(world.get(A).await["status"]["items"].as_array().unwrap().len(), 1);
    assert_eq!(world.store.counts(world.now).await.unwrap().errors, 1);
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
