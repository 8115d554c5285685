use serde_json::json;

use super::*;

const LEARN_MORE: &str = "To learn more about catalog file format, visit: https://github.com/backstage/backstage/blob/master/docs/architecture-decisions/adr002-default-catalog-file-format.md";

fn entity(metadata: Value) -> Entity {
    let mut entity = Entity::from_value(json!({"apiVersion": "a/v1", "kind": "K"})).unwrap();
    entity.as_map_mut().insert("metadata".to_owned(), metadata);
    entity
}

/// Both ways of enforcement must agree.
fn enforce(entity: Entity) -> Result<Entity, ModelError> {
    let boxed = enforce_all(&default_policies(Validators::default()), entity.clone());
    let direct = enforce_default(entity);
    assert_eq!(boxed, direct);
    direct
}

fn refused(entity: Entity) -> ModelError {
    let error = enforce(entity).unwrap_err();
    assert_eq!(error.name(), "Error");
    error
}

#[test]
fn sound_entities_only_gain_a_namespace() {
    let sound = json!({
        "name": "n", "labels": {"a.b/c": "", "d": "e"}, "annotations": {"x/y": "any / thing"}, "tags": ["c++"],
        "links": [{"url": "https://a", "title": "t", "icon": "i"}], "uid": "u", "etag": "e",
    });
    let enforced = enforce(entity(sound.clone())).unwrap();
    assert_eq!(enforced.namespace(), Some("default"));
    let mut metadata = enforced.metadata().cloned().unwrap();
    metadata.remove("namespace");
    assert_eq!(Value::Object(metadata), sound);
    assert_eq!(enforce(entity(json!({"name": "n", "namespace": "x"}))).unwrap().namespace(), Some("x"));
}

#[test]
fn the_schema_comes_first() {
    let error = refused(entity(json!({"name": "bad name", "tags": 1})));
    assert_eq!(error.message, "Malformed envelope, /metadata/tags must be array");
    assert_eq!((error.pointer.as_deref(), error.rule), (Some("/metadata/tags"), "schema-valid"));
    let mut foreign = entity(json!({"name": "n"}));
    foreign.as_map_mut().insert("foo".to_owned(), json!(1));
    assert_eq!(refused(foreign).message, "Malformed envelope, <root> must NOT have additional properties");
}

#[test]
fn root_fields_of_the_catalog_are_refused() {
    for (key, value) in [("relations", json!([])), ("status", json!({}))] {
        let mut foreign = entity(json!({"name": "bad name"}));
        foreign.as_map_mut().insert(key.to_owned(), value);
        let error = refused(foreign);
        assert_eq!(error.message, format!("Unknown field {key}"));
        assert_eq!(error.pointer, Some(format!("/{key}")));
    }
}

/// Takes rows of metadata, the name of its malformed field, what it should be, what it is, and where.
fn assert_malformed<const N: usize>(rows: [(Value, &str, &str, &str, &str); N]) {
    for (metadata, field, expectation, found, pointer) in rows {
        let error = refused(entity(metadata));
        let message =
            format!("\"{field}\" is not valid; expected {expectation} but found \"{found}\". {LEARN_MORE}");
        assert_eq!((error.message, error.pointer.as_deref()), (message, Some(pointer)));
    }
}

#[test]
fn malformed_names_labels_and_annotations_are_named() {
    let name =
        "a string that is sequences of [a-zA-Z0-9] separated by any of [-_.], at most 63 characters in total";
    let lower = "a string that is sequences of [a-z0-9] separated by [-], at most 63 characters in total";
    let rows = [
        (json!({"name": "a b"}), "metadata.name", name, "a b", "/metadata/name"),
        (json!({"name": "n", "namespace": "A"}), "metadata.namespace", lower, "A", "/metadata/namespace"),
        (
            json!({"name": "n", "labels": {"a b": "-"}}),
            "labels.a b",
            "a valid prefix and/or suffix",
            "a b",
            "/metadata/labels/a b",
        ),
        (json!({"name": "n", "labels": {"a": " x"}}), "labels.a", name, " x", "/metadata/labels/a"),
        (
            json!({"name": "n", "annotations": {"a/": "x"}}),
            "annotations.a/",
            "a valid prefix and/or suffix",
            "a/",
            "/metadata/annotations/a~1",
        ),
        (
            json!({"name": "n", "annotations": {"": "x"}}),
            "annotations.",
            "a valid prefix and/or suffix",
            "",
            "/metadata/annotations/",
        ),
    ];
    assert_malformed(rows);
}

