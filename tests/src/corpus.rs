//! The corpus: descriptor files from the wild, and what the Backstage catalog backend makes of each.
//!
//! It is third-party data and no part of this repository; [`folder`] says where it is looked for. Beside the files there
//! are `golden/files/PATH.json`, the answer to a dry run of one file, and `golden/roots/NAME.json`, the catalog that one
//! file as the only location settles to. They were recorded with the files served at `GOLDEN_BASE`.

mod compare;

pub use compare::{same_answer, same_entities};

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::descriptors::generated_ref;
use crate::{AppConfig, Home, Upstream, workspace_root};

/// Names the folder of the corpus.
const FOLDER: &str = "CALLBOARD_CORPUS";

/// Makes a missing corpus a failure, for machines that must have it.
const REQUIRE: &str = "CALLBOARD_REQUIRE_CORPUS";

const GOLDEN_BASE: &str = "http://corpus.test/";

/// The kinds that the recording allowed.
const KINDS: [&str; 15] = [
    "Component",
    "API",
    "System",
    "Domain",
    "Resource",
    "Group",
    "User",
    "Location",
    "Template",
    "AiResource",
    "Widget",
    "Environment",
    "Product",
    "Package",
    "Plugin",
];

/// The folder of the corpus: the one that the environment names, or a `corpus` beside the workspace or one level below
/// its neighbours. Without one, says so and answers nothing.
pub fn folder() -> Option<PathBuf> {
    let named = std::env::var_os(FOLDER).map(PathBuf::from);
    let found = match &named {
        Some(folder) => Some(folder.clone()).filter(|folder| is_corpus(folder)),
        None => beside_the_workspace(),
    };
    if let Some(folder) = found {
        return Some(folder.canonicalize().unwrap());
    }
    let is_required = std::env::var_os(REQUIRE).is_some_and(|value| value == "1");
    let message = format!("there is no corpus; {FOLDER}, which names its folder, is {named:?}");
    assert!(!is_required, "{message}");
    eprintln!("skipped: {message}");
    None
}

fn beside_the_workspace() -> Option<PathBuf> {
    let above = workspace_root().parent()?;
    let neighbours = fs::read_dir(above).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let candidates = std::iter::once(above.to_path_buf()).chain(neighbours);
    candidates.map(|folder| folder.join("corpus")).find(|folder| is_corpus(folder))
}

fn is_corpus(folder: &Path) -> bool {
    folder.join("golden").is_dir()
}

/// The recorded answers by the path of their file, relative to the corpus.
pub fn golden_files(corpus: &Path) -> BTreeMap<String, Value> {
    let top = corpus.join("golden/files");
    let mut answers = BTreeMap::new();
    let mut folders = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let file = path.strip_prefix(&top).unwrap().with_extension("");
                answers.insert(file.to_str().unwrap().to_owned(), read_json(&path));
            }
        }
    }
    answers
}

/// The recorded catalogs by the path of their root, relative to the corpus.
pub fn golden_roots(corpus: &Path) -> BTreeMap<String, Value> {
    let Value::Object(index) = read_json(&corpus.join("golden/roots.json")) else {
        panic!("the index is an object")
    };
    index
        .into_iter()
        .map(|(root, file)| (root, read_json(&corpus.join("golden").join(file.as_str().unwrap()))))
        .collect()
}

/// The configuration that the recording had, without locations.
pub fn config(home: &Home, upstream: &Upstream) -> AppConfig {
    home.config().set("catalog.rules", json!([{ "allow": KINDS }])).allow(upstream)
}

/// The URL of a file of the corpus.
pub fn url(upstream: &Upstream, file: &str) -> String {
    upstream.url(&file.replace('@', "%40"))
}

/// The value as it would be if the recording's server had been `upstream`'s place, with `root` as the only location.
pub fn normalised(value: &Value, upstream: &Upstream, root: &str) -> Value {
    let name = |base: &str| generated_ref("url", &format!("{base}{}", root.replace('@', "%40")));
    let (ours, theirs) = (name(&upstream.url("")), name(GOLDEN_BASE));
    let name_only = |entity_ref: &str| entity_ref.rsplit('/').next().unwrap_or_default().to_owned();
    let text = value.to_string().replace(&upstream.url(""), GOLDEN_BASE);
    serde_json::from_str(&text.replace(&name_only(&ours), &name_only(&theirs))).unwrap()
}

fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
