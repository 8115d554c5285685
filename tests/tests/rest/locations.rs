//! C123 to C125, C128 to C135 and C139: registered locations.

use callboard_tests::descriptors::{component, generated_ref};
use callboard_tests::{Home, Upstream};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::case::{Case, check_all};
use crate::catalog::Catalog;
use crate::page::{decoded, encoded};

const URL: &str = "/locations";
const BY_QUERY: &str = "/locations/by-query";

const NOT_ALLOWED_TYPE: &str = "Registered locations must be of an allowed type [\"url\"]";

/// A catalog with a location of the configuration, and a server from which more can be registered.
pub(crate) struct Scene {
    // Ended before what it reads from.
    catalog: Catalog,
    upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        let (home, upstream) = (Home::new(), Upstream::new());
        home.write("configured.yaml", component("configured"));
        let config = home.config().allow(&upstream).location("file", "configured.yaml");
        Self { catalog: Catalog::start(home, &config), upstream }
    }

    /// The URL of a file with one component.
    fn target(&self, name: &str) -> String {
        let path = format!("{name}.yaml");
        self.upstream.put(&path, component(name));
        self.upstream.url(&path)
    }

    fn post(&self, body: &Value) -> Answer {
        self.catalog.post(URL, body)
    }

    /// Registers a target and answers its location.
    #[track_caller]
    fn register(&self, target: &str) -> Value {
        let mut body = self.post(&json!({ "type": "url", "target": target })).json(201);
        assert_eq!((&body["entities"], body.as_object().unwrap().len()), (&json!([]), 2), "{body}");
        body["location"].take()
    }

    fn by_query(&self, body: &Value) -> Answer {
        self.catalog.post(BY_QUERY, body)
    }

    /// All locations.
    fn all(&self) -> Vec<Value> {
        self.by_query(&json!({})).ok()["items"].as_array().unwrap().clone()
    }
}

fn id_of(location: &Value) -> &str {
    location["id"].as_str().unwrap()
}

fn a_location_is_registered(scene: &Scene) {
    let target = scene.target("c124");
    let location = scene.register(&target);
    let id = id_of(&location);
    let groups: Vec<_> = id.split('-').map(str::len).collect();
    assert!(
        groups == [8, 4, 4, 4, 12] && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()),
        "{id}"
    );
    let entity_ref = generated_ref("url", &target);
    assert_eq!(location, json!({ "id": id, "type": "url", "target": target, "entityRef": entity_ref }));
    // Nobody looks at what the target is.
    let unreadable = scene.register("https://backstage.io/catalog-info.yaml");
    let entity_ref = "location:default/generated-bbad4f61e08f24e25d5c5e68e13e164f760aff06";
    assert_eq!(unreadable["entityRef"], entity_ref);
    scene.register("not-a-url");
}

fn a_location_is_registered_once(scene: &Scene) {
    let target = scene.target("c125");
    let location = scene.register(&target);
    let body = json!({ "type": "url", "target": target });
    let message = format!("Location url:{target} already exists");
    scene.post(&body).refuses(409, "ConflictError", &message);
    let rejected = scene.catalog.post(&format!("{URL}?onConflict=reject"), &body);
    rejected.refuses(409, "ConflictError", &message);
    let refreshed = scene.catalog.post(&format!("{URL}?onConflict=refresh"), &body);
    assert_eq!(refreshed.json(201), json!({ "location": location, "entities": [] }));
    scene.catalog.post(&format!("{URL}?onConflict=bogus"), &body).refuses_input(
        "request/query/onConflict must be equal to one of the allowed values: refresh, reject",
    );
}

fn malformed_locations_are_refused(scene: &Scene) {
    let rows = [
        (json!({ "type": "file", "target": "x" }), NOT_ALLOWED_TYPE),
        (json!({ "type": "url" }), "request/body must have required property 'target'"),
        (json!([]), "request/body must be object"),
    ];
    for (body, message) in rows {
        scene.post(&body).refuses_input(message);
    }
    let more = scene.post(&json!({ "type": "url", "target": "x", "more": 1 })).refusal(400, "InputError");
    assert!(more.starts_with("Malformed request: [") && more.contains("unrecognized_keys"), "{more}");
    let text = [("Content-Type", "text/plain")];
    let text = scene.catalog.send("POST", URL, &text, Some("{\"type\":\"url\",\"target\":\"x\"}"));
    text.refuses_input("unsupported media type text/plain");
    scene.catalog.send("POST", URL, &[], None).refuses_input("unsupported media type undefined");
}

