//! C51 to C84: pages of `/entities/by-query`, their cursors, and full text.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::case::{Case, check_all};
use crate::catalog::{ALL, Catalog};
use crate::page::{Neighbours, Page, decoded, encoded, in_url};

const URL: &str = "/entities/by-query";

/// In the order of their names.
const ORDERED: [&str; 10] =
    ["alpha", "api-one", "beta", "db", "gamma", "loc", "guest", "jane", "sys", "team-a"];

/// Entities of which each case asks for one set.
pub(crate) struct Scene {
    fixture: Catalog,
    sets: Catalog,
}

impl Scene {
    fn new() -> Self {
        let mut descriptors = String::new();
        let mut add = |set: &str, namespace: &str, name: &str, title: &str| {
            write!(
                descriptors,
                "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\n  title: {title}\n  \
                 namespace: {namespace}\nspec:\n  type: service\n  lifecycle: production\n  owner: team-a\n  \
                 set: {set}\n---\n"
            )
            .unwrap();
        };
        for name in ["A", "B", "C", "D", "E", "F", "G"] {
            add("letters", "letters", name, "a letter");
        }
        for namespace in ["n1", "n2", "n3", "n4"] {
            add("ties", namespace, "AA", "one of four");
        }
        for name in ["CC", "DD"] {
            add("ties", "n1", name, "the only one");
        }
        for name in ["lion", "cat", "atcatss", "dog", "dogcat", "aa", "s"] {
            add("animals", "animals", name, "an animal");
        }
        for (name, title) in
            [("moss-2", "green"), ("t1", "Moss one"), ("u4", "dry moss"), ("v5", "sand"), ("zmoss", "sand")]
        {
            add("plants", "plants", name, title);
        }
        for number in 0..201 {
            add("many", "many", &format!("m-{number}"), "one of many");
        }
        let sets = Catalog::of(descriptors.trim_end_matches("---\n"));
        Self { fixture: Catalog::of_fixture(), sets }
    }

    fn ask(&self, query: &str) -> Answer {
        self.fixture.get(&format!("{URL}?{query}"))
    }

    fn post(&self, body: &Value) -> Answer {
        self.fixture.post(URL, body)
    }

    /// What is found, and the total, which says the same.
    #[track_caller]
    fn finds(&self, query: &str, expected: &[&str]) {
        let answer = self.ask(query);
        answer.finds(expected);
        assert_eq!(answer.ok()["totalItems"], expected.len(), "{answer}");
    }
}

fn an_unfiltered_cursor_holds_no_query(scene: &Scene) {
    let ordered = scene.fixture.by_uid(&ALL);
    let uid = |entity: &Value| entity["metadata"]["uid"].as_str().unwrap().to_owned();
    let whole = scene.ask("").ok();
    let uids: Vec<String> = whole["items"].as_array().unwrap().iter().map(uid).collect();
    let page = Page::of(&scene.ask("fields=metadata.name&limit=3"));
    assert_eq!(page.names(), ordered[..3]);
    assert_eq!((page.total, &page.previous), (10, &None));
    let expected = json!({
        "orderFields": [],
        "isPrevious": false,
        "fullTextFilter": { "term": "" },
        "orderFieldValues": [uids[2]],
        "firstSortFieldValues": [uids[0]],
        "totalItems": 10,
    });
    assert_eq!(decoded(page.next.as_deref().unwrap()), expected);
}

fn walk(scene: &Scene, direction: &str, pages: [&[&str]; 4]) {
    let sets = &scene.sets;
    let query = format!("filter=spec.set=letters&limit=2&orderField=metadata.name,{direction}");
    let first = Page::first(sets, &query);
    first.is(pages[0], 7, Neighbours::Next);
    let second = first.next(sets, 2);
    second.is(pages[1], 7, Neighbours::Both);
    let third = second.next(sets, 2);
    third.is(pages[2], 7, Neighbours::Both);
    third.next(sets, 2).is(pages[3], 7, Neighbours::Previous);
    let second = third.previous(sets, 2);
    second.is(pages[1], 7, Neighbours::Both);
    let first = second.previous(sets, 2);
    first.is(pages[0], 7, Neighbours::Next);
    first.next(sets, 2).is(pages[1], 7, Neighbours::Both);
}

fn a_page_may_have_another_limit_than_the_one_before(scene: &Scene) {
    let first = Page::first(&scene.sets, "filter=spec.set=letters&limit=2&orderField=metadata.name,asc");
    let second = first.next(&scene.sets, 3);
    second.is(&["C", "D", "E"], 7, Neighbours::Both);
    second.next(&scene.sets, 3).is(&["F", "G"], 7, Neighbours::Previous);
}

