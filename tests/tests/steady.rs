//! A catalog at rest costs next to nothing: confirmations go over the wire, due times into the database, and a change
//! touches what it changes.
#![cfg(test)]

use std::collections::BTreeMap;

use callboard_tests::descriptors::{described_component, documents};
use callboard_tests::{Api, AppConfig, Daemon, Home, Metrics, Upstream, settled_snapshot};

const FILES: usize = 5;
const ENTITIES_PER_FILE: usize = 4;

const PROCESSED: &str = "catalog_processed_entities_count";
const ROWS_WRITTEN: &str = "callboard_store_rows_written_total";

#[test]
fn after_the_first_pass_files_are_only_confirmed() {
    let (home, upstream) = (Home::new(), Upstream::new());
    let daemon = start_settled(&home, &upstream);
    upstream.forget();
    daemon.wait_for("three more reads of each file", |_| {
        (0..FILES).all(|file| upstream.count(&path(file), 304) >= 3).then_some(())
    });
    let others: Vec<_> = upstream.exchanges().into_iter().filter(|exchange| exchange.status != 304).collect();
    assert_eq!(others, []);
}

#[test]
fn a_cycle_without_change_writes_due_times_and_nothing_else() {
    let (home, upstream) = (Home::new(), Upstream::new());
    let daemon = start_settled(&home, &upstream);
    let before = daemon.api().metrics();
    let after = wait_for_runs(&daemon, &before, 2 * FILES);
    let mut written = difference(&before, &after, ROWS_WRITTEN, "table");
    assert!(written.remove("schedule").is_some(), "no due time was written");
    assert_eq!(written, BTreeMap::new());
    let mut results = difference(&before, &after, PROCESSED, "result");
    assert!(results.remove("unchanged").is_some());
    assert_eq!(results, BTreeMap::new());
}

#[test]
fn a_changed_entity_is_the_only_one_of_its_file_that_changes() {
    let (home, upstream) = (Home::new(), Upstream::new());
    let daemon = start_settled(&home, &upstream);
    let before = daemon.api().metrics();
    put_file(&upstream, 2, "edited");
    daemon
        .wait_for("the edit to be visible", |api| (description(api, "part-2-1")? == "edited").then_some(()));
    // Whatever else the edit could have made due has its run in this time.
    let after = wait_for_runs(&daemon, &daemon.api().metrics(), 2 * FILES);
    let results = difference(&before, &after, PROCESSED, "result");
    let names: Vec<_> = results.keys().map(String::as_str).collect();
    assert_eq!(names, ["changed", "unchanged"], "{results:?}");
    // The location, which emits something else now, and the entity.
    assert!(results["changed"] == 2, "{results:?}");
    assert_eq!(description(daemon.api(), "part-2-0").unwrap(), "made for a test");
}

/// A daemon that reads all files, after the first pass.
fn start_settled(home: &Home, upstream: &Upstream) -> Daemon {
    let mut config: AppConfig = home.config().allow(upstream);
    for file in 0..FILES {
        put_file(upstream, file, "made for a test");
        config = config.location("url", upstream.url(&path(file)));
    }
    let daemon = home.start(&config);
    let catalog = settled_snapshot(&daemon);
    assert_eq!(catalog.len(), entities());
    daemon
}

/// Puts a file whose second entity has that description.
fn put_file(upstream: &Upstream, file: usize, description: &str) {
    let component = |number: usize| {
        let description = if number == 1 { description } else { "made for a test" };
        described_component(&format!("part-{file}-{number}"), description)
    };
    upstream.put(&path(file), documents((0..ENTITIES_PER_FILE).map(component)));
}

fn path(file: usize) -> String {
    format!("part-{file}.yaml")
}

/// All entities, with the locations of the files.
fn entities() -> usize {
    FILES * (ENTITIES_PER_FILE + 1)
}

fn description(api: &Api, name: &str) -> Option<String> {
    let entity = api.entity(&format!("component:default/{name}"))?;
    entity["metadata"]["description"].as_str().map(str::to_owned)
}

fn wait_for_runs(daemon: &Daemon, since: &Metrics, runs: usize) -> Metrics {
    daemon.wait_for("more runs", |api| {
        let now = api.metrics();
        (now.sum(PROCESSED) - since.sum(PROCESSED) >= runs as u64).then_some(now)
    })
}

/// What grew, by the values of the label.
fn difference(before: &Metrics, after: &Metrics, name: &str, label: &str) -> BTreeMap<String, u64> {
    let before = before.by_label(name, label);
    let grown = after.by_label(name, label).into_iter().map(|(value, count)| {
        let earlier = before.get(&value).copied().unwrap_or_default();
        (value, count - earlier)
    });
    grown.filter(|(_, growth)| *growth > 0).collect()
}
