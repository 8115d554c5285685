//! What is out there: files behind URLs, and what providers have. It changes, and some of it cannot be read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dice::Dice;
use crate::documents::Document;

/// Names of the providers.
pub(crate) const PROVIDERS: [&str; 2] = ["listing", "feed"];

/// Files of the first directory may have Locations, which name only files of the second one. Where Locations lead to each
/// other in a circle that is entered at two places, the two origins chase each other round it for ever.
const DIRECTORIES: [&str; 2] = ["a", "b"];
const FILES_EACH: usize = 3;
const COMPONENTS: usize = 8;
const GROUPS: usize = 3;
const LOCATIONS: usize = 3;

/// Why a file cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// 404.
    Missing,
    /// 500 and the like.
    Broken,
    /// 401 and 403.
    Forbidden,
    /// No answer at all.
    Silent,
    /// Something that is no YAML.
    Garbage,
    /// The beginning of what there is.
    Cut,
}

impl Trouble {
    /// All that say nothing about whether there is something.
    const UNKNOWN: [Self; 5] = [Self::Broken, Self::Forbidden, Self::Silent, Self::Garbage, Self::Cut];
}

#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) documents: Vec<Document>,
    pub(crate) version: u64,
    pub(crate) trouble: Option<Trouble>,
}

/// What a provider hands over, with its location key.
pub(crate) type Bucket = BTreeMap<String, (Document, Option<String>)>;

#[derive(Debug, Default)]
pub(crate) struct Outside {
    pub(crate) files: BTreeMap<String, File>,
    pub(crate) buckets: BTreeMap<&'static str, Bucket>,
    last_version: u64,
}

/// The world; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    outside: Arc<Mutex<Outside>>,
    dice: Dice,
}

impl World {
    pub(crate) fn new(dice: &Dice) -> Self {
        let world = Self { outside: Arc::default(), dice: dice.clone() };
        for url in all_urls() {
            let documents = (0..=dice.below(3)).map(|_| world.document(directory(&url))).collect();
            let version = world.version();
            world.outside().files.insert(url, File { documents, version, trouble: None });
        }
        for provider in PROVIDERS {
            world.outside().buckets.insert(provider, Bucket::new());
            for _ in 0..2 {
                world.change_bucket(provider);
            }
        }
        world
    }

    pub(crate) fn outside(&self) -> MutexGuard<'_, Outside> {
        self.outside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn version(&self) -> u64 {
        let mut outside = self.outside();
        outside.last_version += 1;
        outside.last_version
    }

    fn url(&self) -> String {
        self.dice.pick(&all_urls()).cloned().unwrap_or_default()
    }

    fn url_in(&self, directory: &str) -> String {
        let urls: Vec<String> = urls_in(directory).collect();
        self.dice.pick(&urls).cloned().unwrap_or_default()
    }

    /// A file, or all files of a directory.
    pub(crate) fn target(&self) -> String {
        self.target_in(self.dice.one_of(DIRECTORIES))
    }

    fn target_in(&self, directory: &str) -> String {
        if self.dice.per_mille(300) {
            format!("https://sim.example.com/{directory}/*.yaml")
        } else {
            self.url_in(directory)
        }
    }

    /// Something for a file of this directory.
    fn document(&self, directory: &str) -> Document {
        let [above, below] = DIRECTORIES;
        let version = self.version();
        let dice = &self.dice;
        let component = || format!("c{}", dice.below(COMPONENTS));
        match dice.below(10) {
            0 => Document::Group { name: format!("g{}", dice.below(GROUPS)), version },
            1 if directory == above => Document::Location {
                name: format!("l{}", dice.below(LOCATIONS)),
                version,
                targets: (0..=dice.below(2)).map(|_| self.target_in(below)).collect(),
            },
            _ => Document::Component {
                name: component(),
                version,
                owner: format!("group:default/g{}", dice.below(GROUPS)),
                depends_on: dice.per_mille(400).then(|| format!("component:default/{}", component())),
            },
        }
    }

