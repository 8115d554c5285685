//! The endpoints as clients see them.

use axum::body::Body;
use callboard_index::{After, ByQuery, parse_order_fields};
use callboard_store::LocationConflict;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::catalog::entity_stream::EntityStream;
use crate::options::ServerOptions;
use crate::request::body::BODY_BYTES_MAX;
use crate::testing::{Answer, Fixture, component};

const LOCATIONS: &str = "/api/catalog/locations";

async fn fixture() -> Fixture {
    let fixture = Fixture::new(ServerOptions::default()).await;
    fixture.ingest(&[component("alpha"), component("Beta")], &[]).await;
    fixture
}

async fn post(fixture: &Fixture, path: &str, body: Value) -> Answer {
    fixture.send(Method::POST, &format!("/api/catalog{path}"), body.to_string()).await
}

/// In alphabetical order: without another one, entities come by uid.
fn names(entities: &Value) -> Vec<&str> {
    let mut names: Vec<_> = entities.as_array().unwrap().iter().map(name).collect();
    names.sort_unstable();
    names
}

fn name(entity: &Value) -> &str {
    entity["metadata"]["name"].as_str().unwrap()
}

/// So many entities of more than 2 KB each.
fn large(count: usize) -> Vec<Value> {
    let large = |number: usize| {
        let mut entity = component(&format!("c{number:04}"));
        entity["metadata"]["description"] = "long ".repeat(400).into();
        entity
    };
    (0..count).map(large).collect()
}

#[tokio::test]
async fn all_entities_are_listed_as_they_are_stored() {
    let fixture = fixture().await;
    let answer = fixture.get("/api/catalog/entities").await;
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
    assert!(!answer.headers.contains_key("etag"));
    assert_eq!(names(&answer.json()), ["Beta", "alpha"]);
    let stored = fixture.catalog.store().entity_by_ref("component:default/alpha").await.unwrap().unwrap();
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains(&stored.json), "{text}");
}

#[tokio::test]
async fn long_lists_are_complete() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let all = large(2_500);
    fixture.ingest(&all, &[]).await;
    let expected: Vec<&str> = all.iter().map(name).collect();
    for path in ["/entities", "/entities?limit=5000", "/entities?fields=metadata"] {
        let list = fixture.get(&format!("/api/catalog{path}")).await;
        assert!(!list.headers.contains_key("etag"), "{path}");
        assert_eq!(names(&list.json()), expected, "{path}");
    }
    let ordered = fixture.get("/api/catalog/entities?order=desc:metadata.name").await.json();
    let ordered: Vec<&str> = ordered.as_array().unwrap().iter().map(name).collect();
    assert!(ordered.iter().eq(expected.iter().rev()));
}

#[tokio::test]
async fn a_page_may_be_longer_than_what_is_held_at_once() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let all = large(2_500);
    fixture.ingest(&all, &[]).await;
    let expected: Vec<&str> = all.iter().map(name).collect();
    let order = "orderField=metadata.name";
    let page = fixture.get(&format!("/api/catalog/entities/by-query?limit=2200&{order}")).await.json();
    assert_eq!(names(&page["items"]), expected[..2200]);
    assert_eq!((&page["totalItems"], &page["pageInfo"]["prevCursor"]), (&json!(2500), &Value::Null));
    let cursor = page["pageInfo"]["nextCursor"].as_str().unwrap();
    let rest = post(&fixture, "/entities/by-query", json!({"cursor": cursor, "limit": 5000})).await.json();
    assert_eq!(names(&rest["items"]), expected[2200..]);
    assert_eq!((&rest["totalItems"], &rest["pageInfo"]["nextCursor"]), (&json!(2500), &Value::Null));
    let cursor = rest["pageInfo"]["prevCursor"].as_str().unwrap();
    let before = post(&fixture, "/entities/by-query", json!({"cursor": cursor, "limit": 2200})).await.json();
    assert_eq!(before["items"], page["items"]);

    let part = fixture.get("/api/catalog/entities?offset=100&limit=2300").await;
    assert_eq!(names(&part.json()), expected[100..2400]);
    let link = part.headers["link"].to_str().unwrap();
    let next = link.strip_prefix('<').and_then(|link| link.split_once('>')).unwrap().0;
    let rest = fixture.get(&format!("/api/catalog{next}")).await;
    assert_eq!(names(&rest.json()), expected[2400..]);
    assert!(!rest.headers.contains_key("link"));
}