fn equal_values_are_neither_lost_nor_repeated(scene: &Scene) {
    let first = Page::first(&scene.sets, "filter=spec.set=ties&limit=2&orderField=metadata.name,asc");
    first.is(&["AA", "AA"], 6, Neighbours::Next);
    let second = first.next(&scene.sets, 2);
    second.is(&["AA", "AA"], 6, Neighbours::Both);
    second.next(&scene.sets, 2).is(&["CC", "DD"], 6, Neighbours::Previous);
    let namespaces: BTreeSet<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page.items.as_array().unwrap())
        .map(|entity| entity["metadata"]["namespace"].as_str().unwrap())
        .collect();
    assert_eq!(namespaces, BTreeSet::from(["n1", "n2", "n3", "n4"]));
}

fn entities_without_the_field_are_left_out(scene: &Scene) {
    let mut expected = scene.fixture.by_uid(&["alpha", "api-one", "gamma"]);
    expected.reverse();
    expected.push("beta".to_owned());
    let page = Page::first(&scene.fixture, "orderField=spec.lifecycle,desc");
    assert_eq!((page.names(), page.total), (expected, 4));
}

fn the_field_is_lowercased_and_ascends_by_default(scene: &Scene) {
    Page::first(&scene.fixture, "orderField=METADATA.NAME,asc").is(&ORDERED, 10, Neighbours::None);
    let first = Page::first(&scene.fixture, "orderField=metadata.name&limit=4");
    first.is(&ORDERED[..4], 10, Neighbours::Next);
    first.next(&scene.fixture, 4).is(&ORDERED[4..8], 10, Neighbours::Both);
}

/// Unlike in the reference system, where an entity comes once per value.
fn an_entity_with_several_values_comes_once(scene: &Scene) {
    Page::first(&scene.fixture, "orderField=metadata.tags,asc").is(&["alpha", "beta"], 2, Neighbours::None);
    let mut descending = scene.fixture.by_uid(&["alpha", "beta"]);
    descending.reverse();
    let page = Page::first(&scene.fixture, "orderField=metadata.tags,desc");
    assert_eq!((page.names(), page.total), (descending, 2));
}

fn malformed_cursors_are_refused(scene: &Scene) {
    for cursor in ["bad", "e30=", &encoded(&json!({ "bad": "cursor" }))] {
        scene.ask(&format!("cursor={}", in_url(cursor))).refuses_input_with("Malformed cursor: ");
        scene.post(&json!({ "cursor": cursor })).refuses_input_with("Malformed cursor: ");
    }
    scene.ask("cursor=").refuses_input("Empty value found for query parameter 'cursor'");
}

fn a_filter_beside_a_cursor_is_ignored(scene: &Scene) {
    let first = Page::first(&scene.fixture, "filter=kind=component&limit=1&orderField=metadata.name,asc");
    first.is(&["alpha"], 3, Neighbours::Next);
    let cursor = in_url(first.next.as_deref().unwrap());
    let others = "filter=kind=api&orderField=kind,desc&totalItems=exclude&offset=5&fullTextFilterTerm=x";
    Page::first(&scene.fixture, &format!("cursor={cursor}&limit=2&{others}")).is(
        &["beta", "gamma"],
        3,
        Neighbours::Previous,
    );
}

fn a_filtered_cursor_holds_the_query(scene: &Scene) {
    let rows = [
        ("filter=kind=component", json!({ "kind": "component" })),
        (
            "filter=kind=component,kind=api,metadata.namespace=default&filter=spec.type",
            json!({ "$any": [
                { "$all": [
                    { "kind": { "$in": ["component", "api"] } },
                    { "metadata.namespace": "default" },
                ] },
                { "spec.type": { "$exists": true } },
            ] }),
        ),
    ];
    for (filter, query) in rows {
        let first = Page::first(&scene.fixture, &format!("{filter}&limit=2"));
        assert_eq!(decoded(first.next.as_deref().unwrap())["query"], query);
        let second = first.next(&scene.fixture, 2);
        assert_eq!(second.total, first.total);
        let both: BTreeSet<String> = first.names().into_iter().chain(second.names()).collect();
        assert_eq!(both.len(), 2 + second.names().len(), "{both:?}");
    }
}

