//! The actions, which have no numbers among the cases.

use callboard_tests::descriptors::{component, described_component, documents};
use callboard_tests::{Home, Upstream};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::catalog::Catalog;

const LIST: &str = "/.backstage/actions/v1/actions";

const API: &str = "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata:\n  name: alpha\nspec:\n  type: openapi\n  \
                   lifecycle: production\n  owner: team-a\n  definition: none\n";

/// A catalog that may read from a server.
struct Scene {
    // Ended before what it reads from.
    catalog: Catalog,
    upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        let (home, upstream) = (Home::new(), Upstream::new());
        home.write("all.yaml", documents(["alpha", "beta", "gamma"].map(component)));
        home.write("api.yaml", API);
        let config = home.config().location("file", "all.yaml").location("file", "api.yaml");
        Self { catalog: Catalog::start(home, &config), upstream }
    }

    /// Without entities; nothing is read again unless somebody asks for it.
    fn at_rest() -> Self {
        let (home, upstream) = (Home::new(), Upstream::new());
        let config = home.config().allow(&upstream).set("catalog.processingInterval", json!({ "hours": 24 }));
        Self { catalog: Catalog { daemon: home.start(&config), home }, upstream }
    }

    fn invoke(&self, action: &str, input: &Value) -> Answer {
        self.catalog.post(&format!("{LIST}/catalog:{action}/invoke"), input)
    }

    #[track_caller]
    fn output(&self, action: &str, input: &Value) -> Value {
        let mut body = self.invoke(action, input).ok();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        body["output"].take()
    }

    fn description(&self, name: &str) -> Option<Value> {
        let entity = self.catalog.daemon.api().entity(&format!("component:default/{name}"))?;
        Some(entity["metadata"]["description"].clone())
    }
}

fn ids(catalog: &Catalog) -> Vec<String> {
    let body = catalog.get(LIST).ok();
    let id = |action: &Value| action["id"].as_str().unwrap().to_owned();
    body["actions"].as_array().unwrap().iter().map(id).collect()
}

#[test]
fn entities_are_looked_up_and_searched() {
    let scene = Scene::new();
    let beta = scene.catalog.entity("component:default/beta");
    assert_eq!(scene.output("get-catalog-entity", &json!({ "name": "beta" })), beta);
    let wrapped = LIST.replace("/v1/", "/v2/");
    let input = json!({ "input": { "name": "Beta", "kind": "component", "namespace": "Default" } });
    let answer = scene.catalog.post(&format!("{wrapped}/catalog%3Aget-catalog-entity/invoke"), &input);
    assert_eq!(answer.ok(), json!({ "output": beta }));
    scene.invoke("get-catalog-entity", &json!({ "name": "alpha" })).refuses(
        409,
        "ConflictError",
        "Multiple entities found with name \"alpha\", please provide more specific filters. Entities found: \
         \"api:default/alpha\", \"component:default/alpha\"",
    );
    scene
        .invoke("get-catalog-entity", &json!({ "name": "delta" }))
        .refuses_input("No entity found with name \"delta\"");

    let order = json!({ "field": "metadata.name", "order": "desc" });
    let fields = json!(["kind", "metadata.name"]);
    let first = json!({
        "query": { "kind": "component" }, "fields": fields, "limit": "2", "offset": "0", "orderFields": [order],
    });
    let first = scene.output("query-catalog-entities", &first);
    let items = |names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| json!({ "kind": "Component", "metadata": { "name": name } })).collect()
    };
    assert_eq!(first["items"], json!(items(&["gamma", "beta"])));
    assert_eq!((&first["totalItems"], &first["hasMoreEntities"]), (&json!(3), &json!(true)));
    let next = json!({ "cursor": first["nextPageCursor"], "fields": fields });
    let last = json!({ "items": items(&["alpha"]), "totalItems": 3, "hasMoreEntities": false });
    assert_eq!(scene.output("query-catalog-entities", &next), last);
}