#[tokio::test]
async fn a_store_that_fails_early_is_told_and_one_that_fails_late_cuts_the_body() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    fixture.ingest(&large(1_001), &[]).await;
    let request = || Request::get("/api/catalog/entities").body(Body::empty()).unwrap();
    let response = fixture.respond(request()).await;
    assert_eq!(response.status(), StatusCode::OK);
    fixture.break_store();
    assert!(response.into_body().collect().await.is_err());
    let (status, message) = fixture.call(request()).await.error();
    assert_eq!(status, 503);
    assert!(
        message.starts_with("The catalog's database is unavailable, try again later; logId="),
        "{message}"
    );
}

#[tokio::test]
async fn lists_are_filtered_cut_and_projected() {
    let fixture = fixture().await;
    let rows = [
        ("filter=metadata.name=ALPHA&fields=metadata.name", json!([{"metadata": {"name": "alpha"}}])),
        ("limit=1&fields=metadata.name", json!([{"metadata": {"name": "alpha"}}])),
        ("offset=1&fields=metadata.name", json!([{"metadata": {"name": "Beta"}}])),
        ("filter=kind=nope", json!([])),
        ("filter=kind=nope&limit=5", json!([])),
    ];
    for (query, expected) in rows {
        let answer = fixture.get(&format!("/api/catalog/entities?{query}")).await;
        assert_eq!(answer.json(), expected, "{query}");
        assert!(answer.headers.contains_key("etag"), "{query}");
    }
    let first = fixture.get("/api/catalog/entities?filter=kind%3Dcomponent&limit=1&offset=0").await;
    let link = first.headers["link"].to_str().unwrap();
    let next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    assert!(next.starts_with("/entities?filter=kind%3Dcomponent&limit=1&after="), "{next}");
    let second = fixture.get(&format!("/api/catalog{next}")).await;
    assert_eq!(names(&second.json()), ["Beta"]);
    assert!(!second.headers.contains_key("link"));
}

#[tokio::test]
async fn queries_are_refused_in_the_words_of_the_validator() {
    let fixture = fixture().await;
    let rows = [
        ("/entities?foo=bar", "Unknown query parameter 'foo'"),
        ("/entities?limit=", "Empty value found for query parameter 'limit'"),
        ("/entities?limit=1.5", "request/query/limit must be integer"),
        ("/entities?limit=0", "Invalid limit, must be greater than zero"),
        ("/entities?limit=-1", "request/query/limit must be >= 0"),
        ("/entities?after=zzz", "Malformed after cursor, could not be parsed"),
        (
            "/entities?filter=%3Dx",
            "Invalid filter, '=x' is not a valid statement (expected a string on the form a=b or a= or a)",
        ),
        ("/entities/by-query?cursor=", "Empty value found for query parameter 'cursor'"),
        (
            "/entities/by-query?totalItems=maybe",
            "request/query/totalItems must be equal to one of the allowed values: include, exclude",
        ),
        ("/entity-facets?filter=kind%3Dapi", "request/query must have required property 'facet'"),
    ];
    for (path, message) in rows {
        let answer = fixture.get(&format!("/api/catalog{path}")).await;
        assert_eq!(answer.error(), (400, message.to_owned()), "{path}");
    }
    let rows = [
        ("/entities/by-query", json!({"limit": "1"}), "request/body/limit must be number"),
        ("/entities/by-query", json!({"cursor": ""}), "Cursor cannot be empty"),
        ("/entities/by-query?limit=1", json!({}), "Unknown query parameter 'limit'"),
        ("/entities/by-refs", json!({"entityRefs": [7]}), "request/body/entityRefs/0 must be string"),
        ("/entity-facets", json!({"facets": []}), "Missing or empty facets parameter"),
    ];
    for (path, body, message) in rows {
        assert_eq!(post(&fixture, path, body).await.error(), (400, message.to_owned()), "{path}");
    }
    let absent = fixture.send(Method::POST, "/api/catalog/entities/by-refs", "").await;
    assert!(absent.error().1.ends_with("Validation error: Required at \"entityRefs\""));
}

