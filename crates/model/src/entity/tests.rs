use serde_json::json;

use super::*;

fn entity(value: Value) -> Entity {
    Entity::from_value(value).unwrap()
}

#[test]
fn only_objects_are_entities() {
    for (value, found) in [
        (json!(null), "object"),
        (json!([]), "object"),
        (json!("x"), "string"),
        (json!(1), "number"),
        (json!(true), "boolean"),
    ] {
        let error = Entity::from_value(value).unwrap_err();
        assert_eq!(error.message, format!("Expected object at root, got {found}"));
        assert_eq!((error.name(), error.pointer.as_deref()), ("Error", Some("")));
    }
}

#[test]
fn reads_what_is_there() {
    let entity = entity(json!({
        "apiVersion": "v1", "kind": "K", "spec": {"type": "t", "n": 1},
        "metadata": {"name": "N", "namespace": "Ns", "annotations": {"a": "b", "c": 1}},
    }));
    assert_eq!((entity.api_version(), entity.kind(), entity.name()), ("v1", "K", "N"));
    assert_eq!(entity.namespace(), Some("Ns"));
    assert_eq!(
        (entity.annotation("a"), entity.annotation("c"), entity.annotation("x")),
        (Some("b"), None, None)
    );
    assert_eq!((entity.spec_str("type"), entity.spec_str("n")), (Some("t"), None));
    assert_eq!(entity.entity_ref().to_canonical(), "k:ns/n");
}

#[test]
fn reads_odd_input_as_absent() {
    for value in [json!({}), json!({"apiVersion": 1, "kind": [], "metadata": "m", "spec": null})] {
        let entity = entity(value);
        assert_eq!((entity.api_version(), entity.kind(), entity.name()), ("", "", ""));
        assert_eq!((entity.namespace(), entity.metadata(), entity.spec()), (None, None, None));
    }
}

#[test]
fn only_a_missing_namespace_is_the_default_one() {
    let of = |namespace: Value| {
        entity(json!({"kind": "K", "metadata": {"name": "n", "namespace": namespace}}))
            .entity_ref()
            .to_canonical()
    };
    assert_eq!(of(json!(null)), "k:default/n");
    assert_eq!(of(json!("")), "k:/n");
}

#[test]
fn annotations_can_be_set_on_anything() {
    for value in [json!({}), json!({"metadata": 1}), json!({"metadata": {"annotations": "x"}})] {
        let mut entity = entity(value);
        entity.set_annotation("a", "b");
        assert_eq!(entity.to_value(), json!({"metadata": {"annotations": {"a": "b"}}}));
    }
}

#[test]
fn keeps_the_order_of_keys() {
    let text = r#"{"z":1,"a":{"y":2,"b":3}}"#;
    let entity: Entity = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&entity).unwrap(), text);
    assert!(serde_json::from_str::<Entity>("[]").is_err());
}

#[test]
fn the_envelope_is_checked_field_by_field() {
    let rows = [
        (json!({}), "<root> must have required property 'apiVersion' - missingProperty: apiVersion"),
        (json!({"apiVersion": ""}), "<root> must have required property 'kind' - missingProperty: kind"),
        (
            json!({"apiVersion": 1, "kind": "k"}),
            "<root> must have required property 'metadata' - missingProperty: metadata",
        ),
        (json!({"apiVersion": 1, "kind": "", "metadata": 1}), "/apiVersion must be string - type: string"),
        (
            json!({"apiVersion": "", "kind": "", "metadata": 1}),
            "/apiVersion must NOT have fewer than 1 characters - limit: 1",
        ),
        (json!({"apiVersion": "a", "kind": null, "metadata": 1}), "/kind must be string - type: string"),
        (json!({"apiVersion": "a", "kind": "k", "metadata": []}), "/metadata must be object - type: object"),
        (
            json!({"apiVersion": "a", "kind": "k", "metadata": {"namespace": 1}}),
            "/metadata must have required property 'name' - missingProperty: name",
        ),
        (
            json!({"apiVersion": "a", "kind": "k", "metadata": {"namespace": 1, "name": ""}}),
            "/metadata/name must NOT have fewer than 1 characters - limit: 1",
        ),
        (
            json!({"apiVersion": "a", "kind": "k", "metadata": {"namespace": "", "name": "n"}}),
            "/metadata/namespace must NOT have fewer than 1 characters - limit: 1",
        ),
    ];
    for (value, message) in rows {
        let error = entity(value).check_envelope().unwrap_err();
        assert_eq!((error.name(), error.message.as_str()), ("TypeError", message));
    }
    let odd =
        json!({"apiVersion": "a", "kind": "k", "metadata": {"name": "n", "tags": 1}, "x": 1, "spec": null});
    entity(odd).check_envelope().unwrap();
}
