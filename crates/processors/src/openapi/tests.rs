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
    parse(entity.spec_str("definition").unwrap()).unwrap()
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
    let api = lines.join(
        "
",
    );
    let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    files.push(("api/api.yaml", &api));
    assert!(failure(&files).await.ends_with("more than 200 files"));
}
