//! `callboard migrate`, and daemons on databases that are older or newer than they are.
#![cfg(test)]

use callboard_tests::descriptors::component;
use callboard_tests::{Finished, Home};
use serde_json::Value;

/// What all say who find a database that has to be made or migrated.
const ADVICE: &str = "'callboard migrate' brings it up";

fn home() -> Home {
    let home = Home::new();
    home.write("a.yaml", component("a"));
    home.configure(&home.config().location("file", "a.yaml"));
    home
}

fn assert_ended(finished: &Finished, code: i32, texts: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    for text in texts {
        assert!(finished.output().contains(text), "{text}: {finished:?}");
    }
}

#[test]
fn the_command_makes_the_database_and_the_check_changes_nothing() {
    let home = home();
    for arguments in
        [&["migrate", "--check"][..], &["migrate", "--check"], &["doctor"], &["doctor", "--repair"]]
    {
        assert_ended(&home.run(arguments), 1, &["there is no", ADVICE]);
    }
    assert_ended(&home.run(&["migrate"]), 0, &["schema 0 -> 1: 0001_init"]);
    let daemon = home.restart();
    // Both also while it is in use.
    for arguments in [&["migrate"][..], &["migrate", "--check"]] {
        assert_ended(&home.run(arguments), 0, &["the schema is up to date (version 1)"]);
    }
    let finished = home.run(&["migrate", "--check", "--format", "json"]);
    let schema: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(schema, serde_json::json!({ "version": 1, "known": 1, "pending": [] }));
    assert!(daemon.is_running());
}

#[test]
fn a_daemon_that_is_not_to_migrate_names_the_command() {
    let home = home();
    let config = home.config().location("file", "a.yaml");
    home.configure(&config.set("backend.database.skipMigrations", true.into()));
    for arguments in [&["serve"][..], &["ingest", "--once"]] {
        assert_ended(&home.run(arguments), 1, &["there is no", ADVICE]);
    }
    assert_ended(&home.run(&["migrate"]), 0, &["schema 0 -> 1"]);
    home.restart().wait_for("the entity", |api| api.entity("component:default/a"));
}

#[test]
fn of_commands_at_the_same_time_one_makes_the_tables() {
    let home = home();
    let finished = std::thread::scope(|scope| {
        let running: Vec<_> = (0..3).map(|_| scope.spawn(|| home.run(&["migrate"]))).collect();
        running.into_iter().map(|running| running.join().unwrap()).collect::<Vec<_>>()
    });
    let made = finished.iter().filter(|finished| finished.stdout.contains("schema 0 -> 1")).count();
    assert_eq!(made, 1, "{finished:?}");
    assert_ended(&home.run(&["migrate", "--check"]), 0, &["up to date"]);
}

#[test]
fn a_newer_database_is_worked_with_if_it_allows_that_and_refused_otherwise() {
    let home = home();
    assert_ended(&home.run(&["migrate"]), 0, &[]);
    home.make_database_newer(7, 1);
    for arguments in [&["migrate"][..], &["migrate", "--check"]] {
        assert_ended(
            &home.run(arguments),
            0,
            &["version 7, with which this program, that knows 1, can work"],
        );
    }
    let daemon = home.restart();
    daemon.wait_for("the entity", |api| api.entity("component:default/a"));
    assert_ended(&home.run(&["doctor"]), 0, &["nothing is wrong"]);
    daemon.terminate();
    assert_eq!(daemon.wait_for_end(), Some(0));
    home.make_database_newer(8, 2);
    for arguments in
        [&["migrate"][..], &["migrate", "--check"], &["serve"], &["ingest", "--once"], &["doctor"]]
    {
        let refusal =
            ["schema version 8, for programs that know 2 or later, and this one knows 1; run that version"];
        assert_ended(&home.run(arguments), 1, &refusal);
    }
}
