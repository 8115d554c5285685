//! C126, C127 and C136 to C138: what is tried out and not kept. Dry runs, analysis, validation.

use std::collections::BTreeSet;

use callboard_tests::descriptors::{component, documents, generated_ref, location};
use callboard_tests::{Home, Upstream};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::case::{Case, check_all};
use crate::catalog::Catalog;

const DRY_RUN: &str = "/locations?dryRun=true";
const ANALYZE: &str = "/analyze-location";
const VALIDATE: &str = "/validate-entity";

/// A catalog that may read from a server.
pub(crate) struct Scene {
    // Ended before what it reads from.
    catalog: Catalog,
    upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        let (home, upstream) = (Home::new(), Upstream::new());
        home.write("all.yaml", component("a"));
        let config = home.config().allow(&upstream).location("file", "all.yaml");
        Self { catalog: Catalog::start(home, &config), upstream }
    }

    fn dry_run(&self, target: &str) -> Answer {
        self.catalog.post(DRY_RUN, &json!({ "type": "url", "target": target }))
    }

    fn analyze(&self, target: &str) -> Answer {
        self.catalog.post(ANALYZE, &json!({ "location": { "type": "url", "target": target } }))
    }
}

fn entity_ref(entity: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_lowercase();
    format!("{}:default/{}", text(&entity["kind"]), text(&entity["metadata"]["name"]))
}

fn a_dry_run_shows_all_that_would_come_in(scene: &Scene) {
    let nested = location("nested", &["./deep.yaml"]);
    scene.upstream.put("c126.yaml", documents([component("one"), nested, component("two")]));
    scene.upstream.put("deep.yaml", component("three"));
    let target = scene.upstream.url("c126.yaml");
    let generated = generated_ref("url", &target);
    let location = json!({
        "id": format!("url:{target}"),
        "type": "url",
        "target": target,
        "entityRef": generated,
    });
    for exists in [false, true] {
        let body = scene.dry_run(&target).json(201);
        assert_eq!((&body["exists"], &body["location"]), (&json!(exists), &location));
        let entities = body["entities"].as_array().unwrap();
        assert_eq!(entity_ref(&entities[0]), generated);
        let refs: BTreeSet<_> = entities.iter().map(entity_ref).collect();
        let components = ["one", "two", "three"].map(|name| format!("component:default/{name}"));
        let expected =
            components.into_iter().chain([generated.clone(), "location:default/nested".to_owned()]);
        assert_eq!(refs, expected.collect());
        assert_eq!(entities.len(), 5, "{body}");
        for entity in entities {
            let metadata = entity["metadata"].as_object().unwrap();
            assert!(!metadata.contains_key("uid") && !metadata.contains_key("etag"), "{entity}");
            assert_eq!(entity.get("relations"), None, "{entity}");
        }
        if !exists {
            assert_eq!(scene.catalog.get("/locations").ok(), json!([]));
            scene.catalog.get("/entities?fields=metadata.name").finds(&["a", "loc"]);
            let body = json!({ "type": "url", "target": target });
            scene.catalog.post("/locations", &body).json(201);
        }
    }
}

fn a_dry_run_tells_what_is_wrong(scene: &Scene) {
    let put = |path: &str, text: String| {
        scene.upstream.put(path, text);
        scene.upstream.url(path)
    };
    let missing = scene.upstream.url("missing.yaml");
    let message = format!("NotFoundError: Unable to read url, no matching files found for {missing}");
    scene.dry_run(&missing).refuses_input(&message);
    let named = put("named.yaml", component("bad name"));
    let start = "InputError: Policy check failed for component:default/bad name; caused by ";
    scene.dry_run(&named).refuses_input_with(start);
    let forbidden = "https://forbidden.example.com/catalog-info.yaml";
    let message = format!(
        "Error: Unable to read url, Reading from '{forbidden}' is not allowed. You may need to configure an integration \
         for the target host, or add it to the configured list of allowed hosts at 'backend.reading.allow'"
    );
    scene.dry_run(forbidden).refuses_input(&message);
    let twice = put("twice.yaml", documents([component("twice"), component("twice")]));
    scene.dry_run(&twice).refuses_input("Duplicate nested entity: component:default/twice");
}

