use serde_json::json;

use super::*;

fn decode(value: &Value) -> Result<Cursor, QueryError> {
    Cursor::decode(&base64_json::encode(value))
}

fn smallest() -> Value {
    json!({"orderFields": [], "isPrevious": false, "orderFieldValues": ["uid"]})
}

fn with(member: &str, value: Value) -> Value {
    let mut cursor = smallest();
    cursor[member] = value;
    cursor
}

#[test]
fn a_cursor_survives_the_way_to_the_client_and_back() {
    let cursor = json!({
        "orderFields": [{"field": "metadata.Name", "order": "desc"}],
        "isPrevious": true,
        "fullTextFilter": {"term": " a ", "fields": ["b"]},
        "query": {"$all": [{"kind": "a"}, {"n": {"$in": [1, true]}}]},
        "filter": {"allOf": [{"key": "k", "values": []}, {"not": {"anyOf": [{"key": "l"}]}}]},
        "orderFieldValues": [null, "uid"],
        "firstSortFieldValues": ["\u{e4}", "uid-0"],
        "totalItems": 77,
    });
    let text = decode(&cursor).unwrap().encode();
    assert_eq!(base64_json::decode(&text).unwrap(), cursor);
}

#[test]
fn c066_cursors_that_make_no_sense_are_refused() {
    let cases = [
        json!({}),
        json!([]),
        json!({"bad": "cursor"}),
        with("orderFields", json!(null)),
        with("orderFields", json!([{"field": "a"}])),
        with("orderFields", json!([{"field": 1, "order": "asc"}])),
        with("orderFields", json!([{"field": "a", "order": "up"}])),
        with("isPrevious", json!(1)),
        with("orderFieldValues", json!("a")),
        with("orderFieldValues", json!([1])),
        with("firstSortFieldValues", json!(null)),
        with("query", json!({"$foo": 1})),
        with("query", json!(null)),
        with("filter", json!({"values": ["a"]})),
        with("filter", json!({"key": "a", "values": [1]})),
        with("fullTextFilter", json!("a")),
        with("fullTextFilter", json!({"term": 1})),
        with("fullTextFilter", json!({"fields": [1]})),
        with("totalItems", json!("1")),
        with("totalItems", json!(-1)),
    ];
    for cursor in cases {
        let error = decode(&cursor).unwrap_err().to_string();
        assert!(error.starts_with("Malformed cursor: "), "{cursor}: {error}");
    }
    for text in ["bad", "e30=", "!", "\u{e4}", "AAAA"] {
        assert!(Cursor::decode(text).unwrap_err().to_string().starts_with("Malformed cursor: "), "{text}");
    }
    assert_eq!(Cursor::decode("").unwrap_err().to_string(), "Cursor cannot be empty");
    assert_eq!(Cursor::decode(&"A".repeat(1_000_000)), Err(QueryError::CursorTooLong));
}

#[test]
fn c070_unknown_members_are_ignored() {
    assert_eq!(decode(&with("extra", json!(1))), decode(&smallest()));
    assert_eq!(decode(&with("totalItems", json!(77))).unwrap().total_items, Some(77));
}

#[test]
fn a_cursor_may_come_in_the_alphabet_of_urls_and_without_padding() {
    let cursor = decode(&with("query", json!({"a": "???>>>\u{fe}\u{ff}"}))).unwrap();
    let text = cursor.encode();
    assert!(text.contains(['+', '/']) || text.ends_with('='));
    let other = text.replace('+', "-").replace('/', "_");
    assert_eq!(Cursor::decode(other.trim_end_matches('=')), Ok(cursor));
}

#[test]
fn a_nest_of_filters_is_refused() {
    let mut filter = json!({"key": "a"});
    for _ in 0..110 {
        filter = json!({ "not": filter });
    }
    assert!(decode(&with("filter", filter)).is_err());
    // Deeper than JSON is read at all.
    let deep = format!("{{\"filter\":{}", "{\"not\":".repeat(10_000));
    let text = base64_json::encode(&deep);
    assert!(Cursor::decode(&text).is_err());
}
