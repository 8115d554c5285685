//! Whatever clients send, the answer is an answer or an error.

use base64::Engine as _;
use callboard_index::limits::PREDICATE_DEPTH_MAX;
use callboard_index::{
    After, ByQuery, Cursor, Direction, Fields, FullText, Index, OrderField, Origin, Predicate, Prepared,
    Rows, parse_filters, parse_order, parse_order_fields,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::catalog::{Both, events};

fn any_json() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        prop::sample::select(
            &[
                "$all",
                "$any",
                "$not",
                "$in",
                "$exists",
                "$contains",
                "$hasPrefix",
                "type",
                "targetRef",
                "relations",
                "kind",
                "key",
                "values",
                "not",
                "anyOf",
                "allOf",
                "orderFields",
                "isPrevious",
                "orderFieldValues",
                "query",
                "filter",
                "fullTextFilter",
                "firstSortFieldValues",
                "totalItems",
                "field",
                "order",
                "term",
                "fields",
                "limit",
                "offset",
                "metadata",
                "metadata.tags",
            ][..]
        )
        .prop_map(str::to_owned),
        ".{0,4}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!("asc")),
        ".{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 30, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((names.clone(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A cursor of which one part is anything.
fn almost_a_cursor() -> impl Strategy<Value = Value> {
    const PARTS: &[&str] = &[
        "orderFields",
        "isPrevious",
        "orderFieldValues",
        "query",
        "filter",
        "fullTextFilter",
        "totalItems",
        "firstSortFieldValues",
    ];
    (prop::sample::select(PARTS), any_json(), vec(prop::option::of(".{0,3}"), 0..4)).prop_map(
        |(part, value, values)| {
            let mut cursor = json!({
                "orderFields": [{"field": "metadata.tags", "order": "desc"}],
                "isPrevious": true,
                "orderFieldValues": values,
            });
            cursor[part] = value;
            cursor
        },
    )
}

fn encode(value: &Value) -> String {
    base64::engine::general_purpose::STANDARD.encode(value.to_string())
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>(), other in "[a-z=,.:\\[\\]$ ]{0,20}") {
        for text in [text, other] {
            let _ = parse_filters(&[&text]);
            let _ = parse_order(&[&text]);
            let _ = parse_order_fields(&[&text]);
            let _ = Cursor::decode(&text);
            let _ = After::decode(&text);
            let _ = Fields::of_lists(&[&text]);
            let _ = FullText::of_params(Some(&text), &[&text]);
            let _ = Rows::of_json(&text);
        }
    }

    #[test]
    fn any_json_is_an_entity_or_an_error(value in any_json()) {
        let json = value.to_string();
        if let Ok(prepared) = Prepared::new(1, "a:b/c", "u", &json) {
            let mut index = Index::new();
            index.put(&prepared);
            prop_assert_eq!(index.check(), Ok(()));
        }
        let _ = After::decode(&encode(&value));
    }

    #[test]
    fn any_json_is_a_query_or_an_error(value in any_json(), events in events(10)) {
        let both = Both::of(&events);
        for origin in [Origin::Query, Origin::Body] {
            if let Ok(query) = Predicate::of_entities(&value, origin) {
                let _ = both.index.list(&[&query], None);
                prop_assert_eq!(Predicate::of_entities(&query.to_json(), origin), Ok(query));
            }
        }
    }

    #[test]
    fn any_cursor_leads_to_a_page_or_an_error(
        value in prop_oneof![any_json(), almost_a_cursor()],
        events in events(20),
        limit in 0..5_usize,
    ) {
        let both = Both::of(&events);
        if let Ok(cursor) = Cursor::decode(&encode(&value)) {
            let page = both.index.next_page(&cursor, &[], limit);
            prop_assert!(page.hits.len() <= limit);
            for cursor in page.next.iter().chain(&page.previous) {
                let _ = both.index.next_page(&Cursor::decode(&cursor.encode()).unwrap(), &[], limit);
            }
        }
    }

    #[test]
    fn a_projection_is_json(value in any_json(), fields in vec("[a-z$.]{0,8}", 0..4)) {
        if let Ok(Some(fields)) = Fields::of_items(&fields) {
            let projected = fields.project(&value.to_string()).unwrap();
            prop_assert!(serde_json::from_str::<Value>(&projected).unwrap().is_object());
        }
    }
}