fn presence_is_for_new_locations(scene: &Scene) {
    let target = scene.target("c129");
    let body = json!({ "type": "url", "target": target, "presence": "optional" });
    let created = scene.post(&body).json(201);
    let id = id_of(&created["location"]);
    let answer = scene.catalog.put(&format!("{URL}/{id}"), &body);
    answer.refuses_input("request/body must NOT have additional properties");
}

fn a_location_is_found_by_its_id(scene: &Scene) {
    let location = scene.register(&scene.target("c130"));
    assert_eq!(scene.catalog.get(&format!("{URL}/{}", id_of(&location))).ok(), location);
    let listed = scene.catalog.get(URL).ok();
    assert!(listed.as_array().unwrap().contains(&json!({ "data": location })), "{listed}");
    scene.catalog.get("/locations/x").refuses(404, "NotFoundError", "Found no location with ID x");
}

fn a_location_is_pointed_elsewhere(scene: &Scene) {
    let location = scene.register(&scene.target("c131-old"));
    let taken = scene.target("c131-taken");
    scene.register(&taken);
    let put = |id: &str, kind: &str, target: &str| {
        scene.catalog.put(&format!("{URL}/{id}"), &json!({ "type": kind, "target": target }))
    };
    let target = scene.target("c131-new");
    let mut expected = location.clone();
    expected["target"] = target.clone().into();
    let id = id_of(&location);
    assert_eq!(put(id, "url", &target).ok(), expected);
    assert_eq!(scene.catalog.get(&format!("{URL}/{id}")).ok(), expected);
    put(id, "url", &taken).refusal(409, "ConflictError");
    put("x", "url", &scene.target("c131-other")).refusal(404, "NotFoundError");
    put(id, "file", "x").refuses_input(NOT_ALLOWED_TYPE);
    assert_eq!(scene.catalog.get(&format!("{URL}/{id}")).ok(), expected);
}

fn a_location_is_deleted_once(scene: &Scene) {
    let location = scene.register(&scene.target("c132"));
    let url = format!("{URL}/{}", id_of(&location));
    scene.catalog.delete(&url).is_empty(204);
    scene.catalog.delete(&url).refusal(404, "NotFoundError");
    scene.catalog.get(&url).refusal(404, "NotFoundError");
}

fn a_location_is_found_by_its_entities(scene: &Scene) {
    let location = scene.register(&scene.target("c133"));
    scene.catalog.daemon.wait_for("the entity", |api| api.entity("component:default/c133"));
    let of = |name: &str| scene.catalog.get(&format!("{URL}/by-entity/Component/default/{name}"));
    assert_eq!(of("c133").ok(), location);
    let configured = of("configured").refusal(404, "NotFoundError");
    assert!(
        configured.starts_with("Found no location with type file and target ")
            && configured.ends_with("configured.yaml"),
        "{configured}"
    );
    of("nope").refuses(404, "NotFoundError", "found no entity for ref component:default/nope");
}

fn locations_come_in_pages(scene: &Scene) {
    let mut registered = [scene.register(&scene.target("c134-a")), scene.register(&scene.target("c134-b"))];
    registered.sort_by_key(|location| id_of(location).to_owned());
    let whole = scene.by_query(&json!({})).ok();
    let all = whole["items"].as_array().unwrap();
    let total = json!(all.len());
    assert!(all.is_sorted_by_key(id_of), "{whole}");
    assert!(registered.iter().all(|location| all.contains(location)), "{whole}");
    assert_eq!(whole, json!({ "items": all, "totalItems": total, "pageInfo": {} }));
    assert_eq!(scene.catalog.send("POST", BY_QUERY, &[], None).ok(), whole);

    let first = scene.by_query(&json!({ "limit": 1 })).ok();
    let cursor = first["pageInfo"]["nextCursor"].as_str().unwrap();
    assert_eq!(decoded(cursor), json!({ "limit": 1, "afterId": all[0]["id"] }));
    assert_eq!((&first["items"], &first["totalItems"]), (&json!([all[0]]), &total));
    // A page is as long as its cursor says.
    let second = scene.by_query(&json!({ "cursor": cursor, "limit": 50 })).ok();
    assert_eq!((&second["items"], &second["totalItems"]), (&json!([all[1]]), &total));

    let query = json!({ "target": { "$in": [registered[0]["target"], registered[1]["target"]] } });
    let first = scene.by_query(&json!({ "limit": 1, "query": query })).ok();
    let cursor = first["pageInfo"]["nextCursor"].as_str().unwrap();
    let expected = json!({ "limit": 1, "afterId": registered[0]["id"], "query": query });
    assert_eq!(decoded(cursor), expected);
    let second = scene.by_query(&json!({ "cursor": cursor })).ok();
    assert_eq!(second, json!({ "items": [registered[1]], "totalItems": 2, "pageInfo": {} }));
}