fn cursors_of_older_versions_are_read(scene: &Scene) {
    let component = json!({ "key": "kind", "values": ["component"] });
    let beta = json!({ "key": "metadata.name", "values": ["beta"] });
    let cursor = encoded(&json!({
        "orderFields": [],
        "orderFieldValues": [""],
        "isPrevious": false,
        "filter": { "allOf": [component, { "not": beta }] },
    }));
    let page = Page::at(&scene.fixture, &cursor, 20);
    assert_eq!((page.names(), page.total), (scene.fixture.by_uid(&["alpha", "gamma"]), 0));
}

fn totals_of_cursors_are_believed(scene: &Scene) {
    let cursor = encoded(&json!({
        "orderFields": [],
        "orderFieldValues": [""],
        "isPrevious": false,
        "totalItems": 77,
        "extra": { "x": 1 },
    }));
    let page = Page::at(&scene.fixture, &cursor, 20);
    assert_eq!((page.names(), page.total), (scene.fixture.by_uid(&ALL), 77));
}

fn an_offset_makes_its_row_the_beginning(scene: &Scene) {
    let first = Page::first(&scene.fixture, "offset=3&limit=2&orderField=metadata.name,asc");
    first.is(&["db", "gamma"], 10, Neighbours::Next);
    let second = first.next(&scene.fixture, 2);
    second.is(&["loc", "guest"], 10, Neighbours::Both);
    second.previous(&scene.fixture, 2).is(&["db", "gamma"], 10, Neighbours::Next);
}

fn full_text_is_sought_in_the_fields(scene: &Scene) {
    let fields = "fullTextFilterFields";
    let expected = ["alpha", "beta"];
    scene.finds(&format!("fullTextFilterTerm=serv&{fields}=metadata.title,spec.type"), &expected);
    scene.finds(&format!("fullTextFilterTerm=serv&{fields}=metadata.title&{fields}=spec.type"), &expected);
    // Characters that mean something to databases mean themselves.
    for term in ["al%25ha", "_lpha", "al\\\\pha"] {
        scene.finds(&format!("fullTextFilterTerm={term}&{fields}=metadata.name"), &[]);
    }
}

fn full_text_is_kept_along_a_walk(scene: &Scene) {
    let query = "filter=spec.set=plants&fullTextFilterTerm=moss&limit=2&orderField=metadata.name,asc\
                 &fullTextFilterFields=metadata.name,metadata.title";
    let first = Page::first(&scene.sets, query);
    first.is(&["moss-2", "t1"], 4, Neighbours::Next);
    let second = first.next(&scene.sets, 2);
    second.is(&["u4", "zmoss"], 4, Neighbours::Previous);
    let again = second.previous(&scene.sets, 2);
    again.is(&["moss-2", "t1"], 4, Neighbours::Next);
    assert_eq!(again.items, first.items);
}

fn a_body_may_be_empty_or_absent(scene: &Scene) {
    let expected = scene.fixture.by_uid(&ALL);
    for answer in [scene.post(&json!({})), scene.fixture.send("POST", URL, &[], None)] {
        let page = Page::of(&answer);
        assert_eq!((page.names(), page.total), (expected.clone(), 10), "{answer}");
        assert_eq!((page.next, page.previous), (None, None), "{answer}");
    }
}

fn a_posted_query_is_in_the_cursor(scene: &Scene) {
    let order = json!([{ "field": "metadata.name", "order": "asc" }]);
    let page =
        Page::of(&scene.post(&json!({ "query": { "kind": "component" }, "limit": 2, "orderBy": order })));
    page.is(&["alpha", "beta"], 3, Neighbours::Next);
    let cursor = decoded(page.next.as_deref().unwrap());
    assert_eq!((&cursor["query"], &cursor["orderFields"]), (&json!({ "kind": "component" }), &order));
    page.next(&scene.fixture, 2).is(&["gamma"], 3, Neighbours::Previous);
}

fn malformed_bodies_are_refused(scene: &Scene) {
    let rows = [
        (json!({ "limit": "1" }), "request/body/limit must be number"),
        (json!({ "cursor": "" }), "Cursor cannot be empty"),
        (json!({ "cursor": null }), "request/body/cursor must be string"),
        (json!([]), "request/body must be object"),
        (
            json!({ "orderBy": [{ "field": "kind", "order": "up" }] }),
            "request/body/orderBy/0/order must be equal to one of the allowed values: asc, desc",
        ),
        (json!({ "query": "x" }), "request/body/query must be object"),
    ];
    for (body, message) in rows {
        scene.post(&body).refuses_input(message);
    }
    scene.fixture.post_text(URL, "{bad").refusal(400, "InputError");
    // The reference system answers with a 500.
    scene.post(&json!({ "limit": -1 })).refusal(400, "InputError");
    let text = [("Content-Type", "text/plain")];
    scene.fixture.send("POST", URL, &text, Some("{}")).refuses_input("unsupported media type text/plain");
}

