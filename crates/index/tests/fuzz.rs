//! Everything that reads what clients send: any text, any edit of a valid one, and any edit of a cursor is read or
//! refused, and whatever is read can be written and asked. `PROPTEST_CASES` says how many of each are tried.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

#[path = "fuzz/edits.rs"]
mod edits;
#[path = "fuzz/valid.rs"]
mod valid;

use std::collections::HashSet;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_index::{
    After, ByQuery, Cursor, Direction, Fields, FullText, Index, OrderField, Origin, Page, Predicate,
    Prepared, QueryError, parse_filters, parse_order, parse_order_fields,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use edits::{JsonEdit, TextEdit, any_json, edit_json, edit_text, json_edits, soup, text_edits};
use valid::{cursor, fields, filters, key, predicate};

/// A few entities, so that what was read is asked as well.
static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index::new();
    for number in 0..12_i64 {
        index.put(
            &Prepared::new(number, &format!("component:default/n{number}"), &uid(number), ENTITY).unwrap(),
        );
    }
    index.put(&Prepared::bare(99, "component:default/bare", "no uuid"));
    index
});

const ENTITY: &str = r#"{"kind":"Component","$all":[],"metadata":{"name":"a","tags":["java","Go",null],"a.b":{"c":1}},
    "spec":{"type":"service","share":0.5,"":{"x":[{}]}},"relations":[{"type":"ownedBy","targetRef":"group:default/a"}]}"#;

fn uid(number: i64) -> String {
    format!("0190aaaa-0000-7000-8000-{:012x}", number * 7919 % 13)
}

fn encoded(value: &Value) -> String {
    STANDARD.encode(value.to_string())
}

/// Each refusal has words for the client.
fn refused(error: &QueryError) {
    assert!(!error.to_string().is_empty());
}

/// Asks for a page, and for those that its cursors lead to: what is sent out can be read.
fn walk(page: &Page, limit: usize) {
    assert!(page.hits.len() <= limit);
    for cursor in page.next.iter().chain(&page.previous) {
        let received = Cursor::decode(&cursor.encode()).unwrap();
        assert_eq!(received, *cursor);
        assert!(INDEX.next_page(&received, &[], limit).hits.len() <= limit);
    }
}

fn ask(predicate: &Predicate) {
    let found = INDEX.list(&[predicate], None).len();
    let query = ByQuery { query: Some(predicate.clone()), ..ByQuery::default() };
    let page = INDEX.first_page(&query, &[], 2);
    assert_eq!(page.total_items, found as u64);
    walk(&page, 2);
}

fn try_filters(filters: &[String]) {
    match parse_filters(filters) {
        Ok(None) => {}
        Ok(Some(predicate)) => ask(&predicate),
        Err(error) => refused(&error),
    }
}

fn try_query(query: &Value) {
    for origin in [Origin::Query, Origin::Body] {
        if let Err(error) = Predicate::parse(query, origin) {
            refused(&error);
        }
        match Predicate::of_entities(query, origin) {
            Ok(predicate) => {
                assert_eq!(Predicate::of_entities(&predicate.to_json(), origin).as_ref(), Ok(&predicate));
                ask(&predicate);
            }
            Err(error) => refused(&error),
        }
    }
}

fn try_cursor(text: &str, limit: usize) {
    match Cursor::decode(text) {
        Ok(cursor) => {
            assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor.clone()));
            walk(&INDEX.next_page(&cursor, &[], limit), limit);
        }
        Err(error) => {
            let words = error.to_string();
            assert!(words.starts_with("Malformed cursor: ") || words == "Cursor cannot be empty", "{words}");
        }
    }
}

fn try_after(text: &str) {
    match After::decode(text) {
        Ok(after) => {
            assert_eq!(After::decode(&after.encode()), Ok(after));
            let page = INDEX.list_page(&[], &[], after).unwrap();
            assert!(page.hits.len() <= after.limit.unwrap_or(usize::MAX));
        }
        Err(error) => {
            let words = error.to_string();
            assert!(
                words.starts_with("Malformed after cursor, ") || words.starts_with("Invalid limit"),
                "{words}"
            );
        }
    }
}

fn try_fields(lists: &[String]) {
    for fields in [Fields::of_lists(lists), Fields::of_items(lists)] {
        match fields {
            Ok(Some(fields)) => {
                let projected = fields.project(ENTITY).unwrap();
                assert!(serde_json::from_str::<Value>(&projected).unwrap().is_object());
            }
            Ok(None) => {}
            Err(error) => refused(&error),
        }
    }
}

