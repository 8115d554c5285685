//! The actions as callers see them.

use callboard_config::Config;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::options::ServerOptions;
use crate::testing::{Answer, Fixture, component};

const LIST: &str = "/api/catalog/.backstage/actions/v1/actions";

async fn invoke(fixture: &Fixture, action: &str, input: Value) -> Answer {
    fixture.send(Method::POST, &format!("{LIST}/catalog:{action}/invoke"), input.to_string()).await
}

async fn output(fixture: &Fixture, action: &str, input: Value) -> Value {
    let answer = invoke(fixture, action, input).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let mut body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    body["output"].take()
}

fn of_kind(kind: &str, namespace: &str, name: &str) -> Value {
    let mut entity = component(name);
    entity["kind"] = kind.into();
    entity["metadata"]["namespace"] = namespace.into();
    entity
}

#[tokio::test]
async fn all_actions_are_listed_with_what_they_do() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let body = fixture.get(LIST).await.json();
    let rows = [
        ("get-catalog-model-description", [false, true, true]),
        ("get-catalog-entity", [false, true, true]),
        ("query-catalog-entities", [false, true, true]),
        ("validate-entity", [false, true, true]),
        ("register-entity", [false, false, false]),
        ("unregister-entity", [true, true, false]),
        ("refresh-catalog-entity", [false, true, false]),
    ];
    let actions = body["actions"].as_array().unwrap();
    assert_eq!(actions.len(), rows.len());
    for (action, (name, [destructive, idempotent, read_only])) in actions.iter().zip(rows) {
        let members: Vec<_> = action.as_object().unwrap().keys().collect();
        assert_eq!(members, ["id", "name", "title", "description", "pluginId", "attributes", "schema"]);
        assert_eq!((&action["id"], &action["name"]), (&json!(format!("catalog:{name}")), &json!(name)));
        assert_eq!(action["pluginId"], "catalog");
        let attributes =
            json!({ "destructive": destructive, "idempotent": idempotent, "readOnly": read_only });
        assert_eq!(action["attributes"], attributes);
        for text in ["title", "description"] {
            assert!(action[text].as_str().is_some_and(|text| !text.is_empty()), "{action}");
        }
    }
}

#[tokio::test]
async fn what_the_filter_keeps_back_is_neither_listed_nor_invoked() {
    let backend = json!({ "actions": {
        "pluginSources": ["scaffolder"],
        "filter": { "exclude": [{ "attributes": { "destructive": true } }] },
    } });
    let config = Config::from_value("app-config.yaml", json!({ "backend": backend }));
    let fixture = Fixture::new(ServerOptions::from_config(&config).unwrap()).await;
    assert_eq!(fixture.get(LIST).await.json()["actions"].as_array().unwrap().len(), 6);
    let hidden = invoke(&fixture, "unregister-entity", json!({ "type": { "locationId": "x" } })).await;
    assert_eq!(hidden.error(), (404, "Action \"catalog:unregister-entity\" not found".to_owned()));
    let shown = invoke(&fixture, "get-catalog-model-description", json!({})).await;
    assert_eq!(shown.status, StatusCode::OK);
}

