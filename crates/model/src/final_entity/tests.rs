use proptest::prelude::*;

use super::*;
use crate::serialized_error::caused_by;

const UID: &str = "7b1c";

fn body(value: Value) -> Body {
    Body::from_processed(Entity::from_value(value).unwrap())
}

fn errors(count: usize) -> Vec<SerializedError> {
    let error = caused_by("InputError", "outer", SerializedError::new("TypeError", "in\"ner"));
    vec![error; count]
}

fn finish(
    body: &Body,
    relations: &[(&str, &str)],
    errors: &[SerializedError],
    is_orphan: bool,
) -> FinalEntity {
    FinalParts { body: body.as_body_ref(), uid: UID, relations, errors, is_orphan }.finish()
}

/// The same on values instead of text.
fn expected(
    mut entity: Value,
    etag: &str,
    relations: &[(&str, &str)],
    errors: &[SerializedError],
    orphan: bool,
) -> Value {
    if !entity["metadata"].is_object() {
        entity["metadata"] = json!({});
    }
    let root = entity.as_object_mut().unwrap();
    let own_status = root.remove("status").filter(Value::is_object);
    let metadata = root["metadata"].as_object_mut().unwrap();
    if metadata.get("annotations").is_some_and(|annotations| !annotations.is_object()) {
        metadata.remove("annotations");
    }
    if orphan {
        metadata.entry("annotations").or_insert(json!({}))["backstage.io/orphan"] = json!("true");
    }
    metadata.insert("uid".to_owned(), json!(UID));
    if metadata.get("etag").and_then(Value::as_str).is_none_or(str::is_empty) {
        metadata.insert("etag".to_owned(), json!(etag));
    }
    let relations: Vec<Value> = relations.iter().map(|(t, r)| json!({"type": t, "targetRef": r})).collect();
    root.insert("relations".to_owned(), Value::Array(relations));
    let items = errors.iter().map(|error| {
        json!({
            "type": "backstage.io/catalog-processing", "level": "error",
            "message": format!("{}: {}", error.name, error.message), "error": error,
        })
    });
    if !errors.is_empty() {
        let mut status = own_status.unwrap_or(json!({}));
        let mut all = status["items"].as_array().cloned().unwrap_or_default();
        all.extend(items);
        status["items"] = Value::Array(all);
        root.insert("status".to_owned(), status);
    } else if let Some(status) = own_status {
        root.insert("status".to_owned(), status);
    }
    entity
}

fn corner_cases() -> Vec<Value> {
    vec![
        json!({"apiVersion": "v", "kind": "K", "metadata": {"name": "n", "annotations": {"a": "b"}}, "spec": {"x": 1}}),
        json!({"metadata": {"annotations": {}, "name": "n"}}),
        json!({"metadata": {"name": "n"}}),
        json!({"metadata": {}}),
        json!({}),
        json!({"metadata": null, "x": 1}),
        json!({"metadata": {"annotations": null}}),
        json!({"metadata": {"annotations": [1], "name": "ü😀\"\\\n\u{2028}", "title": "}}"}}),
        json!({"spec": {"metadata": {"annotations": {"q": "}"}}}, "metadata": {"a": {"annotations": {}}, "annotations": {"ß": "}"}}}),
        json!({"metadata": {"name": "n", "uid": "old", "etag": "own"}, "relations": [{"type": "x"}]}),
        json!({"metadata": {"etag": "", "annotations": {"a": "b"}, "z": 1}}),
        json!({"metadata": {"etag": 5}}),
        json!({"metadata": {"annotations": {"backstage.io/orphan": "false", "z": "1"}}}),
        json!({"metadata": {"name": "n"}, "status": {"items": [{"type": "t"}], "other": true}, "spec": {}}),
        json!({"metadata": {"name": "n"}, "status": {"other": true}}),
        json!({"metadata": {"name": "n"}, "status": "odd"}),
    ]
}

fn assert_assembles(value: &Value, relations: &[(&str, &str)], error_count: usize, is_orphan: bool) {
    let (body, errors) = (body(value.clone()), errors(error_count));
    let entity = finish(&body, relations, &errors, is_orphan);
    let parsed: Value = serde_json::from_str(&entity.json).unwrap();
    assert_eq!(
        parsed,
        expected(value.clone(), &entity.etag, relations, &errors, is_orphan),
        "{}",
        entity.json
    );
}

