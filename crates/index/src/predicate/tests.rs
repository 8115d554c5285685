use serde_json::{Value, json};

use super::*;
use crate::limits::PREDICATE_DEPTH_MAX;

fn parse(query: &Value) -> Result<Predicate, QueryError> {
    Predicate::of_entities(query, Origin::Query)
}

#[test]
fn what_is_read_is_written_again() {
    for query in [
        json!({}),
        json!({"$all": []}),
        json!({"$any": [{"kind": "a", "n": 5, "f": 0.5, "b": true}, {"$not": {"x": {"$exists": false}}}]}),
        json!({"a": {"$in": ["a", 1, false]}, "b": {"$hasPrefix": "p"}, "c": {"$contains": "x"}}),
        json!({"relations": {"$contains": {"type": "ownedBy", "targetRef": {"$in": ["x"]}}}}),
    ] {
        assert_eq!(parse(&query).unwrap().to_json(), query);
    }
}

#[test]
fn of_several_operators_the_first_valid_one_counts() {
    for (value, kept) in [
        (json!({"$hasPrefix": "a", "$in": ["b"], "$exists": true}), json!({"$exists": true})),
        (json!({"$hasPrefix": "a", "$contains": "c", "$in": ["b"]}), json!({"$in": ["b"]})),
        (json!({"$hasPrefix": "a", "$contains": "c"}), json!({"$contains": "c"})),
        (json!({"$exists": "yes", "$in": ["b"]}), json!({"$in": ["b"]})),
        (json!({"$in": [null], "$hasPrefix": "a"}), json!({"$hasPrefix": "a"})),
        (json!({"$contains": {"$bad": 1}, "$hasPrefix": "a"}), json!({"$hasPrefix": "a"})),
        (json!({"$in": ["b"], "$bad": 1}), json!({"$in": ["b"]})),
    ] {
        assert_eq!(parse(&json!({ "kind": value })).unwrap().to_json(), json!({ "kind": kept }));
    }
}

#[test]
fn c095_to_c099_malformed_queries_are_refused_in_these_words() {
    const INVALID: &str = "Invalid query: Validation error: ";
    let contains = |inner: Value| json!({"relations": {"$contains": inner}});
    let cases = [
        (json!("x"), "request/body/query must be object".to_owned()),
        (json!(null), "request/body/query must be object".to_owned()),
        (json!([]), "request/body/query must be object".to_owned()),
        (json!({"$foo": 1}), format!("{INVALID}Invalid at \"$foo\"")),
        (json!({"kind": "a", "$foo": 1}), format!("{INVALID}Invalid at \"$foo\"")),
        (json!({"$all": [{"$foo": 1}]}), format!("{INVALID}Invalid at \"$all[0].$foo\"")),
        (json!({"$all": [], "x": 1}), format!("{INVALID}Unrecognized key(s) in object: 'x'")),
        (json!({"$not": {}, "x": 1, "y": 1}), format!("{INVALID}Unrecognized key(s) in object: 'x', 'y'")),
        (json!({"$any": {}}), format!("{INVALID}Expected array at \"$any\"")),
        (json!({"$all": [null]}), format!("{INVALID}Invalid at \"$all[0]\"")),
        (json!({"kind": {"$bad": 1}}), format!("{INVALID}Invalid value at \"kind\"")),
        (json!({"kind": null}), format!("{INVALID}Invalid value at \"kind\"")),
        (json!({"kind": ["a"]}), format!("{INVALID}Invalid value at \"kind\"")),
        (json!({"spec": {"type": "x"}}), format!("{INVALID}Invalid value at \"spec\"")),
        (
            json!({"$not": "component"}),
            "Invalid filter predicate: top-level primitive values are not supported. Wrap the value in a field \
             expression, e.g. { \"kind\": \"component\" }"
                .to_owned(),
        ),
        (
            json!({"metadata.links": {"$contains": {"url": "x"}}}),
            "Object form of $contains is not supported for field \"metadata.links\"".to_owned(),
        ),
        (
            contains(json!({})),
            "The $contains operator for \"relations\" requires a \"type\" string property".to_owned(),
        ),
        (
            contains(json!({"type": 5})),
            "The $contains operator for \"relations\" requires a \"type\" string property".to_owned(),
        ),
        (
            contains(json!({"foo": "x", "type": "ownedBy"})),
            "Unsupported key \"foo\" in $contains for \"relations\". Only \"type\" and \"targetRef\" are supported"
                .to_owned(),
        ),
        (
            contains(json!({"type": "ownedBy", "targetRef": {"$in": []}})),
            "Empty \"$in\" array for $contains on \"relations\" is not allowed".to_owned(),
        ),
        (
            contains(json!({"type": "ownedBy", "Type": "x"})),
            "Duplicate key \"Type\" in $contains for \"relations\"".to_owned(),
        ),
    ];
    for (query, message) in cases {
        assert_eq!(parse(&query).unwrap_err().to_string(), message, "{query}");
    }
}

