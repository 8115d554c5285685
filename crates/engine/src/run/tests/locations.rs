//! What a run of a Location reads.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use callboard_sdk::results;
use serde_json::json;

use crate::Pipeline;
use crate::testing::{
    Act, Calls, Fake, child_refs, document, emitted, errors, good, location, parts, pipeline, rerun, run,
};

const COMPONENT: &str = "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: a}}";

fn own_location(annotation: &str, spec: serde_json::Value) -> serde_json::Value {
    let mut entity = location(spec);
    entity["metadata"]["annotations"]["backstage.io/managed-by-location"] = json!(annotation);
    entity
}

#[tokio::test]
async fn targets_are_read_in_order_with_their_presence() {
    let calls = Calls::default();
    let fake = Fake::new("p").read("url:a", []).read("url:b", []).read("url:c", []).log(&calls);
    let spec = json!({"type": "url", "targets": ["b", "c"], "target": "a", "presence": "optional"});
    good(&pipeline([fake]), location(spec)).await;
    assert_eq!(
        calls.all(),
        [
            "p pre",
            "p validates",
            "p reads url:a optional",
            "p reads url:b optional",
            "p reads url:c optional",
            "p post"
        ]
    );
}

#[tokio::test]
async fn a_target_is_required_unless_the_location_says_otherwise() {
    let calls = Calls::default();
    let fake = Fake::new("p").read("url:a", []).log(&calls);
    good(&pipeline([fake]), location(json!({"target": "a"}))).await;
    assert!(calls.all().contains(&"p reads url:a required".to_owned()));
}

#[tokio::test]
async fn the_first_processor_that_handles_a_target_is_the_last_one_asked() {
    let calls = Calls::default();
    let fakes = [
        Fake::new("p").log(&calls),
        Fake::new("q").read("url:a", []).log(&calls),
        Fake::new("r").read("url:a", []).log(&calls),
    ];
    good(&pipeline(fakes), location(json!({"target": "a"}))).await;
    let reads: Vec<_> = calls.all().into_iter().filter(|call| call.contains("reads")).collect();
    assert_eq!(reads, ["q reads url:a required"]);
}

#[tokio::test]
async fn a_location_without_targets_brings_in_nothing() {
    let good = good(&pipeline([Fake::new("p")]), location(json!({}))).await;
    assert_eq!(child_refs(&good), Vec::<&str>::new());
}

#[tokio::test]
async fn only_the_kind_location_in_this_very_case_is_read() {
    let mut lower_case = location(json!({"target": "a"}));
    lower_case["kind"] = json!("location");
    good(&pipeline([Fake::new("p")]), lower_case).await;
}

