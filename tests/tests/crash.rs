//! Kill -9 at any moment loses nothing: a daemon that was killed again and again ends with the catalog of one that was
//! left in peace.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callboard_bench::generate::Population;
use callboard_bench::generate::layout::{Catalog, CatalogPlan, FILES_GLOB, Layout, write_file};
use callboard_bench::random::Random;
use callboard_tests::{Daemon, Home, Snapshot, settled_snapshot, snapshot};

/// Another number for a long run.
const ROUNDS: &str = "CALLBOARD_CRASH_ROUNDS";
const ROUNDS_DEFAULT: usize = 12;

const SEED: u64 = 20_260_101;
const ENTITIES: usize = 200;
const PER_FILE: usize = 5;

/// Long enough for every step of the first ingest to be hit.
const LIFE_MS_MAX: usize = 1_200;

#[test]
fn crashes_during_the_first_ingest_lose_nothing() {
    let catalog = Generated::new(SEED);
    let home = Home::new();
    let mut random = Random::stream(SEED, &[1]);
    for _ in 0..rounds() {
        let daemon = spawn(&home, &catalog);
        live_and_crash(&daemon, &mut random);
    }
    assert_same_as_undisturbed(&home, &catalog);
}

#[test]
fn crashes_amid_changes_lose_nothing() {
    let catalog = Generated::new(SEED + 1);
    let home = Home::new();
    let ingested = settled_snapshot(&start(&home, &catalog));
    let mut random = Random::stream(SEED, &[2]);
    let mut removed = BTreeSet::new();
    for round in 0..rounds() {
        let daemon = start(&home, &catalog);
        // Nothing needs a run to be visible again.
        let shown = snapshot(daemon.api());
        let missing = ingested
            .keys()
            .filter(|entity_ref| !shown.contains_key(*entity_ref));
        let lost: BTreeSet<_> = missing
            .filter(|entity_ref| !Generated::may_be_gone(&ingested, entity_ref, &removed))
            .collect();
        assert_eq!(lost, BTreeSet::new(), "in round {round}");
        catalog.change(&mut random, round, &mut removed);
        live_and_crash(&daemon, &mut random);
    }
    assert_same_as_undisturbed(&home, &catalog);
}

fn rounds() -> usize {
    std::env::var(ROUNDS).map_or(ROUNDS_DEFAULT, |rounds| rounds.parse().unwrap())
}

/// Lets it work for a while. That the moment is arbitrary is the point.
fn live_and_crash(daemon: &Daemon, random: &mut Random) {
    std::thread::sleep(Duration::from_millis(random.below(LIFE_MS_MAX) as u64));
    assert!(daemon.is_running(), "the daemon ended by itself");
    daemon.crash();
}

fn spawn(home: &Home, catalog: &Generated) -> Daemon {
    home.configure(&home.config().location("file", catalog.glob()));
    home.spawn()
}

fn start(home: &Home, catalog: &Generated) -> Daemon {
    home.start(&home.config().location("file", catalog.glob()))
}

fn assert_same_as_undisturbed(home: &Home, catalog: &Generated) {
    let expected = settled_snapshot(&start(&Home::new(), catalog));
    assert!(expected.len() > ENTITIES / 2, "{} entities", expected.len());
    let survivor = start(home, catalog);
    let survived = settled_snapshot(&survivor);
    let refs = |catalog: &Snapshot| catalog.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(refs(&survived), refs(&expected));
    for (entity_ref, entity) in &expected {
        assert_eq!(&survived[entity_ref], entity, "{entity_ref}");
    }
    // Looking does not change it.
    assert_eq!(snapshot(survivor.api()), expected);
}

/// A generated catalog on disk.
struct Generated {
    catalog: Catalog,
    // Removed with the test.
    _folder: tempfile::TempDir,
}

impl Generated {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let population = Population::new(ENTITIES, seed);
        let plan = CatalogPlan {
            population,
            layout: Layout::ManyPerFile,
            per_file: PER_FILE,
        };
        Self {
            catalog: plan.write(folder.path()).unwrap(),
            _folder: folder,
        }
    }

    fn glob(&self) -> String {
        self.catalog.folder.join(FILES_GLOB).display().to_string()
    }

    fn file(&self, number: usize) -> PathBuf {
        self.catalog.folder.join(&self.catalog.files[number])
    }

    /// Edits a file, and each third time removes one for good.
    fn change(&self, random: &mut Random, round: usize, removed: &mut BTreeSet<PathBuf>) {
        let mut pick = || self.file(random.below(self.catalog.files.len()));
        let (edited, doomed) = (pick(), pick());
        if round % 3 == 2 && fs::remove_file(&doomed).is_ok() {
            removed.insert(doomed);
        }
        if let Ok(text) = fs::read_to_string(&edited) {
            write_file(&edited, &marked(&text, round)).unwrap();
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
