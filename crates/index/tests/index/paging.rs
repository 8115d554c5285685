//! The conformance cases about pages of by-query and their cursors, by their numbers.

use base64::Engine as _;
use callboard_index::{ByQuery, Change, Cursor, FullText, Index, Page, parse_filters, parse_order_fields};
use serde_json::{Value, json};

use crate::fixture::{index, index_of, names, predicate, sorted, uid};

/// What a client sees in a cursor.
fn json_of(cursor: &Cursor) -> Value {
    let bytes = base64::engine::general_purpose::STANDARD.decode(cursor.encode()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn cursor(value: &Value) -> Cursor {
    let text = base64::engine::general_purpose::STANDARD.encode(value.to_string());
    Cursor::decode(&text).unwrap()
}

fn ordered(order: &[&str]) -> ByQuery {
    ByQuery { order: parse_order_fields(order).unwrap(), ..ByQuery::default() }
}

fn next(index: &Index, page: &Page, limit: usize) -> Page {
    index.next_page(&Cursor::decode(&page.next.as_ref().unwrap().encode()).unwrap(), &[], limit)
}

fn previous(index: &Index, page: &Page, limit: usize) -> Page {
    index.next_page(&Cursor::decode(&page.previous.as_ref().unwrap().encode()).unwrap(), &[], limit)
}

#[test]
fn c051_c052_the_first_page_is_by_uid() {
    let query =
        ByQuery { full_text: Some(FullText::of_params::<&str>(None, &[]).unwrap()), ..ByQuery::default() };
    let page = index().first_page(&query, &[], 3);
    assert_eq!(names(&page.hits), ["guest", "db", "beta"]);
    assert_eq!((page.total_items, page.previous), (10, None));
    let cursor = json_of(&page.next.unwrap());
    assert_eq!(
        cursor,
        json!({
            "orderFields": [], "isPrevious": false, "fullTextFilter": {"term": ""},
            "orderFieldValues": [uid(1)], "firstSortFieldValues": [uid(8)], "totalItems": 10,
        })
    );
    let members: Vec<&String> = cursor.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "orderFields",
            "isPrevious",
            "fullTextFilter",
            "orderFieldValues",
            "firstSortFieldValues",
            "totalItems"
        ]
    );
    let page = index().first_page(&ByQuery::default(), &[], 0);
    assert_eq!((page.hits, page.total_items, page.next, page.previous), (vec![], 10, None, None), "C052");
}

fn letters() -> Index {
    let entities = ["a", "B", "c", "D", "e", "F", "g"].map(|name| (format!("k:ns/{name}"), json!({})));
    let entities: Vec<(&str, Value)> =
        entities.iter().map(|(name, spec)| (name.as_str(), spec.clone())).collect();
    index_of(&entities)
}

#[test]
fn c054_a_walk_forwards_and_back() {
    let index = letters();
    let mut page = index.first_page(&ordered(&["metadata.name,asc"]), &[], 2);
    let mut pages = vec![names(&page.hits).join("")];
    assert!(page.previous.is_none());
    for _ in 0..3 {
        page = next(&index, &page, 2);
        pages.push(names(&page.hits).join(""));
        assert_eq!(page.total_items, 7);
    }
    assert_eq!(pages, ["aB", "cD", "eF", "g"]);
    assert!(page.next.is_none());
    for expected in ["eF", "cD", "aB"] {
        page = previous(&index, &page, 2);
        assert_eq!((names(&page.hits).join("").as_str(), page.total_items), (expected, 7));
        assert!(page.next.is_some());
    }
    assert!(page.previous.is_none(), "back at the beginning");
    assert_eq!(names(&next(&index, &page, 2).hits), ["c", "D"]);
}

#[test]
fn a_walk_back_ends_where_nothing_comes_before_also_if_the_beginning_is_gone() {
    let mut index = letters();
    let page = index.first_page(&ordered(&["metadata.name,asc"]), &[], 2);
    let page = next(&index, &page, 2);
    assert_eq!(names(&page.hits), ["c", "D"]);
    index.apply(&[Change::Remove("k:ns/a".into())]);
    let page = previous(&index, &page, 2);
    assert_eq!((names(&page.hits), page.previous), (vec!["B"], None));
}

