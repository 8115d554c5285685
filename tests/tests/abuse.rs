//! Slow, huge and broken requests: each of them is refused or left alone, the others are served meanwhile, and neither
//! the life nor the memory of the daemon suffers.
#![cfg(test)]

use std::io::ErrorKind;
use std::thread::sleep;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_tests::descriptors::{component, documents};
use callboard_tests::{Daemon, Home, RawConnection, RawReply, raw_request, settled_snapshot};
use serde_json::{Value, json};

const MEGABYTE: usize = 1 << 20;

/// What a daemon may need beyond what it needed before, in bytes, whatever it is sent. Its cache of texts is a quarter
/// of it.
const GROWTH_MAX: u64 = 128 << 20;

const ENTITIES: &str = "/api/catalog/entities";
const BY_NAME: &str = "/api/catalog/entities/by-name/component/default";
const BY_QUERY: &str = "/api/catalog/entities/by-query";

/// What takes a body.
const TAKES_A_BODY: [&str; 8] = [
    "/api/catalog/refresh",
    "/api/catalog/entities/by-query",
    "/api/catalog/entities/by-refs",
    "/api/catalog/entity-facets",
    "/api/catalog/locations",
    "/api/catalog/locations/by-query",
    "/api/catalog/analyze-location",
    "/api/catalog/validate-entity",
];

/// A daemon with three components.
struct Scene {
    daemon: Daemon,
    memory_before: u64,
    _home: Home,
}

impl Scene {
    fn new() -> Self {
        let home = Home::new();
        home.write("all.yaml", documents(["a", "b", "c"].map(component)));
        let config = home
            .config()
            .location("file", "all.yaml")
            .set("backend.server.headersTimeout", 1000.into())
            .set("backend.server.requestTimeout", 1000.into());
        let daemon = home.start(&config);
        settled_snapshot(&daemon);
        Self { memory_before: daemon.peak_memory(), daemon, _home: home }
    }

    fn connect(&self) -> RawConnection {
        RawConnection::open(self.daemon.api().address())
    }

    /// Sends these bytes. The answer, if there is one before the connection ends.
    fn send(&self, bytes: impl Into<Vec<u8>>) -> Option<RawReply> {
        let mut connection = self.connect();
        drop(connection.send_beside(bytes.into()));
        connection.answer().ok().flatten()
    }

    #[track_caller]
    fn answer(&self, bytes: impl Into<Vec<u8>>) -> RawReply {
        self.send(bytes).expect("an answer")
    }

    fn get(&self, path: &str) -> RawReply {
        self.answer(raw_request("GET", path, &[], None))
    }

    fn post(&self, path: &str, body: &str) -> RawReply {
        self.answer(raw_request("POST", path, &[("Content-Type", "application/json")], Some(body)))
    }

    fn serves(&self) {
        assert_eq!(self.daemon.api().get(&format!("{BY_NAME}/a")).status, 200);
    }
}

/// Whatever a test did: the daemon serves, nothing in it panicked, and it did not grow.
impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.serves();
        assert!(!self.daemon.log_text().contains("panicked"), "{}", self.daemon.log_text());
        let growth = self.daemon.peak_memory().saturating_sub(self.memory_before);
        assert!(growth < GROWTH_MAX, "grew by {} MB", growth >> 20);
    }
}

#[test]
fn heads_that_drip_are_cut_and_others_are_served_meanwhile() {
    const CONNECTIONS: usize = 100;
    const BYTES_MAX: usize = 400;
    const PAUSE: Duration = Duration::from_millis(50);
    let scene = Scene::new();
    let start = format!("GET {ENTITIES} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    let begin = |_| {
        let mut connection = scene.connect();
        connection.send(&start).unwrap();
        connection
    };
    let mut dripping: Vec<RawConnection> = (0..CONNECTIONS).map(begin).collect();
    let mut silent = scene.connect();
    let mut bytes = 0;
    while !dripping.is_empty() {
        assert!(bytes < BYTES_MAX, "{} heads were not cut", dripping.len());
        dripping.retain_mut(|connection| connection.send("x").is_ok());
        scene.serves();
        sleep(PAUSE);
        bytes += 1;
    }
    assert!(silent.is_ended());
}

#[test]
fn a_body_that_does_not_arrive_is_not_waited_for() {
    let scene = Scene::new();
    for path in TAKES_A_BODY {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        );
        let reply = scene.answer(head + "{\"entityRef\":");
        // Which refuses everything in one way.
        let is_right = reply.status == 408 || path.ends_with("validate-entity") && reply.status == 400;
        assert!(is_right, "{path}: {}", reply.status);
    }
}

