//! C29 to C50: pages, order and projection of `GET /entities`.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::case::{Case, check_all};
use crate::catalog::{ALL, Catalog, strings};
use crate::page::{encoded, in_url};

/// `{"limit":2,"offset":2}`, and further on.
const AFTER_2: &str = "eyJsaW1pdCI6Miwib2Zmc2V0IjoyfQ";
const AFTER_4: &str = "eyJsaW1pdCI6Miwib2Zmc2V0Ijo0fQ";
const AFTER_5: &str = "eyJsaW1pdCI6Miwib2Zmc2V0Ijo1fQ";

fn ask(catalog: &Catalog, query: &str) -> Answer {
    catalog.get(&format!("/entities?{query}"))
}

#[track_caller]
fn assert_link(answer: &Answer, query: &str) {
    let expected = format!("</entities?{query}%3D%3D>; rel=\"next\"");
    assert_eq!(answer.reply.header_list("link"), Some(expected), "{answer}");
}

fn pages_are_ordered_by_ref_and_link_to_the_next(catalog: &Catalog) {
    let query = "limit=2&fields=metadata.name";
    let answer = ask(catalog, query);
    answer.lists(&["api-one", "alpha"]);
    assert_link(&answer, &format!("{query}&after={AFTER_2}"));
    // HEAD is what GET is.
    let head = catalog.send("HEAD", &format!("/entities?{query}"), &[], None);
    assert_eq!(head.reply.status, 200, "{head}");
    assert_link(&head, &format!("{query}&after={AFTER_2}"));
}

fn limits_are_positive_integers(catalog: &Catalog) {
    let rows = [
        ("limit=0", "Invalid limit, must be greater than zero"),
        ("limit=-1", "request/query/limit must be >= 0"),
        ("limit=abc", "request/query/limit must be integer"),
        ("limit=1.5", "request/query/limit must be integer"),
        ("limit=1&limit=2", "request/query/limit must be integer"),
    ];
    for (query, message) in rows {
        ask(catalog, query).refuses_input(message);
    }
}

fn several_fields_order_one_after_the_other(_: &Catalog) {
    let rows =
        [("n1", "a: foo"), ("n2", "a: bar"), ("n3", "a: bar\n  b: lonely"), ("n4", "a: baz\n  b: only")];
    let mut descriptors = String::new();
    for (name, spec) in rows {
        write!(
            descriptors,
            "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\nspec:\n  type: service\n  \
             lifecycle: production\n  owner: team-a\n  {spec}\n---\n"
        )
        .unwrap();
    }
    let catalog = Catalog::of(descriptors.trim_end_matches("---\n"));
    let ordered = |order: &str| ask(&catalog, &format!("filter=kind=component&limit=20&{order}"));
    ordered("order=asc:spec.a&order=desc:metadata.name").lists(&["n3", "n2", "n4", "n1"]);
    ordered("order=desc:spec.b&order=asc:metadata.name").lists(&["n4", "n3", "n1", "n2"]);
}

fn projections_keep_the_order_in_which_members_were_asked_for(catalog: &Catalog) {
    let body = ask(catalog, "fields=kind,metadata.name&limit=20").ok();
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(body.as_array().unwrap().len(), ALL.len());
    for entity in body.as_array().unwrap() {
        assert_eq!(members(entity), ["kind", "metadata"]);
        assert_eq!(members(&entity["metadata"]), ["name"]);
    }
}

fn fields_may_be_written_in_several_ways(catalog: &Catalog) {
    let plain = ask(catalog, "fields=kind,metadata.name&limit=20").ok();
    for fields in [
        "fields=kind&fields=metadata.name",
        "fields=kind%2Cmetadata.name",
        "fields=%20kind%20,metadata.name,nope.x",
    ] {
        assert_eq!(ask(catalog, &format!("{fields}&limit=20")).ok(), plain, "{fields}");
    }
}

fn an_answer_that_is_known_is_not_sent_again(catalog: &Catalog) {
    let url = "/entities?limit=2&fields=metadata.name";
    let answer = catalog.get(url);
    let etag = answer.reply.header("etag").unwrap_or_else(|| panic!("no ETag in {answer}"));
    catalog.send("GET", url, &[("If-None-Match", etag)], None).is_empty(304);
    catalog.send("GET", url, &[("If-None-Match", "W/\"2-other\"")], None).lists(&["api-one", "alpha"]);
}

