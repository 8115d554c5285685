//! Valid filters, predicates, cursors and fields, as clients write them.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

const KEYS: &[&str] = &[
    "kind",
    "metadata.name",
    "metadata.tags",
    "metadata.tags.java",
    "metadata.a.b.c",
    "spec.type",
    "spec.share",
    "relations.ownedBy",
    "metadata.annotations.github.com/project-slug",
    "Spec.Type",
    "nope",
];

/// A key that needs no trimming, and has nothing in it that separates.
pub(crate) fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(KEYS).prop_map(str::to_owned), 1 => "[a-zA-Z_$][a-zA-Z0-9.:/$\u{e4}\u{3a3}-]{0,12}"]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => select(&["java", "Component", "service", "0.5", "true", "group:default/a", ""][..]).prop_map(str::to_owned),
        1 => "[a-z\u{c4}\u{3a3}=%_$.\"\\\\-]{0,8}",
    ]
}

/// `filter` parameters, and the predicate that they mean.
pub(crate) fn filters() -> impl Strategy<Value = (Vec<String>, Option<Value>)> {
    let set = vec((key(), option::of(value())), 0..4);
    (vec(set, 0..4), select(&["", " ", "\u{a0}", "\t "][..])).prop_map(|(sets, blank)| {
        let text = |set: &Vec<(String, Option<String>)>| {
            let statements = set.iter().map(|(key, value)| match value {
                Some(value) => format!("{blank}{key}{blank}={blank}{value}{blank}"),
                None => format!("{blank}{key}{blank}"),
            });
            statements.collect::<Vec<_>>().join(",")
        };
        let mut predicates: Vec<Value> = sets.iter().filter_map(|set| meaning(set)).collect();
        let predicate =
            if predicates.len() > 1 { Some(json!({ "$any": predicates })) } else { predicates.pop() };
        (sets.iter().map(text).collect(), predicate)
    })
}

fn meaning(set: &[(String, Option<String>)]) -> Option<Value> {
    let mut keys: Vec<(&String, Vec<&String>)> = Vec::new();
    for (key, value) in set {
        match keys.iter_mut().find(|(other, _)| *other == key) {
            Some((_, values)) => values.extend(value),
            None => keys.push((key, value.iter().collect())),
        }
    }
    let mut tests: Vec<Value> = keys
        .into_iter()
        .map(|(key, values)| match values[..] {
            [] => json!({key: {"$exists": true}}),
            [value] => json!({key: value}),
            _ => json!({key: {"$in": values}}),
        })
        .collect();
    if tests.len() > 1 { Some(json!({ "$all": tests })) } else { tests.pop() }
}

fn primitive() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => value().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
    ]
}

fn test() -> impl Strategy<Value = Value> {
    prop_oneof![
        primitive(),
        any::<bool>().prop_map(|exists| json!({ "$exists": exists })),
        vec(primitive(), 0..4).prop_map(|choice| json!({ "$in": choice })),
        value().prop_map(|prefix| json!({ "$hasPrefix": prefix })),
        primitive().prop_map(|value| json!({ "$contains": value })),
    ]
}

fn relation() -> impl Strategy<Value = Value> {
    let target = prop_oneof![
        value().prop_map(Value::from),
        vec(value(), 1..3).prop_map(|targets| json!({ "$in": targets })),
    ];
    (select(&["ownedBy", "PARTOF"][..]), option::of(target), any::<bool>()).prop_map(
        |(kind, target, lower)| {
            let mut relation = json!({ "type": kind });
            if let Some(target) = target {
                relation[if lower { "targetref" } else { "targetRef" }] = target;
            }
            json!({ "$contains": relation })
        },
    )
}

/// A predicate as JSON, as it is written.
pub(crate) fn predicate() -> impl Strategy<Value = Value> {
    let name = key().prop_filter("an operator", |key| !key.starts_with('$'));
    let fields = (btree_map(name, test(), 0..3), option::of(relation())).prop_map(|(tests, relation)| {
        let relation = relation.map(|relation| ("relations".to_owned(), relation));
        Value::Object(tests.into_iter().chain(relation).collect::<Map<_, _>>())
    });
    fields.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|children| json!({ "$all": children })),
            vec(inner.clone(), 0..4).prop_map(|children| json!({ "$any": children })),
            inner.prop_map(|child| json!({ "$not": child })),
        ]
    })
}

fn legacy_filter() -> impl Strategy<Value = Value> {
    let leaf = (key(), option::of(vec(value(), 0..3))).prop_map(|(key, values)| match values {
        Some(values) => json!({"key": key, "values": values}),
        None => json!({ "key": key }),
    });
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|children| json!({ "allOf": children })),
            vec(inner.clone(), 0..3).prop_map(|children| json!({ "anyOf": children })),
            inner.prop_map(|child| json!({ "not": child })),
        ]
    })
}

fn full_text() -> impl Strategy<Value = Value> {
    (value(), option::of(vec(key(), 0..3))).prop_map(|(term, fields)| match fields {
        Some(fields) => json!({"term": term, "fields": fields}),
        None => json!({ "term": term }),
    })
}

fn row() -> impl Strategy<Value = Value> {
    let uid = (0..20).prop_map(|number| format!("0190aaaa-0000-7000-8000-{number:012x}"));
    let text = prop_oneof![3 => uid, 1 => value()];
    vec(option::weighted(0.9, text), 0..4).prop_map(|values| json!(values))
}

/// A cursor as JSON, as it is written.
pub(crate) fn cursor() -> impl Strategy<Value = Value> {
    let order = vec((key(), any::<bool>()), 0..3).prop_map(|order| {
        let field = |(field, up)| json!({"field": field, "order": if up { "asc" } else { "desc" }});
        order.into_iter().map(field).collect::<Value>()
    });
    let must = (order, any::<bool>(), row());
    let may = (
        option::of(predicate()),
        option::of(legacy_filter()),
        option::of(full_text()),
        option::of(row()),
        option::of(0..1_u64 << 53),
    );
    (must, may).prop_map(|((order, is_previous, values), (query, filter, full_text, first, total))| {
        let mut cursor = json!({"orderFields": order, "isPrevious": is_previous, "orderFieldValues": values});
        let total = total.map(Value::from);
        for (name, value) in [
            ("query", query),
            ("filter", filter),
            ("fullTextFilter", full_text),
            ("firstSortFieldValues", first),
            ("totalItems", total),
        ] {
            if let Some(value) = value {
                cursor[name] = value;
            }
        }
        cursor
    })
}

/// Paths to select.
pub(crate) fn fields() -> impl Strategy<Value = Vec<String>> {
    const PATHS: &[&str] = &[
        "kind",
        "metadata",
        "metadata.name",
        "metadata.tags",
        "metadata.a.b",
        "metadata.a.b.c",
        "spec.type",
        "spec..x",
        "spec.",
        "relations",
        "relations.type",
        "nope.x",
        "$all",
        "..",
        "Kind",
    ];
    vec(prop_oneof![4 => select(PATHS).prop_map(str::to_owned), 1 => "[a-z.$]{1,6}"], 0..6)
}
