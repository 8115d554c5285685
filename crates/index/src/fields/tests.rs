use serde_json::{Value, json};

use super::*;

fn entity() -> Value {
    json!({
        "kind": "Component",
        "metadata": {
            "name": "alpha",
            "title": null,
            "annotations": {"github.com/project-slug": "org/alpha", "a": {"b": 1}, "a.b": 2, "c.d": {"e.f": 3}},
            "tags": ["java"],
            "quo\"te": "\u{e4}\n",
        },
        "spec": {},
        "relations": [{"type": "ownedBy"}],
    })
}

fn project(fields: &[&str]) -> String {
    Fields::of_items(fields).unwrap().unwrap().project(&entity().to_string()).unwrap()
}

#[test]
fn c043_to_c046_the_selected_members_are_given_in_the_order_of_the_request() {
    let cases: [(&[&str], &str); 14] = [
        (&["kind", "metadata.name"], r#"{"kind":"Component","metadata":{"name":"alpha"}}"#),
        (&["metadata.name", "kind"], r#"{"metadata":{"name":"alpha"},"kind":"Component"}"#),
        (
            &["metadata.annotations.github.com/project-slug"],
            r#"{"metadata":{"annotations":{"github.com/project-slug":"org/alpha"}}}"#,
        ),
        (&["nope"], "{}"),
        (&["KIND"], "{}"),
        (&["relations.type"], "{}"),
        (&["metadata.tags.0"], "{}"),
        (&["kind.length"], "{}"),
        (&["metadata.nope.x", "spec", "metadata..", "."], r#"{"spec":{}}"#),
        (&["metadata.title"], r#"{"metadata":{"title":null}}"#),
        // The shortest name wins, and there is no way back.
        (&["metadata.annotations.a.b"], r#"{"metadata":{"annotations":{"a":{"b":1}}}}"#),
        (&["metadata.annotations.c.d.e.f"], r#"{"metadata":{"annotations":{"c.d":{"e.f":3}}}}"#),
        (&["metadata.quo\"te"], "{\"metadata\":{\"quo\\\"te\":\"\u{e4}\\n\"}}"),
        (
            &["metadata.tags", "relations", "metadata.name"],
            r#"{"metadata":{"tags":["java"],"name":"alpha"},"relations":[{"type":"ownedBy"}]}"#,
        ),
    ];
    for (fields, expected) in cases {
        assert_eq!(project(fields), expected, "{fields:?}");
    }
}

#[test]
fn there_is_no_way_back_from_the_shortest_name() {
    let fields = Fields::of_items(&["a.b.c"]).unwrap().unwrap();
    assert_eq!(fields.project(r#"{"a":{"x":1},"a.b":{"c":2}}"#).unwrap(), "{}");
}

#[test]
fn a_whole_and_its_parts_are_the_whole() {
    let whole = entity()["metadata"].to_string();
    assert_eq!(project(&["metadata.name", "metadata"]), format!("{{\"metadata\":{whole}}}"));
    assert_eq!(project(&["metadata", "metadata.name"]), format!("{{\"metadata\":{whole}}}"));
}

#[test]
fn c046_fields_are_split_trimmed_and_made_distinct() {
    let expected = Fields { paths: vec!["kind".to_owned(), "metadata.name".to_owned()] };
    for lists in [&["kind", "metadata.name"][..], &["kind,metadata.name"], &[" kind ,metadata.name,", "kind"]]
    {
        assert_eq!(Fields::of_lists(lists), Ok(Some(expected.clone())));
    }
    assert_eq!(Fields::of_items(&["a,b"]), Ok(Some(Fields { paths: vec!["a,b".to_owned()] })));
    assert_eq!(Fields::of_lists(&[" , "]), Ok(None));
}

#[test]
fn c047_items_of_arrays_cannot_be_selected() {
    assert_eq!(
        Fields::of_lists(&["spec.arr[0]"]).unwrap_err().to_string(),
        "Invalid field \"spec.arr[0]\", array type fields are not supported"
    );
}

#[test]
fn more_fields_than_anybody_selects_are_refused() {
    let fields: Vec<String> = (0..501).map(|n| n.to_string()).collect();
    assert_eq!(Fields::of_items(&fields), Err(QueryError::TooManyFields));
    assert!(Fields::of_items(&vec!["a"; 100_000]).is_ok());
}

#[test]
fn what_is_no_entity_has_no_fields() {
    let fields = Fields::of_items(&["a"]).unwrap().unwrap();
    assert_eq!(fields.project("[1]").unwrap(), "{}");
    assert!(fields.project("{").is_err());
}
