use crate::options::ServerOptions;
use crate::testing::Fixture;

use super::*;

const LIST: &str = "/api/catalog/.backstage/actions/v1/actions";

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

#[tokio::test]
async fn schemas_are_closed_and_whole() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let body = fixture.get(LIST).await.json();
    for action in body["actions"].as_array().unwrap() {
        for schema in [&action["schema"]["input"], &action["schema"]["output"]] {
            assert_eq!((&schema["$schema"], &schema["type"]), (&json!(DRAFT), &json!("object")), "{action}");
            let text = schema.to_string();
            assert!(!text.contains("$ref") && !text.contains("\"null\""), "{text}");
        }
        assert_eq!(action["schema"]["input"]["additionalProperties"], false, "{action}");
    }
}

/// The schemas of an action, without what they say to people.
async fn schemas_of(action: &str) -> (Value, Value) {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let body = fixture.get(LIST).await.json();
    let mut actions = body["actions"].as_array().unwrap().iter();
    let mut schemas = actions.find(|listed| listed["name"] == action).unwrap()["schema"].clone();
    without_descriptions(&mut schemas);
    (schemas["input"].take(), schemas["output"].take())
}

fn object(properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({ "type": "object", "additionalProperties": false });
    schema["properties"] = properties;
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn root(mut schema: Value) -> Value {
    schema["$schema"] = DRAFT.into();
    schema
}

#[tokio::test]
async fn schemas_say_what_is_read_and_written() {
    let text = json!({ "type": "string" });
    let nothing = root(object(json!({}), &[]));
    let description = root(object(json!({ "description": text }), &["description"]));
    assert_eq!(schemas_of("get-catalog-model-description").await, (nothing.clone(), description));

    let name = root(object(json!({ "name": text, "kind": text, "namespace": text }), &["name"]));
    let any = root(json!({ "type": "object", "additionalProperties": true, "properties": {} }));
    assert_eq!(schemas_of("get-catalog-entity").await, (name.clone(), any));
    let entity_ref = root(object(json!({ "entityRef": text }), &["entityRef"]));
    assert_eq!(schemas_of("refresh-catalog-entity").await, (name, entity_ref));

    let url = root(object(json!({ "locationUrl": text }), &["locationUrl"]));
    let id = root(object(json!({ "locationId": text }), &["locationId"]));
    assert_eq!(schemas_of("register-entity").await, (url, id));
    let by = |name: &str| object(json!({ name: text }), &[name]);
    let one_of = json!({ "oneOf": [by("locationId"), by("locationUrl")] });
    let which = root(object(json!({ "type": one_of }), &["type"]));
    assert_eq!(schemas_of("unregister-entity").await, (which, nothing));
}

#[tokio::test]
async fn the_schemas_of_a_query_say_what_is_read_and_written() {
    let (text, integer) = (json!({ "type": "string" }), json!({ "type": "integer", "minimum": 0 }));
    let texts = json!({ "type": "array", "items": text });
    let count = json!({ "anyOf": [integer, { "type": "string", "pattern": "^[0-9]+$" }] });
    let direction = json!({ "type": "string", "enum": ["asc", "desc"] });
    let order = object(json!({ "field": text, "order": direction }), &["field", "order"]);
    let any = json!({ "type": "object", "additionalProperties": true });
    let input = json!({
        "query": any,
        "fields": texts,
        "limit": count,
        "offset": count,
        "orderFields": { "anyOf": [order, { "type": "array", "items": order }] },
        "fullTextFilter": object(json!({ "term": text, "fields": texts }), &["term"]),
        "cursor": text,
    });
    let output = json!({
        "items": { "type": "array", "items": any },
        "totalItems": integer,
        "hasMoreEntities": { "type": "boolean" },
        "nextPageCursor": text,
    });
    let output = root(object(output, &["items", "totalItems", "hasMoreEntities"]));
    assert_eq!(schemas_of("query-catalog-entities").await, (root(object(input, &[])), output));
}

fn without_descriptions(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|key, value| key != "description" || !value.is_string());
            members.values_mut().for_each(without_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(without_descriptions),
        _ => {}
    }
}
