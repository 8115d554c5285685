//! A catalog on disk: which entity stands in which file, and where the files lie.
//!
//! ```text
//! DIR/app-config.yaml            configuration of a daemon for this catalog
//! DIR/index.yaml                 a Location with every file as a target
//! DIR/catalog/0000/*.yaml        up to FILES_PER_FOLDER files
//! DIR/store/                     the daemon's database
//! ```

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::entity::document;
use super::population::{Identity, Kind, Population};
use super::yaml::Yaml;
use crate::error::BenchError;

/// Keeps folders at a size that every tool can list.
const FILES_PER_FOLDER: usize = 1_000;

/// The file that lists all others.
pub const INDEX_FILE: &str = "index.yaml";

const FILES_FOLDER: &str = "catalog";

/// Matches all files of a catalog, relative to its folder.
pub const FILES_GLOB: &str = "catalog/*/*.yaml";

/// How entities are spread over files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// One entity in each file.
    FilePerEntity,
    /// Several documents in each file.
    ManyPerFile,
}

/// What to write.
#[derive(Debug, Clone)]
pub struct CatalogPlan {
    pub population: Population,
    pub layout: Layout,
    /// Documents in each file, for [`Layout::ManyPerFile`]. At least one.
    pub per_file: usize,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Canonical path of the folder.
    pub folder: PathBuf,
    /// Files with entities, relative to the folder, with `/` between the parts.
    pub files: Vec<String>,
    /// Size of all entities, in bytes of YAML.
    pub yaml_bytes: u64,
}

impl CatalogPlan {
    /// Writes the entities and the index. Refuses a folder with a catalog: its files would be read as part of this one.
    pub fn write(&self, folder: &Path) -> Result<Catalog, BenchError> {
        fs::create_dir_all(folder).map_err(BenchError::file("create the folder", folder))?;
        let folder = folder.canonicalize().map_err(BenchError::file("resolve", folder))?;
        if folder.join(FILES_FOLDER).is_dir() {
            return Err(BenchError::FolderInUse { folder });
        }
        let mut catalog = Catalog { folder, files: Vec::new(), yaml_bytes: 0 };
        let order = self.population.order();
        for (number, entities) in order.chunks(self.documents_per_file()).enumerate() {
            let file = self.file_name(number, entities);
            let text = self.file_text(entities);
            write_file(&catalog.folder.join(&file), &text)?;
            catalog.yaml_bytes += text.len() as u64;
            catalog.files.push(file);
        }
        write_file(&catalog.folder.join(INDEX_FILE), &index(&catalog.files))?;
        Ok(catalog)
    }

    /// A component from the middle of the catalog and the file that it stands in, for measuring a single change.
    pub fn sample(&self, catalog: &Catalog) -> Option<(Identity, PathBuf)> {
        let order = self.population.order();
        let (position, (kind, index)) =
            order.iter().enumerate().skip(order.len() / 2).find(|(_, (kind, _))| *kind == Kind::Component)?;
        let file = catalog.files.get(position / self.documents_per_file())?;
        Some((self.population.identity(*kind, *index), catalog.folder.join(file)))
    }

    fn documents_per_file(&self) -> usize {
        match self.layout {
            Layout::FilePerEntity => 1,
            Layout::ManyPerFile => self.per_file.max(1),
        }
    }

    fn file_name(&self, number: usize, entities: &[(Kind, usize)]) -> String {
        let folder = number / FILES_PER_FOLDER;
        match (self.layout, entities) {
            (Layout::FilePerEntity, [(kind, index)]) => {
                let name = self.population.identity(*kind, *index).name;
                format!("{FILES_FOLDER}/{folder:04}/{}-{name}.yaml", kind.slug())
            }
            _ => format!("{FILES_FOLDER}/{folder:04}/part-{number:05}.yaml"),
        }
    }

    fn file_text(&self, entities: &[(Kind, usize)]) -> String {
        let documents = entities.iter().map(|(kind, index)| document(&self.population, *kind, *index));
        documents.collect::<Vec<_>>().join("---\n")
    }
}

fn index(files: &[String]) -> String {
    let mut yaml = Yaml::default();
    yaml.field(0, "apiVersion", "backstage.io/v1alpha1");
    yaml.field(0, "kind", "Location");
    yaml.key(0, "metadata");
    yaml.field(1, "name", "generated-catalog");
    yaml.field(1, "description", "Every file of the generated catalog");
    yaml.key(0, "spec");
    yaml.list(1, "targets", &files.iter().map(|file| format!("./{file}")).collect::<Vec<_>>());
    yaml.text
}

/// Writes a file beside its place and moves it there, so that a daemon never reads half of it.
pub fn write_file(path: &Path, text: &str) -> Result<(), BenchError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(BenchError::file("create the folder", folder))?;
    let beside = path.with_extension("partial");
    let mut file = fs::File::create(&beside).map_err(BenchError::file("create", &beside))?;
    file.write_all(text.as_bytes()).map_err(BenchError::file("write", &beside))?;
    fs::rename(&beside, path).map_err(BenchError::file("replace", path))
}
