//! `callboard doctor`, and the daemon that looks after its own database.
#![cfg(test)]

use callboard_tests::descriptors::{component, location};
use callboard_tests::{Finished, Home, settled_snapshot, wait_for};
use serde_json::{Value, json};

fn home() -> Home {
    let home = Home::new();
    home.write("all.yaml", location("all", &["./a.yaml", "./b.yaml"]));
    home.write("a.yaml", component("a"));
    home.write("b.yaml", component("b"));
    home.configure(&home.config().location("file", "all.yaml"));
    home
}

fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

#[test]
fn nothing_is_wrong_with_what_was_ingested() {
    let home = home();
    assert_eq!(home.run(&["ingest", "--once"]).code, Some(0));
    for arguments in [&["doctor", "--format", "json"][..], &["doctor", "--repair", "--format", "json"]] {
        let finished = home.run(arguments);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let report = report(&finished);
        assert_eq!((&report["violations"], &report["left"]), (&0.into(), &0.into()), "{report}");
        assert!(report["rows"].as_u64().unwrap() > 8, "{report}");
    }
    let finished = home.run(&["doctor"]);
    assert!(finished.stdout.contains("nothing is wrong"), "{finished:?}");
}

#[test]
fn a_database_in_use_is_looked_at_and_not_mended() {
    let home = home();
    // In PostgreSQL others may mend while a daemon works.
    let database = json!({ "client": "sqlite", "connection": home.path().join("callboard.sqlite") });
    home.configure(&home.config().location("file", "all.yaml").set("backend.database", database));
    let daemon = home.restart();
    settled_snapshot(&daemon);
    let finished = home.run(&["doctor"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let finished = home.run(&["doctor", "--repair"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("in use by another process"), "{finished:?}");
    assert!(daemon.is_running());
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let home = home();
    for arguments in [&["doctor"][..], &["doctor", "--repair"]] {
        let finished = home.run(arguments);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        for text in ["there is no", "'callboard migrate' brings it up"] {
            assert!(finished.stderr.contains(text), "{text}: {finished:?}");
        }
        assert!(!home.path().join("callboard.sqlite").exists());
    }
}

#[test]
fn the_help_says_what_the_codes_mean() {
    let finished = Home::new().run(&["doctor", "--help"]);
    assert!(finished.stdout.contains("--repair") && finished.stdout.contains("Code 1"), "{finished:?}");
}

#[test]
fn the_daemon_tells_what_its_index_holds_and_that_nothing_is_wrong() {
    let home = home();
    let config = home
        .config()
        .location("file", "all.yaml")
        .set("callboard.doctor.interval", json!({ "milliseconds": 50 }))
        .set("callboard.doctor.rowsPerSecond", 100_000.into());
    let daemon = home.start(&config);
    settled_snapshot(&daemon);
    let contents = daemon.wait_for("an index at rest", |api| {
        let reply = api.get("/.callboard/v1/index");
        (reply.status == 200).then(|| reply.json())
    });
    assert!(contents["entities"].as_u64().is_some_and(|entities| entities >= 4), "{contents}");
    assert_eq!(contents["checksum"].as_str().map(str::len), Some(32), "{contents}");
    let name = "catalog_invariant_violations_total";
    wait_for("a pass", || {
        let metrics = daemon.api().metrics();
        (metrics.sum("callboard_doctor_pass_timestamp_seconds") > 0).then_some(())
    });
    assert_eq!(
        daemon.api().metrics().sum(name),
        0,
        "{:?}",
        daemon.api().metrics().by_label(name, "invariant")
    );
}
