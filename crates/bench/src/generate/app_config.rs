//! The configuration of a daemon for a generated catalog, in the keys of a Backstage `app-config.yaml`. All that the
//! bench assumes of a daemon's configuration stands here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::layout::{Catalog, FILES_GLOB, INDEX_FILE, write_file};
use super::population::Kind;
use crate::error::BenchError;

/// The configuration, in the folder of the daemon.
pub const CONFIG_FILE: &str = "app-config.yaml";

/// The folder, below that of the catalog, that holds nothing but the database.
pub const STORE_FOLDER: &str = "store";

const DATABASE_FILE: &str = "callboard.sqlite";

/// How the configuration points at the catalog's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Locations {
    /// One location with a pattern; for files only.
    Glob,
    /// One location for each file.
    PerFile,
    /// One location, for a Location entity that lists the files.
    Index,
}

/// Where a daemon reads the catalog from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The file system, by absolute paths.
    Files,
    /// A web server that serves the catalog's folder at this URL.
    Http(Url),
}

impl Source {
    /// What is used unless something else is asked for.
    pub fn default_locations(&self) -> Locations {
        match self {
            Self::Files => Locations::Glob,
            Self::Http(_) => Locations::Index,
        }
    }
}

/// What a daemon is told besides the catalog's files.
#[derive(Debug, Clone)]
pub struct ConfigPlan {
    pub source: Source,
    pub locations: Locations,
    /// Where the daemon listens, on the loopback interface. 0 lets the system choose.
    pub port: u16,
    /// `backend.database`; without it, a file in the folder.
    pub database: Option<Value>,
    /// The shortest time between two visits to an entity; without it the daemon's default holds.
    pub processing_interval: Option<Duration>,
}

impl ConfigPlan {
    /// Writes the configuration into `folder`, as JSON, which every YAML parser reads and which needs no quoting rules here.
    pub fn write(&self, catalog: &Catalog, folder: &Path) -> Result<PathBuf, BenchError> {
        let path = folder.join(CONFIG_FILE);
        let store = catalog.folder.join(STORE_FOLDER);
        std::fs::create_dir_all(&store).map_err(BenchError::file("create the folder", &store))?;
        write_file(&path, &format!("{:#}\n", self.config(catalog)?))?;
        Ok(path)
    }

    /// How many Location entities a daemon makes out of the configuration, the index itself included.
    pub fn location_entities(&self, catalog: &Catalog) -> usize {
        match self.locations {
            Locations::Glob => 1,
            Locations::PerFile => catalog.files.len(),
            Locations::Index => 2,
        }
    }

    fn config(&self, catalog: &Catalog) -> Result<Value, BenchError> {
        let locations = self.targets(catalog)?;
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).chain(["Location"]).collect();
        let mut catalog_section = json!({ "rules": [{ "allow": kinds }], "locations": locations });
        if let Some(interval) = self.processing_interval {
            let milliseconds = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
            insert(&mut catalog_section, "processingInterval", json!({ "milliseconds": milliseconds }));
        }
        Ok(json!({ "backend": self.backend(&catalog.folder)?, "catalog": catalog_section }))
    }

    fn backend(&self, folder: &Path) -> Result<Value, BenchError> {
        let file =
            || json!({ "client": "sqlite", "connection": folder.join(STORE_FOLDER).join(DATABASE_FILE) });
        let database = self.database.clone().unwrap_or_else(file);
        let mut backend = json!({
            "baseUrl": format!("http://127.0.0.1:{}", self.port),
            "listen": { "host": "127.0.0.1", "port": self.port },
            "database": database,
            // The runner asks the API for single entities and has no token.
            "auth": { "dangerouslyDisableDefaultAuthPolicy": true },
        });
        if let Source::Http(base) = &self.source {
            insert(&mut backend, "reading", json!({ "allow": [{ "host": authority(base)? }] }));
        }
        Ok(backend)
    }

    fn targets(&self, catalog: &Catalog) -> Result<Vec<Value>, BenchError> {
        let files: Vec<&str> = match self.locations {
            Locations::Glob => vec![FILES_GLOB],
            Locations::PerFile => catalog.files.iter().map(String::as_str).collect(),
            Locations::Index => vec![INDEX_FILE],
        };
        match &self.source {
            Source::Http(_) if self.locations == Locations::Glob => Err(BenchError::GlobOverHttp),
            Source::Http(base) => {
                let base = base.as_str().trim_end_matches('/');
                Ok(files
                    .iter()
                    .map(|file| json!({ "type": "url", "target": format!("{base}/{file}") }))
                    .collect())
            }
            Source::Files => {
                let target = |file: &&str| json!({ "type": "file", "target": catalog.folder.join(file) });
                Ok(files.iter().map(target).collect())
            }
        }
    }
}

