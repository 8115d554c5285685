//! C101 to C114 and C122: single entities, entities by their refs, where they come from, and refreshing them.

use std::collections::BTreeMap;

use callboard_tests::Home;
use callboard_tests::descriptors::{component, documents, generated_ref, location};
use serde_json::{Value, json};

use crate::answer::{Answer, names};
use crate::case::{Case, check_all};
use crate::catalog::Catalog;

const BY_NAME: &str = "/entities/by-name/component/default";
const BY_REFS: &str = "/entities/by-refs";

const ALPHA: &str = "component:default/alpha";
const BETA: &str = "component:default/beta";

const MALFORMED_BODY: &str = "Malformed request body (did you remember to specify an application/json content type?), Validation error: ";

fn by_refs(catalog: &Catalog, entity_refs: &[&str]) -> Answer {
    catalog.post(BY_REFS, &json!({ "entityRefs": entity_refs }))
}

/// The names of the entities, or null, in the order of the refs.
#[track_caller]
fn resolves(answer: &Answer, expected: &Value) {
    let body = answer.ok();
    let name =
        |entity: &Value| if entity.is_null() { Value::Null } else { entity["metadata"]["name"].clone() };
    let found: Value = body["items"].as_array().unwrap().iter().map(name).collect();
    assert_eq!((&found, body.as_object().unwrap().len()), (expected, 1), "{answer}");
}

fn an_entity_that_is_not_there_is_told_as_it_was_asked_for(catalog: &Catalog) {
    let message = "No entity named 'nope' found, with kind 'component' in namespace 'default'";
    catalog.get(&format!("{BY_NAME}/nope")).refuses(404, "NotFoundError", message);
    let message = "No entity named 'No pe' found, with kind 'Component' in namespace 'Default'";
    let url = "/entities/by-name/Component/Default/No%20pe";
    catalog.get(url).refuses(404, "NotFoundError", message);
}

fn an_entity_has_one_path(catalog: &Catalog) {
    catalog.get(BY_NAME).is_nothing();
    assert_eq!(catalog.get(&format!("{BY_NAME}/alpha/")).ok()["metadata"]["name"], "alpha");
    catalog.get(&format!("{BY_NAME}/alpha?foo=1")).refuses_input("Unknown query parameter 'foo'");
    // Nothing is trimmed.
    assert_eq!(catalog.get(&format!("{BY_NAME}/alpha%20")).reply.status, 404);
}

fn an_entity_is_found_by_its_uid(catalog: &Catalog) {
    let uid = catalog.uid(ALPHA);
    for uid in [&uid, &uid.to_uppercase()] {
        assert_eq!(catalog.get(&format!("/entities/by-uid/{uid}")).ok()["metadata"]["name"], "alpha");
    }
    catalog.get("/entities/by-uid/nope").refuses(404, "NotFoundError", "No entity with uid nope");
}

fn a_deleted_entity_comes_back_as_another_one(_: &Catalog) {
    let home = Home::new();
    home.write("all.yaml", component("a"));
    let config = home.config().location("file", "all.yaml");
    let before = Catalog::start(home, &config);
    let uid = before.uid("component:default/a");
    let Catalog { daemon, home } = before;
    drop(daemon);
    // While nothing is processed, nothing comes back.
    let daemon = home.start(&config.clone().set("catalog.processingInterval", false.into()));
    let resting = Catalog { daemon, home };
    resting.delete(&format!("/entities/by-uid/{uid}")).is_empty(204);
    assert_eq!(resting.get(&format!("{BY_NAME}/a")).reply.status, 404);
    assert_eq!(resting.get(&format!("/entities/by-uid/{uid}")).reply.status, 404);
    resting.get("/entities?fields=metadata.name").finds(&["loc"]);
    let Catalog { daemon, home } = resting;
    drop(daemon);
    let after = Catalog::start(home, &config);
    assert_ne!(after.uid("component:default/a"), uid);
}

