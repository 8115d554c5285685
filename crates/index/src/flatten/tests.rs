use std::collections::HashSet;

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
            "a row that says the same as an item before it is spelled as that has it",
            json!({"spec": {"a": ["b"], "a.b": "TRUE"}}),
            vec!["spec.a.b=true", "spec.a=b*"],
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
fn keys_that_differ_in_casing_alone_are_one_key() {
    let cases = [
        (json!({"spec": {"foo": 1, "Foo": 2, "FOO": 1}}), vec!["spec.foo=1", "spec.foo=2"]),
        // The spelling that stands first is kept.
        (json!({"a": {"b": "Java"}, "A": {"B": "java"}}), vec!["a.b:Java"]),
        (json!({"A": {"B": "java"}, "a": {"b": "Java"}}), vec!["a.b=java"]),
        (json!({"metadata": {"name": "a", "Name": "B"}}), vec!["metadata.name:B", "metadata.name=a"]),
        (json!({"metadata": {"uid": "u", "UID": "u"}}), vec!["metadata.uid=u"]),
        (
            json!({"relations": [{"type": "A", "targetRef": "x"}, {"type": "a", "targetRef": "x"}]}),
            vec!["relations.a=x"],
        ),
        // What is skipped is skipped in its own spelling alone.
        (
            json!({"relations": [{"type": "a", "targetRef": "x"}], "Relations": {"A": "y"}}),
            vec!["relations.a=x", "relations.a=y"],
        ),
        (json!({"a": ["Bar", {"bar": 1}]}), vec!["a.bar=1", "a:Bar*"]),
        (json!({"a": ["Bar"], "A": ["bar"]}), vec!["a:Bar*"]),
        (json!({"a": "Bar", "A": ["bar"]}), vec!["a:Bar*"]),
        (json!({"a": null, "A": null, "b": "x", "B": null}), vec!["a", "b", "b=x"]),
    ];
    for (entity, expected) in cases {
        assert_eq!(rows(&entity), expected, "{entity}");
    }
}

#[test]
fn what_is_too_long_for_a_key_takes_no_memory() {
    let members: serde_json::Map<_, _> = (0..1000).map(|n| (n.to_string(), json!(n))).collect();
    let items: Vec<String> = (0..1000).map(|n| format!("{n:0>500}")).collect();
    let entity =
        json!({"x".repeat(10_000): members, "a": {"b".repeat(10_000): items}, "c": items}).to_string();
    let rows = Rows::of_json(&entity).unwrap();
    assert_eq!(rows.iter().map(|row| row.key).collect::<HashSet<_>>(), ["c", "metadata.namespace"].into());
    assert!(rows.text.len() < entity.len(), "{} for {}", rows.text.len(), entity.len());
}

#[test]
fn a_letter_has_one_lower_case_wherever_it_stands() {
    // In Greek texts a sigma at the end of a word is another one: \u{3a3} is \u{3c3} or \u{3c2}.
    let entity = json!({"\u{391}\u{3a3}": {"x": "\u{391}\u{3a3}", "\u{3a3}": "\u{130}"}, "y": ["\u{3a3}"]});
    let expected = ["y:\u{3a3}*", "\u{3b1}\u{3c3}.x:\u{391}\u{3a3}", "\u{3b1}\u{3c3}.\u{3c3}:\u{130}"];
    assert_eq!(rows(&entity), expected);
    let rows = Rows::of_json(&entity.to_string()).unwrap();
    let values: Vec<&str> = rows.iter().filter_map(|row| Some(row.value?.0)).collect();
    assert!(values.contains(&"\u{3b1}\u{3c3}") && values.contains(&"i\u{307}"), "{values:?}");
}

#[test]
fn numbers_are_read_exactly() {
    let json = r#"{"a": [0.30000000000000004, 1.7976931348623157e308, 5e-324, 2.2250738585072011e-308, 3.0e0,
        12345678901234567890, -9007199254740993, 1E-6]}"#;
    let rows = Rows::of_json(json).unwrap();
    let values: HashSet<&str> = rows.iter().filter_map(|row| Some(row.value?.0)).collect();
    let expected = [
        "default",
        "0.30000000000000004",
        "1.7976931348623157e+308",
        "5e-324",
        "2.225073858507201e-308",
        "3",
        "12345678901234567000",
        "-9007199254740992",
        "0.000001",
    ];
    assert_eq!(values, expected.into());
}

#[test]
fn the_rows_of_names_are_those_of_an_entity_with_nothing_else() {
    let all = |rows: Rows| {
        let row = |row: RowRef<'_>| format!("{} {:?} {}", row.key, row.value, row.is_item);
        rows.iter().map(row).collect::<HashSet<_>>()
    };
    let entity = json!({"kind": "k", "metadata": {"namespace": "ns", "name": "n:a/b", "uid": "U"}});
    assert_eq!(all(Rows::of_names("k:ns/n:a/b", "U")), all(Rows::of_json(&entity.to_string()).unwrap()));
    let unnamed = json!({"metadata": {"namespace": "x", "uid": "U"}});
    let mut expected = all(Rows::of_json(&unnamed.to_string()).unwrap());
    expected.retain(|row| !row.contains("namespace"));
    assert_eq!(all(Rows::of_names("no ref", "U")), expected);
}

#[test]
fn what_is_no_json_is_an_error() {
    let deep = "[".repeat(100_000);
    for json in ["", "{", "{}x", "{\"a\":}", &deep] {
        assert!(matches!(Rows::of_json(json), Err(FlattenError::Json(_))));
    }
}