fn a_repository_becomes_a_stub(scene: &Scene) {
    let stub = |metadata: Value| {
        let entity = json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Component",
            "metadata": metadata,
            "spec": { "type": "other", "lifecycle": "unknown" },
        });
        json!({ "existingEntityFiles": [], "generateEntities": [{ "entity": entity, "fields": [] }] })
    };
    let slug = json!({ "github.com/project-slug": "example/shop" });
    assert_eq!(
        scene.analyze("https://github.com/example/shop").ok(),
        stub(json!({ "name": "shop", "annotations": slug }))
    );
    assert_eq!(scene.analyze("https://forge.example.com/example/shop").ok(), stub(json!({ "name": "shop" })));
    scene.analyze("nope").refuses_input("The given location.target is not a URL");
    let rows = [
        (json!({ "type": "url" }), "request/body/location must have required property 'target'"),
        (
            json!({ "type": "url", "target": "https://github.com/example/shop", "more": 1 }),
            "request/body/location must NOT have additional properties",
        ),
    ];
    for (location, message) in rows {
        scene.catalog.post(ANALYZE, &json!({ "location": location })).refuses_input(message);
    }
}

/// The answer has nothing but errors. Name and message of the first one.
#[track_caller]
fn first_error(answer: &Answer) -> (String, String) {
    let body = answer.json(400);
    assert_eq!(body.as_object().unwrap().len(), 1, "{answer}");
    let text = |name: &str| body["errors"][0][name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    (text("name"), text("message"))
}

fn valid() -> Value {
    json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": { "name": "x" },
        "spec": { "type": "service", "lifecycle": "production", "owner": "team-a" },
    })
}

fn an_entity_is_validated_by_the_whole_pipeline(scene: &Scene) {
    let validate = |change: &dyn Fn(&mut Value)| {
        let mut entity = valid();
        change(&mut entity);
        let location = "url:https://example.com/catalog-info.yaml";
        scene.catalog.post(VALIDATE, &json!({ "entity": entity, "location": location, "more": 1 }))
    };
    let remove = |place: &mut Value, name: &str| drop(place.as_object_mut().unwrap().remove(name));
    validate(&|_| ()).is_empty(200);
    let message = "Processor BuiltinKindsEntityProcessor threw an error while validating the entity \
                   component:default/x; caused by TypeError: /spec must have required property 'lifecycle' - \
                   missingProperty: lifecycle";
    let (_, told) = first_error(&validate(&|entity| remove(&mut entity["spec"], "lifecycle")));
    assert_eq!(told, message);
    let start = "Policy check failed for component:default/x y; caused by Error: \"metadata.name\" is not valid; \
                 expected a string that is sequences of [a-zA-Z0-9] separated by any of [-_.], at most 63 characters \
                 in total but found \"x y\". To learn more about catalog file format, visit: ";
    let (_, told) = first_error(&validate(&|entity| entity["metadata"]["name"] = "x y".into()));
    assert!(told.starts_with(start), "{told}");
    let message = "No processor recognized the entity nope:default/x as valid, possibly caused by a foreign kind or \
                   apiVersion";
    let (_, told) = first_error(&validate(&|entity| entity["kind"] = "Nope".into()));
    assert_eq!(told, message);
    let told = first_error(&validate(&|entity| remove(entity, "apiVersion")));
    let message = "<root> must have required property 'apiVersion' - missingProperty: apiVersion";
    assert_eq!(told, ("TypeError".to_owned(), message.to_owned()));
    scene.catalog.get("/entities/by-name/component/default/x").refusal(404, "NotFoundError");
}

fn malformed_validations_are_answered_with_errors_too(scene: &Scene) {
    let validate = |entity: Value, location: Value| {
        first_error(&scene.catalog.post(VALIDATE, &json!({ "entity": entity, "location": location }))).1
    };
    assert_eq!(
        validate(valid(), json!("file:/a")),
        "Invalid location ref file:/a, only 'url:<target>' is supported, e.g. url:https://host/path"
    );
    assert_eq!(
        validate(valid(), json!("nocolon")),
        "Unable to parse location ref 'nocolon', expected '<type>:<target>', e.g. 'url:https://host/path'"
    );
    let told = validate(valid(), Value::Null);
    assert!(told.contains("Malformed request:"), "{told}");
    let told = validate(Value::Null, json!("url:https://example.com/catalog-info.yaml"));
    assert!(told.contains("<root> must be object - type: object"), "{told}");
}

pub(crate) const CASES: &[Case<Scene>] = &[
    (126, a_dry_run_shows_all_that_would_come_in),
    (127, a_dry_run_tells_what_is_wrong),
    (136, a_repository_becomes_a_stub),
    (137, an_entity_is_validated_by_the_whole_pipeline),
    (138, malformed_validations_are_answered_with_errors_too),
];

#[test]
fn c126_c127_and_c136_to_c138_what_is_tried_out() {
    check_all(CASES, &Scene::new());
}
