//! Kill -9 at any moment loses nothing: a daemon that was killed again and again ends with the catalog of one that was
//! left in peace.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use callboard_bench::generate::Population;
use callboard_bench::generate::layout::{Catalog, CatalogPlan, FILES_GLOB, INDEX_FILE, Layout, write_file};
use callboard_bench::random::Random;
use callboard_tests::descriptors::{component, generated_ref};
use callboard_tests::{AppConfig, Daemon, Home, Snapshot, Upstream, settled_snapshot, snapshot};
use serde_json::json;

/// Another number for a long run.
const ROUNDS: &str = "CALLBOARD_CRASH_ROUNDS";
const ROUNDS_DEFAULT: usize = 12;

const SEED: u64 = 20_260_101;
const ENTITIES: usize = 400;
const PER_FILE: usize = 5;

/// Files that change in one round.
const EDITS: usize = 8;

/// Databases that are crashed at the same time, each with its share of the rounds.
const SERIES: usize = 4;

/// In an unoptimised build the first ingest takes about so long.
const FIRST_LIFE_MS_MAX: usize = 400;
/// And a change so long.
const LATER_LIFE_MS_MAX: usize = 150;

#[test]
fn crashes_during_the_first_ingest_lose_nothing() {
    // Over HTTP, where a validator that outlives what it stands for would lose a file until it changes again.
    let catalog = Generated::new(SEED, Access::Http);
    let expected = undisturbed(&catalog);
    thread::scope(|scope| {
        for series in 0..SERIES {
            let (catalog, expected) = (&catalog, &expected);
            scope.spawn(move || {
                let home = Home::new();
                let mut random = Random::stream(SEED, &[1, series as u64]);
                for _ in 0..rounds().div_ceil(SERIES) {
                    home.configure(&catalog.config(&home));
                    live_and_crash(&home.spawn(), FIRST_LIFE_MS_MAX, &mut random);
                }
                assert_same(&settled_snapshot(&home.start(&catalog.config(&home))), expected);
            });
        }
    });
}

#[test]
fn crashes_amid_changes_and_removals_of_files_lose_nothing() {
    crash_amid_changes(&Generated::new(SEED + 1, Access::Disk));
}

#[test]
fn crashes_amid_changes_behind_a_server_lose_nothing() {
    crash_amid_changes(&Generated::new(SEED + 2, Access::Http));
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
    let config = catalog.config(&home);
    let ingested = settled_snapshot(&home.start(&config));
    let mut random = Random::stream(catalog.seed, &[2]);
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
    let expected = settled_snapshot(&home.start(&catalog.config(&home)));
    assert!(expected.len() > ENTITIES / 2, "{} entities", expected.len());
    expected
}

fn assert_same(survived: &Snapshot, expected: &Snapshot) {
    let refs = |catalog: &Snapshot| catalog.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(refs(survived), refs(expected));
    for (entity_ref, entity) in expected {
        assert_eq!(&survived[entity_ref], entity, "{entity_ref}");
    }
}

/// How the daemon comes to the files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// By a pattern; files that are gone were removed.
    Disk,
    /// By an index behind a server with validators.
    Http,
}

/// A generated catalog on disk.
struct Generated {
    seed: u64,
    access: Access,
    catalog: Catalog,
    upstream: Upstream,
    // Removed with the test.
    _folder: tempfile::TempDir,
}

impl Generated {
    fn new(seed: u64, access: Access) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let population = Population::new(ENTITIES, seed);
        let plan = CatalogPlan { population, layout: Layout::ManyPerFile, per_file: PER_FILE };
        let catalog = plan.write(folder.path()).unwrap();
        let upstream = Upstream::of_folder(&catalog.folder);
        Self { seed, access, catalog, upstream, _folder: folder }
    }

    fn config(&self, home: &Home) -> AppConfig {
        // In PostgreSQL the leases of a process that was killed have to run out before its work is done again.
        let config = home.config().set("callboard.engine.lease", "1s".into());
        match self.access {
            Access::Disk => config.location("file", self.glob()),
            Access::Http => config.allow(&self.upstream).location("url", self.upstream.url(INDEX_FILE)),
        }
    }

    fn glob(&self) -> String {
        self.catalog.folder.join(FILES_GLOB).display().to_string()
    }

    /// The Location entity that leads to the files.
    fn location_ref(&self) -> String {
        match self.access {
            Access::Disk => generated_ref("file", &self.glob()),
            Access::Http => "location:default/generated-catalog".to_owned(),
        }
    }

    fn file(&self, number: usize) -> PathBuf {
        self.catalog.folder.join(&self.catalog.files[number])
    }

    /// Edits files. On disk, removes one for good each third time, up to a quarter of them.
    fn change(&self, random: &mut Random, round: usize, removed: &mut BTreeSet<PathBuf>) {
        let mut pick = || self.file(random.below(self.catalog.files.len()));
        let doomed = pick();
        let is_enough = removed.len() >= self.catalog.files.len() / 4;
        let may_remove = self.access == Access::Disk && round % 3 == 2 && !is_enough;
        if may_remove && fs::remove_file(&doomed).is_ok() {
            removed.insert(doomed);
        }
        for _ in 0..EDITS {
            let edited = pick();
            if let Ok(text) = fs::read_to_string(&edited) {
                write_file(&edited, &marked(&text, round)).unwrap();
            }
        }
    }

    /// Whether the entity stood in a file that was removed.
    fn may_be_gone(ingested: &Snapshot, entity_ref: &str, removed: &BTreeSet<PathBuf>) -> bool {
        let annotation = &ingested[entity_ref]["metadata"]["annotations"]["backstage.io/managed-by-location"];
        let path = annotation.as_str().and_then(|text| text.strip_prefix("file:"));
        path.is_some_and(|path| removed.contains(Path::new(path)))
    }
}

/// The text with an annotation that tells the round in each entity that has annotations.
fn marked(text: &str, round: usize) -> String {
    const MARK: &str = "    example.com/round: ";
    let unmarked = text.lines().filter(|line| !line.starts_with(MARK));
    let mut marked = String::new();
    for line in unmarked {
        marked.extend([line, "\n"]);
        if line == "  annotations:" {
            writeln!(marked, "{MARK}round-{round}").unwrap();
        }
    }
    marked
}
