//! What a run knows from the runs before: caches, and children that stand.

use std::sync::Arc;

use callboard_model::{EntityRef, Relation};
use callboard_sdk::results;
use serde_json::{Value, json};

use crate::Pipeline;
use crate::collector::target_group;
use crate::testing::{
    Act, Calls, Fake, complaint, component, document, emitted, failure, good, location, pipeline, rerun, run,
    summaries, there,
};

async fn cache_after(pipeline: &Arc<Pipeline>, entity: Value, before: Value) -> Value {
    Value::Object(rerun(pipeline, entity, before, true).await.result.unwrap().cache)
}

fn unchanged() -> Act {
    Act::Emit(results::unchanged())
}

fn relation() -> Act {
    let part = |name| EntityRef::new("component", "default", name);
    let relation = Relation { source: part("a"), kind: "dependsOn".to_owned(), target: part("b") };
    Act::Emit(results::relation(relation))
}

#[tokio::test]
async fn a_cache_that_is_only_read_stays() {
    let calls = Calls::default();
    let pipeline = pipeline([Fake::new("p").pre([Act::Recall("k")]).log(&calls)]);
    assert_eq!(cache_after(&pipeline, component(), json!({"p": {"k": 1}})).await, json!({"p": {"k": 1}}));
    assert!(calls.all().contains(&"p recalls k Some(1)".to_owned()));
}

#[tokio::test]
async fn the_first_write_replaces_the_cache_and_is_read_by_the_next_run() {
    let calls = Calls::default();
    let acts = [Act::Remember("new", 2), Act::Recall("old"), Act::Recall("new")];
    let pipeline = pipeline([Fake::new("p").pre(acts).log(&calls)]);
    assert_eq!(cache_after(&pipeline, component(), json!({"p": {"old": 1}})).await, json!({"p": {"new": 2}}));
    assert_eq!(calls.all()[1..3], ["p recalls old Some(1)", "p recalls new None"]);
}

#[tokio::test]
async fn processors_do_not_see_the_caches_of_others() {
    let calls = Calls::default();
    let pipeline = pipeline([
        Fake::new("p").pre([Act::Remember("k", 3)]),
        Fake::new("q").pre([Act::Recall("k")]).log(&calls),
    ]);
    assert_eq!(cache_after(&pipeline, component(), json!({"p": {"k": 1}})).await, json!({"p": {"k": 3}}));
    assert!(calls.all().contains(&"q recalls k None".to_owned()));
}

#[tokio::test]
async fn the_cache_of_a_processor_that_is_gone_is_dropped() {
    let before = json!({"p": {"k": 1}, "gone": {"k": 1}});
    assert_eq!(cache_after(&pipeline([Fake::new("p")]), component(), before).await, json!({"p": {"k": 1}}));
}

#[tokio::test]
async fn each_target_has_a_cache_of_its_own() {
    let calls = Calls::default();
    let fake = Fake::new("p")
        .read("url:a", [Act::Recall("k")])
        .read("url:b", [Act::Recall("k"), Act::Remember("k", 3)])
        .log(&calls);
    let before = json!({"p": {"@targets": {"a": {"k": 1, "l": 1}, "b": {"k": 2, "l": 2}}}});
    assert_eq!(
        cache_after(&pipeline([fake]), location(json!({"targets": ["a", "b"]})), before).await,
        json!({"p": {"@targets": {"a": {"k": 1, "l": 1}, "b": {"k": 3}}}})
    );
    let recalled: Vec<_> = calls.all().into_iter().filter(|call| call.contains("recalls")).collect();
    assert_eq!(recalled, ["p recalls k Some(1)", "p recalls k Some(2)"]);
}

#[tokio::test]
async fn what_a_target_emitted_before_stands_if_its_reader_says_so() {
    let fresh = Act::Emit(emitted(document("Component", "b")));
    let fake = Fake::new("p")
        .read("url:a", [unchanged(), Act::Emit(results::refresh("url:a"))])
        .read("url:b", [fresh]);
    let output = rerun(&pipeline([fake]), location(json!({"targets": ["a", "b"]})), json!(null), true).await;
    let good = output.result.unwrap();
    assert_eq!(good.kept_groups, [target_group("a")]);
    assert_eq!(good.children[0].group, target_group("b"));
    assert_eq!(good.refresh_keys, ["url:a"]);
}

#[tokio::test]
async fn nothing_can_stand_of_which_nothing_is_known() {
    let fake = Fake::new("p").read("url:a", [unchanged()]);
    let errors = run(&pipeline([fake]), location(json!({"target": "a"}))).await.result.unwrap_err();
    assert_eq!(
        summaries(&errors),
        ["Error: a processor said that a target is unchanged, but nothing is known of the target"]
    );
    assert_eq!(errors[0].rule.as_deref(), Some("processor/unchanged"));
}

#[tokio::test]
async fn only_a_target_can_stand() {
    for fake in [Fake::new("p").pre([unchanged()]), Fake::new("p").post([unchanged()])] {
        let output = rerun(&pipeline([fake]), component(), json!(null), true).await;
        let errors = summaries(&output.result.unwrap_err());
        assert!(
            errors[0].ends_with("caused by Error: only what is read from a target can be unchanged"),
            "{errors:?}"
        );
    }
}

#[tokio::test]
async fn a_target_that_emitted_more_than_children_is_read_afresh_the_next_time() {
    let fake = Fake::new("p")
        .read("url:a", [Act::Remember("etag", 1), relation()])
        .read("url:b", [Act::Remember("etag", 2), Act::Emit(results::refresh("b"))])
        .post([relation()]);
    let good = good(&pipeline([fake]), location(json!({"targets": ["a", "b"]}))).await;
    assert_eq!(Value::Object(good.cache), json!({"p": {"@targets": {"b": {"etag": 2}}}}));
}

#[tokio::test]
async fn a_run_that_fails_gives_no_cache() {
    for act in [complaint("soft"), failure("hard")] {
        let fake = Fake::new("p").pre([Act::Remember("k", 1), act]);
        assert!(run(&pipeline([fake]), component()).await.result.is_err());
    }
}

#[tokio::test]
async fn an_error_without_an_address_gets_the_location_that_it_was_emitted_for() {
    let fake = Fake::new("p").pre([complaint("soft")]);
    let errors = run(&pipeline([fake]), component()).await.result.unwrap_err();
    let expected = format!("{}:{}", there().kind, there().target);
    assert_eq!(errors[0].address.location, Some(expected));
}