#[tokio::test]
async fn a_type_that_is_neither_its_own_nor_allowed_is_not_read() {
    let calls = Calls::default();
    let fake = Fake::new("p").read("file:/a", []).log(&calls);
    let spec = json!({"type": "file", "target": "/a"});
    assert_eq!(
        errors(&pipeline([fake.clone()]), location(spec.clone())).await,
        [r#"InputError: Registered locations must be of an allowed type ["url"]"#]
    );
    assert_eq!(calls.all(), ["p pre", "p validates", "p post"]);

    let mut parts = parts([fake.clone()]);
    parts.allowed_location_types.push("file".to_owned());
    good(&Arc::new(Pipeline::new(parts)), location(spec.clone())).await;
    good(&pipeline([fake]), own_location("file:/here", spec)).await;
}

#[tokio::test]
async fn a_target_that_nobody_handles_ends_the_run() {
    assert_eq!(
        errors(
            &pipeline([Fake::new("p").post([crate::testing::complaint("not reached")])]),
            own_location("weird:q", json!({"type": "weird", "target": "z"}))
        )
        .await,
        ["InputError: No processor was able to handle reading of weird:z"]
    );
}

#[tokio::test]
async fn an_error_thrown_while_reading_names_the_target() {
    let fake = Fake::new("p").read("url:a", [crate::testing::failure("NOPE")]);
    assert_eq!(
        errors(&pipeline([fake]), location(json!({"target": "a"}))).await,
        ["InputError: Processor p threw an error while reading url:a; caused by Error: NOPE"]
    );
}

#[tokio::test]
async fn a_directory_is_no_file_and_the_other_targets_are_read() {
    let calls = Calls::default();
    let fake = Fake::new("p").read("file:/b", []).log(&calls);
    let spec = json!({"type": "file", "targets": ["/a/", "/b"]});
    assert_eq!(
        errors(&pipeline([fake]), own_location("file:/here", spec)).await,
        [
            "InputError: LocationEntityProcessor cannot handle file type location with target /here that ends with a \
             path separator"
        ]
    );
    assert!(calls.all().contains(&"p reads file:/b required".to_owned()));
}

#[tokio::test]
async fn a_target_that_is_not_there_fails_the_run_but_not_the_reading_of_others() {
    let not_found = results::not_found_error(&crate::testing::there(), "gone");
    let calls = Calls::default();
    let fake = Fake::new("p")
        .read("url:a", [Act::Emit(not_found)])
        .read("url:b", [Act::Parse(COMPONENT)])
        .log(&calls);
    assert_eq!(
        errors(&pipeline([fake]), location(json!({"targets": ["a", "b"]}))).await,
        ["NotFoundError: gone"]
    );
    assert!(calls.all().contains(&"p reads url:b required".to_owned()));
}

#[tokio::test]
async fn one_bad_document_fails_the_run_of_the_whole_location() {
    let text = "{apiVersion: v, kind: Component, metadata: {name: a}}\n---\n---\nfoo\n---\n{apiVersion: v, kind: \
                User, metadata: {name: u}}";
    let fake = Fake::new("p").read("url:a", [Act::Parse(text)]);
    let output = run(&pipeline([fake]), location(json!({"target": "a"}))).await;
    let errors = output.result.unwrap_err();
    assert_eq!(crate::testing::summaries(&errors), ["Error: Expected object at root, got string"]);
    assert_eq!(errors[0].address.location.as_deref(), Some("url:a"));
    assert_eq!((errors[0].address.document, errors[0].address.line), (Some(2), Some(3)));
}

#[tokio::test]
async fn an_optional_target_may_bring_in_nothing_beside_others_that_do() {
    let fake = Fake::new("p")
        .read("url:a", [Act::Parse(COMPONENT), Act::Emit(results::refresh("url:a"))])
        .read("url:b", [Act::Emit(results::refresh("url:b"))]);
    let good =
        good(&pipeline([fake]), location(json!({"targets": ["a", "b"], "presence": "optional"}))).await;
    assert_eq!(child_refs(&good), ["component:default/a"]);
    assert_eq!(good.refresh_keys, ["url:a", "url:b"]);
}

#[tokio::test]
async fn children_are_grouped_by_the_target_that_they_came_from() {
    let a = Act::Emit(emitted(document("Component", "a")));
    let b = Act::Emit(emitted(document("Component", "b")));
    let own = Act::Emit(emitted(document("Component", "own")));
    let fake = Fake::new("p").read("url:a", [a]).read("url:b", [b]).post([own]);
    let good = good(&pipeline([fake]), location(json!({"targets": ["a", "b"]}))).await;
    let groups: Vec<_> = good.children.iter().map(|child| child.group).collect();
    assert_eq!(groups[2], 0);
    assert!(groups[0] != 0 && groups[1] != 0 && groups[0] != groups[1], "{groups:?}");
}

#[tokio::test(start_paused = true)]
async fn targets_are_read_at_the_same_time_and_count_in_their_order() {
    let begun = tokio::time::Instant::now();
    let rest = Act::Rest(Duration::from_secs(10));
    let bring = |name| Act::Emit(emitted(document("Component", name)));
    let fake = Fake::new("p")
        .read("url:a", [rest.clone(), rest.clone(), bring("a"), bring("both")])
        .read("url:b", [bring("both"), bring("b"), rest]);
    let good = good(&pipeline([fake]), location(json!({"targets": ["a", "b"]}))).await;
    assert_eq!(child_refs(&good), ["component:default/a", "component:default/both", "component:default/b"]);
    assert_eq!(good.duplicates.len(), 1);
    assert_eq!(begun.elapsed(), Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn of_what_was_read_ahead_of_a_target_that_nobody_handles_nothing_counts() {
    let fake = Fake::new("p")
        .read("url:a", [crate::testing::complaint("of a")])
        .read("url:c", [crate::testing::complaint("of c")]);
    assert_eq!(
        errors(&pipeline([fake]), location(json!({"targets": ["a", "b", "c"]}))).await,
        ["Error: of a", "InputError: No processor was able to handle reading of url:b"]
    );
}

#[tokio::test]
async fn a_processor_remembers_each_of_several_targets() {
    let calls = Calls::default();
    let acts = |value| [Act::Recall("k"), Act::Remember("k", value)];
    let fake = Fake::new("p").read("url:a", acts(1)).read("url:b", acts(2)).log(&calls);
    let pipeline = pipeline([fake]);
    let entity = || location(json!({"targets": ["a", "b", "a"]}));
    let cache = good(&pipeline, entity()).await.cache;
    assert_eq!(json!(cache), json!({"p": {"@targets": {"a": {"k": 1}, "b": {"k": 2}}}}));
    rerun(&pipeline, entity(), json!(cache), false).await.result.unwrap();
    let recalled = calls.all().into_iter().filter(|call| call.contains("Some")).collect::<BTreeSet<_>>();
    assert_eq!(recalled.into_iter().collect::<Vec<_>>(), ["p recalls k Some(1)", "p recalls k Some(2)"]);
}

#[tokio::test]
async fn the_files_of_a_target_count_in_their_order() {
    let file = |index: usize| {
        let name = |part| format!("{{apiVersion: v, kind: Component, metadata: {{name: c{index}{part}}}}}\n");
        format!("{}---\n{}", name("a"), name("b"))
    };
    for count in [0, 1, 2, 3, 10] {
        let fake = Fake::new("p").read("url:a", [Act::ParseAll((0..count).map(file).collect())]);
        let good = good(&pipeline([fake]), location(json!({"target": "a"}))).await;
        let expected =
            (0..count).flat_map(|index| ["a", "b"].map(|part| format!("component:default/c{index}{part}")));
        assert_eq!(child_refs(&good), expected.collect::<Vec<_>>());
        assert_eq!(json!(good.cache), if count > 0 { json!({"@emitted": ["a"]}) } else { json!({}) });
    }
}