#[test]
fn a_body_of_ten_megabytes_is_refused_and_not_kept() {
    let scene = Scene::new();
    let body = format!("{{\"entityRef\":\"{}\"}}", "x".repeat(10 * MEGABYTE));
    let head = "HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json";
    for path in TAKES_A_BODY {
        let whole = format!("POST {path} {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let chunked = format!("POST {path} {head}\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
        for request in [whole, chunked] {
            let mut connection = scene.connect();
            let sending = connection.send_beside(request.into_bytes());
            let reply = connection.answer().unwrap().expect("an answer");
            assert_eq!(reply.status, 400, "{path}");
            assert!(reply.text().contains("request entity too large"), "{path}: {}", reply.text());
            // Either the rest was taken and the connection goes on, or it ends.
            let goes_on = sending.join().unwrap().is_ok()
                && connection.send(raw_request("GET", &format!("{BY_NAME}/a"), &[], None)).is_ok();
            match connection.answer() {
                Ok(Some(next)) => assert!(goes_on && next.status == 200, "{path}: {}", next.text()),
                Ok(None) => {}
                Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "{path}: neither is the case"),
            }
        }
    }
}

#[test]
fn a_hundred_thousand_filters_are_refused() {
    let scene = Scene::new();
    let filters = |number: usize| format!("{ENTITIES}?{}", "filter=kind%3Da&".repeat(number));
    let reply = scene.get(filters(100_000).trim_end_matches('&'));
    assert_eq!((reply.status, &*reply.text()), (431, ""));
    // As many as a head can hold.
    let reply = scene.get(filters(4000).trim_end_matches('&'));
    assert_eq!((reply.status, &*reply.text()), (200, "[]"));
}

#[test]
fn a_head_over_the_limit_is_refused_and_one_below_it_is_not() {
    let scene = Scene::new();
    let padded =
        |length: usize| raw_request("GET", &format!("{BY_NAME}/a"), &[("X-Long", &"x".repeat(length))], None);
    for length in [200_000, 1_000_000] {
        let reply = scene.answer(padded(length));
        assert_eq!((reply.status, &*reply.text()), (431, ""), "{length}");
    }
    assert_eq!(scene.answer(padded(16 * 1024)).status, 200);
    let name = "x".repeat(200_000);
    assert_eq!(scene.get(&format!("{BY_NAME}/{name}")).status, 431);
    assert_eq!(scene.get(&format!("{BY_NAME}/{}", &name[..30_000])).status, 404);
}

#[test]
fn predicates_nested_ten_thousand_deep_are_refused() {
    const DEPTH: usize = 10_000;
    let scene = Scene::new();
    let nested = |start: &str, end: &str, depth: usize| {
        format!("{}{{\"kind\":\"x\"}}{}", start.repeat(depth), end.repeat(depth))
    };
    let forms = [("{\"$not\":", "}", DEPTH), ("{\"$all\":[", "]}", DEPTH * 3 / 4), ("{\"a\":", "}", DEPTH)];
    for (start, end, depth) in forms {
        let query = nested(start, end, depth);
        for body in [
            (BY_QUERY, format!("{{\"query\":{query}}}")),
            ("/api/catalog/entities/by-refs", format!("{{\"entityRefs\":[],\"query\":{query}}}")),
            ("/api/catalog/entity-facets", format!("{{\"facets\":[\"kind\"],\"query\":{query}}}")),
            ("/api/catalog/locations/by-query", format!("{{\"query\":{query}}}")),
        ] {
            let reply = scene.post(body.0, &body.1);
            assert_eq!(reply.json()["error"]["name"], "InputError", "{} {start}", body.0);
            assert_eq!(reply.status, 400, "{} {start}", body.0);
            assert!(!reply.text().contains("too large"), "{}", reply.text());
        }
    }
    // What people write is fine.
    let query = nested("{\"$not\":", "}", 50);
    assert_eq!(scene.post(BY_QUERY, &format!("{{\"query\":{query}}}")).status, 200);
    // A cursor holds a query as well.
    let cursor = |depth: usize| {
        let query = nested("{\"$not\":", "}", depth);
        let rest = "\"orderFields\":[],\"orderFieldValues\":[\"\"],\"isPrevious\":false";
        STANDARD.encode(format!("{{{rest},\"query\":{query}}}"))
    };
    let reply = scene.post(BY_QUERY, &json!({ "cursor": cursor(5000) }).to_string());
    assert_malformed_cursor(&reply, "a deep query");
    assert_eq!(scene.post(BY_QUERY, &json!({ "cursor": cursor(20) }).to_string()).status, 200);
}

#[track_caller]
fn assert_malformed_cursor(reply: &RawReply, what: &str) {
    assert_eq!(reply.status, 400, "{what}: {}", reply.text());
    let body = reply.json();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("Malformed cursor"), "{what}: {message}");
}

