//! Whatever a processor does: the run has an outcome, and nothing but this run is hit.

use std::sync::Arc;
use std::time::Duration;

use callboard_model::{Entity, EntityPolicy, ModelError};
use callboard_sdk::results;
use serde_json::json;

use crate::testing::{
    Act, Fake, complaint, component, document, emitted, errors, failure, good, location, parts, pipeline,
    run, summaries,
};
use crate::{Pipeline, RunLimits};

#[tokio::test]
async fn a_panic_is_an_error_of_the_run() {
    let panic = || [Act::Panic("out of cheese")];
    let in_words = Fake::new("p").pre([Act::PanicInWords("out of tea".to_owned())]);
    let rows = [
        (Fake::new("p").pre(panic()), component(), "while preprocessing", "out of cheese"),
        (in_words, component(), "while preprocessing", "out of tea"),
        (
            Fake::new("p").validate(panic()),
            component(),
            "while validating the entity component:default/c",
            "out of cheese",
        ),
        (
            Fake::new("p").read("url:a", panic()),
            location(json!({"target": "a"})),
            "while reading url:a",
            "out of cheese",
        ),
        (Fake::new("p").post(panic()), component(), "while postprocessing", "out of cheese"),
    ];
    for (fake, entity, doing, text) in rows {
        assert_eq!(
            errors(&pipeline([fake]), entity).await,
            [format!(
                "InputError: Processor p threw an error {doing}; caused by Error: the processor panicked: {text}"
            )]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_come_back_is_given_up() {
    let hang = || [Act::Hang];
    let rows = [
        (Fake::new("p").pre(hang()), component(), "while preprocessing"),
        (Fake::new("p").validate(hang()), component(), "while validating the entity component:default/c"),
        (Fake::new("p").read("url:a", hang()), location(json!({"target": "a"})), "while reading url:a"),
        (Fake::new("p").post(hang()), component(), "while postprocessing"),
    ];
    for (fake, entity, doing) in rows {
        assert_eq!(
            errors(&pipeline([fake]), entity).await,
            [format!(
                "InputError: Processor p threw an error {doing}; caused by Error: nothing came of the processor for \
                 120 s (callboard.limits.processorTimeout)"
            )]
        );
    }
}

fn rest(seconds: u64) -> Act {
    Act::Rest(Duration::from_secs(seconds))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gets_on_may_take_its_time() {
    let acts = [
        rest(100),
        Act::Emit(results::refresh("k")),
        rest(100),
        Act::Parse(""),
        rest(100),
        Act::Step,
        rest(100),
    ];
    let fake = Fake::new("p").read("url:a", acts);
    assert_eq!(good(&pipeline([fake]), location(json!({"target": "a"}))).await.refresh_keys, ["k"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_got_on_and_then_stands_still_is_given_up() {
    let fake = Fake::new("p").pre([rest(100), Act::Step, rest(119), Act::Step, rest(121)]);
    assert_eq!(
        errors(&pipeline([fake]), component()).await,
        [
            "InputError: Processor p threw an error while preprocessing; caused by Error: nothing came of the processor \
             for 120 s (callboard.limits.processorTimeout)"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gets_on_for_ever_is_given_up() {
    let acts: Vec<_> = (0..40).flat_map(|_| [rest(100), Act::Step]).collect();
    let fake = Fake::new("p").pre(acts);
    let output = run(&pipeline([fake]), component()).await;
    assert!(!output.is_pure);
    assert_eq!(
        summaries(&output.result.unwrap_err()),
        [
            "InputError: Processor p threw an error while preprocessing; caused by Error: the processor did not come \
             back within 3600 s (30 times callboard.limits.processorTimeout)"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_until_others_have_parsed_takes_no_time() {
    let pipeline = pipeline([Fake::new("p").read("url:a", [Act::Parse("")])]);
    let slots = u32::try_from(pipeline.limits().parallel_parses_max).unwrap();
    let others = pipeline.parse_slots().acquire_many(slots).await.unwrap();
    let parse = async {
        tokio::time::sleep(Duration::from_secs(1_000)).await;
        drop(others);
    };
    tokio::join!(good(&pipeline, location(json!({"target": "a"}))), parse);
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_about_the_input_is_tried_again() {
    for (act, rule) in [(Act::Panic("oh"), "processor/panic"), (Act::Hang, "processor/timeout")] {
        let output = run(&pipeline([Fake::new("p").pre([act])]), component()).await;
        assert!(!output.is_pure);
        assert_eq!(output.result.unwrap_err()[0].rule.as_deref(), Some(rule));
    }
}

#[tokio::test]
async fn a_pipeline_works_on_after_a_panic() {
    let fake = Fake::new("p").read("url:a", [Act::Panic("oh")]);
    let pipeline = pipeline([fake]);
    run(&pipeline, location(json!({"target": "a"}))).await.result.unwrap_err();
    good(&pipeline, component()).await;
}

/// A pipeline that lets a run emit one entity and keep two errors.
fn narrow(fake: Fake) -> Arc<Pipeline> {
    let mut parts = parts([fake]);
    parts.limits = RunLimits { emitted_entities_max: 1, errors_max: 2, ..RunLimits::default() };
    Arc::new(Pipeline::new(parts))
}

#[tokio::test]
async fn whoever_emits_too_much_fails_whether_it_looks_or_not() {
    let entities = || ["a", "b", "c"].map(|name| emitted(document("Component", name)));
    let message =
        "Error: component:default/c emitted more than 1 entities (callboard.limits.emittedEntities)";
    let careful = Fake::new("p").pre(entities().map(Act::Emit));
    assert_eq!(
        errors(&narrow(careful), component()).await,
        [format!("InputError: Processor p threw an error while preprocessing; caused by {message}")]
    );
    let careless = Fake::new("p").pre(entities().map(Act::EmitCarelessly));
    assert_eq!(errors(&narrow(careless), component()).await, [message]);
}

#[tokio::test]
async fn what_was_over_a_limit_is_tried_again() {
    let entities = ["a", "b"].map(|name| emitted(document("Component", name)));
    for act in [Act::Emit, Act::EmitCarelessly] {
        let fake = Fake::new("p").pre(entities.clone().map(act));
        assert!(!run(&narrow(fake), component()).await.is_pure);
    }
}

#[tokio::test]
async fn errors_beyond_the_limit_are_counted() {
    let fake = Fake::new("p").pre(["a", "b", "c", "d"].map(complaint)).post([failure("thrown")]);
    assert_eq!(
        errors(&narrow(fake), component()).await,
        [
            "Error: a",
            "Error: b",
            "Error: 2 more errors are not shown (callboard.limits.errors)",
            "InputError: Processor p threw an error while postprocessing; caused by Error: thrown"
        ]
    );
}

#[derive(Debug)]
struct Panics;

impl EntityPolicy for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn enforce(&self, _entity: Entity) -> Result<Option<Entity>, ModelError> {
        panic!("no policy today")
    }
}

#[tokio::test]
async fn a_policy_that_panics_is_an_error_of_the_run() {
    let mut parts = parts([Fake::new("p")]);
    parts.policies.push(Box::new(Panics));
    let output = run(&Arc::new(Pipeline::new(parts)), component()).await;
    assert!(!output.is_pure);
    assert_eq!(
        summaries(&output.result.unwrap_err()),
        [
            "InputError: Policy check failed for component:default/c; caused by Error: the policy panicked: no policy \
             today"
        ]
    );
}
