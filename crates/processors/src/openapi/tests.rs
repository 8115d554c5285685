use std::sync::Arc;

use callboard_sdk::Entity;
use callboard_sdk::model::annotations::MANAGED_BY_LOCATION;
use callboard_sdk::testkit::{FakeReader, Run, TestKit};
use serde_json::json;

use super::*;
use crate::placeholder::{PlaceholderProcessor, PlaceholderResolvers};
use crate::test_scm::scm;

const ROOT: &str = "https://github.com/o/r/tree/main";

async fn run(files: &[(&str, &str)]) -> Run<Entity> {
    let reader = FakeReader::default();
    for (path, text) in files {
        reader.put(&format!("{ROOT}/{path}"), (*text).to_owned(), None);
    }
    let mut resolvers = PlaceholderResolvers::builtin(&LocalFiles::default());
    resolvers.add("openapi", Arc::new(OpenApiResolver::default())).unwrap();
    let processor = PlaceholderProcessor::new(Arc::new(reader), scm(), resolvers.into_map());
    let value = json!({
        "kind": "API",
        "metadata": {"name": "n"},
        "spec": {"definition": {"$openapi": "./api/api.yaml"}},
    });
    let mut entity = Entity::from_value(value).unwrap();
    entity.set_annotation(MANAGED_BY_LOCATION, format!("url:{ROOT}/c.yaml"));
    TestKit::new(processor).pre_process(entity).await
}

async fn bundled(files: &[(&str, &str)]) -> Value {
    let entity = run(files).await.result.unwrap();
    documents::parse(entity.spec_str("definition").unwrap()).unwrap()
}

async fn failure(files: &[(&str, &str)]) -> String {
    run(files).await.result.unwrap_err().message
}

#[tokio::test]
async fn other_files_are_put_in_once_and_referred_to_from_then_on() {
    let api = "paths:\n  a:\n    $ref: paths/a.yaml\n  b:\n    $ref: './paths/a.yaml'\n  c:\n    $ref: '#/paths/a'\n";
    let definition = bundled(&[
        ("api/api.yaml", api),
        ("api/paths/a.yaml", "x: {$ref: '../y.json#/d~1e'}"),
        ("api/y.json", "{\"d/e\": [1]}"),
    ])
    .await;
    let expected =
        json!({"paths": {"a": {"x": [1]}, "b": {"$ref": "#/paths/a"}, "c": {"$ref": "#/paths/a"}}});
    assert_eq!(definition, expected);
}

#[tokio::test]
async fn references_inside_other_files_stay_in_their_file() {
    let api = "a: {$ref: 'b.yaml#/one'}\nc: {$ref: 'b.yaml#/one/two'}\n";
    let b = "one: {two: {$ref: '#/three'}, me: {$ref: '#/one'}, root: {$ref: 'api.yaml#/c'}}\nthree: 3\n";
    let expected = json!({
        "a": {"two": 3, "me": {"$ref": "#/a"}, "root": {"$ref": "#/c"}},
        "c": {"$ref": "#/a/two"},
    });
    assert_eq!(bundled(&[("api/api.yaml", api), ("api/b.yaml", b)]).await, expected);
}

#[tokio::test]
async fn circles_between_files_end() {
    let files = [
        ("api/api.yaml", "a: {$ref: b.yaml}"),
        ("api/b.yaml", "c: {$ref: c.yaml}"),
        ("api/c.yaml", "b: {$ref: b.yaml}"),
    ];
    assert_eq!(bundled(&files).await, json!({"a": {"c": {"b": {"$ref": "#/a"}}}}));
    let files = [
        ("api/api.yaml", "a: {$ref: b.yaml}"),
        ("api/b.yaml", "$ref: c.yaml"),
        ("api/c.yaml", "$ref: b.yaml"),
    ];
    assert!(failure(&files).await.ends_with("refers to itself"));
}

#[tokio::test]
async fn keys_beside_a_reference_go_on_top_of_it_and_nowhere_else() {
    let api = "a: {$ref: b.yaml, x: 9}\nb: {$ref: b.yaml}\nc: {$ref: '#/b', y: 1}\n";
    let expected = json!({"a": {"x": 9}, "b": {"x": 1}, "c": {"$ref": "#/b", "y": 1}});
    assert_eq!(bundled(&[("api/api.yaml", api), ("api/b.yaml", "x: 1")]).await, expected);
}

#[tokio::test]
async fn operations_of_asyncapi_refer_to_channels() {
    let api =
        "asyncapi: 3.0.0\noperations: {o: {channel: {$ref: 'ch.yaml'}}}\nchannels: {c: {$ref: 'ch.yaml'}}\n";
    let expected = json!({
        "asyncapi": "3.0.0",
        "operations": {"o": {"channel": {"$ref": "#/channels/c"}}},
        "channels": {"c": {"address": "x"}},
    });
    assert_eq!(bundled(&[("api/api.yaml", api), ("api/ch.yaml", "address: x")]).await, expected);
}

#[tokio::test]
async fn texts_are_put_in_as_they_are() {
    let files =
        [("api/api.yaml", "info: {description: {$ref: readme.md}}"), ("api/readme.md", "# Hi: there")];
    assert_eq!(bundled(&files).await, json!({"info": {"description": "# Hi: there"}}));
}