/// The index does not know yet that they are gone. Without others in their place, whoever goes on by offset would miss
/// as many.
#[tokio::test]
async fn pages_have_others_in_place_of_entities_that_are_gone_meanwhile() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    fixture.ingest(&["a", "b", "c", "d", "e"].map(component), &[]).await;
    let view = fixture.lifecycle.view().unwrap().clone();
    let query = ByQuery { order: parse_order_fields(&["metadata.name,asc"]).unwrap(), ..ByQuery::default() };
    let (page, list) = view.query(|index| {
        let part = After { limit: Some(2), offset: None };
        (index.first_page(&query, &[], 2), index.list_page(&[], &[], part).unwrap())
    });
    fixture.catalog.delete_entity(page.hits[1].uid.parse().unwrap()).await.unwrap();
    let list = EntityStream::of_list(&view, list.hits, list.left, None);
    let page = EntityStream::of_page(&view, page, Some(0));
    assert_eq!(names(&Answer::of(list.into_response().await.unwrap()).await.json()), ["a", "c"]);
    let page = Answer::of(page.into_response().await.unwrap()).await.json();
    assert_eq!(names(&page["items"]), ["a", "c"]);
    let cursor = page["pageInfo"]["nextCursor"].as_str().unwrap();
    let rest = post(&fixture, "/entities/by-query", json!({"cursor": cursor})).await.json();
    assert_eq!(names(&rest["items"]), ["d", "e"]);
}

#[tokio::test]
async fn a_walk_goes_on_with_either_verb() {
    let fixture = fixture().await;
    let first = fixture
        .get("/api/catalog/entities/by-query?filter=kind%3Dcomponent&limit=1&orderField=metadata.name,asc")
        .await
        .json();
    assert_eq!((names(&first["items"]), &first["totalItems"]), (vec!["alpha"], &json!(2)));
    let cursor = first["pageInfo"]["nextCursor"].as_str().unwrap();
    let encoded: String = form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
    let by_get =
        fixture.get(&format!("/api/catalog/entities/by-query?cursor={encoded}&limit=5")).await.json();
    let by_post = post(&fixture, "/entities/by-query", json!({"cursor": cursor, "limit": 5})).await.json();
    assert_eq!(by_get, by_post);
    assert_eq!((names(&by_get["items"]), &by_get["totalItems"]), (vec!["Beta"], &json!(2)));
    assert!(by_get["pageInfo"].get("nextCursor").is_none());
    assert!(by_get["pageInfo"]["prevCursor"].is_string());
    let none = fixture.send(Method::POST, "/api/catalog/entities/by-query", "").await.json();
    assert_eq!((names(&none["items"]), &none["pageInfo"]), (vec!["Beta", "alpha"], &json!({})));
}

#[tokio::test]
async fn refs_get_an_entity_or_null_each() {
    let fixture = fixture().await;
    let refs = ["component:default/beta", "a", "component:default/alpha", "component:default/beta"];
    let answer =
        post(&fixture, "/entities/by-refs", json!({"entityRefs": refs, "fields": ["metadata.name"]}));
    let (alpha, beta) = (json!({"metadata": {"name": "alpha"}}), json!({"metadata": {"name": "Beta"}}));
    assert_eq!(answer.await.json(), json!({"items": [beta, null, alpha, beta]}));
    let body = json!({"entityRefs": refs, "query": {"metadata.name": "alpha"}});
    let whole = post(&fixture, "/entities/by-refs", body).await.json();
    assert_eq!(whole["items"].as_array().unwrap().iter().filter(|item| item.is_null()).count(), 3);
    let none = post(&fixture, "/entities/by-refs", json!({"entityRefs": []})).await;
    assert_eq!(none.json(), json!({"items": []}));
}