#[test]
fn assembling_text_equals_assembling_values() {
    let relations = [("dependsOn", "component:default/ü\"x"), ("ownedBy", "group:default/g")];
    for value in corner_cases() {
        for relations in [&relations[..], &[]] {
            for error_count in [0, 2] {
                for is_orphan in [false, true] {
                    assert_assembles(&value, relations, error_count, is_orphan);
                }
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object_of(inner).prop_map(Value::from),
        ]
    })
}

fn object_of(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let key = prop_oneof![
        3 => Just("annotations".to_owned()),
        2 => Just("metadata".to_owned()),
        1 => Just("etag".to_owned()),
        1 => Just("status".to_owned()),
        1 => Just("backstage.io/orphan".to_owned()),
        2 => any::<String>(),
    ];
    prop::collection::vec((key, values), 0..5).prop_map(|pairs| pairs.into_iter().collect())
}

proptest! {
    #[test]
    fn any_entity_assembles_like_values_do(
        mut root in object_of(any_json()),
        metadata in object_of(any_json()),
        error_count in 0_usize..2,
        is_orphan: bool,
    ) {
        root.insert("metadata".to_owned(), Value::Object(metadata));
        assert_assembles(&Value::Object(root), &[("a", "b")], error_count, is_orphan);
    }
}

#[test]
fn the_text_grows_where_it_should() {
    let body = body(json!({"kind": "K", "metadata": {"annotations": {"a": "b"}, "name": "n"}, "spec": {}}));
    assert_eq!(
        assemble(
            body.as_body_ref(),
            "U",
            "E",
            r#"[{"type":"t","targetRef":"r"}]"#,
            Some(r#"{"items":[]}"#),
            true
        ),
        concat!(
            r#"{"kind":"K","metadata":{"annotations":{"a":"b","backstage.io/orphan":"true"},"name":"n","uid":"U","etag":"E"},"#,
            r#""spec":{},"relations":[{"type":"t","targetRef":"r"}],"status":{"items":[]}}"#
        )
    );
}

#[test]
fn script_links_are_disarmed() {
    let body = body(json!({"metadata": {"annotations": {
        "backstage.io/view-url": "java\nscript:alert(1)", "backstage.io/edit-url": " JavaScript:x", "other": "javascript:x",
    }}}));
    let parsed: Value = serde_json::from_str(&body.json).unwrap();
    let annotations = &parsed["metadata"]["annotations"];
    for key in ["backstage.io/view-url", "backstage.io/edit-url"] {
        assert_eq!(annotations[key], "https://backstage.io/annotation-rejected-for-security-reasons");
    }
    assert_eq!(annotations["other"], "javascript:x");
}

#[test]
fn an_own_etag_is_served_but_changes_are_still_noticed() {
    let body = body(json!({"metadata": {"name": "n", "etag": "own"}}));
    assert!(body.own_etag);
    let entity = finish(&body, &[], &[], false);
    assert!(entity.json.contains(r#""etag":"own""#));
    assert_ne!(entity.etag, finish(&body, &[("a", "b")], &[], false).etag);
}

#[test]
fn etags_follow_the_content() {
    let (one, two) = (body(json!({"metadata": {"name": "1"}})), body(json!({"metadata": {"name": "2"}})));
    let relations = [("a", "b")];
    let etags = [
        finish(&one, &[], &[], false),
        finish(&two, &[], &[], false),
        finish(&one, &relations, &[], false),
        finish(&one, &[], &errors(1), false),
        finish(&one, &[], &errors(2), false),
        finish(&one, &[], &[], true),
    ]
    .map(|entity| entity.etag);
    for (index, etag) in etags.iter().enumerate() {
        assert_eq!(etag.len(), 40);
        assert!(!etags[..index].contains(etag));
    }
    assert_eq!(etags[0], finish(&one, &[], &[], false).etag);
}

#[test]
fn unfit_offsets_cost_time_and_nothing_else() {
    let sound = body(json!({"metadata": {"annotations": {"a": "ü"}, "name": "n"}}));
    let assembled = |body: BodyRef<'_>| {
        serde_json::from_str::<Value>(&assemble(body, "U", "E", "[]", None, true)).unwrap()
    };
    for (metadata_end, annotations_end) in [(0, 0), (u32::MAX, 5), (5, u32::MAX), (30, 29), (10, 40)] {
        let unfit = BodyRef { metadata_end, annotations_end, ..sound.as_body_ref() };
        assert_eq!(assembled(unfit), assembled(sound.as_body_ref()));
    }
    let broken = BodyRef { json: "{no", metadata_end: 9, annotations_end: 0, own_etag: false, status: None };
    assert_eq!(assemble(broken, "U", "E", "[]", None, false), "{no");
}
