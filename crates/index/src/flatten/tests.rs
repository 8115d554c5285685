use serde_json::{Value, json};

use super::*;

/// `key=value` for each row, `key:original` if that is spelled otherwise, with `*` after items.
fn rows(entity: &Value) -> Vec<String> {
    let rows = Rows::of_json(&entity.to_string()).unwrap();
    let mut rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let item = if row.is_item { "*" } else { "" };
            match row.value {
                None => format!("{}{item}", row.key),
                Some((lower, original)) if lower == original => format!("{}={lower}{item}", row.key),
                Some((_, original)) => format!("{}:{original}{item}", row.key),
            }
        })
        .filter(|row| row != "metadata.namespace=default")
        .collect();
    rows.sort_unstable();
    rows
}

#[test]
fn rows_follow_the_rules() {
    let cases = [
        (
            "leaves",
            json!({"kind": "Component", "spec": {"type": "x"}}),
            vec!["kind:Component", "spec.type=x"],
        ),
        (
            "C013 numbers and booleans by their text",
            json!({"spec": {"num": 5, "half": 0.5, "flag": true, "large": 1e21}}),
            vec!["spec.flag=true", "spec.half=0.5", "spec.large=1e+21", "spec.num=5"],
        ),
        ("null is a row without a value", json!({"a": null}), vec!["a"]),
        ("C008 no rows for empty and intermediate ones", json!({"a": {}, "b": [], "c": {"d": {}}}), vec![]),
        (
            "C014 only texts in arrays are items",
            json!({"spec": {"arr": ["X", 2, true, null, {"d": 1}, ["y"]]}}),
            vec!["spec.arr", "spec.arr.d=1", "spec.arr:X*", "spec.arr=2", "spec.arr=true", "spec.arr=y*"],
        ),
        (
            "skipped subtrees",
            json!({
                "attachments": {"a": 1}, "status": {"items": [1]}, "relations": {"a": "b"},
                "metadata": {"etag": "x"}, "Attachments": {"a": 1}
            }),
            vec!["attachments.a=1"],
        ),
        (
            "names, namespace and uid",
            json!({"metadata": {"name": "A", "namespace": "Other", "uid": "u"}}),
            vec!["metadata.name:A", "metadata.namespace:Other", "metadata.uid=u"],
        ),
        ("names that are no scalars", json!({"metadata": {"name": ["a"], "uid": {"b": "c"}}}), vec![]),
        (
            "members that look like paths",
            json!({"metadata.name": "a", "metadata.title": "b"}),
            vec!["metadata.title=b"],
        ),
        (
            "relations",
            json!({"relations": [
                {"type": "ownedBy", "targetRef": "group:default/A"},
                {"type": "ownedBy", "targetRef": "group:default/a"},
                {"type": 1, "targetRef": "x"}, "x", null
            ]}),
            vec!["relations.ownedby:group:default/A"],
        ),
        (
            "C012 keys in lower case",
            json!({"metadata": {"labels": {"Team.Name": "Core"}}}),
            vec!["metadata.labels.team.name:Core"],
        ),
        ("the first of equal values counts", json!({"a": ["Java", "java", "go"]}), vec!["a:Java*", "a=go*"]),
        (
            "a row that says the same as an item before it is dropped",
            json!({"spec": {"a": ["b"], "a.b": "TRUE"}}),
            vec!["spec.a=b*"],
        ),
        (
            "an item that says the same as a row before it gives no key",
            json!({"spec": {"a.b": "TRUE", "a": ["b"]}}),
            vec!["spec.a.b:TRUE", "spec.a=b"],
        ),
        ("a number does not hide an item", json!({"a": [2, "2"]}), vec!["a=2*"]),
    ];
    for (name, entity, expected) in cases {
        assert_eq!(rows(&entity), expected, "{name}");
    }
}

#[test]
fn an_entity_without_a_namespace_is_in_the_default_one() {
    for metadata in [json!({}), json!({"namespace": null}), json!({"namespace": ""})] {
        let rows = Rows::of_json(&json!({"metadata": metadata}).to_string()).unwrap();
        let rows: Vec<_> = rows.iter().map(|row| (row.key, row.value)).collect();
        assert_eq!(rows, [("metadata.namespace", Some(("default", "default")))]);
    }
}

#[test]
fn lengths_are_limited_in_utf_16_units() {
    let longest = "\u{1f600}".repeat(100);
    let too_long = format!("{longest}a");
    let huge = "x".repeat(1_000_000);
    assert_eq!(rows(&json!({ "a": longest })), [format!("a={longest}")]);
    assert_eq!(rows(&json!({"a": too_long, "b": huge})), ["a", "b"]);
    assert_eq!(rows(&json!({&longest: 1, &too_long: 2})), [format!("{longest}=1")]);
    // The item is short enough, its own key is not.
    let item = "i".repeat(199);
    assert_eq!(rows(&json!({"ab": [item]})), [format!("ab={item}")]);
    let item = "i".repeat(198);
    assert_eq!(rows(&json!({"a": [item]})), [format!("a={item}*")]);
}

#[test]
fn keys_that_differ_in_casing_alone_are_a_conflict() {
    let cases = [
        (json!({"spec": {"foo": 1, "Foo": 2, "bar": 1, "BAR": 2}}), "'spec.foo', 'spec.bar'"),
        (json!({"metadata": {"name": "a", "Name": "b"}}), "'metadata.name'"),
        (
            json!({"relations": [{"type": "A", "targetRef": "x"}, {"type": "a", "targetRef": "x"}]}),
            "'relations.a'",
        ),
        (json!({"a": ["Bar", {"bar": 1}]}), "'a.bar'"),
    ];
    for (entity, keys) in cases {
        let error = Rows::of_json(&entity.to_string()).unwrap_err();
        assert_eq!(error.to_string(), format!("Entity has duplicate keys that vary only in casing, {keys}"));
    }
    for fine in [json!({"a": {}, "A": 1}), json!({"a": ["Bar", "bar"]}), json!({"a": [{"bar": true}, "Bar"]})]
    {
        assert!(Rows::of_json(&fine.to_string()).is_ok(), "{fine}");
    }
}

#[test]
fn what_is_no_json_is_an_error() {
    let deep = "[".repeat(100_000);
    for json in ["", "{", "{}x", "{\"a\":}", &deep] {
        assert!(matches!(Rows::of_json(json), Err(FlattenError::Json(_))));
    }
}
