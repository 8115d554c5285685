use serde_json::json;

use super::*;

/// A sound entity with one more or other root field.
fn with(key: &str, value: Value) -> Entity {
    let mut entity =
        Entity::from_value(json!({"apiVersion": "v", "kind": "K", "metadata": {"name": "n"}})).unwrap();
    entity.as_map_mut().insert(key.to_owned(), value);
    entity
}

fn with_metadata(key: &str, value: Value) -> Entity {
    let mut metadata = json!({"name": "n"});
    metadata[key] = value;
    with("metadata", metadata)
}

fn refused(entity: &Entity) -> String {
    let error = check_entity_schema(entity).unwrap_err();
    assert_eq!((error.name(), error.rule), ("TypeError", "entity-schema"));
    error.message
}

#[test]
fn lets_sound_entities_through() {
    for (key, value) in [
        ("uid", json!("u")),
        ("description", json!("")),
        ("labels", json!({})),
        ("annotations", json!({"a": "", "": 1, "b\nc": 2})),
        ("tags", json!([])),
        ("links", json!([])),
        ("links", json!([{"url": "x", "more": 1}])),
        ("other", json!(null)),
    ] {
        check_entity_schema(&with_metadata(key, value)).unwrap();
    }
    for (key, value) in [
        ("spec", json!({"any": null})),
        (
            "relations",
            json!([{"type": "a_1", "targetRef": "r", "target": {"kind": "k", "namespace": "n", "name": "n"}}]),
        ),
        (
            "status",
            json!({"more": 1, "items": [{"type": "t", "level": "info", "message": "", "error": {"name": "n", "message": "", "x": 1}}]}),
        ),
    ] {
        check_entity_schema(&with(key, value)).unwrap();
    }
}

#[test]
fn names_the_first_fault_of_the_root() {
    let rows = [
        ("apiVersion", json!(1), "/apiVersion must be string - type: string"),
        ("apiVersion", json!(""), "/apiVersion must NOT have fewer than 1 characters - limit: 1"),
        ("kind", json!(1), "/kind must be string - type: string"),
        ("kind", json!(""), "/kind must NOT have fewer than 1 characters - limit: 1"),
        ("metadata", json!(null), "/metadata must be object - type: object"),
        ("metadata", json!([]), "/metadata must be object - type: object"),
        ("spec", json!(null), "/spec must be object - type: object"),
        ("spec", json!([]), "/spec must be object - type: object"),
        ("foo", json!(1), "<root> must NOT have additional properties - additionalProperty: foo"),
    ];
    for (key, value, message) in rows {
        assert_eq!(refused(&with(key, value)), message);
    }
    let empty = Entity::default();
    assert_eq!(
        refused(&empty),
        "<root> must have required property 'apiVersion' - missingProperty: apiVersion"
    );
}

#[test]
fn names_what_is_missing() {
    let rows = [
        (&["apiVersion"][..], "apiVersion"),
        (&["kind"], "kind"),
        (&["metadata"], "metadata"),
        (&["apiVersion", "kind", "metadata"], "apiVersion"),
    ];
    for (keys, missing) in rows {
        let mut entity = with("spec", json!({}));
        for key in keys {
            entity.as_map_mut().remove(*key);
        }
        let message = format!("<root> must have required property '{missing}' - missingProperty: {missing}");
        assert_eq!(refused(&entity), message);
    }
    assert_eq!(
        refused(&with("metadata", json!({"namespace": "n"}))),
        "/metadata must have required property 'name' - missingProperty: name"
    );
}