#[test]
fn c055_a_walk_down_and_back() {
    let index = letters();
    let mut page = index.first_page(&ordered(&["metadata.name,desc"]), &[], 2);
    let mut pages = vec![names(&page.hits).join("")];
    while page.next.is_some() {
        page = next(&index, &page, 2);
        pages.push(names(&page.hits).join(""));
    }
    assert_eq!(pages, ["gF", "eD", "cB", "a"]);
    assert_eq!(names(&previous(&index, &page, 2).hits), ["c", "B"]);
}

#[test]
fn c056_a_page_may_have_another_size() {
    let index = letters();
    let page = index.first_page(&ordered(&["metadata.name,asc"]), &[], 2);
    let page = next(&index, &page, 5);
    assert_eq!((names(&page.hits).join("").as_str(), page.next), ("cDeFg", None));
}

#[test]
fn c057_equal_values_are_neither_lost_nor_repeated() {
    let index = index_of(&[
        ("k:a/aa", json!({})),
        ("k:b/aa", json!({})),
        ("k:c/aa", json!({})),
        ("k:d/aa", json!({})),
        ("k:a/cc", json!({})),
        ("k:a/dd", json!({})),
    ]);
    for (order, expected) in [
        ("metadata.name,asc", ["k:d/aa", "k:c/aa", "k:b/aa", "k:a/aa", "k:a/cc", "k:a/dd"]),
        ("metadata.name,desc", ["k:a/dd", "k:a/cc", "k:a/aa", "k:b/aa", "k:c/aa", "k:d/aa"]),
    ] {
        let mut page = index.first_page(&ordered(&[order]), &[], 2);
        let mut seen = Vec::new();
        loop {
            assert_eq!((page.hits.len(), page.total_items), (2, 6));
            seen.extend(page.hits.iter().map(|hit| hit.entity_ref.clone()));
            if page.next.is_none() {
                break;
            }
            page = next(&index, &page, 2);
        }
        assert_eq!(seen, expected);
    }
}

#[test]
fn c058_to_c063_order() {
    let index = index();
    let page = index.first_page(&ordered(&["spec.lifecycle,desc"]), &[], 200);
    assert_eq!((page.hits.len(), page.total_items), (4, 4), "C058");
    let by_name = index.first_page(&ordered(&["metadata.name,asc"]), &[], 200).hits;
    let two = index.first_page(&ordered(&["metadata.name,asc", "kind,desc"]), &[], 200).hits;
    assert_eq!(two, by_name, "C060");
    assert_eq!(index.first_page(&ordered(&["METADATA.NAME,asc"]), &[], 200).hits, by_name, "C061");
    let page = index.first_page(&ordered(&["nope,asc"]), &[], 200);
    assert_eq!((page.hits, page.total_items, page.next), (vec![], 0, None), "C062");
    // Once each, where the first of the values in the order's direction is: alpha has go and java.
    let page = index.first_page(&ordered(&["metadata.tags,asc"]), &[], 200);
    assert_eq!((names(&page.hits), page.total_items), (vec!["alpha", "beta"], 2), "C063");
    let page = index.first_page(&ordered(&["metadata.tags,desc"]), &[], 200);
    assert_eq!(names(&page.hits), ["alpha", "beta"], "C063: both java, by uid downwards");
    // A field without a direction goes up, and says so.
    let page = index.first_page(&ordered(&["metadata.name"]), &[], 1);
    assert_eq!(json_of(&page.next.clone().unwrap())["orderFields"][0]["order"], "asc");
    assert_eq!(names(&next(&index, &page, 1).hits), ["api-one"]);
}

#[test]
fn c064_a_total_that_is_not_wanted_is_zero() {
    let query = ByQuery { exclude_total: true, ..ByQuery::default() };
    let page = index().first_page(&query, &[], 3);
    assert_eq!(page.total_items, 0);
    assert_eq!(next(&index(), &page, 3).total_items, 0);
}

#[test]
fn c067_c068_a_cursor_carries_the_query() {
    let index = index();
    let query = parse_filters(&["kind=component"]).unwrap();
    let page = index.first_page(&ByQuery { query, ..ByQuery::default() }, &[], 2);
    assert_eq!(json_of(page.next.as_ref().unwrap())["query"], json!({"kind": "component"}));
    let second = next(&index, &page, 2);
    assert_eq!((names(&second.hits), second.total_items), (vec!["gamma"], 3));
    let page = index.first_page(&ByQuery::default(), &[], 2);
    assert_eq!(json_of(page.next.as_ref().unwrap()).get("query"), None);
}