fn refs_without_an_entity_are_null(catalog: &Catalog) {
    let answer = by_refs(catalog, &[ALPHA, "component:default/nope"]);
    assert_eq!(answer.ok(), json!({ "items": [catalog.entity(ALPHA), null] }));
    let body = json!({ "entityRefs": [ALPHA, "component:default/nope"], "fields": ["kind"] });
    let answer = catalog.post(BY_REFS, &body);
    assert_eq!(answer.ok(), json!({ "items": [{ "kind": "Component" }, null] }));
    assert_eq!(by_refs(catalog, &[]).ok(), json!({ "items": [] }));
}

fn what_is_filtered_out_is_null(catalog: &Catalog) {
    let body = json!({ "entityRefs": [ALPHA, BETA], "query": { "spec.num": 5 } });
    resolves(&catalog.post(BY_REFS, &body), &json!([null, "beta"]));
    resolves(&catalog.post(&format!("{BY_REFS}?filter=metadata.name=alpha"), &body), &json!([null, null]));
    resolves(&catalog.post(&format!("{BY_REFS}?filter=spec.flag"), &body), &json!([null, "beta"]));
}

fn malformed_lists_of_refs_are_refused(catalog: &Catalog) {
    for body in ["", "not json", "["] {
        catalog.post_text(BY_REFS, body).refusal(400, "InputError");
    }
    let missing = "request/body must have required property 'entityRefs'";
    let rows = [
        (json!([]), "request/body must be object"),
        (json!({}), missing),
        (json!({ "unknown": 7 }), missing),
        (json!({ "entityRefs": 7 }), "request/body/entityRefs must be array"),
        (json!({ "entityRefs": [7] }), "request/body/entityRefs/0 must be string"),
        (json!({ "entityRefs": [ALPHA], "fields": 7 }), "request/body/fields must be array"),
    ];
    for (body, message) in rows {
        catalog.post(BY_REFS, &body).refuses_input(message);
    }
    let none = catalog.send("POST", BY_REFS, &[], None);
    none.refuses_input(&format!("{MALFORMED_BODY}Required at \"entityRefs\""));
    let query = json!({ "entityRefs": [ALPHA], "query": { "$foo": 1 } });
    catalog.post(BY_REFS, &query).refuses_input_with(MALFORMED_BODY);
    catalog
        .post(&format!("{BY_REFS}?fields=kind"), &json!({ "entityRefs": [] }))
        .refuses_input("Unknown query parameter 'fields'");
}

fn a_body_that_is_too_long_is_refused(catalog: &Catalog) {
    const LENGTH: usize = 106_617;
    let empty = json!({ "entityRefs": [""] }).to_string().len();
    let body = json!({ "entityRefs": ["x".repeat(LENGTH - empty)] }).to_string();
    assert_eq!(body.len(), LENGTH);
    let answer = catalog.post_text(BY_REFS, &body);
    assert_eq!(
        answer.reply.json()["error"]["message"],
        "request entity too large",
        "{}",
        answer.reply.text()
    );
    assert_eq!(answer.reply.status, 400);
}

/// The parents of each entity of an ancestry, which are told once, and the entity itself, which comes first.
#[track_caller]
fn ancestry(answer: &Answer) -> (String, BTreeMap<String, Vec<Value>>) {
    let body = answer.ok();
    let items = body["items"].as_array().unwrap();
    let name_of = |item: &Value| names(&json!([item["entity"]])).remove(0);
    let parents: BTreeMap<_, _> = items
        .iter()
        .map(|item| (name_of(item), item["parentEntityRefs"].as_array().unwrap().clone()))
        .collect();
    assert_eq!(parents.len(), items.len(), "{answer}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{answer}");
    (format!("{} {}", body["rootEntityRef"].as_str().unwrap(), name_of(&items[0])), parents)
}

fn an_entity_came_through_its_location(catalog: &Catalog) {
    let answer = catalog.get("/entities/by-name/Component/default/ALPHA/ancestry");
    let (root, parents) = ancestry(&answer);
    let origin = answer.ok()["items"][0]["entity"]["metadata"]["annotations"]
        ["backstage.io/managed-by-origin-location"]
        .as_str()
        .unwrap()
        .to_owned();
    let (kind, target) = origin.split_once(':').unwrap();
    assert_eq!(root, "component:default/alpha alpha");
    let location = vec![json!(generated_ref(kind, target))];
    assert_eq!(parents, BTreeMap::from([("alpha".to_owned(), location), ("loc".to_owned(), vec![])]));
}