#[test]
fn the_largest_numbers_are_no_trouble() {
    let index = Both::of(&[]).index;
    let page = index.first_page(&ByQuery { offset: usize::MAX, ..ByQuery::default() }, &[], usize::MAX);
    assert_eq!((page.hits.len(), page.next, page.previous), (0, None, None));
    let part = After { limit: Some(usize::MAX), offset: Some(usize::MAX) };
    assert_eq!(index.list_page(&[], &[], part).unwrap().hits, []);
}

#[test]
fn keys_of_nothing_but_dots_take_no_longer_than_others() {
    let index = crate::fixture::index();
    let dots = ".".repeat(250_000);
    let order = vec![OrderField { field: dots.clone(), order: Direction::Asc }; 16];
    let part = After { limit: Some(3), offset: None };
    assert_eq!(index.list_page(&[], &order, part).unwrap().hits.len(), 3);
    let query: Map<_, _> = (0..100).map(|n| (dots.clone() + &n.to_string(), json!("x"))).collect();
    let query = crate::fixture::predicate(&json!({"$not": query}));
    assert_eq!(index.list(&[&query], None).len(), 10);
    assert_eq!(index.facets(&vec![dots; 500], &[]).unwrap()[0].values, []);
    let fields = Fields::of_items(&(0..400).map(|n| ".".repeat(20_000) + &n.to_string()).collect::<Vec<_>>());
    let fields = fields.unwrap().unwrap();
    for _ in 0..100 {
        assert_eq!(fields.project(r#"{"kind":"k","metadata":{"name":"n"},"spec":{}}"#).unwrap(), "{}");
    }
}

#[test]
fn a_place_may_be_any_text() {
    let both = Both::of(&[]);
    let index = crate::fixture::index();
    for uid in
        ["", "0190aaaa", "0190aaaa-0000-7000-8000-00000000000", "\u{10ffff}", "ZZ", &"0".repeat(190_000)]
    {
        for is_previous in [false, true] {
            let cursor = json!({"orderFields": [], "isPrevious": is_previous, "orderFieldValues": [uid]});
            let cursor = Cursor::decode(&encode(&cursor)).unwrap();
            let expected =
                (0..10).map(crate::fixture::uid).filter(|other| (other.as_str() < uid) == is_previous);
            assert_eq!(index.next_page(&cursor, &[], 100).hits.len(), expected.count(), "{uid:.50}");
            assert_eq!(both.index.next_page(&cursor, &[], 100).hits, []);
        }
    }
}

#[test]
fn the_cursor_of_the_deepest_query_can_be_read() {
    let mut index = Index::new();
    for (id, uid) in
        [(1, "0190aaaa-0000-7000-8000-000000000001"), (2, "0190aaaa-0000-7000-8000-000000000002")]
    {
        let json = format!(r#"{{"kind":"a","metadata":{{"name":"{id}"}}}}"#);
        index.put(&Prepared::new(id, &format!("a:default/{id}"), uid, &json).unwrap());
    }
    let leaf = json!({"kind": {"$in": ["a"]}});
    let deepest = (1..PREDICATE_DEPTH_MAX).fold(leaf, |inner, _| json!({"$all": [inner]}));
    let query = Some(Predicate::of_entities(&deepest, Origin::Query).unwrap());
    let order = vec![OrderField { field: "kind".to_owned(), order: Direction::Asc }];
    let page = index.first_page(&ByQuery { query, order, ..ByQuery::default() }, &[], 1);
    let next = Cursor::decode(&page.next.unwrap().encode()).unwrap();
    assert_eq!(index.next_page(&next, &[], 1).hits.len(), 1);
}