#[tokio::test]
async fn both_versions_invoke() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    fixture.ingest(&[component("alpha")], &[]).await;
    let alpha = fixture.get("/api/catalog/entities/by-name/component/default/alpha").await.json();
    let wrapped = LIST.replace("/v1/", "/v2/");
    let name = json!({ "name": "Alpha" });
    let rows = [
        (format!("{LIST}/catalog:get-catalog-entity/invoke"), name.clone()),
        (format!("{LIST}/catalog%3Aget-catalog-entity/invoke/"), name.clone()),
        (format!("{wrapped}/catalog:get-catalog-entity/invoke"), json!({ "input": name })),
        (format!("{wrapped}/catalog%3Aget-catalog-entity/invoke"), json!({ "input": name, "secrets": null })),
        (
            format!("{wrapped}/catalog:get-catalog-entity/invoke"),
            json!({ "input": name, "secrets": {}, "x": 1 }),
        ),
    ];
    for (path, body) in rows {
        let answer = fixture.send(Method::POST, &path, body.to_string()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, json!({ "output": alpha })),
            "{path} {body}"
        );
    }
    for list in [LIST, &wrapped] {
        let path = format!("{list}/catalog:get-catalog-model-description/invoke");
        assert_eq!(fixture.send(Method::POST, &path, "").await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn wrong_invocations_are_refused() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let wrapped = LIST.replace("/v1/", "/v2/");
    let id = "catalog:get-catalog-entity";
    let invalid =
        |complaint: &str| format!("Invalid input to action \"{id}\"; caused by InputError: {complaint}");
    let rows = [
        (format!("{LIST}/catalog:x/invoke"), json!({}), 404, "Action \"catalog:x\" not found".to_owned()),
        (
            format!("{wrapped}/get-catalog-entity/invoke"),
            json!({}),
            404,
            "Action \"get-catalog-entity\" not found".to_owned(),
        ),
        (
            format!("{LIST}/CATALOG:get-catalog-entity/invoke"),
            json!({}),
            404,
            "Action \"CATALOG:get-catalog-entity\" not found".to_owned(),
        ),
        (format!("{LIST}/{id}/invoke"), json!({}), 400, invalid("missing field `name`")),
        (
            format!("{LIST}/{id}/invoke"),
            json!(["a"]),
            400,
            invalid("invalid type: sequence, expected an object"),
        ),
        (
            format!("{LIST}/{id}/invoke"),
            json!({"name": 7}),
            400,
            invalid("name: invalid type: integer `7`, expected a string"),
        ),
        (
            format!("{LIST}/{id}/invoke"),
            json!({"name": "a", "x": 1}),
            400,
            invalid("x: unknown field `x`, expected one of `name`, `kind`, `namespace`"),
        ),
        (
            format!("{LIST}/{id}/invoke?x=1"),
            json!({"name": "a"}),
            400,
            "Unknown query parameter 'x'".to_owned(),
        ),
        (format!("{wrapped}/{id}/invoke"), json!({"name": "a"}), 400, invalid("missing field `name`")),
        (
            format!("{wrapped}/{id}/invoke"),
            json!({"input": "a"}),
            400,
            invalid("invalid type: string \"a\", expected an object"),
        ),
        (format!("{wrapped}/{id}/invoke"), json!([]), 400, "request/body must be object".to_owned()),
        (
            format!("{wrapped}/{id}/invoke"),
            json!({"input": {"name": "a"}, "secrets": {"token": "t"}}),
            400,
            format!("Action \"{id}\" does not accept secrets"),
        ),
    ];
    for (path, body, status, message) in rows {
        let answer = fixture.send(Method::POST, &path, body.to_string()).await;
        let name = if status == 404 { "NotFoundError" } else { "InputError" };
        assert_eq!(answer.json()["error"]["name"], name, "{path} {body}");
        assert_eq!(answer.error(), (status, message), "{path} {body}");
    }
}

#[tokio::test]
async fn other_methods_find_nothing() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let invoke = format!("{LIST}/catalog:get-catalog-entity/invoke");
    let wrapped = LIST.replace("/v1/", "/v2/");
    for (method, path) in [
        (Method::POST, LIST),
        (Method::DELETE, LIST),
        (Method::GET, &*invoke),
        (Method::GET, &*wrapped),
        (Method::GET, "/api/catalog/.backstage/actions"),
        (Method::GET, "/.backstage/actions/v1/actions"),
    ] {
        let answer = fixture.send(method.clone(), path, "").await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_FOUND, 0), "{method} {path}");
    }
    for (path, allowed) in [(LIST, "GET,HEAD"), (&*invoke, "POST")] {
        assert_eq!(fixture.send(Method::OPTIONS, path, "").await.headers["allow"], allowed, "{path}");
    }
    assert_eq!(fixture.send(Method::HEAD, LIST, "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn entities_are_found_by_as_much_of_their_name_as_is_known() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let entities = [
        of_kind("Component", "default", "orders"),
        of_kind("API", "default", "orders"),
        of_kind("API", "payments", "orders"),
        of_kind("System", "default", "alone"),
    ];
    fixture.ingest(&entities, &[]).await;
    let rows = [
        (json!({"name": "alone"}), "system:default/alone"),
        (json!({"name": "ORDERS", "kind": "component"}), "component:default/orders"),
        (json!({"name": "orders", "namespace": "Payments"}), "api:payments/orders"),
        (json!({"name": "orders", "namespace": "default", "kind": "API"}), "api:default/orders"),
    ];
    for (input, entity_ref) in rows {
        let entity = output(&fixture, "get-catalog-entity", input.clone()).await;
        assert_eq!(entity["apiVersion"], "backstage.io/v1alpha1");
        let refreshed = output(&fixture, "refresh-catalog-entity", input.clone()).await;
        assert_eq!(refreshed, json!({ "entityRef": entity_ref }), "{input}");
    }
    let several = |refs: &str| {
        format!(
            "Multiple entities found with name \"orders\", please provide more specific filters. Entities found: {refs}"
        )
    };
    let all = several("\"api:default/orders\", \"api:payments/orders\", \"component:default/orders\"");
    let rows = [
        (json!({"name": "orders"}), 409, "ConflictError", all),
        (
            json!({"name": "orders", "kind": "api"}),
            409,
            "ConflictError",
            several("\"api:default/orders\", \"api:payments/orders\""),
        ),
        (json!({"name": "none"}), 400, "InputError", "No entity found with name \"none\"".to_owned()),
        (json!({"name": ""}), 400, "InputError", "No entity found with name \"\"".to_owned()),
        (
            json!({"name": "alone", "kind": "API"}),
            400,
            "InputError",
            "No entity found with name \"alone\"".to_owned(),
        ),
    ];
    for (input, status, name, message) in rows {
        for action in ["get-catalog-entity", "refresh-catalog-entity"] {
            let answer = invoke(&fixture, action, input.clone()).await;
            assert_eq!(answer.json()["error"]["name"], name, "{input}");
            assert_eq!(answer.error(), (status, message.clone()), "{input}");
        }
    }
}

