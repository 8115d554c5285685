//! The whole catalog in one answer, however large it is.
#![cfg(test)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use callboard_tests::Home;
use serde_json::Value;

const ENTITIES: usize = 60;

const MEGABYTE: usize = 1 << 20;

/// Longer than anything here takes.
const READ_LIMIT: Duration = Duration::from_mins(1);

/// A text of a megabyte that no other entity has.
fn definition(number: usize) -> String {
    let line = format!("the {number}th text, ");
    let mut text = line.repeat(MEGABYTE / line.len() + 1);
    text.truncate(MEGABYTE);
    text
}

fn api(number: usize) -> String {
    format!(
        "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata:\n  name: api-{number}\nspec:\n  type: openapi\n  \
         lifecycle: production\n  owner: team-a\n  definition: '{}'\n",
        definition(number)
    )
}

/// A body in chunks: all of it, and the length of the longest chunk.
fn chunked_body(address: SocketAddr, path: &str) -> (Vec<u8>, usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(READ_LIMIT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let status = line();
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    let headers: Vec<_> =
        std::iter::from_fn(|| Some(line().to_lowercase()).filter(|line| !line.is_empty())).collect();
    assert!(headers.contains(&"transfer-encoding: chunked".to_owned()), "{headers:?}");
    let (mut body, mut longest) = (Vec::new(), 0);
    loop {
        let mut length = String::new();
        reader.read_line(&mut length).unwrap();
        let length = usize::from_str_radix(length.trim_end(), 16).unwrap();
        let start = body.len();
        body.resize(start + length, 0);
        reader.read_exact(&mut body[start..]).unwrap();
        let mut end = [0; 2];
        reader.read_exact(&mut end).unwrap();
        assert_eq!(&end, b"\r\n");
        if length == 0 {
            return (body, longest);
        }
        longest = longest.max(length);
    }
}

#[test]
fn sixty_entities_of_a_megabyte_come_whole_and_in_small_chunks() {
    let home = Home::new();
    for number in 0..ENTITIES {
        home.write(&format!("apis/{number}.yaml"), api(number));
    }
    let daemon = home.start(&home.config().location("file", "apis/*.yaml"));
    daemon.wait_for("all entities", |api| {
        let shown = api.metrics().labelled("catalog_entities_count", "kind", "api");
        (shown == ENTITIES as u64).then_some(())
    });
    let (body, longest) = chunked_body(daemon.api().address(), "/api/catalog/entities");
    assert!(body.len() > ENTITIES * MEGABYTE, "{}", body.len());
    assert!(longest < MEGABYTE, "a chunk of {longest} bytes");
    let entities: Vec<Value> = serde_json::from_slice(&body).unwrap();
    let definitions: BTreeMap<_, _> = entities
        .iter()
        .filter(|entity| entity["kind"] == "API")
        .map(|entity| {
            (entity["metadata"]["name"].as_str().unwrap(), entity["spec"]["definition"].as_str().unwrap())
        })
        .collect();
    assert_eq!((entities.len(), definitions.len()), (ENTITIES + 1, ENTITIES));
    for number in 0..ENTITIES {
        let name = format!("api-{number}");
        assert!(definitions[&*name] == definition(number), "{name} is not whole");
    }
}
