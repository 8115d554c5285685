//! What is handed out for running the daemon fits it: configurations, alerts, and the manual.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;

use callboard_tests::descriptors::component;
use callboard_tests::store::{at_url, new_postgres_url, postgres};
use callboard_tests::{Home, settled_snapshot, workspace_root};
use serde_json::json;

const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const MANUAL: &str = "docs/operating.md";

#[test]
fn every_metric_that_alerts_and_manual_name_is_there() {
    let Some(exposition) = exposition() else { return };
    let samples = exposition.lines().filter(|line| !line.starts_with('#'));
    let there: BTreeSet<_> = samples.filter_map(|line| line.split([' ', '{']).next()).collect();
    for file in [ALERTS, MANUAL] {
        let text = read(file);
        let named = named(&text);
        assert!(!named.is_empty(), "{file} names no metrics");
        let missing: Vec<_> = named.difference(&there).collect();
        assert!(missing.is_empty(), "{file} names what is not there: {missing:?}");
    }
}

#[test]
fn the_manual_has_every_metric() {
    let Some(exposition) = exposition() else { return };
    let families = exposition.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let manual = read(MANUAL);
    let missing: Vec<_> = families.filter(|name| !manual.contains(&format!("| `{name}` |"))).collect();
    assert!(missing.is_empty(), "{MANUAL} has no row for {missing:?}");
}

#[test]
fn the_configurations_that_are_handed_out_are_without_findings() {
    let home = Home::new();
    let sets = [
        &["deploy/config/app-config.yaml"][..],
        &["deploy/config/app-config.yaml", "deploy/config/postgres.yaml"],
        &["deploy/kubernetes/base/app-config.yaml", "deploy/kubernetes/sqlite/store.yaml"],
        &["deploy/kubernetes/base/app-config.yaml", "deploy/kubernetes/postgres/store.yaml"],
    ];
    for files in sets {
        let mut command = home.command(&["config", "check"]);
        for file in files {
            command.arg("--config").arg(workspace_root().join(file));
        }
        let output = command.env_remove("GITHUB_TOKEN").output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && stdout.trim() == "no findings", "{files:?}: {output:?}");
    }
}

/// The metrics of a daemon that has made an entity and been looked after by the doctor. It keeps its catalog in the
/// store that has all of them.
fn exposition() -> Option<String> {
    let url = new_postgres_url(postgres()?);
    let home = Home::new();
    home.write("a.yaml", component("a"));
    let config = home.config().set("backend.database", at_url(&url)).location("file", "a.yaml");
    let daemon =
        home.start(&config.set("callboard.doctor", json!({ "interval": "1s", "rowsPerSecond": 1000 })));
    settled_snapshot(&daemon);
    Some(daemon.wait_for("a pass of the doctor", |api| {
        let metrics = api.get("/metrics").body;
        metrics.contains("callboard_doctor_pass_timestamp_seconds").then_some(metrics)
    }))
}

/// The names in a text that begin as those of metrics do. Crates do so too, in filters of the log.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_metric = |word: &&str| {
        let is_crate = |name| workspace_root().join("crates").join(name).is_dir();
        word.starts_with("catalog_") || word.strip_prefix("callboard_").is_some_and(|name| !is_crate(name))
    };
    words.filter(is_metric).collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(workspace_root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
