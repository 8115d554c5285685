use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};

use crate::api_error::ApiError;
use crate::cors::{Cors, origin_pattern};
use crate::options::ServerOptions;
use crate::testing::{Answer, Fixture, component};

const ENTITIES: &str = "/api/catalog/entities";

async fn with_headers(fixture: &Fixture, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    fixture.call(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn paths_match_in_any_case_and_with_a_trailing_slash() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    for path in ["/api/catalog/entities", "/api/catalog/ENTITIES", "/API/Catalog/entities/"] {
        let answer = fixture.get(path).await;
        assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, b"[]".as_slice()), "{path}");
    }
}

#[tokio::test]
async fn what_nobody_serves_is_not_found_without_a_body() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let rows = [
        (Method::GET, "/"),
        (Method::GET, "/nope"),
        (Method::GET, "/api/catalog"),
        (Method::GET, "/api/catalog/"),
        (Method::GET, "/api/catalog/nope"),
        (Method::OPTIONS, "/api/catalog/nope"),
        (Method::GET, "/api/catalog/entities/by-name/component/default"),
        (Method::GET, "/api/catalog/entities/by-name/component//a"),
        (Method::POST, ENTITIES),
        (Method::PATCH, "/api/catalog/locations/x"),
        (Method::POST, "/metrics"),
        (Method::DELETE, "/.backstage/health/v1/liveness"),
    ];
    for (method, path) in rows {
        let answer = fixture.send(method.clone(), path, "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert!(answer.body.is_empty(), "{method} {path}");
        for header in ["content-type", "allow", "etag"] {
            assert!(!answer.headers.contains_key(header), "{header} of {method} {path}");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let answer = fixture.send(Method::HEAD, ENTITIES, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.is_empty());
    assert_eq!(answer.headers["content-length"], "2");
    let wrong = fixture.send(Method::HEAD, "/api/catalog/entities?limit=abc", "").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn options_tells_the_methods_when_cors_is_off() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let rows = [(ENTITIES, "GET,HEAD"), ("/api/catalog/locations/x", "GET,HEAD,PUT,DELETE")];
    for (path, allowed) in rows {
        let answer = fixture.send(Method::OPTIONS, path, "").await;
        assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, allowed.as_bytes()), "{path}");
        assert_eq!(answer.headers["allow"], allowed);
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    for path in [ENTITIES, "/nope", "/metrics", "/api/catalog/entities?x=1"] {
        let answer = fixture.get(path).await;
        assert_eq!(answer.headers["x-frame-options"], "SAMEORIGIN", "{path}");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{path}");
    }
}

#[tokio::test]
async fn errors_tell_the_request_as_it_was_written() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let answer = fixture.get("/api/catalog/Entities/?limit=%41bc").await;
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(
        answer.body,
        concat!(
            r#"{"error":{"name":"InputError","message":"request/query/limit must be integer"},"#,
            r#""request":{"method":"GET","url":"/Entities/?limit=%41bc"},"response":{"statusCode":400}}"#
        )
    );
    let broken = fixture.get("/api/catalog/entities/by-uid/%ZZ").await;
    assert_eq!(broken.error(), (400, "Failed to decode param '%ZZ'".to_owned()));
}

#[tokio::test]
async fn a_known_etag_saves_the_body() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let path = "/api/catalog/locations";
    let etag = fixture.get(path).await.headers["etag"].to_str().unwrap().to_owned();
    let answer = with_headers(&fixture, Method::GET, path, &[("if-none-match", &etag)]).await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
    assert!(answer.body.is_empty() && !answer.headers.contains_key("content-type"));
    assert_eq!(answer.headers["etag"], etag.as_str());
    let reload = [("if-none-match", etag.as_str()), ("cache-control", "no-cache")];
    assert_eq!(with_headers(&fixture, Method::GET, path, &reload).await.status, StatusCode::OK);
    let other = [("if-none-match", "W/\"other\"")];
    assert_eq!(with_headers(&fixture, Method::GET, path, &other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn bodies_from_one_kib_on_are_compressed() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let gzip = [("accept-encoding", "gzip")];
    let small = with_headers(&fixture, Method::GET, ENTITIES, &gzip).await;
    assert!(!small.headers.contains_key("content-encoding"));
    let entities: Vec<_> = (0..20).map(|number| component(&format!("c{number}"))).collect();
    fixture.ingest(&entities, &[]).await;
    let large = with_headers(&fixture, Method::GET, ENTITIES, &gzip).await;
    assert_eq!(large.headers["content-encoding"], "gzip");
    assert_eq!(large.headers["vary"], "accept-encoding");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(large.body.as_ref()), &mut text).unwrap();
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&text).unwrap().len(), 20);
    let best =
        with_headers(&fixture, Method::GET, ENTITIES, &[("accept-encoding", "gzip, deflate, br")]).await;
    assert_eq!(best.headers["content-encoding"], "br");
}