#[test]
fn edited_cursors_are_refused_or_lead_somewhere() {
    let scene = Scene::new();
    let first = scene.get(&format!("{BY_QUERY}?limit=1&orderField=metadata.name,asc&filter=kind=component"));
    let real = first.json()["pageInfo"]["nextCursor"].as_str().unwrap().to_owned();
    let real: Value = serde_json::from_slice(&STANDARD.decode(real).unwrap()).unwrap();
    let edited = |member: &str, value: Value| {
        let mut cursor = real.clone();
        cursor[member] = value;
        cursor
    };
    let without = |member: &str| {
        let mut cursor = real.clone();
        cursor.as_object_mut().unwrap().remove(member);
        cursor
    };
    let malformed = [
        without("orderFields"),
        without("orderFieldValues"),
        without("isPrevious"),
        edited("orderFields", json!("metadata.name")),
        edited("orderFields", json!([{ "field": "metadata.name" }])),
        edited("orderFields", json!([{ "field": 7, "order": "asc" }])),
        edited("orderFields", json!([{ "field": "metadata.name", "order": "up" }])),
        edited("orderFieldValues", json!({ "0": "a" })),
        edited("orderFieldValues", json!([{}])),
        edited("isPrevious", json!("yes")),
        edited("query", json!("component")),
        edited("query", json!({ "$foo": 1 })),
        edited("filter", json!([])),
        edited("fullTextFilter", json!({ "term": 7 })),
        edited("totalItems", json!("many")),
        json!([real]),
        json!("cursor"),
        Value::Null,
    ];
    let post = |cursor: &str| scene.post(BY_QUERY, &json!({ "cursor": cursor, "limit": 5 }).to_string());
    for cursor in &malformed {
        assert_malformed_cursor(&post(&STANDARD.encode(cursor.to_string())), &cursor.to_string());
    }
    let text = STANDARD.encode(real.to_string());
    for cursor in [&text[1..], "%00", "🦀", "eyJ", &"A".repeat(90_000), &text.replace('e', "*")] {
        assert_malformed_cursor(&post(cursor), cursor);
    }
    // What makes sense is believed, whoever wrote it.
    let plausible = [
        edited("orderFieldValues", json!([])),
        edited("orderFieldValues", json!([null, null])),
        edited("orderFieldValues", json!(["a", "b", "c", "d", "e"])),
        edited("orderFieldValues", json!(["\u{0}", "no uid"])),
        edited("orderFields", json!([{ "field": "x".repeat(5000), "order": "desc" }])),
        edited("orderFields", json!([])),
        edited("isPrevious", json!(true)),
        edited("firstSortFieldValues", json!([])),
        edited("totalItems", json!(9_007_199_254_740_991_u64)),
        edited("unknown", json!({ "x": [1, 2, 3] })),
    ];
    for cursor in plausible {
        let reply = post(&STANDARD.encode(cursor.to_string()));
        assert_eq!(reply.status, 200, "{cursor}: {}", reply.text());
    }
}

#[test]
fn odd_encodings_are_told_apart_from_what_is_not_there() {
    let scene = Scene::new();
    let rows = [
        ("%ZZ", 400),
        ("%", 400),
        ("%4", 400),
        ("%C3%28", 400),
        ("%C0%AF", 400),
        ("%ED%A0%80", 400),
        ("%u0061", 400),
        ("%00", 404),
        ("a%00", 404),
        ("%2561", 404),
        ("%2e%2e%2f%2e%2e%2fetc", 404),
        ("%E2%80%AE", 404),
        ("%F0%9F%A6%80", 404),
        ("%61", 200),
    ];
    for (name, status) in rows {
        let reply = scene.get(&format!("{BY_NAME}/{name}"));
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
    }
    for filter in ["%ZZ", "%", "kind=%C3%28", "%00=%00", "kind=%ED%A0%80", "kind%C0%AF", "%E2%80%AE"] {
        let reply = scene.get(&format!("{ENTITIES}?filter={filter}"));
        assert_eq!((reply.status, &*reply.text()), (200, "[]"), "{filter}");
    }
    for path in ["/api/catalog/../catalog/entities", "/api/catalog/%65ntities%2F", "/api//catalog/entities"] {
        let reply = scene.get(path);
        assert_eq!((reply.status, &*reply.text()), (404, ""), "{path}");
    }
}