fn insert(section: &mut Value, key: &str, value: Value) {
    if let Some(section) = section.as_object_mut() {
        section.insert(key.to_owned(), value);
    }
}

/// Host and, unless it is the scheme's default, port: what `backend.reading.allow` compares with.
fn authority(url: &Url) -> Result<String, BenchError> {
    let host = url.host_str().ok_or_else(|| BenchError::BaseUrlWithoutHost { url: url.to_string() })?;
    Ok(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        let files = vec!["catalog/0000/a.yaml".to_owned(), "catalog/0000/b.yaml".to_owned()];
        Catalog { folder: PathBuf::from("/data"), files, yaml_bytes: 0 }
    }

    fn plan(source: Source, locations: Locations) -> ConfigPlan {
        ConfigPlan { source, locations, port: 7, database: None, processing_interval: None }
    }

    fn http() -> Source {
        Source::Http(Url::parse("http://127.0.0.1:8080/").unwrap())
    }

    fn targets(plan: &ConfigPlan) -> Vec<String> {
        let config = plan.config(&catalog()).unwrap();
        let locations = config["catalog"]["locations"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        locations.iter().map(|item| format!("{}:{}", text(&item["type"]), text(&item["target"]))).collect()
    }

    #[test]
    fn each_form_of_locations_has_its_targets() {
        let cases = [
            (Source::Files, Locations::Glob, vec!["file:/data/catalog/*/*.yaml"], 1),
            (
                Source::Files,
                Locations::PerFile,
                vec!["file:/data/catalog/0000/a.yaml", "file:/data/catalog/0000/b.yaml"],
                2,
            ),
            (Source::Files, Locations::Index, vec!["file:/data/index.yaml"], 2),
            (http(), Locations::Index, vec!["url:http://127.0.0.1:8080/index.yaml"], 2),
            (
                http(),
                Locations::PerFile,
                vec![
                    "url:http://127.0.0.1:8080/catalog/0000/a.yaml",
                    "url:http://127.0.0.1:8080/catalog/0000/b.yaml",
                ],
                2,
            ),
        ];
        for (source, locations, expected, entities) in cases {
            let plan = plan(source, locations);
            assert_eq!(targets(&plan), expected);
            assert_eq!(plan.location_entities(&catalog()), entities);
        }
    }

    #[test]
    fn refuses_globs_over_http() {
        let refused = plan(http(), Locations::Glob).config(&catalog());
        assert!(matches!(refused, Err(BenchError::GlobOverHttp)));
    }

    #[test]
    fn allows_the_host_that_serves_the_catalog() {
        let config = plan(http(), Locations::Index).config(&catalog()).unwrap();
        assert_eq!(config["backend"]["reading"]["allow"], json!([{ "host": "127.0.0.1:8080" }]));
        let config = plan(Source::Files, Locations::Index).config(&catalog()).unwrap();
        assert_eq!(config["backend"].get("reading"), None);
    }

    #[test]
    fn names_the_store_the_port_and_the_interval() {
        let mut plan = plan(Source::Files, Locations::Glob);
        plan.processing_interval = Some(Duration::from_secs(5));
        let config = plan.config(&catalog()).unwrap();
        assert_eq!(config["backend"]["listen"], json!({ "host": "127.0.0.1", "port": 7 }));
        assert_eq!(
            config["backend"]["database"],
            json!({ "client": "sqlite", "connection": "/data/store/callboard.sqlite" })
        );
        assert_eq!(config["catalog"]["processingInterval"], json!({ "milliseconds": 5000 }));
    }
}