fn locations_are_found_by_queries(scene: &Scene) {
    let location = scene.register(&scene.target("c135"));
    let found = |query: Value| scene.by_query(&json!({ "query": query })).ok()["items"].clone();
    let (all, one) = (json!(scene.all()), json!([location]));
    let prefix = location["target"].as_str().unwrap().replace("http://", "HTTP://");
    let rows = [
        (json!({ "type": "url" }), &all),
        (json!({ "type": "file" }), &json!([])),
        (json!({ "TARGET": { "$hasPrefix": prefix } }), &one),
        (json!({ "target": { "$hasPrefix": "HTTP:" }, "id": location["id"] }), &one),
        (json!({ "entityRef": location["entityRef"].as_str().unwrap().to_uppercase() }), &one),
        (json!({ "id": { "$in": [location["id"]] } }), &one),
        (json!({ "id": { "$exists": true } }), &all),
        (json!({ "id": { "$exists": false } }), &json!([])),
        (json!({ "$all": [] }), &json!([])),
        (json!({}), &all),
        (json!({ "$any": [] }), &json!([])),
        (json!({ "$not": {} }), &all),
        (json!({ "target": { "$contains": prefix } }), &json!([])),
        (json!({ "target": { "$contains": { "type": "x" } } }), &json!([])),
    ];
    for (query, expected) in rows {
        assert_eq!(found(query.clone()), *expected, "{query}");
    }
    let key =
        "Invalid filter predicate, expected key to be 'id', 'type', 'target', or 'entityRef', got 'kind'";
    let rows = [
        (json!({ "query": { "kind": "x" } }), key),
        (json!({ "limit": 0 }), "Limit must be a positive integer >= 1"),
        (json!({ "limit": 1.5 }), "Limit must be a positive integer >= 1"),
        (json!({ "cursor": "bad" }), "Malformed cursor, unknown encoding"),
        (json!({ "cursor": "" }), "Cursor cannot be empty"),
        (
            json!({ "cursor": encoded(&json!({ "afterId": "x" })) }),
            "Malformed cursor: Validation error: Required at \"limit\"",
        ),
    ];
    for (body, message) in rows {
        scene.by_query(&body).refuses_input(message);
    }
}

fn nothing_is_registered_in_readonly_mode(_: &Scene) {
    let (home, upstream) = (Home::new(), Upstream::new());
    home.write("all.yaml", component("a"));
    upstream.put("b.yaml", component("b"));
    let config = home.config().allow(&upstream).location("file", "all.yaml");
    let catalog = Catalog::start(home, &config.set("catalog.readonly", true.into()));
    let body = json!({ "type": "url", "target": upstream.url("b.yaml") });
    for answer in
        [catalog.post(URL, &body), catalog.put("/locations/x", &body), catalog.delete("/locations/x")]
    {
        answer.refuses(403, "NotAllowedError", "This operation not allowed in readonly mode");
    }
    let tried = catalog.post(&format!("{URL}?dryRun=true"), &body).json(201);
    assert_eq!(tried["exists"], false);
    assert_eq!(catalog.get(URL).ok(), json!([]));
    catalog.post("/refresh", &json!({ "entityRef": "component:default/a" })).is_empty(200);
    let uid = catalog.uid("component:default/a");
    catalog.delete(&format!("/entities/by-uid/{uid}")).is_empty(204);
}

pub(crate) const CASES: &[Case<Scene>] = &[
    (123, |scene| assert_eq!(scene.catalog.get(URL).ok(), json!([]))),
    (124, a_location_is_registered),
    (125, a_location_is_registered_once),
    (128, malformed_locations_are_refused),
    (129, presence_is_for_new_locations),
    (130, a_location_is_found_by_its_id),
    (131, a_location_is_pointed_elsewhere),
    (132, a_location_is_deleted_once),
    (133, a_location_is_found_by_its_entities),
    (134, locations_come_in_pages),
    (135, locations_are_found_by_queries),
    (139, nothing_is_registered_in_readonly_mode),
];

#[test]
fn c123_to_c125_c128_to_c135_and_c139_registered_locations() {
    check_all(CASES, &Scene::new());
}