#[test]
fn older_and_unusual_requests_are_answered() {
    let scene = Scene::new();
    let path = format!("{BY_NAME}/a");
    let mut connection = scene.connect();
    connection.send(format!("GET {path} HTTP/1.0\r\n\r\n")).unwrap();
    let reply = connection.answer().unwrap().unwrap();
    assert_eq!((reply.status, reply.json()["metadata"]["name"].as_str()), (200, Some("a")));
    assert!(connection.is_ended());
    let without_host = scene.answer(format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n"));
    assert!([200, 400].contains(&without_host.status), "{without_host:?}");
    let proxied =
        format!("GET http://other.example.com{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(scene.answer(proxied).status, 200);
    for method in ["TRACE", "PROPFIND", "M-SEARCH", &"X".repeat(5000)] {
        let reply = scene.answer(raw_request(method, &path, &[], None));
        assert!((400..500).contains(&reply.status), "{method}: {}", reply.status);
    }
}

#[test]
fn requests_that_come_at_once_are_answered_in_their_order() {
    const REQUESTS: usize = 200;
    let scene = Scene::new();
    let request = |number| format!("GET {BY_NAME}/n{number} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut connection = scene.connect();
    let sending = connection.send_beside((0..REQUESTS).map(request).collect::<String>().into_bytes());
    for number in 0..REQUESTS {
        let reply = connection.answer().unwrap().unwrap();
        let url = format!("/entities/by-name/component/default/n{number}");
        assert_eq!((reply.status, &reply.json()["request"]["url"]), (404, &json!(url)));
    }
    sending.join().unwrap().unwrap();
}

#[test]
fn what_is_no_request_is_refused_or_cut() {
    let scene = Scene::new();
    let get = |rest: &str| format!("GET {BY_NAME}/a HTTP/1.1\r\nHost: localhost\r\n{rest}").into_bytes();
    let post = |rest: &str| {
        let head = "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json";
        format!("POST /api/catalog/refresh {head}\r\n{rest}").into_bytes()
    };
    let broken = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"GET  /api/catalog/entities  HTTP/1.1\r\n\r\n".to_vec(),
        get("no colon\r\n\r\n"),
        get("na me: x\r\n\r\n"),
        get("name: a\0b\r\n\r\n"),
        post("Content-Length: -1\r\n\r\n{}"),
        post("Content-Length: 1e3\r\n\r\n{}"),
        post("Content-Length: 99999999999999999999999\r\n\r\n{}"),
        post("Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}"),
        post("Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        post("Transfer-Encoding: nonsense\r\n\r\n{}"),
        post("Content-Length: 4\r\n\r\n\u{1}\u{2}\u{3}\u{4}"),
    ];
    for bytes in broken {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(reply) = scene.send(bytes) {
            assert!((400..500).contains(&reply.status), "{shown:?}: {} {}", reply.status, reply.text());
        }
    }
}

#[test]
fn requests_that_break_off_leave_nothing_behind() {
    let scene = Scene::new();
    let whole = String::from_utf8(raw_request(
        "POST",
        BY_QUERY,
        &[("Content-Type", "application/json")],
        Some("{\"limit\":1}"),
    ))
    .unwrap();
    for length in 1..whole.len() {
        let mut connection = scene.connect();
        connection.send(&whole[..length]).unwrap();
    }
    let reply = scene.answer(whole);
    assert_eq!((reply.status, reply.json()["items"].as_array().unwrap().len()), (200, 1));
}

#[test]
fn clients_that_stop_reading_hold_no_memory() {
    const CLIENTS: usize = 32;
    const FILES: usize = 400;
    let home = Home::new();
    let definition = "a line of a long text, ".repeat(100 * 1024 / 23);
    for number in 0..FILES {
        let api = format!(
            "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata:\n  name: api-{number}\nspec:\n  type: openapi\n  \
             lifecycle: production\n  owner: team-a\n  definition: '{number} {definition}'\n"
        );
        home.write(&format!("apis/{number}.yaml"), api);
    }
    home.write("a.yaml", component("a"));
    let config = home.config().location("file", "apis/*.yaml").location("file", "a.yaml");
    let daemon = home.start(&config);
    daemon.wait_for("all entities", |api| {
        let shown = api.metrics().labelled("catalog_entities_count", "kind", "api");
        (shown == FILES as u64).then_some(())
    });
    settled_snapshot(&daemon);
    let scene = Scene { memory_before: daemon.peak_memory(), daemon, _home: home };
    let page = format!("{BY_QUERY}?limit={FILES}");
    let begin = |number: usize| {
        let mut connection = scene.connect();
        let path = if number.is_multiple_of(2) { ENTITIES } else { &page };
        connection.send(raw_request("GET", path, &[], None)).unwrap();
        assert!(!connection.is_ended(), "an answer begins");
        connection
    };
    let stalled: Vec<RawConnection> = (0..CLIENTS).map(begin).collect();
    for _ in 0..CLIENTS {
        scene.serves();
    }
    drop(stalled);
}