#[test]
fn keys_that_look_like_operators_survive_in_cursors() {
    let index = index();
    for filters in [&["$all=1", "kind=component"][..], &["$not", "$foo=a,$foo=b", "kind=component,spec.type"]]
    {
        let query = parse_filters(filters).unwrap();
        let page = index.first_page(&ByQuery { query, ..ByQuery::default() }, &[], 2);
        let second = next(&index, &page, 2);
        assert_eq!((second.hits.len(), second.total_items), (1, 3), "{filters:?}");
        assert_eq!(previous(&index, &second, 2).hits, page.hits);
    }
}

#[test]
fn c069_an_older_cursor_still_filters() {
    let index = index();
    let cursor = cursor(&json!({
        "orderFields": [], "isPrevious": false, "orderFieldValues": [""],
        "filter": {"allOf": [
            {"key": "kind", "values": ["component"]}, {"not": {"key": "metadata.name", "values": ["beta"]}}
        ]},
    }));
    let page = index.next_page(&cursor.clone(), &[], 200);
    assert_eq!((sorted(&page.hits), page.total_items), (vec!["alpha", "gamma"], 0));
    let page = index.next_page(&cursor, &[], 1);
    assert_eq!(names(&next(&index, &page, 1).hits), ["gamma"]);
}

#[test]
fn c070_the_total_is_that_of_the_cursor() {
    let cursor = cursor(&json!({
        "orderFields": [], "isPrevious": false, "orderFieldValues": [], "totalItems": 77, "extra": {},
    }));
    assert_eq!(index().next_page(&cursor, &[], 3).total_items, 77);
}

#[test]
fn c071_c072_an_offset_counts_for_the_first_page() {
    let index = index();
    let query = ByQuery { offset: 3, ..ordered(&["metadata.name,asc"]) };
    let first = index.first_page(&query, &[], 2);
    assert_eq!(names(&first.hits), ["db", "gamma"]);
    assert!(first.previous.is_none());
    let second = next(&index, &first, 2);
    assert_eq!(names(&second.hits), ["guest", "jane"]);
    let back = previous(&index, &second, 2);
    assert_eq!((&back.hits, back.previous.is_none()), (&first.hits, true));
    let page = index.first_page(&ByQuery { offset: 100, ..ByQuery::default() }, &[], 2);
    assert_eq!((page.hits.len(), page.total_items, page.next, page.previous), (0, 10, None, None), "C072");
}

#[test]
fn c078_full_text_pages_are_the_same_on_the_way_back() {
    let index = index();
    let fields = ["metadata.name", "spec.owner"];
    let query = ByQuery {
        full_text: Some(FullText::of_params(Some("team"), &fields).unwrap()),
        ..ordered(&["metadata.name,asc"])
    };
    let first = index.first_page(&query, &[], 2);
    assert_eq!(first.total_items, 6);
    let second = next(&index, &first, 2);
    let back = previous(&index, &second, 2);
    assert_eq!(back.hits, first.hits);
}

#[test]
fn c080_the_query_of_a_body() {
    let query =
        ByQuery { query: Some(predicate(&json!({"kind": "component"}))), ..ordered(&["metadata.name,asc"]) };
    let page = index().first_page(&query, &[], 2);
    assert_eq!((names(&page.hits), page.total_items), (vec!["alpha", "beta"], 3));
    assert!(json_of(&page.next.unwrap()).get("query").is_some());
}

#[test]
fn c147_what_one_may_see_is_not_in_cursors_and_counts_on_each_page() {
    let index = index();
    let may_see = predicate(&json!({"kind": {"$in": ["API", "System"]}}));
    let page = index.first_page(&ordered(&["metadata.name,asc"]), &[&may_see], 1);
    assert_eq!((names(&page.hits), page.total_items), (vec!["api-one"], 2));
    let cursor = page.next.unwrap();
    assert_eq!(json_of(&cursor).get("query"), None);
    let page = index.next_page(&cursor, &[&may_see], 5);
    assert_eq!(names(&page.hits), ["sys"]);
}

#[test]
fn a_page_before_everything_leads_to_the_beginning() {
    let mut index = letters();
    let first = index.first_page(&ordered(&["metadata.name,asc"]), &[], 2);
    let second = next(&index, &first, 2);
    index.apply(&[Change::Remove("k:ns/a".into())]);
    index.remove("k:ns/B");
    let back = previous(&index, &second, 2);
    assert_eq!((back.hits.len(), back.previous.is_none()), (0, true));
    assert_eq!(names(&next(&index, &back, 2).hits), ["c", "D"]);
}