fn each_ancestor_is_told_once(catalog: &Catalog) {
    let home = Home::new();
    home.write("top.yaml", documents([location("l1", &["./a.yaml"]), location("l2", &["./a.yaml"])]));
    home.write("a.yaml", component("a"));
    let config = home.config().location("file", "top.yaml");
    let family = Catalog::start(home, &config);
    let (root, mut parents) = ancestry(&family.get(&format!("{BY_NAME}/a/ancestry")));
    assert_eq!(root, "component:default/a a");
    let told: Vec<_> = parents.keys().cloned().collect();
    assert_eq!(told, ["a", "l1", "l2", "loc"]);
    let of_a = parents.get_mut("a").unwrap();
    of_a.sort_by_key(Value::to_string);
    assert_eq!(*of_a, [json!("location:default/l1"), json!("location:default/l2")]);
    assert_eq!(parents["l1"], parents["l2"]);
    assert_eq!((parents["l1"].len(), parents["loc"].len()), (1, 0));
    let unknown = catalog.get("/entities/by-name/k/Default/Root/ancestry");
    unknown.refuses(404, "NotFoundError", "No such entity k:default/root");
}

fn refreshing_is_asked_for_by_ref(catalog: &Catalog) {
    let refresh = |body: Value| catalog.post("/refresh", &body);
    for entity_ref in [ALPHA, "Component:Default/ALPHA"] {
        refresh(json!({ "entityRef": entity_ref })).is_empty(200);
    }
    let message = "Entity component:default/nope not found";
    refresh(json!({ "entityRef": "component:default/nope" })).refuses(404, "NotFoundError", message);
    // Short refs are not completed.
    assert_eq!(refresh(json!({ "entityRef": "component:alpha" })).reply.status, 404);
    refresh(json!({})).refuses_input("request/body must have required property 'entityRef'");
    let more = json!({ "entityRef": ALPHA, "more": 1 });
    refresh(more).refuses_input("request/body must NOT have additional properties");
}

pub(crate) const CASES: &[Case<Catalog>] = &[
    (101, |catalog| {
        let answer = catalog.get("/entities/by-name/Component/Default/ALPHA");
        assert_eq!(answer.ok()["metadata"]["name"], "alpha");
    }),
    (102, an_entity_that_is_not_there_is_told_as_it_was_asked_for),
    (103, an_entity_has_one_path),
    (104, an_entity_is_found_by_its_uid),
    (105, |catalog| {
        for uid in ["nope", "0190163f-8f0b-7d3e-8c1d-0a1b2c3d4e5f"] {
            catalog.delete(&format!("/entities/by-uid/{uid}")).is_empty(204);
        }
    }),
    (106, a_deleted_entity_comes_back_as_another_one),
    (107, refs_without_an_entity_are_null),
    (108, |catalog| {
        let answer = by_refs(catalog, &["Component:Default/alpha", "component:alpha", "alpha"]);
        assert_eq!(answer.ok(), json!({ "items": [null, null, null] }));
    }),
    (109, |catalog| {
        let answer =
            by_refs(catalog, &[ALPHA, BETA, ALPHA, "not-even-a-ref", "component:default/missing", ALPHA]);
        resolves(&answer, &json!(["alpha", "beta", "alpha", null, null, "alpha"]));
    }),
    (110, what_is_filtered_out_is_null),
    (111, malformed_lists_of_refs_are_refused),
    (112, a_body_that_is_too_long_is_refused),
    (113, an_entity_came_through_its_location),
    (114, each_ancestor_is_told_once),
    (122, refreshing_is_asked_for_by_ref),
];

#[test]
fn c101_to_c114_and_c122_single_entities() {
    check_all(CASES, &Catalog::of_fixture());
}