#[tokio::test]
async fn an_error_does_not_list_refs_without_end() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let entities: Vec<Value> =
        (0..60).map(|number| of_kind("Component", &format!("n{number:02}"), "same")).collect();
    fixture.ingest(&entities, &[]).await;
    let (status, message) = invoke(&fixture, "get-catalog-entity", json!({ "name": "same" })).await.error();
    assert_eq!((status, message.matches("component:").count()), (409, 50));
    assert!(message.ends_with("\"component:n49/same\" and more"), "{message}");
}

#[tokio::test]
async fn queries_are_those_of_the_endpoint() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let names = ["a", "b", "c", "d", "e"];
    fixture.ingest(&names.map(component), &[]).await;
    let query = json!({ "$any": [{ "metadata.name": { "$in": names } }] });
    let order = json!({ "field": "metadata.name", "order": "desc" });
    let input = json!({
        "query": query, "fields": ["metadata.name"], "orderFields": order, "limit": "2", "offset": 1,
    });
    let first = output(&fixture, "query-catalog-entities", input).await;
    let items = |names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| json!({ "metadata": { "name": name } })).collect()
    };
    assert_eq!(first["items"], json!(items(&["d", "c"])));
    assert_eq!((&first["totalItems"], &first["hasMoreEntities"]), (&json!(5), &json!(true)));
    let input = json!({ "cursor": first["nextPageCursor"], "limit": 5, "fields": ["metadata.name"] });
    let rest = output(&fixture, "query-catalog-entities", input).await;
    assert_eq!(rest, json!({ "items": items(&["b", "a"]), "totalItems": 5, "hasMoreEntities": false }));

    let full_text = json!({ "term": "D", "fields": ["metadata.name"] });
    let found = output(&fixture, "query-catalog-entities", json!({ "fullTextFilter": full_text })).await;
    assert_eq!(found["items"][0]["metadata"]["name"], "d");
    assert_eq!(found["totalItems"], 1);
    let ordered =
        json!({ "orderFields": [order, { "field": "kind", "order": "asc" }], "fields": ["metadata.name"] });
    let ordered = output(&fixture, "query-catalog-entities", ordered).await;
    assert_eq!(ordered["items"], json!(items(&["e", "d", "c", "b", "a"])));
    let whole = output(&fixture, "query-catalog-entities", json!({})).await;
    let by_query = fixture.get("/api/catalog/entities/by-query").await.json();
    assert_eq!(whole["items"], by_query["items"]);
    let none = output(&fixture, "query-catalog-entities", json!({ "limit": 0 })).await;
    assert_eq!(none, json!({ "items": [], "totalItems": 5, "hasMoreEntities": false }));
}

#[tokio::test]
async fn long_answers_are_streamed_whole() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let large = |number: usize| {
        let mut entity = component(&format!("c{number:04}"));
        entity["metadata"]["description"] = "long ".repeat(400).into();
        entity
    };
    let entities: Vec<Value> = (0..2_100).map(large).collect();
    fixture.ingest(&entities, &[]).await;
    let found = output(&fixture, "query-catalog-entities", json!({ "limit": 2_050 })).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 2_050);
    assert_eq!((&found["totalItems"], &found["hasMoreEntities"]), (&json!(2_100), &json!(true)));
}

