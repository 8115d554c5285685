use std::fs;

use callboard_sdk::ReadError;
use callboard_sdk::model::annotations::{MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION};
use callboard_sdk::testkit::{FakeReader, Run, TestKit, entity_conformance};
use serde_json::json;

use super::*;
use crate::test_scm::scm;

const BASE: &str = "https://github.com/o/r/tree/main/a/b/catalog-info.yaml";

/// Answers with what it was given.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl PlaceholderResolver for Echo {
    async fn resolve(&self, params: PlaceholderParams<'_, '_>) -> Result<Value, ProcessorError> {
        Ok(json!({ "echo": params.value, "base": params.base_url }))
    }
}

fn processor(reader: &FakeReader, local: &LocalFiles) -> PlaceholderProcessor {
    let mut resolvers = PlaceholderResolvers::builtin(local);
    resolvers.add("echo", Arc::new(Echo)).unwrap();
    PlaceholderProcessor::new(Arc::new(reader.clone()), scm(), resolvers.into_map())
}

fn entity(location: &str, origin: &str, spec: Value) -> Entity {
    let mut value = json!({"apiVersion": "a/1", "kind": "API", "metadata": {"name": "n"}});
    value["spec"] = spec;
    let mut entity = Entity::from_value(value).unwrap();
    entity.set_annotation(MANAGED_BY_LOCATION, location);
    entity.set_annotation(MANAGED_BY_ORIGIN_LOCATION, origin);
    entity
}

async fn run(reader: &FakeReader, base: &str, spec: Value) -> Run<Entity> {
    let location = format!("url:{base}");
    let processor = processor(reader, &LocalFiles::default());
    TestKit::new(processor).pre_process(entity(&location, &location, spec)).await
}

async fn resolved(reader: &FakeReader, value: Value) -> Result<Value, String> {
    let result = run(reader, BASE, json!({"v": value})).await.result;
    result.map(|entity| entity.spec().unwrap()["v"].clone()).map_err(|error| error.message)
}

#[tokio::test]
async fn placeholders_are_replaced_wherever_they_stand() {
    let reader = FakeReader::default();
    let echo = |value: Value| json!({"echo": value, "base": BASE});
    let cases = [
        (json!({"a": [1, {"b/~": {"$echo": {"x": 1}}}]}), json!({"a": [1, {"b/~": echo(json!({"x": 1}))}]})),
        (json!([{"$echo": 1}, {"$echo": 2}]), json!([echo(json!(1)), echo(json!(2))])),
        (json!({"$echo": {"$echo": 1}}), echo(json!({"$echo": 1}))),
    ];
    for (value, expected) in cases {
        assert_eq!(resolved(&reader, value).await, Ok(expected));
    }
}

#[tokio::test]
async fn foreign_dollar_keys_are_left_alone_with_all_below() {
    let reader = FakeReader::default();
    for value in [
        json!({"$echo": 1, "$foo": 2}),
        json!({"$echo": 1, "other": 2}),
        json!({"$unknown": 1}),
        json!({"$unknown": {"x": {"$echo": 1}}}),
        json!({"$ref": "#/a", "x": {"$echo": 1}}),
        json!({"echo": 1, "x": "$echo"}),
    ] {
        assert_eq!(resolved(&reader, value.clone()).await, Ok(value.clone()));
        let entity = entity("url:a", "url:a", value.clone());
        assert!(processor(&reader, &LocalFiles::default()).is_pure(&entity), "{value}");
    }
    assert!(!processor(&reader, &LocalFiles::default()).is_pure(&entity(
        "url:a",
        "url:a",
        json!({"$echo": 1})
    )));
}

#[tokio::test]
async fn a_dollar_key_at_the_root_shields_the_whole_entity() {
    let value = json!({"$schema": "x", "kind": "API", "spec": {"a": {"$echo": 1}}});
    let entity = Entity::from_value(value).unwrap();
    let run = TestKit::new(processor(&FakeReader::default(), &LocalFiles::default()))
        .pre_process(entity.clone())
        .await;
    assert_eq!(run.result, Ok(entity));
}

