//! A generated catalog whose files change.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use callboard_bench::generate::Population;
use callboard_bench::generate::layout::{Catalog, CatalogPlan, FILES_GLOB, INDEX_FILE, Layout, write_file};
use callboard_bench::random::Random;

use crate::descriptors::generated_ref;
use crate::{AppConfig, Snapshot, Upstream};

const PER_FILE: usize = 5;

/// Files that change in one round.
const EDITS: usize = 8;

/// How the daemon comes to the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// By a pattern; files that are gone were removed.
    Disk,
    /// By an index behind a server with validators.
    Http,
}

/// Files with entities that refer to each other.
#[derive(Debug)]
pub struct Generated {
    entities: usize,
    seed: u64,
    access: Access,
    catalog: Catalog,
    upstream: Upstream,
    // Removed with the test.
    _folder: tempfile::TempDir,
}

impl Generated {
    /// A catalog of about so many entities.
    pub fn new(entities: usize, seed: u64, access: Access) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let population = Population::new(entities, seed);
        let entities = population.entities();
        let plan = CatalogPlan { population, layout: Layout::ManyPerFile, per_file: PER_FILE };
        let catalog = plan.write(folder.path()).unwrap();
        let upstream = Upstream::of_folder(&catalog.folder);
        Self { entities, seed, access, catalog, upstream, _folder: folder }
    }

    /// The seed of its content.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Lets a daemon with this configuration read it.
    #[must_use]
    pub fn configure(&self, config: AppConfig) -> AppConfig {
        match self.access {
            Access::Disk => config.location("file", self.glob()),
            Access::Http => config.allow(&self.upstream).location("url", self.upstream.url(INDEX_FILE)),
        }
    }

    /// Lets a daemon with this configuration read it by one location for each file.
    #[must_use]
    pub fn configure_each(&self, config: AppConfig) -> AppConfig {
        let with_file = |config: AppConfig, file: &String| config.location("url", self.upstream.url(file));
        self.catalog.files.iter().fold(config.allow(&self.upstream), with_file)
    }

    /// How the daemon comes to the files.
    pub fn access(&self) -> Access {
        self.access
    }

    /// How many entities there are in the files at first.
    pub fn entities(&self) -> usize {
        self.entities
    }

    /// The files, as paths on [`upstream`](Self::upstream).
    pub fn files(&self) -> &[String] {
        &self.catalog.files
    }

    /// Serves the files.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    fn glob(&self) -> String {
        self.catalog.folder.join(FILES_GLOB).display().to_string()
    }

    /// The Location entity that leads to the files.
    pub fn location_ref(&self) -> String {
        match self.access {
            Access::Disk => generated_ref("file", &self.glob()),
            Access::Http => "location:default/generated-catalog".to_owned(),
        }
    }

    fn file(&self, number: usize) -> PathBuf {
        self.catalog.folder.join(&self.catalog.files[number])
    }

    /// Edits files. On disk, removes one for good each third time, up to a quarter of them.
    pub fn change(&self, random: &mut Random, round: usize, removed: &mut BTreeSet<PathBuf>) {
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
    pub fn may_be_gone(ingested: &Snapshot, entity_ref: &str, removed: &BTreeSet<PathBuf>) -> bool {
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

/// Fails with what is missing or too much, or else with the first difference.
pub fn assert_same(found: &Snapshot, expected: &Snapshot) {
    let refs = |catalog: &Snapshot| catalog.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(refs(found), refs(expected));
    for (entity_ref, entity) in expected {
        assert_eq!(&found[entity_ref], entity, "{entity_ref}");
    }
}
