use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use http::Method;

use super::*;
use crate::catalog;
use crate::options::ServerOptions;
use crate::testing::Fixture;

/// Rewrites what is compared with.
const UPDATE: &str = "UPDATE_SNAPSHOTS";

#[test]
fn the_document_is_the_one_that_is_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let text = format!("{:#}\n", document());
    if env::var_os(UPDATE).is_some() {
        fs::write(&path, &text).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    let line = text.lines().zip(known.lines()).position(|(new, known)| new != known);
    assert!(
        text == known,
        "the API changed, first in line {} of docs/openapi.json. If that is wanted, run the tests with {UPDATE}=1, and \
         look at what changed",
        line.map_or(known.lines().count(), |line| line) + 1,
    );
}

#[tokio::test]
async fn what_is_documented_is_served() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    for operation in operations::all() {
        let method: Method = operation.method.to_uppercase().parse().unwrap();
        let path = format!("{MOUNT}{}", operation.path.replace(['{', '}'], ""));
        let answer = fixture.send(method, &path, "").await;
        let is_unknown = answer.status == StatusCode::NOT_FOUND && answer.body.is_empty();
        assert!(!is_unknown, "{} {path}", operation.method);
    }
}

#[test]
fn what_is_served_is_documented() {
    let documented: BTreeSet<(&str, String)> =
        operations::all().map(|operation| (operation.path, operation.method.to_uppercase())).collect();
    let mut served = BTreeSet::new();
    for (path, allow, _) in catalog::endpoints() {
        let methods: Vec<&str> = allow.split(',').collect();
        assert_eq!(methods.contains(&"HEAD"), methods.contains(&"GET"), "{path}");
        let methods = methods.into_iter().filter(|method| *method != "HEAD");
        served.extend(methods.map(|method| (path, method.to_owned())));
    }
    assert_eq!(served, documented);
}

#[tokio::test]
async fn the_document_is_served() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let answer = fixture.get("/api/catalog/openapi.json").await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, document()));
    assert!(answer.headers.contains_key("etag"));
    let (status, message) = fixture.get("/api/catalog/openapi.json?x=1").await.error();
    assert_eq!((status, &*message), (400, "Unknown query parameter 'x'"));
}

#[test]
fn references_lead_somewhere() {
    let document = document();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn nothing_that_may_be_absent_may_be_null() {
    let text = document()["components"]["schemas"].to_string();
    // The one exception is an entity that there is none of.
    assert_eq!(text.matches("\"null\"").count(), 1, "{text}");
}

#[test]
fn operations_have_names_of_their_own() {
    let names: BTreeSet<&str> = operations::all().map(|operation| operation.id).collect();
    assert_eq!(names.len(), operations::all().count());
}

fn collect_references<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                references.push(reference);
            }
            members.values().for_each(|value| collect_references(value, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, references)),
        _ => {}
    }
}