#[test]
fn the_model_is_described_as_it_is_checked() {
    let scene = Scene::new();
    let described = scene.output("get-catalog-model-description", &json!({}));
    let text = described["description"].as_str().unwrap();
    for line in [
        "### Component",
        "`apiVersion`: `backstage.io/v1alpha1` or `backstage.io/v1beta1`",
        "| `lifecycle` | yes | text |  |",
        "| `ownedBy` | `ownerOf` | `owner` of API, `owner` of Component, `owner` of Resource, `owner` of System, \
         `owner` of Domain |",
        "| API | 1 |",
        "| Component | 3 |",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    }
}

#[test]
fn descriptors_are_validated_by_the_daemons_pipeline() {
    let scene = Scene::new();
    let valid = scene.output("validate-entity", &json!({ "entity": component("delta") }));
    assert_eq!((&valid["isValid"], &valid["isValidYaml"]), (&json!(true), &json!(true)), "{valid}");
    assert_eq!(valid["entity"]["metadata"]["name"], "delta");
    let incomplete = component("delta").replace("  lifecycle: production\n", "");
    let rows = [
        (
            incomplete.as_str(),
            true,
            "Processor BuiltinKindsEntityProcessor threw an error while validating the entity component:default/delta; \
             caused by TypeError: /spec must have required property 'lifecycle' - missingProperty: lifecycle",
        ),
        ("kind: [\n", false, "YAML parsing error: YAML error at url:https://localhost/entity-validator, "),
        ("", false, "Validation error: the text describes no entity"),
    ];
    for (text, is_yaml, start) in rows {
        let invalid = scene.output("validate-entity", &json!({ "entity": text }));
        assert_eq!((&invalid["isValid"], &invalid["isValidYaml"]), (&json!(false), &json!(is_yaml)));
        assert!(invalid["errors"][0].as_str().is_some_and(|error| error.starts_with(start)), "{invalid}");
        assert_eq!(invalid.get("entity"), None, "{invalid}");
    }
    assert_eq!(scene.description("delta"), None);
}

#[test]
fn what_is_registered_is_refreshed_and_goes_when_it_is_unregistered() {
    let scene = Scene::at_rest();
    scene.upstream.put("delta.yaml", described_component("delta", "first"));
    let url = scene.upstream.url("delta.yaml");
    let daemon = &scene.catalog.daemon;
    let registered = scene.output("register-entity", &json!({ "locationUrl": url }));
    let id = registered["locationId"].as_str().unwrap();
    assert_eq!(scene.catalog.get(&format!("/locations/{id}")).ok()["target"], json!(url));
    scene.invoke("register-entity", &json!({ "locationUrl": url })).refuses(
        409,
        "ConflictError",
        &format!("Location url:{url} already exists"),
    );
    daemon.wait_for("the entity", |_| scene.description("delta"));

    scene.upstream.put("delta.yaml", described_component("delta", "second"));
    let refreshed = scene.output("refresh-catalog-entity", &json!({ "name": "delta" }));
    assert_eq!(refreshed, json!({ "entityRef": "component:default/delta" }));
    daemon.wait_for("the second description", |_| (scene.description("delta")? == "second").then_some(()));

    let by_url = json!({ "type": { "locationUrl": url.to_uppercase() } });
    assert_eq!(scene.output("unregister-entity", &by_url), json!({}));
    scene.catalog.get(&format!("/locations/{id}")).refusal(404, "NotFoundError");
    daemon.wait_for("the entity to go", |_| scene.description("delta").is_none().then_some(()));
    scene.invoke("unregister-entity", &by_url).refuses(
        404,
        "NotFoundError",
        &format!("Location with URL {} not found", url.to_uppercase()),
    );
    let by_id = json!({ "type": { "locationId": id } });
    scene.invoke("unregister-entity", &by_id).refuses(
        404,
        "NotFoundError",
        &format!("Found no location with ID {id}"),
    );
}