#[test]
fn malformed_tags_and_links_are_named() {
    let tag = "a string that is sequences of [a-z0-9+#] separated by [-], at most 63 characters in total";
    let rows = [
        (json!({"name": "n", "tags": ["a", "node.js"]}), "tags.1", tag, "node.js", "/metadata/tags/1"),
        (
            json!({"name": "n", "links": [{"url": "abc"}]}),
            "links.0.url",
            "a string that is a valid url",
            "abc",
            "/metadata/links/0/url",
        ),
        (
            json!({"name": "n", "links": [{"url": "a:b", "title": " "}]}),
            "links.0.title",
            "a non empty string",
            " ",
            "/metadata/links/0/title",
        ),
        (
            json!({"name": "n", "links": [{"url": "a:b", "icon": " "}]}),
            "links.0.icon",
            "a non empty string",
            " ",
            "/metadata/links/0/icon",
        ),
    ];
    assert_malformed(rows);
}

#[test]
fn malformed_root_texts_are_named() {
    let of = |api_version: &str, kind: &str| {
        let value = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "n"}});
        refused(Entity::from_value(value).unwrap()).message
    };
    assert_eq!(
        of("1.0", "9"),
        format!(
            "\"apiVersion\" is not valid; expected a valid prefix and/or suffix but found \"1.0\". {LEARN_MORE}"
        )
    );
    assert_eq!(
        of("v1", "9A"),
        format!(
            "\"kind\" is not valid; expected a string that is a sequence of [a-zA-Z][a-z0-9A-Z], at most 63 characters in total but found \"9A\". {LEARN_MORE}"
        )
    );
}

#[test]
fn absent_and_odd_values_have_their_own_texts() {
    let check = |metadata| FieldFormat::default().check(&entity(metadata)).unwrap_err().message;
    assert_eq!(check(json!({})), "metadata.name must have a value");
    assert_eq!(check(json!({"name": "n", "namespace": null})), "metadata.namespace must have a value");
    assert_eq!(
        check(json!({"name": "n", "links": [{"url": "a:b", "title": null}]})),
        "links.0.title must have a value"
    );
    assert_eq!(check(json!({"name": "n", "annotations": {"a": null}})), "annotations.a must have a value");
    assert_eq!(
        check(json!({"name": "n", "annotations": {"a": 1}})),
        format!("\"annotations.a\" is not valid; expected a string but found \"1\". {LEARN_MORE}")
    );
}

#[test]
fn validators_can_be_replaced() {
    let validators =
        Validators { tag: |tag| tag == "UP", fingerprint: "tags 1".to_owned(), ..Default::default() };
    let policies = default_policies(validators);
    assert!(enforce_all(&policies, entity(json!({"name": "n", "tags": ["UP"]}))).is_ok());
    assert!(enforce_all(&policies, entity(json!({"name": "n", "tags": ["up"]}))).is_err());
    assert!(enforce_all(&policies, entity(json!({"name": "a b"}))).is_err());
}

#[test]
fn fingerprints_follow_what_a_policy_was_given() {
    let field_format = |fingerprint: &str| {
        FieldFormat::new(Validators { fingerprint: fingerprint.to_owned(), ..Default::default() })
    };
    assert_ne!(field_format("tags 1").fingerprint(), field_format("tags 2").fingerprint());
    let parent = |parent| GroupDefaultParent::new(parent).unwrap().fingerprint();
    assert_ne!(parent("root"), parent("top"));
    assert_eq!(parent("root"), parent("Group:default/ROOT"));
}

#[derive(Debug)]
struct Forgetful;

impl EntityPolicy for Forgetful {
    fn name(&self) -> &'static str {
        "Forgetful"
    }

    fn enforce(&self, _entity: Entity) -> Result<Option<Entity>, ModelError> {
        Ok(None)
    }
}

#[test]
fn a_policy_must_return_something() {
    let policies: Vec<Box<dyn EntityPolicy>> = vec![Box::new(Forgetful)];
    let error = enforce_all(&policies, entity(json!({"name": "n"}))).unwrap_err();
    assert_eq!(error.message, "Policy Forgetful did not return a result");
}

#[test]
fn groups_get_a_parent_of_last_resort() {
    let group = |name: &str, spec: Value| {
        Entity::from_value(json!({"kind": "Group", "metadata": {"name": name}, "spec": spec})).unwrap()
    };
    let parent_of = |entity: Entity| {
        let enforced = GroupDefaultParent::new("root").unwrap().enforce(entity).unwrap().unwrap();
        enforced.spec_str("parent").map(str::to_owned)
    };
    assert_eq!(parent_of(group("a", json!({}))).as_deref(), Some("group:default/root"));
    assert_eq!(parent_of(group("a", json!({"parent": ""}))).as_deref(), Some("group:default/root"));
    assert_eq!(parent_of(group("a", json!({"parent": "b"}))).as_deref(), Some("b"));
    assert_eq!(parent_of(group("Root", json!({}))), None);
    let user = Entity::from_value(json!({"kind": "User", "metadata": {"name": "a"}, "spec": {}})).unwrap();
    assert_eq!(parent_of(user), None);
    assert!(GroupDefaultParent::new("GROUP:x/y").is_ok());
    let error = GroupDefaultParent::new("user:root").unwrap_err();
    assert_eq!((error.name(), error.message.as_str()), ("TypeError", "group parent must be a group"));
}
