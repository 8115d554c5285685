//! The stages of a run, and what each says when it fails.

use std::sync::Arc;

use callboard_model::{Entity, EntityPolicy, ErrorKind, ModelError};
use callboard_processors::BuiltinKindsProcessor;
use serde_json::{Value, json};

use crate::Pipeline;
use crate::testing::{
    Act, AllBut, Calls, Fake, complaint, component, document, emitted, errors, failure, good, parts,
    pipeline, run,
};

#[derive(Debug)]
struct Boom;

impl EntityPolicy for Boom {
    fn name(&self) -> &'static str {
        "Boom"
    }

    fn enforce(&self, _entity: Entity) -> Result<Option<Entity>, ModelError> {
        Err(ModelError::new(ErrorKind::Error, "boom", "boom"))
    }
}

fn with_builtin_kinds() -> Arc<Pipeline> {
    let mut parts = parts([]);
    parts.processors.push(Arc::new(BuiltinKindsProcessor));
    Arc::new(Pipeline::new(parts))
}

#[tokio::test]
async fn a_run_in_which_nothing_happens_gives_the_entity_and_nothing_else() {
    let good = good(&pipeline([Fake::new("p")]), component()).await;
    let mut expected = component();
    expected["metadata"]["namespace"] = json!("default");
    assert_eq!(good.entity.to_value(), expected);
    assert_eq!(good.cache, serde_json::Map::new());
    assert!(good.children.is_empty() && good.relations.is_empty() && good.refresh_keys.is_empty());
}

#[tokio::test]
async fn every_processor_is_called_at_every_stage_even_after_one_recognized_the_kind() {
    let calls = Calls::default();
    let fakes = [Fake::new("a").log(&calls), Fake::new("b").log(&calls)];
    good(&pipeline(fakes), component()).await;
    assert_eq!(calls.all(), ["a pre", "b pre", "a validates", "b validates", "a post", "b post"]);
}

#[tokio::test]
async fn each_processor_gets_what_the_one_before_made() {
    let fakes = [
        Fake::new("a").pre([Act::SetSpec(json!({"by": "a"}))]).post([Act::SetSpec(json!({"by": "post a"}))]),
        Fake::new("b").pre([Act::SetSpec(json!({"by": "b"}))]),
    ];
    let good = good(&pipeline(fakes), component()).await;
    assert_eq!(good.entity.spec_str("by"), Some("post a"));
}

#[tokio::test]
async fn the_unprocessed_entity_must_have_an_envelope_and_locations() {
    let mut no_name = component();
    no_name["metadata"].as_object_mut().unwrap().remove("name");
    let mut no_location = component();
    no_location["metadata"]["annotations"] = json!({"backstage.io/managed-by-origin-location": "url:x"});
    let mut no_origin = component();
    no_origin["metadata"]["annotations"] = json!({"backstage.io/managed-by-location": "url:x"});
    let mut empty_location = component();
    empty_location["metadata"]["annotations"]["backstage.io/managed-by-location"] = json!("");
    let mut script = component();
    script["metadata"]["annotations"]["backstage.io/managed-by-location"] = json!("url:javascript:bad()");
    let rows: [(Value, &str); 5] = [
        (
            no_name,
            "InputError: Entity envelope failed validation before processing; caused by TypeError: /metadata must \
             have required property 'name' - missingProperty: name",
        ),
        (
            no_location,
            "InputError: Entity 'component:default/c' does not have the annotation backstage.io/managed-by-location",
        ),
        (
            empty_location,
            "InputError: Entity 'component:default/c' does not have the annotation backstage.io/managed-by-location",
        ),
        (
            no_origin,
            "InputError: Entity 'component:default/c' does not have the annotation \
             backstage.io/managed-by-origin-location",
        ),
        (script, "TypeError: Invalid location ref 'url:javascript:bad()', target is a javascript: URL"),
    ];
    let calls = Calls::default();
    for (entity, expected) in rows {
        assert_eq!(errors(&pipeline([Fake::new("p").log(&calls)]), entity).await, [expected]);
    }
    assert_eq!(calls.all(), Vec::<String>::new());
}

#[tokio::test]
async fn a_thrown_error_ends_the_run_and_says_at_which_stage() {
    let rows = [
        (
            Fake::new("p").pre([failure("NOPE")]),
            "InputError: Processor p threw an error while preprocessing; caused by Error: NOPE",
            &["p pre"][..],
        ),
        (
            Fake::new("p").validate([failure("NOPE")]),
            "InputError: Processor p threw an error while validating the entity component:default/c; caused by \
             Error: NOPE",
            &["p pre", "q pre", "p validates"],
        ),
        (
            Fake::new("p").post([failure("NOPE")]),
            "InputError: Processor p threw an error while postprocessing; caused by Error: NOPE",
            &["p pre", "q pre", "p validates", "q validates", "p post"],
        ),
    ];
    for (fake, expected, expected_calls) in rows {
        let calls = Calls::default();
        let fakes = [fake.log(&calls), Fake::new("q").log(&calls)];
        assert_eq!(errors(&pipeline(fakes), component()).await, [expected]);
        assert_eq!(calls.all(), expected_calls);
    }
}