pub(crate) const CASES: &[Case<Catalog>] = &[
    (29, pages_are_ordered_by_ref_and_link_to_the_next),
    (30, |catalog| {
        let answer = ask(catalog, &format!("limit=2&fields=metadata.name&after={AFTER_2}=="));
        answer.lists(&["beta", "gamma"]);
        assert_link(&answer, &format!("limit=2&fields=metadata.name&after={AFTER_4}"));
    }),
    (31, |catalog| {
        let answer = ask(catalog, "limit=2&offset=3");
        assert_eq!(answer.names().len(), 2);
        assert_link(&answer, &format!("limit=2&after={AFTER_5}"));
    }),
    (32, |catalog| {
        let answer = ask(catalog, "offset=2&fields=metadata.name");
        answer.lists(&["beta", "gamma", "team-a", "loc", "db", "sys", "jane", "guest"]);
        assert_eq!(answer.reply.header("link"), None, "{answer}");
    }),
    (33, limits_are_positive_integers),
    (34, |catalog| ask(catalog, "offset=-1").refuses_input("request/query/offset must be >= 0")),
    (35, |catalog| {
        ask(catalog, "after=zzz").refuses_input("Malformed after cursor, could not be parsed");
        let after = |cursor: Value| ask(catalog, &format!("after={}", in_url(&encoded(&cursor))));
        after(json!({ "limit": "2" })).refuses_input("Malformed after cursor, limit was not an number");
        after(json!({ "offset": "2" })).refuses_input("Malformed after cursor, offset was not a number");
    }),
    (36, |catalog| ask(catalog, "limit=99999999999").finds(&ALL)),
    (37, |catalog| {
        let expected = ["alpha", "api-one", "beta", "db", "gamma", "loc", "guest", "jane", "sys", "team-a"];
        ask(catalog, "order=asc:metadata.name&fields=metadata.name").lists(&expected);
    }),
    (38, |catalog| {
        let (start, end) = (strings(&["db", "loc", "gamma", "api-one"]), strings(&["team-a"]));
        let expected = [start, catalog.by_uid(&["alpha", "beta"]), end].concat();
        ask(catalog, "order=asc:spec.type").lists(&expected);
    }),
    (39, |catalog| {
        let (start, middle) = (strings(&["team-a"]), strings(&["api-one", "gamma", "loc", "db"]));
        let without_type = catalog.by_uid(&["guest", "jane", "sys"]);
        let expected = [start, catalog.by_uid(&["alpha", "beta"]), middle, without_type].concat();
        ask(catalog, "order=desc:spec.type&limit=20").lists(&expected);
    }),
    (40, |catalog| {
        let expected = ["team-a", "alpha", "beta", "api-one", "gamma", "loc", "db", "guest", "jane", "sys"];
        ask(catalog, "order=desc:spec.type&order=asc:metadata.name&limit=20").lists(&expected);
    }),
    (41, |catalog| {
        for order in ["metadata.name", "up:metadata.name"] {
            let message =
                format!("Invalid order parameter \"{order}\", expected \"<asc or desc>:<field name>\"");
            ask(catalog, &format!("order={order}")).refuses_input(&message);
        }
    }),
    (42, several_fields_order_one_after_the_other),
    (43, projections_keep_the_order_in_which_members_were_asked_for),
    (44, |catalog| {
        let body = ask(catalog, "fields=metadata.annotations.github.com/project-slug&limit=3").ok();
        let alpha = json!({ "metadata": { "annotations": { "github.com/project-slug": "org/alpha" } } });
        assert_eq!(body, json!([{}, alpha, {}]));
    }),
    (45, |catalog| {
        for fields in ["nope", "KIND", "relations.type"] {
            assert_eq!(ask(catalog, &format!("fields={fields}&limit=1")).ok(), json!([{}]), "{fields}");
        }
    }),
    (46, fields_may_be_written_in_several_ways),
    (47, |catalog| {
        let message = "Invalid field \"spec.arr[0]\", array type fields are not supported";
        ask(catalog, "fields=spec.arr%5B0%5D").refuses_input(message);
    }),
    (48, |catalog| ask(catalog, "foo=bar").refuses_input("Unknown query parameter 'foo'")),
    (49, |catalog| {
        assert_eq!(catalog.get("/ENTITIES?limit=1&fields=kind").ok(), json!([{ "kind": "API" }]));
        catalog.get("/entities/").finds(&ALL);
    }),
    (50, an_answer_that_is_known_is_not_sent_again),
];

#[test]
fn c29_to_c50_pages_order_and_projection_of_entities() {
    check_all(CASES, &Catalog::of_fixture());
}
