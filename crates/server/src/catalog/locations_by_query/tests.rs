use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::json;

use super::*;
use crate::options::ServerOptions;
use crate::testing::{Answer, Fixture};

const PATH: &str = "/api/catalog/locations/by-query";

/// A catalog with these locations.
async fn fixture(targets: &[&str]) -> Fixture {
    let fixture = Fixture::new(ServerOptions::default()).await;
    for target in targets {
        let body = json!({ "type": "url", "target": target }).to_string();
        let created = fixture.send(Method::POST, "/api/catalog/locations", body).await;
        assert_eq!(created.status, StatusCode::CREATED);
    }
    fixture
}

async fn ask(fixture: &Fixture, body: &Value) -> Answer {
    fixture.send(Method::POST, PATH, body.to_string()).await
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn base64(value: &Value) -> String {
    STANDARD.encode(value.to_string())
}

#[tokio::test]
async fn without_a_query_all_locations_come_ordered_by_id() {
    let fixture = fixture(&["https://example.com/b", "https://example.com/a"]).await;
    let listed = fixture.get("/api/catalog/locations").await.json();
    let all: Vec<Value> = listed.as_array().unwrap().iter().map(|item| item["data"].clone()).collect();
    let expected = json!({ "items": all, "totalItems": 2, "pageInfo": {} });
    for body in ["", "{}", r#"{"query":{}}"#, r#"{"limit":2,"other":1}"#] {
        assert_eq!(fixture.send(Method::POST, PATH, body).await.json(), expected, "{body}");
    }
    let ids = ids(&expected);
    assert!(ids.is_sorted());
}

#[tokio::test]
async fn pages_follow_each_other_and_each_tells_the_total() {
    let fixture =
        fixture(&["https://a.example.com/1", "https://b.example.com", "https://a.example.com/2"]).await;
    let query = json!({ "target": { "$hasPrefix": "HTTPS://A." } });
    let both = ids(&ask(&fixture, &json!({ "query": query })).await.json());
    let first = ask(&fixture, &json!({ "limit": 1, "query": query })).await.json();
    assert_eq!((&first["totalItems"], ids(&first).as_slice()), (&json!(2), &both[..1]));
    let cursor = first["pageInfo"]["nextCursor"].as_str().unwrap();
    let decoded: Value = serde_json::from_slice(&STANDARD.decode(cursor).unwrap()).unwrap();
    assert_eq!(decoded, json!({ "limit": 1, "afterId": both[0], "query": query }));
    // A limit beside a cursor has no effect.
    let second = ask(&fixture, &json!({ "cursor": cursor, "limit": 0, "query": { "id": "x" } })).await.json();
    assert_eq!((&second["totalItems"], &second["pageInfo"]), (&json!(2), &json!({})));
    assert_eq!(ids(&second), both[1..]);
    // Node.js needs no padding, and takes the alphabet of URLs as well.
    let cursor = cursor.trim_end_matches('=').replace('+', "-").replace('/', "_");
    assert_eq!(ask(&fixture, &json!({ "cursor": cursor })).await.json(), second);
    let all = ask(&fixture, &json!({ "limit": 1 })).await.json();
    let cursor = STANDARD.decode(all["pageInfo"]["nextCursor"].as_str().unwrap()).unwrap();
    assert_eq!(cursor, format!(r#"{{"limit":1,"afterId":"{}"}}"#, ids(&all)[0]).as_bytes());
}

#[tokio::test]
async fn queries_mean_what_they_mean_for_locations() {
    let fixture = fixture(&["https://example.com/a"]).await;
    let rows = [
        (json!({"type": "url"}), 1),
        (json!({"$all": []}), 0),
        (json!({"$not": {}}), 1),
        (json!({"type": {"$contains": "url"}}), 0),
    ];
    for (query, count) in rows {
        let page = ask(&fixture, &json!({ "query": query })).await.json();
        assert_eq!((ids(&page).len(), &page["totalItems"]), (count, &json!(count)), "{query}");
    }
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let fixture = fixture(&[]).await;
    let limit = "Limit must be a positive integer >= 1";
    let invalid = "Malformed cursor: Validation error: ";
    let rows = [
        (json!([]), "request/body must be object".to_owned()),
        (json!({"limit": "1"}), "request/body/limit must be number".to_owned()),
        (json!({"limit": 0}), limit.to_owned()),
        (json!({"limit": -1}), limit.to_owned()),
        (json!({"limit": 1.5}), limit.to_owned()),
        (json!({"cursor": 7}), "request/body/cursor must be string".to_owned()),
        (json!({"cursor": ""}), "Cursor cannot be empty".to_owned()),
        (json!({"cursor": "%"}), "Malformed cursor, unknown encoding".to_owned()),
        (json!({"cursor": "AAAA"}), "Malformed cursor, unknown encoding".to_owned()),
        (json!({"cursor": base64(&json!([]))}), format!("{invalid}Expected object, received array")),
        (json!({"cursor": base64(&json!({"afterId": "a"}))}), format!("{invalid}Required at \"limit\"")),
        (
            json!({"cursor": base64(&json!({"limit": "1"}))}),
            format!("{invalid}Expected number, received string at \"limit\"; Required at \"afterId\""),
        ),
        (json!({"cursor": base64(&json!({"limit": 0, "afterId": "a"}))}), limit.to_owned()),
        (
            json!({"cursor": base64(&json!({"limit": 1, "afterId": "a", "query": 7}))}),
            format!("{invalid}Expected object, received number at \"query\""),
        ),
        (json!({"query": []}), "request/body/query must be object".to_owned()),
        (json!({"query": {"$foo": 1}}), "Invalid query: Validation error: Invalid at \"$foo\"".to_owned()),
        (
            json!({"query": {"kind": "x"}}),
            "Invalid filter predicate, expected key to be 'id', 'type', 'target', or 'entityRef', got 'kind'"
                .to_owned(),
        ),
    ];
    for (body, message) in rows {
        assert_eq!(ask(&fixture, &body).await.error(), (400, message), "{body}");
    }
    let cursor = base64(&json!({"limit": 1, "afterId": "a", "query": {"$foo": 1}}));
    let (status, message) = ask(&fixture, &json!({ "cursor": cursor })).await.error();
    assert!(status == 400 && message.starts_with("Malformed cursor: "), "{message}");
}

#[test]
fn whole_numbers_are_limits_however_they_are_written() {
    let read = |text: &str| limit(&serde_json::from_str(text).unwrap()).ok();
    assert_eq!((read("1"), read("2.0"), read("1e3")), (Some(1), Some(2), Some(1000)));
    assert!(read("1e300").is_some_and(|limit| limit > 1_000_000));
    assert_eq!((read("0.5"), read("-0.0")), (None, None));
}