#[tokio::test]
async fn every_file_gives_a_refresh_key() {
    let run = run(&[("api/api.yaml", "a: {$ref: b.yaml}"), ("api/b.yaml", "1")]).await;
    assert_eq!(run.refresh_keys(), [format!("url:{ROOT}/api/api.yaml"), format!("url:{ROOT}/api/b.yaml")]);
}

#[tokio::test]
async fn failures_name_the_reference() {
    let prefix = "Placeholder $openapi unable to bundle the file at ./api/api.yaml, ";
    let missing = failure(&[("api/api.yaml", "a: {$ref: none.yaml}")]).await;
    assert_eq!(
        missing,
        format!(
            "{prefix}Error: 'none.yaml' could not be resolved, NotFoundError: could not read {ROOT}/api/none.yaml, 404 Not Found"
        )
    );
    let pointer = failure(&[("api/api.yaml", "a: {$ref: 'b.yaml#/x'}"), ("api/b.yaml", "y: 1")]).await;
    assert_eq!(pointer, format!("{prefix}Error: 'b.yaml#/x' points at nothing"));
    let elsewhere =
        failure(&[("api/api.yaml", "a: {$ref: 'https://github.com/o/other/tree/main/b.yaml'}")]).await;
    assert!(elsewhere.ends_with("from the same repository as the entity"), "{elsewhere}");
    assert!(failure(&[("api/api.yaml", "a: [")]).await.starts_with(&format!("{prefix}YAMLParseError: ")));
}

#[tokio::test]
async fn too_many_files_are_an_error() {
    let names: Vec<_> = (0..300).map(|index| format!("api/f{index}.yaml")).collect();
    let lines: Vec<_> = (0..300).map(|index| format!("k{index}: {{$ref: f{index}.yaml}}")).collect();
    let api = lines.join("\n");
    let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    files.push(("api/api.yaml", &api));
    assert!(failure(&files).await.ends_with("more than 200 files"));
}

/// A file in which each of `length` values refers to the next one, in the way that `link` says.
fn chain(length: usize, link: impl Fn(String) -> String) -> String {
    let links = (0..length).map(|index| format!("r{index}: {}\n", link(format!("'#/r{}'", index + 1))));
    links.collect::<String>() + &format!("r{length}: 1\n")
}

#[tokio::test]
async fn a_long_chain_of_references_is_an_error() {
    let links: [fn(String) -> String; 3] = [
        |next| format!("{{$ref: {next}}}"),
        |next| format!("{{x: {{y: [{{$ref: {next}}}]}}}}"),
        |next| format!("{{x: 1, $ref: {next}}}"),
    ];
    for link in links {
        let chain = chain(50_000, link);
        let files = [("api/api.yaml", "a: {$ref: 'b.yaml#/r0'}"), ("api/b.yaml", chain.as_str())];
        let error = failure(&files).await;
        assert!(error.ends_with("more than 256 values and references inside each other"), "{error}");
    }
}

#[tokio::test]
async fn a_short_chain_of_references_is_followed_to_its_end() {
    let chain = chain(200, |next| format!("{{$ref: {next}}}"));
    let files = [("api/api.yaml", "a: {$ref: 'b.yaml#/r0'}"), ("api/b.yaml", chain.as_str())];
    assert_eq!(bundled(&files).await, json!({"a": 1}));
}

#[tokio::test]
async fn a_text_that_is_put_in_many_times_counts_each_time() {
    let uses: Vec<_> = (0..40).map(|index| format!("t{index}: {{$ref: t.md, n: {index}}}")).collect();
    let (api, text) = (uses.join("\n"), "x".repeat(1024 * 1024));
    let files = [("api/api.yaml", api.as_str()), ("api/t.md", text.as_str())];
    assert!(failure(&files).await.ends_with("more than 33554432 bytes in the result"));
}

#[tokio::test]
async fn what_aliases_stand_for_counts_in_all_files_together() {
    let bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
                e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    let names: Vec<_> = (0..10).map(|index| format!("api/b{index}.yaml")).collect();
    let uses: Vec<_> = (0..10).map(|index| format!("k{index}: {{$ref: 'b{index}.yaml#/none'}}")).collect();
    let api = uses.join("\n");
    let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), bomb)).collect();
    files.push(("api/api.yaml", &api));
    assert!(failure(&files).await.ends_with("more than 1000000 values"));
}

#[tokio::test]
async fn a_reference_with_more_steps_than_any_document_points_at_nothing() {
    let api = format!("a: {{$ref: b.yaml}}\nc: {{$ref: 'b.yaml#{}'}}", "/a".repeat(500_000));
    let files = [("api/api.yaml", api.as_str()), ("api/b.yaml", "a: {a: {a: 1}}")];
    assert!(failure(&files).await.ends_with("points at nothing"));
}

#[tokio::test]
async fn a_property_that_is_named_ref_is_no_reference() {
    let api = "a: {$ref: b.yaml}\nc: {$ref: 'b.yaml#/$ref/type'}\n";
    let expected = json!({"a": {"$ref": {"type": {"x": 1}}}, "c": {"$ref": "#/a/$ref/type"}});
    assert_eq!(bundled(&[("api/api.yaml", api), ("api/b.yaml", "$ref: {type: {x: 1}}")]).await, expected);
}
