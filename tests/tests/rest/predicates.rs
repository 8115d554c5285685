//! C85 to C100: the predicates of `POST /entities/by-query`.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::case::{Case, check_all};
use crate::catalog::{ALL, Catalog};

fn ask(catalog: &Catalog, query: &Value) -> Answer {
    catalog.post("/entities/by-query", &json!({ "query": query, "fields": ["metadata.name"] }))
}

/// The predicate finds these, and the total says so.
#[track_caller]
fn finds(catalog: &Catalog, query: &Value, expected: &[&str]) {
    let answer = ask(catalog, query);
    answer.finds(expected);
    assert_eq!(answer.ok()["totalItems"], expected.len(), "{query}");
}

fn relations(inner: &Value) -> Value {
    json!({ "relations": { "$contains": inner } })
}

fn operators_without_operands(catalog: &Catalog) {
    finds(catalog, &json!({ "$all": [] }), &ALL);
    finds(catalog, &json!({}), &ALL);
    finds(catalog, &json!({ "$any": [] }), &[]);
    finds(catalog, &json!({ "$not": {} }), &[]);
}

fn prefixes_are_literal(catalog: &Catalog) {
    let prefix = |prefix: &str| json!({ "metadata.name": { "$hasPrefix": prefix } });
    finds(catalog, &prefix("AL"), &["alpha"]);
    finds(catalog, &prefix("al%"), &[]);
    finds(catalog, &prefix(""), &ALL);
}

fn relations_are_found_by_type_and_target(catalog: &Catalog) {
    let expected = ["alpha", "api-one", "db", "gamma", "sys"];
    for query in [
        json!({ "type": "ownedBy", "targetRef": "group:default/team-a" }),
        json!({ "Type": "ownedBy", "TARGETREF": "group:default/team-a" }),
        json!({ "type": "OWNEDBY", "targetRef": "Group:Default/Team-A" }),
    ] {
        finds(catalog, &relations(&query), &expected);
    }
}

fn malformed_relations_are_refused(catalog: &Catalog) {
    let rows = [
        (
            json!({ "targetRef": "group:default/team-a" }),
            "The $contains operator for \"relations\" requires a \"type\" string property",
        ),
        (
            json!({ "type": "ownedBy", "foo": "x" }),
            "Unsupported key \"foo\" in $contains for \"relations\". Only \"type\" and \"targetRef\" are supported",
        ),
        (
            json!({ "type": "ownedBy", "targetRef": { "$in": [] } }),
            "Empty \"$in\" array for $contains on \"relations\" is not allowed",
        ),
    ];
    for (inner, message) in rows {
        ask(catalog, &relations(&inner)).refuses_input(message);
    }
    let twice = ask(catalog, &relations(&json!({ "type": "ownedBy", "Type": "ownedBy" })));
    twice.refuses_input_with("Duplicate key \"");
}

fn what_breaks_the_grammar_is_refused(catalog: &Catalog) {
    let exact = [
        (json!({ "$foo": 1 }), "Invalid query: Validation error: Invalid at \"$foo\""),
        (
            json!({ "$all": [{ "kind": "api" }], "x": "y" }),
            "Invalid query: Validation error: Unrecognized key(s) in object: 'x'",
        ),
    ];
    for (query, message) in exact {
        ask(catalog, &query).refuses_input(message);
    }
    for query in [
        json!({ "kind": { "$bad": 1 } }),
        json!({ "kind": null }),
        json!({ "kind": ["a"] }),
        json!({ "spec": { "type": "x" } }),
    ] {
        ask(catalog, &query).refuses_input_with("Invalid query: Validation error: ");
    }
}

pub(crate) const CASES: &[Case<Catalog>] = &[
    (85, |catalog| {
        let others = ["api-one", "db", "guest", "jane", "loc", "sys", "team-a"];
        finds(catalog, &json!({ "$not": { "kind": "component" } }), &others);
    }),
    (86, operators_without_operands),
    (87, |catalog| {
        finds(catalog, &json!({ "metadata.tags": { "$contains": "JAVA" } }), &["alpha", "beta"]);
    }),
    (88, prefixes_are_literal),
    (89, |catalog| {
        let query = json!({ "kind": { "$in": ["Component", "API"] }, "metadata.namespace": "other" });
        finds(catalog, &query, &["gamma"]);
        finds(catalog, &json!({ "metadata.name": { "$in": [] } }), &[]);
    }),
    (90, |catalog| {
        finds(catalog, &json!({ "metadata.tags": { "$exists": false }, "kind": "component" }), &["gamma"]);
    }),
    (91, |catalog| {
        for query in [json!({ "spec.num": 5 }), json!({ "spec.flag": true }), json!({ "spec.arr": 2 })] {
            finds(catalog, &query, &["beta"]);
        }
    }),
    (92, |catalog| {
        finds(catalog, &json!({ "spec": { "$exists": true } }), &[]);
        finds(catalog, &json!({ "spec.profile": { "$exists": true } }), &[]);
    }),
    (93, relations_are_found_by_type_and_target),
    (94, |catalog| {
        let of_jane = json!({ "type": "ownedBy", "targetRef": { "$in": ["user:default/jane"] } });
        finds(catalog, &relations(&of_jane), &["beta"]);
        let owned = ["alpha", "api-one", "beta", "db", "gamma", "sys"];
        finds(catalog, &relations(&json!({ "type": "ownedBy" })), &owned);
    }),
    (95, malformed_relations_are_refused),
    (96, |catalog| finds(catalog, &relations(&json!("x")), &[])),
    (97, |catalog| {
        let query = json!({ "metadata.links": { "$contains": { "url": "https://example.com/alpha" } } });
        let message = "Object form of $contains is not supported for field \"metadata.links\"";
        ask(catalog, &query).refuses_input(message);
    }),
    (98, what_breaks_the_grammar_is_refused),
    (99, |catalog| {
        let message = "Invalid filter predicate: top-level primitive values are not supported. Wrap the value in a \
                       field expression, e.g. { \"kind\": \"component\" }";
        ask(catalog, &json!({ "$not": "component" })).refuses_input(message);
    }),
    (100, |catalog| {
        let query = json!({ "$not": { "$any": [{ "kind": "component" }, { "kind": "user" }] } });
        finds(catalog, &query, &["api-one", "db", "sys", "team-a", "loc"]);
    }),
];

#[test]
fn c85_to_c100_predicates() {
    check_all(CASES, &Catalog::of_fixture());
}