#[test]
fn names_the_first_fault_of_the_metadata() {
    let rows = [
        ("uid", json!(""), "/metadata/uid must NOT have fewer than 1 characters - limit: 1"),
        ("etag", json!(1), "/metadata/etag must be string - type: string"),
        ("etag", json!(""), "/metadata/etag must NOT have fewer than 1 characters - limit: 1"),
        ("name", json!(1), "/metadata/name must be string - type: string"),
        ("namespace", json!(null), "/metadata/namespace must be string - type: string"),
        ("title", json!(""), "/metadata/title must NOT have fewer than 1 characters - limit: 1"),
        ("description", json!(1), "/metadata/description must be string - type: string"),
        ("labels", json!([]), "/metadata/labels must be object - type: object"),
        ("labels", json!({"a": 1}), "/metadata/labels/a must be string - type: string"),
        ("annotations", json!([]), "/metadata/annotations must be object - type: object"),
        ("annotations", json!({"a~/b": true}), "/metadata/annotations/a~0~1b must be string - type: string"),
    ];
    for (key, value, message) in rows {
        assert_eq!(refused(&with_metadata(key, value)), message);
    }
    let several = with("metadata", json!({"tags": 1, "title": 1, "uid": 1, "name": "n"}));
    assert_eq!(refused(&several), "/metadata/uid must be string - type: string");
}

#[test]
fn names_the_first_fault_of_tags_and_links() {
    let rows = [
        ("tags", json!("a"), "/metadata/tags must be array - type: array"),
        ("tags", json!(["a", 1]), "/metadata/tags/1 must be string - type: string"),
        ("tags", json!([""]), "/metadata/tags/0 must NOT have fewer than 1 characters - limit: 1"),
        ("links", json!({}), "/metadata/links must be array - type: array"),
        ("links", json!(["x"]), "/metadata/links/0 must be object - type: object"),
        (
            "links",
            json!([{"title": 1}]),
            "/metadata/links/0 must have required property 'url' - missingProperty: url",
        ),
        (
            "links",
            json!([{"url": "u", "type": ""}]),
            "/metadata/links/0/type must NOT have fewer than 1 characters - limit: 1",
        ),
    ];
    for (key, value, message) in rows {
        assert_eq!(refused(&with_metadata(key, value)), message);
    }
}

#[test]
fn names_the_first_fault_of_relations_and_status() {
    let rows = [
        ("relations", json!({}), "/relations must be array - type: array"),
        (
            "relations",
            json!([{"type": "a"}]),
            "/relations/0 must have required property 'targetRef' - missingProperty: targetRef",
        ),
        (
            "relations",
            json!([{"type": "a", "targetRef": "r", "x": 1}]),
            "/relations/0 must NOT have additional properties - additionalProperty: x",
        ),
        (
            "relations",
            json!([{"type": "a b", "targetRef": "r"}]),
            "/relations/0/type must match pattern \"^\\w+$\" - pattern: ^\\w+$",
        ),
        (
            "relations",
            json!([{"type": "a", "targetRef": "r", "target": {"kind": "k"}}]),
            "/relations/0/target must have required property 'namespace' - missingProperty: namespace",
        ),
        ("status", json!([]), "/status must be object - type: object"),
        (
            "status",
            json!({"items": [{"type": "t", "level": "bad", "message": "m"}]}),
            "/status/items/0/level must be equal to one of the allowed values - allowedValues: info,warning,error",
        ),
        (
            "status",
            json!({"items": [{"type": "t", "level": 1, "message": "m"}]}),
            "/status/items/0/level must be string - type: string",
        ),
        (
            "status",
            json!({"items": [{"type": "t", "level": "info", "message": "m", "error": {"name": "n"}}]}),
            "/status/items/0/error must have required property 'message' - missingProperty: message",
        ),
    ];
    for (key, value, message) in rows {
        assert_eq!(refused(&with(key, value)), message);
    }
}

#[test]
fn points_at_the_fault() {
    let error = check_entity_schema(&with_metadata("labels", json!({"a/b": 1}))).unwrap_err();
    assert_eq!(error.pointer.as_deref(), Some("/metadata/labels/a~1b"));
    assert_eq!(check_entity_schema(&Entity::default()).unwrap_err().pointer.as_deref(), Some(""));
}