#[tokio::test]
async fn wrong_queries_are_refused() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let rows = [
        (json!({"limit": -1}), "limit: invalid value: -1, expected a whole number from zero on"),
        (json!({"limit": "many"}), "limit: invalid value: \"many\", expected a whole number from zero on"),
        (json!({"query": "kind=api"}), "query: invalid type: \"kind=api\", expected an object"),
        (json!({"query": {"$nope": []}}), "query: Invalid query: Validation error: "),
        (json!({"orderFields": "metadata.name"}), "orderFields: invalid type: string \"metadata.name\""),
        (json!({"orderFields": [{"field": "a"}]}), "orderFields[0]: missing field `order`"),
        (json!({"orderFields": [["a", "asc"]]}), "orderFields[0]: invalid type: sequence"),
        (
            json!({"orderFields": {"field": "a", "order": "up"}}),
            "orderFields.order: unknown variant `up`, expected `asc` or `desc`",
        ),
        (json!({"fullTextFilter": {"fields": []}}), "fullTextFilter: missing field `term`"),
        (json!({"filter": {}}), "filter: unknown field `filter`, expected one of "),
        (json!({"cursor": null}), "cursor: invalid type: null, expected a string"),
    ];
    for (input, complaint) in rows {
        let (status, message) = invoke(&fixture, "query-catalog-entities", input.clone()).await.error();
        let start = format!(
            "Invalid input to action \"catalog:query-catalog-entities\"; caused by InputError: {complaint}"
        );
        assert!(status == 400 && message.starts_with(&start), "{message}");
    }
    let rows = [
        (json!({"cursor": "x"}), "Malformed cursor: "),
        (json!({"cursor": ""}), "Cursor cannot be empty"),
        (
            json!({"fields": ["spec.a[0]"]}),
            "Invalid field \"spec.a[0]\", array type fields are not supported",
        ),
    ];
    for (input, start) in rows {
        let (status, message) = invoke(&fixture, "query-catalog-entities", input.clone()).await.error();
        assert!(status == 400 && message.starts_with(start), "{message}");
    }
}

#[tokio::test]
async fn locations_are_registered_and_unregistered() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let url = "https://example.com/Catalog-Info.yaml";
    let locations = async || fixture.get("/api/catalog/locations").await.json();
    let registered = invoke(&fixture, "register-entity", json!({ "locationUrl": url })).await;
    assert!(registered.headers.contains_key("callboard-position"));
    let id = registered.json()["output"]["locationId"].clone();
    assert_eq!(registered.json(), json!({ "output": { "locationId": id } }));
    let listed = locations().await;
    assert_eq!((&listed[0]["data"]["id"], &listed[0]["data"]["target"]), (&id, &json!(url)));

    let again = invoke(&fixture, "register-entity", json!({ "locationUrl": url })).await;
    assert_eq!(again.error(), (409, format!("Location url:{url} already exists")));
    let wrong = invoke(&fixture, "register-entity", json!({ "locationUrl": "not-a-valid-url" })).await;
    assert_eq!(wrong.error(), (400, "not-a-valid-url is an invalid URL".to_owned()));

    let by_id = json!({ "type": { "locationId": id } });
    assert_eq!(output(&fixture, "unregister-entity", by_id.clone()).await, json!({}));
    assert_eq!(locations().await, json!([]));
    let gone = invoke(&fixture, "unregister-entity", by_id).await;
    assert_eq!(gone.error(), (404, format!("Found no location with ID {}", id.as_str().unwrap())));

    output(&fixture, "register-entity", json!({ "locationUrl": url })).await;
    output(&fixture, "register-entity", json!({ "locationUrl": url.to_uppercase() })).await;
    output(&fixture, "register-entity", json!({ "locationUrl": "https://example.com/other.yaml" })).await;
    let by_url = json!({ "type": { "locationUrl": url.to_lowercase() } });
    assert_eq!(output(&fixture, "unregister-entity", by_url.clone()).await, json!({}));
    let left = locations().await;
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(left[0]["data"]["target"], "https://example.com/other.yaml");
    let gone = invoke(&fixture, "unregister-entity", by_url).await;
    assert_eq!(gone.error(), (404, format!("Location with URL {} not found", url.to_lowercase())));

    for input in [
        json!({}),
        json!({"type": {}}),
        json!({"type": {"locationId": 7}}),
        json!({"type": {"locationId": "a", "locationUrl": "b"}}),
        json!({"type": "a"}),
        json!({"locationId": "a"}),
    ] {
        let (status, message) = invoke(&fixture, "unregister-entity", input.clone()).await.error();
        assert!(status == 400 && message.starts_with("Invalid input to action"), "{input}: {message}");
    }
}

