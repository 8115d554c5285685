//! The server over real connections.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use super::*;
use crate::http_client;

fn serve(files: &[(&str, &str)]) -> (tempfile::TempDir, FileServer) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let server = FileServer::start(folder.path(), 0).unwrap();
    (folder, server)
}

fn get_file(server: &FileServer, path: &str, if_none_match: Option<&str>) -> http_client::Response {
    let headers: Vec<_> = if_none_match.iter().map(|etag| ("If-None-Match", *etag)).collect();
    http_client::get(server.address(), path, &headers).unwrap()
}

#[test]
fn answers_304_until_the_content_changes() {
    let (folder, server) = serve(&[("a/b.yaml", "kind: API")]);
    let first = get_file(&server, "/a/b.yaml", None);
    assert_eq!((first.status, first.body.as_str()), (200, "kind: API"));
    let etag = first.header("etag").unwrap();

    let unchanged = get_file(&server, "/a/b.yaml", Some(etag));
    assert_eq!((unchanged.status, unchanged.body.as_str()), (304, ""));
    assert_eq!(unchanged.header("etag"), Some(etag));

    std::fs::write(folder.path().join("a/b.yaml"), "kind: Resource").unwrap();
    let changed = get_file(&server, "/a/b.yaml", Some(etag));
    assert_eq!((changed.status, changed.body.as_str()), (200, "kind: Resource"));
    assert_ne!(changed.header("etag"), Some(etag));
}

#[test]
fn the_same_content_has_the_same_validator_wherever_and_whenever() {
    let (folder, server) = serve(&[("a.yaml", "x: 1"), ("b.yaml", "x: 1")]);
    let etag = get_file(&server, "/a.yaml", None).header("etag").unwrap().to_owned();
    assert_eq!(get_file(&server, "/b.yaml", Some(&etag)).status, 304);
    std::fs::remove_file(folder.path().join("a.yaml")).unwrap();
    std::fs::write(folder.path().join("a.yaml"), "x: 1").unwrap();
    assert_eq!(get_file(&server, "/a.yaml", Some(&etag)).status, 304);
}

#[test]
fn if_none_match_is_a_list_compared_weakly() {
    let cases = [
        ("\"a\"", true),
        ("W/\"a\"", true),
        ("\"x\", \"a\"", true),
        ("*", true),
        ("\"b\"", false),
        ("a", false),
        ("", false),
    ];
    for (header, expected) in cases {
        assert_eq!(matches_any(header, "\"a\""), expected, "{header:?}");
    }
}

#[test]
fn finds_nothing_outside_of_the_folder() {
    let (folder, server) = serve(&[("public/a.yaml", "x: 1"), ("secret.yaml", "x: 2")]);
    drop(server);
    let server = FileServer::start(&folder.path().join("public"), 0).unwrap();
    assert_eq!(get_file(&server, "/a.yaml", None).status, 200);
    for path in ["/../secret.yaml", "/x/../../secret.yaml", "//../secret.yaml", "/missing.yaml", "/"] {
        assert_eq!(get_file(&server, path, None).status, 404, "{path}");
    }
}

#[test]
fn counts_by_status_until_reset() {
    let (_folder, server) = serve(&[("a.yaml", "12345")]);
    let etag = get_file(&server, "/a.yaml", None).header("etag").unwrap().to_owned();
    get_file(&server, "/a.yaml", Some(&etag));
    get_file(&server, "/a.yaml", Some(&etag));
    get_file(&server, "/b.yaml", None);

    let stats = get_file(&server, "/__stats", None);
    let expected = r#"{"requests":4,"by_status":{"200":1,"304":2,"404":1},"bytes":5}"#;
    assert_eq!((stats.status, stats.body.as_str()), (200, expected));
    assert_eq!(serde_json::to_string(&server.stats()).unwrap(), expected);

    let reset = http_client::request(server.address(), "POST", "/__reset", &[]).unwrap();
    assert_eq!(reset.status, 204);
    assert_eq!(server.stats(), HttpStats::default());
}

#[test]
fn differences_hold_what_was_added() {
    let (_folder, server) = serve(&[("a.yaml", "12345")]);
    get_file(&server, "/a.yaml", None);
    let earlier = server.stats();
    get_file(&server, "/b.yaml", None);
    let expected = HttpStats { requests: 1, by_status: [(404, 1)].into(), bytes: 0 };
    assert_eq!(server.stats().since(&earlier), expected);
}

#[test]
fn keeps_connections_open() {
    let (_folder, server) = serve(&[("a.yaml", "12345")]);
    let mut stream = BufReader::new(TcpStream::connect(server.address()).unwrap());
    for _ in 0..3 {
        stream.get_mut().write_all(b"GET /missing HTTP/1.1\r\nHost: example.com\r\n\r\n").unwrap();
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| line != "\r\n") {
            let mut line = String::new();
            assert_ne!(stream.read_line(&mut line).unwrap(), 0, "closed after {lines:?}");
            lines.push(line);
        }
        assert_eq!(lines[0], "HTTP/1.1 404 Not Found\r\n");
    }
}
