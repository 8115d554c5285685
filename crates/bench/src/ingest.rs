//! Starts a daemon on a generated catalog and reports what it cost to get every entity into the API, what it costs to
//! keep it there, and what one changed entity costs.
//!
//! The daemon is observed only: its CPU time, memory and writes by the kernel, its progress by its metrics, its requests
//! by the server that answers them. It is killed when the run ends, however the run ends.

mod change;
pub mod contract;
mod daemon;
mod figures;
pub mod metrics;
mod observer;
mod phases;
mod procfs;
pub mod report;

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::error::BenchError;
use crate::generate::Population;
use crate::generate::app_config::{ConfigPlan, Locations, Source};
use crate::generate::layout::{CatalogPlan, Layout};
use crate::interrupt::Interrupt;
use crate::serve::FileServer;
use daemon::Daemon;
use observer::Observer;
use report::{Report, Setup};

/// Where the daemon under test reads the catalog from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// `file` locations.
    Files,
    /// `url` locations, served by a file server in this process.
    Http,
}

/// One run.
#[derive(Debug, Clone)]
pub struct IngestPlan {
    pub binary: PathBuf,
    pub entities: usize,
    pub seed: u64,
    pub layout: Layout,
    pub per_file: usize,
    pub source: SourceKind,
    /// Without it, the usual form for the source.
    pub locations: Option<Locations>,
    pub interval: Duration,
    /// Length of the observation after the first pass; 0 leaves it out.
    pub cycles: u32,
    /// Whether to change one entity at the end.
    pub change_one: bool,
    /// For the run as a whole.
    pub timeout: Duration,
    /// Whether to leave the folder with the catalog, the store and the log.
    pub keep: bool,
}

/// Does the run.
pub fn run(plan: &IngestPlan, interrupt: &Interrupt) -> Result<Report, BenchError> {
    let folder = tempfile::Builder::new()
        .prefix("callboard-bench-")
        .disable_cleanup(plan.keep)
        .tempdir()
        .map_err(BenchError::file("create a folder in", &std::env::temp_dir()))?;
    let catalog_plan = CatalogPlan {
        population: Population::new(plan.entities, plan.seed),
        layout: plan.layout,
        per_file: plan.per_file,
    };
    let catalog = catalog_plan.write(folder.path())?;

    let server = match plan.source {
        SourceKind::Files => None,
        SourceKind::Http => Some(FileServer::start(&catalog.folder, 0)?),
    };
    let source = server.as_ref().map_or(Ok(Source::Files), served_source)?;
    let locations = plan.locations.unwrap_or_else(|| source.default_locations());
    let address = daemon::free_address()?;
    let config =
        ConfigPlan { source, locations, port: address.port(), processing_interval: Some(plan.interval) };
    let config_file = config.write(&catalog)?;

    let setup = Setup {
        entities: plan.entities,
        location_entities: config.location_entities(&catalog),
        files: catalog.files.len(),
        yaml_bytes: catalog.yaml_bytes,
        seed: plan.seed,
        layout: plan.layout,
        source: plan.source,
        locations,
        interval_seconds: plan.interval.as_secs_f64(),
        folder: plan.keep.then(|| catalog.folder.clone()),
    };
    let daemon = Daemon::start(&plan.binary, &config_file, &catalog.folder, address)?;
    let mut observer = Observer::new(daemon, server, catalog.folder.clone(), plan.timeout, interrupt.clone());
    let (first_pass, settled) = phases::first_pass(&mut observer, &setup)?;
    let steady_state = (plan.cycles > 0)
        .then(|| phases::steady_state(&mut observer, plan, settled.usage.cpu_seconds))
        .transpose()?;
    let change = match catalog_plan.sample(&catalog) {
        Some((identity, file)) if plan.change_one => {
            Some(change::change_one(&mut observer, &identity, &file)?)
        }
        _ => None,
    };
    Ok(Report { setup, first_pass, steady_state, change })
}

fn served_source(server: &FileServer) -> Result<Source, BenchError> {
    let base = format!("http://{}", server.address());
    Url::parse(&base).map(Source::Http).map_err(|_| BenchError::BaseUrlWithoutHost { url: base })
}