#[tokio::test]
async fn facets_are_named_as_they_were_asked_for() {
    let fixture = fixture().await;
    let expected = json!({"facets": {"Kind": [{"value": "Component", "count": 2}], "nope": []}});
    let answer = fixture.get("/api/catalog/entity-facets?facet=Kind&facet=nope").await;
    assert_eq!(answer.json(), expected);
    let body = json!({"facets": ["Kind", "nope"], "query": {"kind": "component"}});
    assert_eq!(post(&fixture, "/entity-facets", body).await.json(), expected);
}

#[tokio::test]
async fn entities_are_found_by_name_in_any_letter_case() {
    let fixture = fixture().await;
    for path in [
        "component/default/beta",
        "Component/Default/BETA",
        "component/default/beta/",
        "c%6Fmponent/default/Beta",
    ] {
        let answer = fixture.get(&format!("/api/catalog/entities/by-name/{path}")).await;
        assert_eq!(answer.json()["metadata"]["name"], "Beta", "{path}");
    }
    let rows = [
        (
            "Component/default/Nope",
            404,
            "No entity named 'Nope' found, with kind 'Component' in namespace 'default'",
        ),
        (
            "component/default/a%2Fb",
            404,
            "No entity named 'a/b' found, with kind 'component' in namespace 'default'",
        ),
        (
            "component/default/beta%20",
            404,
            "No entity named 'beta ' found, with kind 'component' in namespace 'default'",
        ),
        ("component/default/beta?foo=1", 400, "Unknown query parameter 'foo'"),
    ];
    for (path, status, message) in rows {
        let answer = fixture.get(&format!("/api/catalog/entities/by-name/{path}")).await;
        assert_eq!(answer.error(), (status, message.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn entities_are_found_and_deleted_by_uid() {
    let fixture = fixture().await;
    let by_name = "/api/catalog/entities/by-name/component/default/alpha";
    let uid = fixture.get(by_name).await.json()["metadata"]["uid"].as_str().unwrap().to_owned();
    let by_uid = format!("/api/catalog/entities/by-uid/{}", uid.to_uppercase());
    assert_eq!(fixture.get(&by_uid).await.json()["metadata"]["name"], "alpha");
    for unknown in ["nope", "00000000-0000-4000-8000-000000000000"] {
        let path = format!("/api/catalog/entities/by-uid/{unknown}");
        assert_eq!(fixture.get(&path).await.error(), (404, format!("No entity with uid {unknown}")));
        assert_eq!(fixture.send(Method::DELETE, &path, "").await.status, StatusCode::NO_CONTENT);
    }
    let deleted = fixture.send(Method::DELETE, &by_uid, "").await;
    assert_eq!((deleted.status, deleted.body.len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(fixture.get(by_name).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn ancestry_leads_to_the_root() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let root = json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Location",
        "metadata": { "namespace": "default", "name": "root" },
        "spec": { "type": "url", "target": "https://example.com/a.yaml" },
    });
    fixture.ingest(&[root], &[component("alpha")]).await;
    let body = fixture.get("/api/catalog/entities/by-name/component/default/Alpha/ancestry").await.json();
    assert_eq!(body["rootEntityRef"], "component:default/alpha");
    let steps: Vec<_> = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["entity"]["metadata"]["name"].clone(), item["parentEntityRefs"].clone()))
        .collect();
    assert_eq!(steps, [(json!("alpha"), json!(["location:default/root"])), (json!("root"), json!([]))]);
    let unknown = fixture.get("/api/catalog/entities/by-name/K/default/Root/ancestry").await;
    assert_eq!(unknown.error(), (404, "No such entity k:default/root".to_owned()));
}

#[tokio::test]
async fn refreshing_answers_an_empty_200() {
    let fixture = fixture().await;
    for entity_ref in ["component:default/alpha", "Component:Default/ALPHA"] {
        let answer =
            post(&fixture, "/refresh", json!({ "entityRef": entity_ref, "authorizationToken": "x" })).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0), "{entity_ref}");
    }
    let rows = [
        (json!({"entityRef": "component:default/nope"}), 404, "Entity component:default/nope not found"),
        (json!({"entityRef": "component:alpha"}), 404, "Entity component:alpha not found"),
        (json!({}), 400, "request/body must have required property 'entityRef'"),
        (json!({"entityRef": "a", "x": 1}), 400, "request/body must NOT have additional properties"),
        (json!([]), 400, "request/body must be object"),
        (json!({"entityRef": "a".repeat(BODY_BYTES_MAX)}), 400, "request entity too large"),
    ];
    for (body, status, message) in rows {
        assert_eq!(post(&fixture, "/refresh", body).await.error(), (status, message.to_owned()));
    }
    let bare = fixture.send(Method::POST, "/api/catalog/refresh", "").await;
    assert_eq!(bare.error(), (400, "unsupported media type undefined".to_owned()));
}

#[tokio::test]
async fn locations_are_registered_once() {
    let fixture = fixture().await;
    assert_eq!(fixture.get(LOCATIONS).await.body, "[]");
    let body =
        json!({"type": "url", "target": "https://backstage.io/catalog-info.yaml", "presence": "optional"});
    let created = post(&fixture, "/locations", body.clone()).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let location = created.json()["location"].clone();
    let id = location["id"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(
        created.json(),
        json!({
            "location": {
                "id": id,
                "type": "url",
                "target": "https://backstage.io/catalog-info.yaml",
                "entityRef": "location:default/generated-bbad4f61e08f24e25d5c5e68e13e164f760aff06",
            },
            "entities": [],
        })
    );
    let conflict = "Location url:https://backstage.io/catalog-info.yaml already exists";
    assert_eq!(post(&fixture, "/locations", body.clone()).await.error(), (409, conflict.to_owned()));
    let again = post(&fixture, "/locations?onConflict=refresh", body.clone()).await;
    assert_eq!((again.status, &again.json()["location"]), (StatusCode::CREATED, &location));
    assert_eq!(post(&fixture, "/locations?onConflict=bogus", body).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(fixture.get(LOCATIONS).await.json(), json!([{ "data": location }]));
    assert_eq!(fixture.get(&format!("{LOCATIONS}/{id}")).await.json(), location);
}

#[tokio::test]
async fn wrong_locations_are_refused() {
    let fixture = fixture().await;
    let rows = [
        (
            json!({"type": "file", "target": "/a"}),
            "Registered locations must be of an allowed type [\"url\"]",
        ),
        (json!({"type": "url"}), "request/body must have required property 'target'"),
        (json!({"type": "url", "target": 7}), "request/body/target must be string"),
        (json!([]), "request/body must be object"),
    ];
    for (body, message) in rows {
        assert_eq!(post(&fixture, "/locations", body).await.error(), (400, message.to_owned()));
    }
    let (status, message) =
        post(&fixture, "/locations", json!({"type": "url", "target": "t", "x": 1})).await.error();
    assert_eq!(status, 400);
    assert!(
        message.starts_with("Malformed request: [") && message.contains("unrecognized_keys"),
        "{message}"
    );
    let text = Request::post(LOCATIONS).header("content-type", "text/plain").body(Body::from("x")).unwrap();
    assert_eq!(fixture.call(text).await.error(), (400, "unsupported media type text/plain".to_owned()));
}

#[tokio::test]
async fn the_configuration_says_what_a_conflict_does() {
    let options = ServerOptions { location_conflict: LocationConflict::Refresh, ..ServerOptions::default() };
    let fixture = Fixture::new(options).await;
    let body = json!({"type": "url", "target": "https://example.com/a.yaml"});
    for (path, status) in [("/locations", 201), ("/locations", 201), ("/locations?onConflict=reject", 409)] {
        assert_eq!(post(&fixture, path, body.clone()).await.status.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn locations_are_changed_and_unregistered() {
    let fixture = fixture().await;
    let create = async |target: &str| {
        let created = post(&fixture, "/locations", json!({"type": "url", "target": target})).await;
        created.json()["location"].clone()
    };
    let first = create("https://example.com/1").await;
    create("https://example.com/2").await;
    let id = first["id"].as_str().unwrap();
    let path = format!("{LOCATIONS}/{id}");
    let put = async |path: &str, body: Value| fixture.send(Method::PUT, path, body.to_string()).await;

    let changed = put(&path, json!({"type": "url", "target": "https://example.com/3"})).await;
    assert_eq!(changed.status, StatusCode::OK);
    let location = changed.json();
    assert_eq!((location["id"].as_str(), &location["target"]), (Some(id), &json!("https://example.com/3")));
    assert_eq!(location["entityRef"], first["entityRef"]);
    assert_eq!(fixture.get(&path).await.json(), location);
    // What was left is free again; its generated name is not.
    let again = create("https://example.com/1").await;
    assert_ne!(again["entityRef"], first["entityRef"]);
    let rows = [
        (json!({"type": "url", "target": "https://example.com/2"}), 409),
        (json!({"type": "file", "target": "/a"}), 400),
        (json!({"type": "url", "target": "t", "presence": "optional"}), 400),
    ];
    for (body, status) in rows {
        assert_eq!(put(&path, body.clone()).await.error().0, status, "{body}");
    }
    let unknown = format!("{LOCATIONS}/x");
    let missing = (404, "Found no location with ID x".to_owned());
    assert_eq!(put(&unknown, json!({"type": "url", "target": "t"})).await.error(), missing);
    assert_eq!(fixture.get(&unknown).await.error(), missing);
    assert_eq!(fixture.send(Method::DELETE, &unknown, "").await.error(), missing);

    assert_eq!(fixture.send(Method::DELETE, &path, "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(fixture.send(Method::DELETE, &path, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn readonly_mode_spares_what_changes_no_location() {
    let fixture = Fixture::new(ServerOptions { readonly: true, ..ServerOptions::default() }).await;
    fixture.ingest(&[component("alpha")], &[]).await;
    let body = json!({"type": "url", "target": "https://example.com/a.yaml"});
    let refused = (403, "This operation not allowed in readonly mode".to_owned());
    assert_eq!(post(&fixture, "/locations", body.clone()).await.error(), refused);
    let path = format!("{LOCATIONS}/x");
    assert_eq!(fixture.send(Method::PUT, &path, body.to_string()).await.error(), refused);
    assert_eq!(fixture.send(Method::DELETE, &path, "").await.error(), refused);
    assert_ne!(post(&fixture, "/locations?dryRun=true", body).await.status, StatusCode::FORBIDDEN);
    let refresh = post(&fixture, "/refresh", json!({"entityRef": "component:default/alpha"})).await;
    assert_eq!(refresh.status, StatusCode::OK);
    let by_uid = "/api/catalog/entities/by-uid/00000000-0000-4000-8000-000000000000";
    assert_eq!(fixture.send(Method::DELETE, by_uid, "").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn dry_runs_store_nothing() {
    let fixture = fixture().await;
    let body = json!({"type": "url", "target": "https://example.com/a.yaml"});
    post(&fixture, "/locations?dryRun=yes", body).await;
    assert_eq!(fixture.get(LOCATIONS).await.body, "[]");
    let file = post(&fixture, "/locations?dryRun=1", json!({"type": "file", "target": "/a"})).await;
    assert_eq!(file.error(), (400, "Registered locations must be of an allowed type [\"url\"]".to_owned()));
}

#[tokio::test]
async fn dry_runs_show_all_that_would_come_and_whether_the_location_is_registered() {
    let fixture = Fixture::finding().await;
    let body = json!({"type": "url", "target": "https://example.com/a.yaml"});
    let dry_run = async || post(&fixture, "/locations?dryRun=true", body.clone()).await;
    let new = dry_run().await;
    assert_eq!((new.status, &new.json()["exists"]), (StatusCode::CREATED, &json!(false)));
    assert_eq!(fixture.get(LOCATIONS).await.body, "[]");
    assert_eq!(post(&fixture, "/locations", body.clone()).await.status, StatusCode::CREATED);
    let existing = dry_run().await;
    assert_eq!((existing.status, &existing.json()["exists"]), (StatusCode::CREATED, &json!(true)));
    for answer in [new.json(), existing.json()] {
        let kinds: Vec<_> = answer["entities"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
        assert_eq!(kinds, ["Location", "Component"]);
        assert_eq!(answer["location"]["id"], "url:https://example.com/a.yaml");
        assert_eq!(answer["location"]["entityRef"], new.json()["location"]["entityRef"]);
    }
    assert_eq!(fixture.get("/api/catalog/entities").await.body, "[]");
}

#[tokio::test]
async fn valid_entities_get_an_empty_200() {
    let fixture = Fixture::finding().await;
    let body = json!({"entity": component("a"), "location": "url:https://example.com/a.yaml"});
    let answer = post(&fixture, "/validate-entity", body).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    assert_eq!(fixture.get("/api/catalog/entities").await.body, "[]");
}

#[tokio::test]
async fn invalid_entities_always_get_a_list_of_errors() {
    let fixture = fixture().await;
    let location = "url:https://example.com/a.yaml";
    let rows = [
        json!({"entity": null, "location": location}),
        json!({"location": location}),
        json!({"entity": component("a"), "location": null}),
        json!({"entity": component("a"), "location": "nocolon"}),
        json!({"entity": {"kind": "a"}, "location": location}),
        json!([]),
        json!({"entity": "a".repeat(BODY_BYTES_MAX), "location": location}),
    ];
    for body in rows {
        let answer = post(&fixture, "/validate-entity", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let errors = answer.json();
        assert!(errors["errors"][0]["message"].is_string() && errors.get("error").is_none(), "{errors}");
    }
    // Without processors nobody knows any kind.
    let answer =
        post(&fixture, "/validate-entity", json!({"entity": component("a"), "location": location})).await;
    let message = answer.json()["errors"][0]["message"].clone();
    assert!(
        message.as_str().unwrap().contains("No processor recognized the entity component:default/a"),
        "{message}"
    );
}

#[tokio::test]
async fn errors_are_listed_page_by_page() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    fixture.ingest_failing(&component("alpha"), &["first", "second", "third"]).await;
    let mut messages = Vec::new();
    let mut path = "/api/catalog/errors?entity=Component:Alpha&limit=2".to_owned();
    loop {
        let page = fixture.get(&path).await.json();
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["entityRef"], "component:default/alpha");
            messages.push(item["message"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["pageInfo"]["nextCursor"].as_str() else {
            break;
        };
        path = format!("/api/catalog/errors?limit=2&after={cursor}");
    }
    messages.sort();
    assert_eq!(messages, ["first", "second", "third"]);
    let none = fixture.get("/api/catalog/errors?entity=component:beta").await;
    assert_eq!(none.json()["items"], json!([]));
}

#[tokio::test]
async fn queries_for_errors_are_checked() {
    let fixture = fixture().await;
    assert_eq!(fixture.get("/api/catalog/errors").await.json(), json!({"items": [], "pageInfo": {}}));
    let rows = [
        ("limit=0", "request/query/limit must be >= 1"),
        ("limit=1001", "request/query/limit must be <= 1000"),
        ("after=x", "request/query/after must be integer"),
        ("entity=a/", "Entity reference \"a/\" was not on the form [<kind>:][<namespace>/]<name>"),
        ("foo=1", "Unknown query parameter 'foo'"),
    ];
    for (query, message) in rows {
        let answer = fixture.get(&format!("/api/catalog/errors?{query}")).await;
        assert_eq!(answer.error(), (400, message.to_owned()), "{query}");
    }
}