pub(crate) const CASES: &[Case<Scene>] = &[
    (51, an_unfiltered_cursor_holds_no_query),
    (52, |scene| {
        assert_eq!(scene.ask("limit=0").ok(), json!({ "items": [], "totalItems": 10, "pageInfo": {} }));
    }),
    (53, |scene| {
        let page = Page::first(&scene.sets, "filter=spec.set=many");
        assert_eq!((page.names().len(), page.total, page.next.is_some()), (200, 201, true));
    }),
    (54, |scene| walk(scene, "asc", [&["A", "B"], &["C", "D"], &["E", "F"], &["G"]])),
    (55, |scene| walk(scene, "desc", [&["G", "F"], &["E", "D"], &["C", "B"], &["A"]])),
    (56, a_page_may_have_another_limit_than_the_one_before),
    (57, equal_values_are_neither_lost_nor_repeated),
    (58, entities_without_the_field_are_left_out),
    (59, |scene| {
        let message = "Invalid order field order, must be asc or desc";
        scene.ask("orderField=metadata.name,sideways").refuses_input(message);
    }),
    (60, |scene| {
        let query = "orderField=metadata.name,asc&orderField=kind,desc";
        Page::first(&scene.fixture, query).is(&ORDERED, 10, Neighbours::None);
    }),
    (61, the_field_is_lowercased_and_ascends_by_default),
    (62, |scene| Page::first(&scene.fixture, "orderField=nope,asc").is(&[], 0, Neighbours::None)),
    (63, an_entity_with_several_values_comes_once),
    (64, |scene| {
        let page = Page::first(&scene.fixture, "totalItems=exclude&limit=2");
        assert_eq!((page.names().len(), page.total, page.next.is_some()), (2, 0, true));
    }),
    (65, |scene| {
        let message = "request/query/totalItems must be equal to one of the allowed values: include, exclude";
        scene.ask("totalItems=maybe").refuses_input(message);
    }),
    (66, malformed_cursors_are_refused),
    (67, a_filter_beside_a_cursor_is_ignored),
    (68, a_filtered_cursor_holds_the_query),
    (69, cursors_of_older_versions_are_read),
    (70, totals_of_cursors_are_believed),
    (71, an_offset_makes_its_row_the_beginning),
    (72, |scene| {
        assert_eq!(scene.ask("offset=100").ok(), json!({ "items": [], "totalItems": 10, "pageInfo": {} }));
    }),
    (73, |scene| scene.finds("fullTextFilterTerm=alp&fullTextFilterFields=metadata.name", &["alpha"])),
    (74, |scene| scene.finds("fullTextFilterTerm=ALP&orderField=metadata.name,asc", &["alpha"])),
    (75, |scene| scene.finds("fullTextFilterTerm=alp", &[])),
    (76, full_text_is_sought_in_the_fields),
    (77, |scene| {
        let query = "filter=spec.set=animals&fullTextFilterTerm=cAt%20&orderField=metadata.name,asc";
        Page::first(&scene.sets, query).is(&["atcatss", "cat", "dogcat"], 3, Neighbours::None);
    }),
    (78, full_text_is_kept_along_a_walk),
    (79, a_body_may_be_empty_or_absent),
    (80, a_posted_query_is_in_the_cursor),
    (81, |scene| {
        let answer = scene.fixture.post(&format!("{URL}?limit=1"), &json!({}));
        answer.refuses_input("Unknown query parameter 'limit'");
    }),
    (82, malformed_bodies_are_refused),
    (83, |scene| {
        let page = Page::of(&scene.post(&json!({ "foo": 1, "limit": 1 })));
        assert_eq!((page.names().len(), page.total), (1, 10));
        // A fraction is cut off.
        assert_eq!(Page::of(&scene.post(&json!({ "limit": 1.5 }))).names().len(), 1);
    }),
    (84, |scene| scene.ask("limit=asdf").refuses_input("request/query/limit must be integer")),
];

#[test]
fn c51_to_c84_pages_cursors_and_full_text() {
    check_all(CASES, &Scene::new());
}