#[test]
fn actions_that_are_not_there_and_wrong_inputs_are_refused() {
    let scene = Scene::new();
    scene.invoke("x", &json!({})).refuses(404, "NotFoundError", "Action \"catalog:x\" not found");
    scene.invoke("get-catalog-entity", &json!({ "name": "alpha", "more": 1 })).refuses_input(
        "Invalid input to action \"catalog:get-catalog-entity\"; caused by InputError: more: unknown field `more`, \
         expected one of `name`, `kind`, `namespace`",
    );
    let wrapped = format!("{}/catalog:get-catalog-entity/invoke", LIST.replace("/v1/", "/v2/"));
    let secrets = json!({ "input": { "name": "beta" }, "secrets": { "token": "t" } });
    scene
        .catalog
        .post(&wrapped, &secrets)
        .refuses_input("Action \"catalog:get-catalog-entity\" does not accept secrets");
    scene.catalog.get(&wrapped).is_nothing();
    scene.catalog.post(LIST, &json!({})).is_nothing();
    scene.catalog.get("/.backstage/actions").is_nothing();
    let paths = scene.catalog.get("/openapi.json").ok()["paths"].clone();
    assert!(paths.as_object().unwrap().keys().all(|path| !path.contains("actions")), "{paths}");
}

#[test]
fn the_configuration_says_which_actions_there_are() {
    let home = Home::new();
    home.write("all.yaml", component("alpha"));
    let filter = json!({
        "include": [{ "id": "catalog:*-entity" }],
        "exclude": [{ "attributes": { "destructive": true } }, { "id": "*:register-*" }],
    });
    let config = home
        .config()
        .location("file", "all.yaml")
        .set("backend.actions", json!({ "pluginSources": ["scaffolder"], "filter": filter }));
    let catalog = Catalog::start(home, &config);
    let left = ["catalog:get-catalog-entity", "catalog:validate-entity", "catalog:refresh-catalog-entity"];
    assert_eq!(ids(&catalog), left);
    catalog
        .post(
            &format!("{LIST}/catalog:register-entity/invoke"),
            &json!({ "locationUrl": "https://example.com/a" }),
        )
        .refuses(404, "NotFoundError", "Action \"catalog:register-entity\" not found");
    let checked = catalog.home.run(&["config", "check", "--format", "json"]);
    assert_eq!((checked.code, checked.stdout.trim()), (Some(0), "[]"), "{checked:?}");
}

#[test]
fn mistakes_in_the_filter_are_told_with_their_place() {
    let home = Home::new();
    let rows = [
        ("pluginSources: catalog", "'backend.actions.pluginSources'"),
        ("filter: { include: ['catalog.*'] }", "'backend.actions.filter.include[0]'"),
        (
            "filter: { exclude: [{ id: 'catalog:+(un)register-*' }] }",
            "'backend.actions.filter.exclude[0].id'",
        ),
        (
            "filter: { exclude: [{ attributes: { readOnly: perhaps } }] }",
            "'backend.actions.filter.exclude[0].attributes.readOnly'",
        ),
    ];
    for (section, key) in rows {
        home.write("app-config.yaml", format!("backend:\n  actions:\n    {section}\n"));
        let checked = home.run(&["config", "check"]);
        assert_eq!(checked.code, Some(1), "{checked:?}");
        let is_told = |line: &str| line.contains("app-config.yaml:3:") && line.contains(key);
        assert!(checked.stdout.lines().any(is_told), "{key} in {checked:?}");
        let served = home.run(&["serve"]);
        assert_eq!(served.code, Some(1), "{served:?}");
        assert!(served.stderr.contains(key) && served.stderr.contains("app-config.yaml"), "{served:?}");
    }
    home.write("app-config.yaml", "backend:\n  actions:\n    filter: { exclude: [{ attribute: {} }] }\n");
    let checked = home.run(&["config", "check"]);
    assert!(checked.stdout.contains("did you mean 'attributes'"), "{checked:?}");
}