#[tokio::test]
async fn a_thrown_error_keeps_its_cause() {
    let output = run(&pipeline([Fake::new("p").pre([failure("NOPE")])]), component()).await;
    let error = output.result.unwrap_err().remove(0).to_serialized();
    let cause = error.cause.unwrap();
    assert_eq!((cause.name.as_str(), cause.message.as_str()), ("Error", "NOPE"));
}

#[tokio::test]
async fn policies_speak_through_the_entity_ref() {
    let mut parts = parts([Fake::new("p")]);
    parts.policies.push(Box::new(Boom));
    assert_eq!(
        errors(&Arc::new(Pipeline::new(parts)), component()).await,
        ["InputError: Policy check failed for component:default/c; caused by Error: boom"]
    );
    let mut foreign = component();
    foreign["relations"] = json!([]);
    assert_eq!(
        errors(&pipeline([Fake::new("p")]), foreign).await,
        ["InputError: Policy check failed for component:default/c; caused by Error: Unknown field relations"]
    );
}

#[tokio::test]
async fn preprocessing_may_not_change_the_ref() {
    let fake = Fake::new("p").pre([Act::Rename("other")]);
    assert_eq!(
        errors(&pipeline([fake]), component()).await,
        ["ConflictError: Fatal: The entity kind, namespace, or name changed during processing"]
    );
}

#[tokio::test]
async fn a_kind_that_nobody_recognizes_is_an_error() {
    let message = "InputError: No processor recognized the entity component:default/c as valid, possibly caused by a \
                   foreign kind or apiVersion";
    let fakes = [Fake::new("p").recognizing_nothing(), Fake::new("q").recognizing_nothing()];
    assert_eq!(errors(&pipeline(fakes), component()).await, [message]);

    let mut lower_case = component();
    lower_case["kind"] = json!("component");
    let mut foreign_version = component();
    foreign_version["apiVersion"] = json!("backstage.io/v2");
    for entity in [lower_case, foreign_version] {
        assert_eq!(errors(&with_builtin_kinds(), entity).await, [message]);
    }
}

#[tokio::test]
async fn the_presence_of_a_location_is_one_of_two_words() {
    let location = crate::testing::location(json!({"target": "x", "presence": "foo"}));
    assert_eq!(
        errors(&with_builtin_kinds(), location).await,
        ["InputError: Processor BuiltinKindsEntityProcessor threw an error while validating the entity \
             location:default/l; caused by TypeError: /spec/presence must be equal to one of the allowed values - \
             allowedValues: required,optional"]
    );
}

#[tokio::test]
async fn emitted_errors_come_before_the_thrown_one() {
    let fake = Fake::new("p").pre([complaint("soft")]).post([failure("hard")]);
    assert_eq!(
        errors(&pipeline([fake]), component()).await,
        ["Error: soft", "InputError: Processor p threw an error while postprocessing; caused by Error: hard"]
    );
}

#[tokio::test]
async fn an_emitted_error_lets_the_run_go_on_and_fails_it_at_its_end() {
    let calls = Calls::default();
    let fake = Fake::new("p").pre([complaint("one")]).post([complaint("two")]).log(&calls);
    assert_eq!(errors(&pipeline([fake]), component()).await, ["Error: one", "Error: two"]);
    assert_eq!(calls.all(), ["p pre", "p validates", "p post"]);
}

#[tokio::test]
async fn one_child_that_the_rules_refuse_fails_the_run_after_all_stages() {
    let calls = Calls::default();
    let children = [document("Component", "fine"), document("User", "u"), document("User", "v")];
    let acts: Vec<_> = children.into_iter().map(|child| Act::Emit(emitted(child))).collect();
    let mut parts = parts([Fake::new("p").pre(acts).post([complaint("soft")]).log(&calls)]);
    parts.rules = Arc::new(AllBut(&["User"]));
    assert_eq!(
        errors(&Arc::new(Pipeline::new(parts)), component()).await,
        [
            "Error: soft",
            "NotAllowedError: Entity user:default/u at url:https://example.com/here.yaml, originated at \
             url:https://example.com/here.yaml, is not of an allowed kind for that location"
        ]
    );
    assert_eq!(calls.all(), ["p pre", "p validates", "p post"]);
}

#[tokio::test]
async fn a_run_is_pure_if_every_processor_is_and_it_reads_nothing() {
    let pure = || Fake::new("p");
    let location = || crate::testing::location(json!({}));
    for (fakes, entity, expected) in [
        (vec![pure(), pure()], component(), true),
        (vec![pure(), pure().impure()], component(), false),
        (vec![pure()], location(), false),
        (vec![pure().pre([failure("NOPE")])], component(), true),
    ] {
        assert_eq!(run(&pipeline(fakes), entity).await.is_pure, expected);
    }
}