#[tokio::test]
async fn urls_are_resolved_against_the_entity_s_file() {
    let reader = FakeReader::default();
    reader.put("https://github.com/o/r/tree/main/a/file.txt", "relative", None);
    reader.put("https://github.com/o/r/tree/main/file.txt", "absolute", None);
    reader.put("https://files.example.com/x", "elsewhere", None);
    for (value, expected) in [
        ("../file.txt", "relative"),
        ("/file.txt", "absolute"),
        ("https://github.com/o/r/blob/main/file.txt", "absolute"),
        ("https://files.example.com/x", "elsewhere"),
    ] {
        assert_eq!(resolved(&reader, json!({"$text": value})).await, Ok(json!(expected)), "{value}");
    }
    let run = run(&reader, BASE, json!({"v": {"$text": "../file.txt"}})).await;
    assert_eq!(run.refresh_keys(), ["url:https://github.com/o/r/tree/main/a/file.txt"]);
}

#[tokio::test]
async fn contents_are_parsed_as_the_key_says() {
    let reader = FakeReader::default();
    let cases = [
        ("$text", "a: 1", Ok(json!("a: 1"))),
        (
            "$json",
            r#"{"a": [1.0, 1e3, 9007199254740993, -0.5]}"#,
            Ok(json!({"a": [1, 1000, 9_007_199_254_740_992_i64, -0.5]})),
        ),
        ("$yaml", "a: 1\n", Ok(json!({"a": 1}))),
        ("$yaml", r#"{"a": 1}"#, Ok(json!({"a": 1}))),
        (
            "$yaml",
            "a: 1\n---\nb: 2\n",
            Err("expected to find exactly one document of data at ./file, found 2"),
        ),
        ("$yaml", "", Err("expected to find exactly one document of data at ./file, found 0")),
        ("$yaml", "a: [", Err("found an error in the data at ./file, YAMLParseError: ")),
        ("$json", "}", Err("failed to parse JSON data at ./file, SyntaxError: ")),
    ];
    for (key, text, expected) in cases {
        reader.put("https://github.com/o/r/tree/main/a/b/file", text, None);
        match (resolved(&reader, json!({key: "./file"})).await, expected) {
            (Err(error), Err(expected)) => {
                assert!(error.starts_with(&format!("Placeholder {key} {expected}")), "{error}");
            }
            (value, expected) => assert_eq!(value, expected.map_err(str::to_owned), "{key} {text}"),
        }
    }
}

#[tokio::test]
async fn failures_say_what_is_wrong() {
    let reader = FakeReader::default();
    reader.fail("https://github.com/o/r/tree/main/a/b/down", ReadError::failed("503"));
    let cases = [
        (
            json!(["x"]),
            "expected a string value parameter, in the form of an absolute URL or a relative path".to_owned(),
        ),
        (
            json!("./none"),
            "could not read location ./none, NotFoundError: could not read https://github.com/o/r/tree/main/a/b/none, \
             404 Not Found"
                .to_owned(),
        ),
        (json!("./down"), "could not read location ./down, Error: 503".to_owned()),
        (
            json!("https://github.com/o/other/blob/main/x"),
            format!(
                "could not form a URL out of {BASE} and https://github.com/o/other/blob/main/x, Error: Placeholder may \
                 only reference files from the same repository as the entity"
            ),
        ),
    ];
    for (value, expected) in cases {
        let error = resolved(&reader, json!({"$text": value})).await.unwrap_err();
        assert_eq!(error, format!("Placeholder $text {expected}"));
    }
    let failed = run(&reader, BASE, json!({"a": [{"$text": "./none"}]})).await.result.unwrap_err();
    assert_eq!(failed.address.pointer.as_deref(), Some("/spec/a/0"));
}

#[tokio::test]
async fn relative_values_in_relative_files_fail() {
    let run =
        run(&FakeReader::default(), "./a/b/catalog-info.yaml", json!({"$text": "../c/catalog-info.yaml"}))
            .await;
    let message = run.result.unwrap_err().message;
    let expected = "Placeholder $text could not form a URL out of ./a/b/catalog-info.yaml and ../c/catalog-info.yaml, \
                    TypeError: ";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn a_key_can_be_added_once_and_may_replace_a_builtin_one() {
    let mut resolvers = PlaceholderResolvers::builtin(&LocalFiles::default());
    resolvers.add("text", Arc::new(Echo)).unwrap();
    let error = resolvers.add("text", Arc::new(Echo)).unwrap_err().to_string();
    assert_eq!(error, "A placeholder resolver for 'text' has already been set up, please check your config.");
    assert_eq!(resolvers.into_map().into_keys().collect::<Vec<_>>(), ["json", "text", "yaml"]);
}

/// `catalog/all.yaml` is the configured location, `catalog/apis/a.yaml` the file in hand.
async fn local(reference: &str, is_configured: bool) -> Run<Entity> {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("catalog/apis")).unwrap();
    fs::write(root.join("catalog/apis/x.yaml"), "near").unwrap();
    fs::write(root.join("catalog/y.yaml"), "above").unwrap();
    fs::write(root.join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(root.join("secret"), root.join("catalog/apis/link")).unwrap();
    let root = root.to_str().unwrap();
    let origin = format!("{root}/catalog/all.yaml");
    let files = LocalFiles::new(is_configured.then(|| origin.clone()));
    let entity = entity(
        &format!("file:{root}/catalog/apis/a.yaml"),
        &format!("file:{origin}"),
        json!({"$text": reference.replace("ROOT", root)}),
    );
    let mut run = TestKit::new(processor(&FakeReader::default(), &files)).pre_process(entity).await;
    for item in &mut run.emitted {
        if let callboard_sdk::Emit::Refresh { key } = item {
            *key = key.replace(root, "ROOT");
        }
    }
    run.result = run.result.map_err(|error| ProcessorError::general(error.message.replace(root, "ROOT")));
    run
}

#[tokio::test]
async fn entities_of_configured_file_locations_read_files_beside_them() {
    for (reference, text, key) in [
        ("./x.yaml", "near", "file:ROOT/catalog/apis/x.yaml"),
        ("../y.yaml", "above", "file:ROOT/catalog/y.yaml"),
    ] {
        let run = local(reference, true).await;
        assert_eq!(run.refresh_keys(), [key]);
        assert_eq!(run.result.unwrap().as_map()["spec"], json!(text));
    }
}

#[tokio::test]
async fn no_way_leads_out_of_the_directory_of_a_configured_location() {
    let refused = "could not form a URL out of ROOT/catalog/apis/a.yaml and";
    let cases = [
        ("../../secret", true, format!("{refused} ../../secret, TypeError: ")),
        ("ROOT/secret", true, format!("{refused} ROOT/secret, TypeError: ")),
        ("x.yaml", true, format!("{refused} x.yaml, TypeError: ")),
        ("./x.yaml", false, format!("{refused} ./x.yaml, TypeError: ")),
        (
            "./link",
            true,
            "could not read location ./link, NotAllowedError: a link leads out of the directory 'ROOT/catalog'".to_owned(),
        ),
        ("./none", true, "could not read location ./none, NotFoundError: ENOENT: no such file or directory".to_owned()),
        ("file:///etc/passwd", true, "could not read location file:///etc/passwd, NotFoundError: ".to_owned()),
    ];
    for (reference, is_configured, expected) in cases {
        let error = local(reference, is_configured).await.result.unwrap_err().message;
        assert!(error.starts_with(&format!("Placeholder $text {expected}")), "{reference}: {error}");
    }
}

#[tokio::test]
async fn the_contract_is_kept() {
    let processor = processor(&FakeReader::default(), &LocalFiles::default());
    entity_conformance(processor, &entity("url:a", "url:a", json!({"$echo": 1}))).await.unwrap();
}
