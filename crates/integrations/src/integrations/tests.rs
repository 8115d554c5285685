use std::time::Duration;

use callboard_sdk::{ReadError, ReadUrlOptions};
use serde_json::{Value, json};

use super::*;
use crate::test_config::config;
use crate::test_server::{Reply, TestServer};

async fn read(config: Value, url: &str) -> Result<Vec<u8>, ReadError> {
    let integrations = Integrations::from_config(&crate::test_config::config(config)).unwrap();
    let response = integrations.reader.read_url(url, &ReadUrlOptions::default()).await?;
    Ok(response.data.to_vec())
}

#[tokio::test]
async fn a_host_is_read_by_its_integration_rather_than_by_the_allow_list() {
    let server = TestServer::start(|seen| Reply::ok(seen.path.clone())).await;
    let allow = json!({ "reading": { "allow": [{ "host": server.host }] } });
    let url = server.url("/o/r/blob/main/c.yaml");
    let plain = json!({ "backend": allow });
    assert_eq!(read(plain, url.as_str()).await.unwrap(), b"/o/r/blob/main/c.yaml");
    let github = json!([{ "host": server.host, "rawBaseUrl": server.url("/raw").as_str() }]);
    let known = json!({ "backend": allow, "integrations": { "github": github } });
    assert_eq!(read(known, url.as_str()).await.unwrap(), b"/raw/o/r/main/c.yaml");
    assert_eq!(read(json!({}), url.as_str()).await.unwrap_err().name(), "NotAllowedError");
}

#[tokio::test]
async fn limits_come_from_the_configuration() {
    let server = TestServer::start(|_| Reply::ok("0123456789")).await;
    let allow = json!({ "reading": { "allow": [{ "host": server.host }] } });
    let small = json!({ "backend": allow, "callboard": { "reading": { "maxBodyBytes": 9 } } });
    let error = read(small, server.url("/").as_str()).await.unwrap_err();
    assert!(error.to_string().ends_with("the limit of 9 bytes (callboard.reading.maxBodyBytes)"), "{error}");
}

#[test]
fn every_limit_has_a_key_and_a_default() {
    let settings =
        |reading: Value| FetchSettings::from_config(&config(json!({ "callboard": { "reading": reading } })));
    assert_eq!(settings(json!({})).unwrap(), FetchSettings::default());
    let all = json!({
        "maxBodyBytes": 1, "maxArchiveBytes": 2, "maxUnpackedBytes": 3, "maxArchiveEntries": 4,
        "totalTime": "5s", "connectTime": "6s", "idleTime": { "seconds": 7 },
        "maxConcurrentPerHost": 8, "maxConcurrent": 9, "maxPause": "0s",
    });
    let expected = FetchSettings {
        body_bytes_max: 1,
        archive_bytes_max: 2,
        unpacked_bytes_max: 3,
        archive_entries_max: 4,
        total_time: Duration::from_secs(5),
        connect_time: Duration::from_secs(6),
        idle_time: Duration::from_secs(7),
        concurrent_per_host_max: 8,
        concurrent_max: 9,
        pause_max: Duration::ZERO,
    };
    assert_eq!(settings(all).unwrap(), expected);
    for key in ["maxBodyBytes", "maxConcurrent", "totalTime"] {
        let value = if key == "totalTime" { json!("0s") } else { json!(0) };
        let error = settings(json!({ key: value })).unwrap_err();
        assert_eq!(error.to_string(), format!("callboard.reading.{key} is out of range"));
    }
}

#[test]
fn a_bad_allow_list_is_found_at_start() {
    let bad = json!({ "backend": { "reading": { "allow": [{ "host": "e.com:100-" }] } } });
    let error = Integrations::from_config(&config(bad)).unwrap_err();
    assert_eq!(error.to_string(), "Port range is not valid: 100-");
}

#[test]
fn repositories_are_looked_into_where_there_is_a_reader_for_them() {
    let github = json!([{ "host": "ghe.example.com", "apiBaseUrl": "https://ghe.example.com/api/v3" }]);
    let config = config(json!({ "integrations": { "github": github } }));
    let integrations = Integrations::from_config(&config).unwrap();
    let supports = |url: &str| integrations.analyzers.iter().any(|analyzer| analyzer.supports(url));
    assert!(supports("https://github.com/o/r") && supports("https://ghe.example.com/o/r"));
    assert!(!supports("https://gitlab.com/g/p") && !supports("https://example.com/o/r"));
}