fn try_order(params: &[String]) {
    for order in [parse_order(params), parse_order_fields(params)] {
        match order {
            Ok(order) => {
                let part = After { limit: Some(3), offset: Some(1) };
                assert_eq!(INDEX.list_page(&[], &order, part).unwrap().hits.len(), 3);
                walk(&INDEX.first_page(&ByQuery { order, ..ByQuery::default() }, &[], 3), 3);
            }
            Err(error) => refused(&error),
        }
    }
}

fn try_text(term: &str, fields: &[String]) {
    match FullText::of_params(Some(term), fields) {
        Ok(full_text) => {
            let query = ByQuery { full_text: Some(full_text), ..ByQuery::default() };
            walk(&INDEX.first_page(&query, &[], 2), 2);
        }
        Err(error) => refused(&error),
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), soup()]
}

fn edited(texts: impl Strategy<Value = Vec<String>>) -> impl Strategy<Value = Vec<String>> {
    (texts, text_edits())
        .prop_map(|(texts, edits)| texts.iter().map(|text| edit_text(text, &edits)).collect())
}

fn limits() -> impl Strategy<Value = usize> {
    prop_oneof![0..5_usize, Just(usize::MAX), Just(usize::MAX - 1)]
}

/// What a path selects, found by looking at the values.
fn selected(value: &Value, path: &str) -> Option<(Vec<String>, Value)> {
    let members = value.as_object()?;
    let ends = path.match_indices('.').map(|(dot, _)| dot).chain([path.len()]);
    for end in ends {
        let Some(member) = members.get(&path[..end]) else { continue };
        if end == path.len() {
            return Some((vec![path.to_owned()], member.clone()));
        }
        let (mut names, found) = selected(member, &path[end + 1..])?;
        names.insert(0, path[..end].to_owned());
        return Some((names, found));
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in texts(), limit in limits()) {
        let text = [text];
        try_filters(&text);
        try_order(&text);
        try_fields(&text);
        try_text(&text[0], &text);
        try_cursor(&text[0], limit);
        try_after(&text[0]);
        let [text] = text;
        for text in [text.as_str(), &format!("{{{text}}}")] {
            try_cursor(&STANDARD.encode(text), limit);
            try_after(&STANDARD.encode(text));
            if let Ok(value) = serde_json::from_str(text) {
                try_query(&value);
            }
        }
    }

    #[test]
    fn any_json_is_read_or_refused(value in any_json(), limit in limits()) {
        try_query(&value);
        try_cursor(&encoded(&value), limit);
        try_after(&encoded(&value));
    }

    #[test]
    fn filters_are_read_as_they_were_written((texts, expected) in filters()) {
        let predicate = parse_filters(&texts).unwrap();
        prop_assert_eq!(predicate.as_ref().map(Predicate::to_json), expected);
        if let Some(predicate) = predicate {
            ask(&predicate);
        }
    }

    #[test]
    fn edited_filters_are_read_or_refused(filters in edited(filters().prop_map(|(texts, _)| texts))) {
        try_filters(&filters);
    }

    #[test]
    fn predicates_are_written_as_they_were_read(query in predicate()) {
        let predicate = Predicate::of_entities(&query, Origin::Query).unwrap();
        prop_assert_eq!(predicate.to_json(), query);
        ask(&predicate);
    }

    #[test]
    fn edited_predicates_are_read_or_refused(
        query in predicate(),
        edits in json_edits(),
        text_edits in text_edits(),
    ) {
        try_query(&edit_json(&query, &edits));
        if let Ok(query) = serde_json::from_str(&edit_text(&query.to_string(), &text_edits)) {
            try_query(&query);
        }
    }

    #[test]
    fn cursors_survive_the_way_to_the_client_and_back(cursor in cursor(), limit in limits()) {
        let read = Cursor::decode(&encoded(&cursor)).unwrap();
        let sent = STANDARD.decode(read.encode()).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&sent).unwrap(), cursor);
        try_cursor(&read.encode(), limit);
    }

    #[test]
    fn edited_cursors_are_read_or_refused(
        cursor in cursor(),
        edits in json_edits(),
        text_edits in text_edits(),
        limit in limits(),
    ) {
        try_cursor(&encoded(&edit_json(&cursor, &edits)), limit);
        try_cursor(&STANDARD.encode(edit_text(&cursor.to_string(), &text_edits)), limit);
        try_cursor(&edit_text(&encoded(&cursor), &text_edits), limit);
    }

    #[test]
    fn an_after_survives_the_way_to_the_client_and_back(
        limit in prop::option::of(1..=1_usize << 53),
        offset in prop::option::of(0..=1_usize << 53),
        edits in json_edits(),
        text_edits in text_edits(),
    ) {
        let after = After { limit, offset };
        prop_assert_eq!(After::decode(&after.encode()), Ok(after));
        try_after(&encoded(&edit_json(&json!({"limit": limit, "offset": offset}), &edits)));
        try_after(&edit_text(&after.encode(), &text_edits));
    }

    #[test]
    fn fields_select_what_they_name(paths in fields()) {
        let listed = Fields::of_lists(&[paths.join(" , ")]).unwrap();
        prop_assert_eq!(&listed, &Fields::of_lists(&paths).unwrap());
        prop_assert_eq!(&listed, &Fields::of_items(&paths).unwrap());
        let Some(fields) = listed else { return Ok(()) };
        let entity: Value = serde_json::from_str(ENTITY).unwrap();
        let projected: Value = serde_json::from_str(&fields.project(ENTITY).unwrap()).unwrap();
        let found: Vec<_> = paths.iter().filter_map(|path| selected(&entity, path)).collect();
        for (names, value) in &found {
            let part = names.iter().fold(&projected, |part, name| &part[name]);
            prop_assert_eq!(part, value);
        }
        prop_assert_eq!(found.is_empty(), projected == json!({}));
    }

    #[test]
    fn edited_fields_are_read_or_refused(fields in edited(fields())) {
        try_fields(&fields);
    }

    #[test]
    fn orders_are_read_as_they_were_written(order in vec((key(), any::<bool>()), 0..5)) {
        let expected: Vec<OrderField> = order
            .iter()
            .map(|(field, up)| OrderField {
                field: field.clone(),
                order: if *up { Direction::Asc } else { Direction::Desc },
            })
            .collect();
        let word = |up: &bool| if *up { "asc" } else { "desc" };
        let params: Vec<String> = order.iter().map(|(field, up)| format!("{}:{field}", word(up))).collect();
        prop_assert_eq!(parse_order(&params), Ok(expected.clone()));
        let params: Vec<String> = order.iter().map(|(field, up)| format!("{field},{}", word(up))).collect();
        prop_assert_eq!(parse_order_fields(&params), Ok(expected));
        try_order(&params);
    }

    #[test]
    fn edited_orders_are_read_or_refused(
        params in edited(vec((key(), "(asc|desc):?").prop_map(|(field, order)| order + &field), 0..20)),
    ) {
        try_order(&params);
    }

    #[test]
    fn any_text_can_be_looked_for(term in texts(), fields in vec(texts(), 0..4)) {
        try_text(&term, &fields);
    }

    #[test]
    fn nests_of_any_depth_are_read_or_refused(
        depth in prop_oneof![15 => 0..300_usize, 1 => 0..20_000_usize],
        form in 0..5_usize,
        is_closed in any::<bool>(),
    ) {
        let (open, close) = [
            (r#"{"$not":"#, "}"),
            (r#"{"$all":["#, "]}"),
            (r#"{"relations":{"$contains":"#, "}}"),
            (r#"{"anyOf":["#, "]}"),
            ("[", "]"),
        ][form];
        let nest = open.repeat(depth) + "{}" + &close.repeat(if is_closed { depth } else { 0 });
        let query = serde_json::from_str(&nest);
        if let Ok(query) = &query {
            try_query(query);
        }
        for member in ["query", "filter", "orderFields", "unknown"] {
            let cursor = format!(
                r#"{{"orderFields":[],"isPrevious":false,"orderFieldValues":[],"{member}":{nest}}}"#
            );
            try_cursor(&STANDARD.encode(&cursor), 1);
            try_after(&STANDARD.encode(&cursor));
        }
    }
}

#[test]
fn what_is_tried_is_not_refused_all_the_time() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut outcomes = HashSet::new();
    for _ in 0..500 {
        let mut sample = |strategy: &dyn Fn() -> BoxedStrategy<(Value, Vec<JsonEdit>, Vec<TextEdit>)>| {
            strategy().new_tree(&mut runner).unwrap().current()
        };
        let (cursor, edits, text_edits) = sample(&|| (cursor(), json_edits(), text_edits()).boxed());
        outcomes.insert(("json", Cursor::decode(&encoded(&edit_json(&cursor, &edits))).is_ok()));
        let text = STANDARD.encode(edit_text(&cursor.to_string(), &text_edits));
        outcomes.insert(("text", Cursor::decode(&text).is_ok()));
    }
    assert_eq!(outcomes.len(), 4);
}