#[tokio::test]
async fn readonly_mode_holds_for_actions() {
    let fixture = Fixture::new(ServerOptions { readonly: true, ..ServerOptions::default() }).await;
    fixture.ingest(&[component("alpha")], &[]).await;
    let rows = [
        ("register-entity", json!({ "locationUrl": "https://example.com/a.yaml" })),
        ("unregister-entity", json!({ "type": { "locationId": "x" } })),
        ("unregister-entity", json!({ "type": { "locationUrl": "https://example.com/a.yaml" } })),
    ];
    for (action, input) in rows {
        let refused = (403, "This operation not allowed in readonly mode".to_owned());
        assert_eq!(invoke(&fixture, action, input).await.error(), refused);
    }
    output(&fixture, "refresh-catalog-entity", json!({ "name": "alpha" })).await;
}

#[tokio::test]
async fn texts_are_validated_as_entities() {
    let fixture = Fixture::finding().await;
    let text = "apiVersion: v1\nkind: Machine\nmetadata:\n  name: a\nspec: {}\n";
    let entity = json!({ "apiVersion": "v1", "kind": "Machine", "metadata": { "name": "a" }, "spec": {} });
    let location = "url:https://example.com/catalog-info.yaml";
    for input in [json!({ "entity": text }), json!({ "entity": entity.to_string(), "location": location })] {
        let validated = output(&fixture, "validate-entity", input).await;
        let valid = json!({ "isValid": true, "isValidYaml": true, "errors": [], "entity": entity });
        assert_eq!(validated, valid);
    }
    let invalid = async |input: Value| {
        let validated = output(&fixture, "validate-entity", input).await;
        assert_eq!((&validated["isValid"], validated.get("entity")), (&json!(false), None), "{validated}");
        let [error] = validated["errors"].as_array().unwrap().as_slice() else { panic!("{validated}") };
        (validated["isValidYaml"].as_bool().unwrap(), error.as_str().unwrap().to_owned())
    };
    let rows = [
        (json!({"entity": "a: b: c\n"}), false, "YAML parsing error: "),
        (json!({"entity": "kind: \"A\n"}), false, "YAML parsing error: "),
        (json!({"entity": ""}), false, "Validation error: the text describes no entity"),
        (json!({"entity": "# nothing\n---\n"}), false, "Validation error: the text describes no entity"),
        (json!({"entity": "word"}), true, "Validation error: Expected object at root, got string"),
        (
            json!({ "entity": format!("{text}---\n{text}") }),
            true,
            "Validation error: the text has several documents, check one after the other",
        ),
        (
            json!({"entity": "kind: A\nmetadata: {name: a}\n"}),
            true,
            "<root> must have required property 'apiVersion' - missingProperty: apiVersion",
        ),
        (
            json!({"entity": "apiVersion: v1\nkind: A\nmetadata: {name: a b}\n"}),
            true,
            "Policy check failed for a:default/a b; caused by Error: \"metadata.name\" is not valid",
        ),
        (
            json!({ "entity": text, "location": "https://example.com/a.yaml" }),
            true,
            "Invalid location ref 'https://example.com/a.yaml', please prefix it with 'url:'",
        ),
        (
            json!({ "entity": text, "location": "file:/a" }),
            true,
            "Invalid location ref file:/a, only 'url:<target>'",
        ),
        (json!({ "entity": text, "location": "nocolon" }), true, "Unable to parse location ref 'nocolon'"),
    ];
    for (input, is_yaml, start) in rows {
        let (is_valid_yaml, error) = invalid(input.clone()).await;
        assert!(is_valid_yaml == is_yaml && error.starts_with(start), "{input}: {is_valid_yaml} {error}");
    }
    assert_eq!(fixture.get("/api/catalog/entities").await.body, "[]");
}

#[tokio::test]
async fn the_model_is_described() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let entities = [component("a"), component("b"), of_kind("Machine", "default", "m")];
    fixture.ingest(&entities, &[]).await;
    let described = output(&fixture, "get-catalog-model-description", json!({})).await;
    let text = described["description"].as_str().unwrap();
    assert!(text.contains("| Component | 2 |\n| Machine | 1 |\n"), "{text}");
    // There is no processor that knows the built-in kinds.
    assert!(!text.contains("### Component"), "{text}");
}