    /// Somebody edits a file, or moves something from one to another. Answers what was done.
    pub(crate) fn edit(&self) -> String {
        let url = self.url();
        let other = self.url_in(directory(&url));
        let (version, other_version) = (self.version(), self.version());
        let (document, choice) = (self.document(directory(&url)), self.dice.below(7));
        let mut outside = self.outside();
        let Some(mut file) = outside.files.get(&url).cloned() else { return String::new() };
        let index = self.dice.below(file.documents.len());
        let what = match choice {
            0 if file.documents.len() < 5 => {
                file.documents.push(document);
                format!("{url} has one more")
            }
            1 if file.documents.len() > 1 => {
                file.documents.remove(index);
                format!("{url} has one less")
            }
            2 if file.documents.len() > 1 && url != other => {
                let moved = file.documents.remove(index);
                if let Some(other) = outside.files.get_mut(&other) {
                    other.documents.push(moved);
                    other.version = other_version;
                }
                format!("one moves from {url} to {other}")
            }
            3 if url != other => {
                if let Some(other) = outside.files.get_mut(&other) {
                    std::mem::swap(&mut other.documents, &mut file.documents);
                    other.version = other_version;
                }
                format!("{url} and {other} are renamed to each other")
            }
            4 => {
                file.documents.extend(file.documents.get(index).cloned().map(|it| it.with_version(version)));
                file.documents.truncate(5);
                format!("{url} has one twice")
            }
            _ => {
                if let Some(changed) = file.documents.get_mut(index) {
                    *changed = changed.clone().with_version(version);
                }
                format!("{url} changes")
            }
        };
        file.version = version;
        outside.files.insert(url, file);
        what
    }

    /// A file gets into trouble, or out of it.
    pub(crate) fn trouble(&self) -> String {
        let url = self.url();
        let trouble = self.dice.per_mille(600).then(|| match self.dice.below(6) {
            0 => Trouble::Missing,
            _ => self.dice.one_of(Trouble::UNKNOWN),
        });
        self.set_trouble(&url, trouble);
        format!("{url}: {trouble:?}")
    }

    pub(crate) fn set_trouble(&self, url: &str, trouble: Option<Trouble>) {
        if let Some(file) = self.outside().files.get_mut(url) {
            file.trouble = trouble;
        }
    }

    /// Something that a source can have without anything being gone: none of it says that there is nothing.
    pub(crate) fn make_unknown(&self) -> Vec<String> {
        let urls: Vec<String> = all_urls().into_iter().filter(|_| self.dice.per_mille(400)).collect();
        for url in &urls {
            self.set_trouble(url, Some(self.dice.one_of(Trouble::UNKNOWN)));
        }
        urls
    }

    pub(crate) fn heal(&self) {
        for file in self.outside().files.values_mut() {
            file.trouble = None;
        }
    }

    /// A provider has something else: what it has now, and what is gone.
    pub(crate) fn change_bucket(&self, provider: &'static str) -> (Vec<String>, Vec<String>) {
        let mut document = self.document(DIRECTORIES[1]);
        if self.dice.per_mille(600) {
            let name = format!("{provider}-{}", self.dice.below(3));
            let targets = (0..=self.dice.below(2)).map(|_| self.target()).collect();
            document = Document::Location { name, version: self.version(), targets };
        }
        let key = match self.dice.below(8) {
            // Who has no key never had one: a run under way would bring it back.
            _ if document.entity_ref().ends_with('2') => None,
            0 => Some("shared".to_owned()),
            _ => Some(format!("{provider}:key")),
        };
        let is_removed = self.dice.per_mille(300);
        let mut outside = self.outside();
        let bucket = outside.buckets.entry(provider).or_default();
        if is_removed && bucket.len() > 1 {
            let gone = bucket.keys().nth(self.dice.below(bucket.len())).cloned();
            if let Some(gone) = gone {
                bucket.remove(&gone);
                return (Vec::new(), vec![gone]);
            }
        }
        let entity_ref = document.entity_ref();
        bucket.insert(entity_ref.clone(), (document, key));
        (vec![entity_ref], Vec::new())
    }
}

impl Outside {
    /// The files that a target names, in order.
    pub(crate) fn matching<'s>(
        &'s self,
        target: &str,
    ) -> impl Iterator<Item = (&'s String, &'s File)> + use<'s> {
        let (prefix, is_glob) = match target.strip_suffix("*.yaml") {
            Some(directory) => (directory.to_owned(), true),
            None => (target.to_owned(), false),
        };
        self.files
            .iter()
            .filter(move |(url, _)| if is_glob { url.starts_with(&prefix) } else { **url == prefix })
    }
}

fn urls_in(directory: &str) -> impl Iterator<Item = String> {
    (0..FILES_EACH).map(move |n| format!("https://sim.example.com/{directory}/f{n}.yaml"))
}

fn all_urls() -> Vec<String> {
    DIRECTORIES.into_iter().flat_map(urls_in).collect()
}

/// The directory that a file is in.
fn directory(url: &str) -> &str {
    url.rsplit('/').nth(1).unwrap_or_default()
}
