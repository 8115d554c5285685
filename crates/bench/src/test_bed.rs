//! What every measurement stands on: a generated catalog in a folder of its own, and a daemon that was started on it.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tempfile::TempDir;
use url::Url;

use crate::daemon::{Daemon, Observer, free_address};
use crate::error::BenchError;
use crate::generate::app_config::{ConfigPlan, Locations, Source};
use crate::generate::layout::{Catalog, CatalogPlan, Layout};
use crate::interrupt::Interrupt;
use crate::serve::FileServer;
use crate::store::{PostgresServer, StoreKind};
use crate::table::{Bytes, row};

/// Where the daemon under test reads the catalog from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// `file` locations.
    Files,
    /// `url` locations, served by a file server in this process.
    Http,
}

/// What to measure on.
#[derive(Debug, Clone)]
pub struct TestBedPlan {
    pub binary: PathBuf,
    pub catalog: CatalogPlan,
    pub source: SourceKind,
    pub store: StoreKind,
    /// Without it, the usual form for the source.
    pub locations: Option<Locations>,
    pub interval: Duration,
    /// For all waiting for the daemon together.
    pub timeout: Duration,
    /// Whether to leave the folder with the catalog, the store and the log.
    pub keep: bool,
}

/// What was measured on.
#[derive(Debug, Clone, Serialize)]
pub struct Setup {
    /// Without the locations.
    pub entities: usize,
    pub location_entities: usize,
    pub files: usize,
    pub yaml_bytes: u64,
    pub seed: u64,
    pub layout: Layout,
    pub source: SourceKind,
    pub locations: Locations,
    pub interval_seconds: f64,
    /// Catalog, configuration, store and log, if they were kept.
    pub folder: Option<PathBuf>,
}

/// A running daemon. Dropping it ends the daemon and then removes the folder, in that order.
#[derive(Debug)]
pub(crate) struct TestBed {
    pub(crate) observer: Observer,
    pub(crate) catalog: Catalog,
    pub(crate) setup: Setup,
    _folder: TempDir,
}

impl TestBed {
    /// Writes the catalog and starts the daemon, which then has yet to read it.
    pub(crate) fn set_up(plan: &TestBedPlan, interrupt: &Interrupt) -> Result<Self, BenchError> {
        let folder = tempfile::Builder::new()
            .prefix("callboard-bench-")
            .disable_cleanup(plan.keep)
            .tempdir()
            .map_err(BenchError::file("create a folder in", &std::env::temp_dir()))?;
        let catalog = plan.catalog.write(folder.path())?;

        let server = match plan.source {
            SourceKind::Files => None,
            SourceKind::Http => Some(FileServer::start(&catalog.folder, 0)?),
        };
        let source = server.as_ref().map_or(Ok(Source::Files), served_source)?;
        let locations = plan.locations.unwrap_or_else(|| source.default_locations());
        let address = free_address()?;
        let postgres = PostgresServer::start(&plan.store)?;
        let config = ConfigPlan {
            source,
            locations,
            port: address.port(),
            database: postgres.as_ref().map(PostgresServer::database),
            processing_interval: Some(plan.interval),
        };
        let config_file = config.write(&catalog, &catalog.folder)?;

        let setup = Setup {
            entities: plan.catalog.population.entities(),
            location_entities: config.location_entities(&catalog),
            files: catalog.files.len(),
            yaml_bytes: catalog.yaml_bytes,
            seed: plan.catalog.population.seed(),
            layout: plan.catalog.layout,
            source: plan.source,
            locations,
            interval_seconds: plan.interval.as_secs_f64(),
            folder: plan.keep.then(|| catalog.folder.clone()),
        };
        let daemon = Daemon::start(&plan.binary, &config_file, &catalog.folder, address)?;
        let folder_of_store = catalog.folder.clone();
        let observer =
            Observer::new(daemon, server, postgres, folder_of_store, plan.timeout, interrupt.clone());
        Ok(Self { observer, catalog, setup, _folder: folder })
    }
}

fn served_source(server: &FileServer) -> Result<Source, BenchError> {
    let base = format!("http://{}", server.address());
    Url::parse(&base).map(Source::Http).map_err(|_| BenchError::BaseUrlWithoutHost { url: base })
}

impl Display for Setup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { entities, location_entities, files, yaml_bytes, seed, interval_seconds, .. } = self;
        writeln!(f, "Setup")?;
        row(f, "entities", format_args!("{entities} and {location_entities} locations, seed {seed}"))?;
        row(f, "files", format_args!("{files}, {} of YAML", Bytes(*yaml_bytes)))?;
        row(f, "read as", format_args!("{:?}, {:?}, {:?}", self.source, self.layout, self.locations))?;
        row(f, "processing interval", format_args!("{interval_seconds} s"))?;
        match &self.folder {
            Some(folder) => row(f, "kept in", folder.display()),
            None => Ok(()),
        }
    }
}
