//! Helpers that write files and load them; the tests by subject.

mod loading;
mod reading;
mod resolving;
mod showing;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Config, Sources};

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn sources(root: &Path) -> Sources {
    Sources { root: root.to_owned(), cwd: root.to_owned(), ..Sources::default() }
}

/// Loads `app-config.yaml` with `text`, beside `files`.
fn load_with(text: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("app-config.yaml"), text).unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let sources = Sources { env: env(variables), ..sources(dir.path()) };
    let root = format!("{}/", dir.path().display());
    Config::load(&sources).map_err(|error| error.to_string().replace(&root, ""))
}

fn value(text: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Value {
    load_with(text, files, variables).unwrap().get_opt_value("").unwrap().unwrap()
}

/// Merges layers by way of files, the lowest first.
fn merged(layers: &[&str]) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let mut args = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let name = format!("f{index}.yaml");
        fs::write(dir.path().join(&name), layer).unwrap();
        args.push(name.into());
    }
    Config::load(&Sources { args, ..sources(dir.path()) }).unwrap()
}