#[test]
fn in_a_body_the_words_and_the_path_are_others() {
    let error = Predicate::of_entities(&json!({"$foo": 1}), Origin::Body).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Malformed request body (did you remember to specify an application/json content type?), Validation \
         error: Invalid at \"query.$foo\""
    );
}

#[test]
fn depth_and_size_are_limited() {
    let nested = |depth: usize| {
        (1..depth)
            .fold(json!({}), |inner, _| Value::Object([("$not".to_owned(), inner)].into_iter().collect()))
    };
    assert!(parse(&nested(PREDICATE_DEPTH_MAX)).is_ok());
    assert_eq!(parse(&nested(PREDICATE_DEPTH_MAX + 1)), Err(QueryError::TooDeep));
    let deep = nested(10_000);
    assert_eq!(parse(&deep), Err(QueryError::TooDeep));
    // Freeing it is what recurses; a body is never read this deep.
    std::mem::forget(deep);
    let contains = (1..200).fold(json!("x"), |inner, _| json!({"relations": {"$contains": inner}}));
    assert_eq!(parse(&contains), Err(QueryError::TooDeep));
    assert_eq!(parse(&json!({"$any": vec![json!({}); 60_000]})), Err(QueryError::TooManyTerms));
    assert_eq!(parse(&json!({"a": {"$in": vec!["a"; 60_000]}})), Err(QueryError::TooManyTerms));
    let prefixes = vec![json!({"a": {"$hasPrefix": "b"}}); 101];
    assert_eq!(parse(&json!({ "$any": prefixes })), Err(QueryError::TooManyPrefixes));
}

#[test]
fn conditions_can_be_made_without_json() {
    assert_eq!(Predicate::exists("a").to_json(), json!({"a": {"$exists": true}}));
    assert_eq!(Predicate::one_of("a", ["b"]).to_json(), json!({"a": "b"}));
    assert_eq!(Predicate::one_of("a", ["b", "c"]).to_json(), json!({"a": {"$in": ["b", "c"]}}));
    assert_eq!(Predicate::one_of::<String>("a", []).to_json(), json!({"a": {"$in": []}}));
}

#[test]
fn a_test_for_a_prefix_scans_values_wherever_it_stands() {
    for (query, expected) in [
        (json!({"a": "x"}), false),
        (json!({"a": {"$exists": true}}), false),
        (json!({"a": {"$hasPrefix": "x"}}), true),
        (json!({"$any": [{"a": "x"}, {"$not": {"b": {"$hasPrefix": "x"}}}]}), true),
        (json!({"$all": [{"a": "x"}, {"$not": {"b": {"$in": ["x"]}}}]}), false),
    ] {
        assert_eq!(
            Predicate::of_entities(&query, Origin::Query).unwrap().scans_values(),
            expected,
            "{query}"
        );
    }
}
