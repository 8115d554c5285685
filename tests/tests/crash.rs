//! Kill -9 at any moment loses nothing: a daemon that was killed again and again ends with the catalog of one that was
//! left in peace.
#![cfg(test)]

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use callboard_bench::random::Random;
use callboard_tests::descriptors::component;
use callboard_tests::generated::{Access, Generated, assert_same};
use callboard_tests::{AppConfig, Daemon, Home, Snapshot, Upstream, settled_snapshot, snapshot};
use serde_json::json;

/// Another number for a long run.
const ROUNDS: &str = "CALLBOARD_CRASH_ROUNDS";
const ROUNDS_DEFAULT: usize = 12;

const SEED: u64 = 20_260_101;
const ENTITIES: usize = 400;

/// Databases that are crashed at the same time, each with its share of the rounds.
const SERIES: usize = 4;

/// In an unoptimised build the first ingest takes about so long.
const FIRST_LIFE_MS_MAX: usize = 400;
/// And a change so long.
const LATER_LIFE_MS_MAX: usize = 150;

#[test]
fn crashes_during_the_first_ingest_lose_nothing() {
    // Over HTTP, where a validator that outlives what it stands for would lose a file until it changes again.
    let catalog = Generated::new(ENTITIES, SEED, Access::Http);
    let expected = undisturbed(&catalog);
    thread::scope(|scope| {
        for series in 0..SERIES {
            let (catalog, expected) = (&catalog, &expected);
            scope.spawn(move || {
                let home = Home::new();
                let mut random = Random::stream(SEED, &[1, series as u64]);
                for _ in 0..rounds().div_ceil(SERIES) {
                    home.configure(&config(catalog, &home));
                    live_and_crash(&home.spawn(), FIRST_LIFE_MS_MAX, &mut random);
                }
                assert_same(&settled_snapshot(&home.start(&config(catalog, &home))), expected);
            });
        }
    });
}

#[test]
fn crashes_amid_changes_and_removals_of_files_lose_nothing() {
    crash_amid_changes(&Generated::new(ENTITIES, SEED + 1, Access::Disk));
}

#[test]
fn crashes_amid_changes_behind_a_server_lose_nothing() {
    crash_amid_changes(&Generated::new(ENTITIES, SEED + 2, Access::Http));
}

#[test]
fn a_location_that_was_accepted_survives_a_crash() {
    let (home, upstream) = (Home::new(), Upstream::new());
    let config = home.config().allow(&upstream);
    for round in 0..rounds().div_ceil(SERIES) {
        let path = format!("part-{round}.yaml");
        upstream.put(&path, component(&format!("part-{round}")));
        let daemon = home.start(&config);
        let body = json!({ "type": "url", "target": upstream.url(&path) });
        assert_eq!(daemon.api().post("/api/catalog/locations", &body).status, 201);
        daemon.crash();
    }
    let daemon = home.start(&config);
    for round in 0..rounds().div_ceil(SERIES) {
        daemon.wait_for("all that was registered", |api| {
            api.entity(&format!("component:default/part-{round}"))
        });
    }
}

fn crash_amid_changes(catalog: &Generated) {
    let home = Home::new();
    let config = config(catalog, &home);
    let ingested = settled_snapshot(&home.start(&config));
    let mut random = Random::stream(catalog.seed(), &[2]);
    let mut removed = BTreeSet::new();
    for round in 0..rounds() {
        let daemon = home.start(&config);
        // Nothing needs a run to be visible again.
        let shown = snapshot(daemon.api());
        let missing = ingested.keys().filter(|entity_ref| !shown.contains_key(*entity_ref));
        let lost: BTreeSet<_> =
            missing.filter(|entity_ref| !Generated::may_be_gone(&ingested, entity_ref, &removed)).collect();
        assert_eq!(lost, BTreeSet::new(), "in round {round}");
        catalog.change(&mut random, round, &mut removed);
        daemon.api().refresh(&catalog.location_ref());
        live_and_crash(&daemon, LATER_LIFE_MS_MAX, &mut random);
    }
    assert_same(&settled_snapshot(&home.start(&config)), &undisturbed(catalog));
}

fn config(catalog: &Generated, home: &Home) -> AppConfig {
    // In PostgreSQL the leases of a process that was killed have to run out before its work is done again.
    catalog.configure(home.config()).set("callboard.engine.lease", "1s".into())
}

fn rounds() -> usize {
    std::env::var(ROUNDS).map_or(ROUNDS_DEFAULT, |rounds| rounds.parse().unwrap())
}

/// Lets it work for a while. That the moment is arbitrary is the point.
fn live_and_crash(daemon: &Daemon, life_ms_max: usize, random: &mut Random) {
    thread::sleep(Duration::from_millis(random.below(life_ms_max) as u64));
    assert!(daemon.is_running(), "the daemon ended by itself");
    daemon.crash();
}

/// The catalog of a daemon that was left in peace.
fn undisturbed(catalog: &Generated) -> Snapshot {
    let home = Home::new();
    let expected = settled_snapshot(&home.start(&config(catalog, &home)));
    assert!(expected.len() > ENTITIES / 2, "{} entities", expected.len());
    expected
}