fn cors() -> ServerOptions {
    let cors = Cors {
        origins: Some(vec![origin_pattern("http://localhost:3000").unwrap()]),
        methods: HeaderValue::from_static("GET,HEAD,PATCH,POST,PUT,DELETE"),
        credentials: true,
        ..Cors::default()
    };
    ServerOptions { cors: Some(cors), ..ServerOptions::default() }
}

fn cors_headers(headers: &HeaderMap) -> Vec<String> {
    let names = headers.keys().map(http::HeaderName::as_str);
    let mut names: Vec<_> =
        names.filter(|name| name.starts_with("access-control-")).map(str::to_owned).collect();
    names.sort();
    names
}

#[tokio::test]
async fn preflights_of_allowed_origins_are_answered() {
    let fixture = Fixture::new(cors()).await;
    let asked = [
        ("origin", "http://localhost:3000"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let answer = with_headers(&fixture, Method::OPTIONS, ENTITIES, &asked).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let rows = [
        ("access-control-allow-origin", "http://localhost:3000"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET,HEAD,PATCH,POST,PUT,DELETE"),
        ("access-control-allow-headers", "authorization,content-type"),
        ("vary", "Origin, Access-Control-Request-Headers"),
        ("content-length", "0"),
    ];
    for (name, value) in rows {
        assert_eq!(answer.headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn other_origins_get_no_cors_headers_and_are_served() {
    let fixture = Fixture::new(cors()).await;
    let foreign = [("origin", "http://evil.example.com")];
    let answer = with_headers(&fixture, Method::GET, ENTITIES, &foreign).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(cors_headers(&answer.headers).is_empty());
    let preflight = with_headers(&fixture, Method::OPTIONS, ENTITIES, &foreign).await;
    assert_eq!(
        (preflight.status, preflight.headers["allow"].as_bytes()),
        (StatusCode::OK, b"GET,HEAD".as_slice())
    );
    let own = with_headers(&fixture, Method::GET, ENTITIES, &[("origin", "http://localhost:3000")]).await;
    assert_eq!(
        cors_headers(&own.headers),
        ["access-control-allow-credentials", "access-control-allow-origin"]
    );
}

#[tokio::test]
async fn readiness_follows_the_lifecycle() {
    let mut options = ServerOptions::default();
    options.health_headers.insert("x-probe", HeaderValue::from_static("yes"));
    let fixture = Fixture::new(options).await;
    let readiness = "/.backstage/health/v1/readiness";
    let ready = fixture.get(readiness).await;
    assert_eq!((ready.status, ready.body.as_ref()), (StatusCode::OK, br#"{"status":"ok"}"#.as_slice()));
    assert_eq!(ready.headers["x-probe"], "yes");
    fixture.lifecycle.set_stopping();
    let stopping = fixture.get(readiness).await;
    assert_eq!(stopping.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stopping.body, r#"{"message":"Backend is shutting down","status":"error"}"#);
    assert_eq!(fixture.get(ENTITIES).await.status, StatusCode::OK);
    fixture.lifecycle.set_closed();
    assert_eq!(fixture.get(ENTITIES).await.error(), (503, "Service is shutting down".to_owned()));
    let liveness = fixture.get("/.backstage/health/v1/liveness").await;
    assert_eq!((liveness.status, liveness.body.as_ref()), (StatusCode::OK, br#"{"status":"ok"}"#.as_slice()));
}

#[tokio::test]
async fn requests_wait_for_the_start_for_a_while() {
    let options = ServerOptions { startup_request_pause: Duration::from_secs(5), ..ServerOptions::default() };
    let fixture = Fixture::starting(options).await;
    tokio::time::pause();
    let readiness = fixture.get("/.backstage/health/v1/readiness").await;
    assert_eq!(readiness.body, r#"{"message":"Backend has not started yet","status":"error"}"#);
    assert_eq!(fixture.get(ENTITIES).await.error(), (503, "Service has not started up yet".to_owned()));
    // The store works in real time.
    tokio::time::resume();
    let (answer, ()) = tokio::join!(fixture.get(ENTITIES), fixture.set_ready());
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_count_the_catalog() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    fixture.ingest(&[component("a"), component("b")], &[]).await;
    let answer = fixture.get("/metrics").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("catalog_entities_count{kind=\"component\"} 2\n"), "{text}");
    let behind = text.find("# HELP callboard_index_changes_behind").unwrap();
    assert!(text.ends_with("\ncallboard_index_changes_behind 0\n"), "{text}");
    // Counted sizes are good for a while, and a broken store does not take the other metrics away.
    fixture.break_store();
    assert_eq!(fixture.get("/metrics").await.body, text[..behind]);
}

#[test]
fn panics_are_masked() {
    let panics: [Box<dyn std::any::Any + Send>; 3] =
        [Box::new("boom"), Box::new("boom".to_owned()), Box::new(7)];
    for panic in panics {
        let response = super::panicked(panic);
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let error = response.extensions().get::<ApiError>().unwrap();
        assert!(error.message().starts_with("An internal error occurred logId="));
    }
}
