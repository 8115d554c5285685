//! C149 to C152: what surrounds the API.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};

use callboard_tests::{Api, Daemon, Home, RawConnection, RawReply, raw_request};
use flate2::read::GzDecoder;
use serde_json::json;

use crate::answer::Answer;
use crate::case::{Case, check_all};
use crate::catalog::{ALL, Catalog, FIXTURE};

const ORIGIN: &str = "http://localhost:3000";

const LIVENESS: &str = "/.backstage/health/v1/liveness";
const READINESS: &str = "/.backstage/health/v1/readiness";

/// Daemons that are started to meet one that is not ready yet.
const STARTS_MAX: usize = 20;

fn fixture_with_cors() -> Catalog {
    let home = Home::new();
    home.write("all.yaml", FIXTURE);
    let cors = json!({
        "origin": ORIGIN,
        "methods": ["GET", "HEAD", "PATCH", "POST", "PUT", "DELETE"],
        "credentials": true,
    });
    let config = home.config().location("file", "all.yaml").set("backend.cors", cors);
    Catalog::start(home, &config)
}

fn preflight(catalog: &Catalog, origin: &str) -> Answer {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type"),
    ];
    catalog.send("OPTIONS", "/entities/by-query", &headers, None)
}

fn pages_of_allowed_origins_may_ask(catalog: &Catalog) {
    let answer = preflight(catalog, ORIGIN);
    answer.is_empty(204);
    let expected = [
        ("access-control-allow-origin", ORIGIN),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET,HEAD,PATCH,POST,PUT,DELETE"),
        ("access-control-allow-headers", "authorization,content-type"),
        ("vary", "Origin, Access-Control-Request-Headers"),
    ];
    for (name, value) in expected {
        assert_eq!(answer.reply.header_list(name).as_deref(), Some(value), "{name}: {answer}");
    }
    // The reference system says `0` here, which HTTP forbids.
    assert!(matches!(answer.reply.header("content-length"), None | Some("0")), "{answer}");
    let origin = [("Origin", ORIGIN)];
    let asked = catalog.send("GET", "/entities?fields=metadata.name", &origin, None);
    asked.finds(&ALL);
    assert_eq!(asked.reply.header("access-control-allow-origin"), Some(ORIGIN));

    let stranger = [("Origin", "http://localhost:3001")];
    let asked = catalog.send("GET", "/entities?fields=metadata.name", &stranger, None);
    asked.finds(&ALL);
    for answer in [preflight(catalog, stranger[0].1), asked] {
        let told = answer.reply.headers.iter().any(|(name, _)| name.starts_with("access-control-"));
        assert!(!told, "{answer}");
    }
}

fn long_bodies_are_compressed(catalog: &Catalog) {
    let gzip = [("Accept-Encoding", "gzip")];
    for url in ["/entities", "/entities?limit=20", "/entities/by-query?limit=20&fields=metadata"] {
        let (plain, packed) = (catalog.get(url), catalog.send("GET", url, &gzip, None));
        assert!(plain.reply.body.len() > 1024, "{plain}");
        assert_eq!(plain.reply.header("content-encoding"), None, "{plain}");
        assert_eq!(packed.reply.header("content-encoding"), Some("gzip"), "{url}");
        let vary = packed.reply.header_list("vary").unwrap_or_default();
        assert!(vary.to_lowercase().contains("accept-encoding"), "{url}: {vary}");
        let mut unpacked = Vec::new();
        GzDecoder::new(&*packed.reply.body).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.reply.body, "{url}");
    }
}

/// An answer while the daemon may not listen yet.
fn ask(address: SocketAddr, path: &str) -> Option<RawReply> {
    let mut connection = RawConnection::try_open(address).ok()?;
    connection.send(raw_request("GET", path, &[], None)).ok()?;
    connection.answer().ok()?
}

/// Looks at readiness without a pause until it is given. Answers whether it was refused before.
fn is_refused_at_first(daemon: &Daemon, address: SocketAddr) -> bool {
    let mut refused = false;
    loop {
        assert!(daemon.is_running(), "the daemon ended by itself");
        let Some(reply) = ask(address, READINESS) else { continue };
        if reply.status == 200 {
            assert_eq!(reply.text(), r#"{"status":"ok"}"#);
            return refused;
        }
        assert_eq!(reply.status, 503);
        assert_eq!(reply.json(), json!({ "message": "Backend has not started yet", "status": "error" }));
        let alive = ask(address, LIVENESS).expect("it listens");
        assert_eq!((alive.status, &*alive.text()), (200, r#"{"status":"ok"}"#));
        refused = true;
    }
}

fn health_is_told_from_the_start_to_the_end(_: &Catalog) {
    let home = Home::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = home
        .config()
        .set("backend.listen.port", address.port().into())
        .set("backend.lifecycle.serverShutdownDelay", "5s".into());
    home.configure(&config);
    let mut daemon = home.spawn();
    let mut starts = 1;
    while !is_refused_at_first(&daemon, address) {
        assert!(starts < STARTS_MAX, "no daemon was met that was not ready");
        daemon.crash();
        daemon = home.spawn();
        starts += 1;
    }
    daemon.terminate();
    let is_refused = |api: &Api| {
        let reply = api.get(READINESS);
        (reply.status == 503).then(|| reply.json())
    };
    let reply = daemon.wait_for("readiness to fail", is_refused);
    assert_eq!(reply, json!({ "message": "Backend is shutting down", "status": "error" }));
    assert_eq!(daemon.api().get(LIVENESS).status, 200);
    assert_eq!(daemon.wait_for_end(), Some(0));
}

fn what_nobody_serves_is_nothing(catalog: &Catalog) {
    catalog.get("/nope").is_nothing();
    catalog.get("/entities/by-name").is_nothing();
    catalog.get("").is_nothing();
    catalog.send("PATCH", "/entities", &[], None).is_nothing();
    catalog.post("/entities", &json!({})).is_nothing();
    catalog.delete("/refresh").is_nothing();
    let outside = ask(catalog.daemon.api().address(), "/nope").unwrap();
    assert_eq!((outside.status, &*outside.text(), outside.header("content-type")), (404, "", None));
}

pub(crate) const CASES: &[Case<Catalog>] = &[
    (149, pages_of_allowed_origins_may_ask),
    (150, long_bodies_are_compressed),
    (151, health_is_told_from_the_start_to_the_end),
    (152, what_nobody_serves_is_nothing),
];

#[test]
fn c149_to_c152_what_surrounds_the_api() {
    check_all(CASES, &fixture_with_cors());
}
