//! `callboard-bench`: see the library's documentation for what it measures.

mod cli;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::Serialize;

use callboard_bench::BenchError;
use callboard_bench::generate::Population;
use callboard_bench::generate::app_config::{ConfigPlan, Locations, Source};
use callboard_bench::generate::layout::CatalogPlan;
use callboard_bench::ingest::{self, IngestPlan};
use callboard_bench::interrupt::{Interrupt, wait_for_signal};
use callboard_bench::read::scenario::Scenario;
use callboard_bench::read::{self, ReadPlan};
use callboard_bench::replicas::{self, ReplicasPlan};
use callboard_bench::serve::FileServer;
use callboard_bench::test_bed::{SourceKind, TestBedPlan};
use cli::{Cli, Command, Content, Format, Generate, Ingest, Read, Replicas, Serve, base_url};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Generate(arguments) => generate(arguments),
        Command::Serve(arguments) => serve(&arguments),
        Command::Ingest(arguments) => ingest(arguments),
        Command::Replicas(arguments) => replicas(arguments),
        Command::Read(arguments) => read(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn generate(arguments: Generate) -> Result<(), BenchError> {
    let catalog = catalog_plan(&arguments.content).write(&arguments.out)?;
    let source = arguments.http.map_or(Source::Files, Source::Http);
    let locations = arguments.content.locations.unwrap_or_else(|| source.default_locations());
    let config = ConfigPlan {
        source,
        locations,
        port: arguments.port,
        database: None,
        processing_interval: arguments.interval,
    };
    let config_file = config.write(&catalog, &catalog.folder)?;
    print(&format!(
        "{} entities in {} files, {} bytes of YAML\n{}\n",
        arguments.content.entities,
        catalog.files.len(),
        catalog.yaml_bytes,
        config_file.display()
    ))
}

fn serve(arguments: &Serve) -> Result<(), BenchError> {
    let server = FileServer::start(&arguments.dir, arguments.port)?;
    print(&format!("{}\n", base_url(server.address())))?;
    wait_for_signal()?;
    print(&format!("{:#}\n", serde_json::json!(server.stats())))
}

fn ingest(arguments: Ingest) -> Result<(), BenchError> {
    let format = arguments.run.format;
    let plan = IngestPlan {
        test_bed: TestBedPlan {
            binary: arguments.run.binary,
            catalog: catalog_plan(&arguments.content),
            source: arguments.source,
            store: arguments.run.store,
            locations: arguments.content.locations,
            interval: arguments.interval,
            timeout: arguments.timeout,
            keep: arguments.run.keep,
        },
        cycles: arguments.cycles,
        change_one: arguments.change_one,
    };
    print_report(&ingest::run(&plan, &Interrupt::watch())?, format)
}

fn replicas(arguments: Replicas) -> Result<(), BenchError> {
    let plan = ReplicasPlan {
        binary: arguments.binary,
        catalog: catalog_plan(&arguments.content),
        locations: arguments.content.locations.unwrap_or(Locations::PerFile),
        replicas: usize::from(arguments.daemons),
        interval: arguments.interval,
        timeout: arguments.timeout,
        keep: arguments.keep,
    };
    print_report(&replicas::run(&plan, &Interrupt::watch())?, arguments.format)
}

fn read(arguments: Read) -> Result<(), BenchError> {
    let format = arguments.run.format;
    let scenarios = match arguments.scenarios {
        none if none.is_empty() => Scenario::value_variants().to_vec(),
        some => some,
    };
    let plan = ReadPlan {
        test_bed: TestBedPlan {
            binary: arguments.run.binary,
            catalog: catalog_plan(&arguments.content),
            source: SourceKind::Files,
            store: arguments.run.store,
            locations: arguments.content.locations,
            interval: arguments.interval,
            timeout: arguments.timeout,
            keep: arguments.run.keep,
        },
        scenarios,
        clients: arguments.clients.into_iter().map(usize::from).collect(),
        time: Duration::from_secs(arguments.seconds),
    };
    print_report(&read::run(&plan, &Interrupt::watch())?, format)
}

fn print_report(report: &(impl Display + Serialize), format: Format) -> Result<(), BenchError> {
    match format {
        Format::Table => print(&report.to_string()),
        Format::Json => print(&format!("{:#}\n", serde_json::json!(report))),
    }
}

fn catalog_plan(content: &Content) -> CatalogPlan {
    let entities = usize::try_from(content.entities).unwrap_or(usize::MAX);
    CatalogPlan {
        population: Population::new(entities, content.seed),
        layout: content.layout,
        per_file: content.per_file,
    }
}

fn print(text: &str) -> Result<(), BenchError> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(BenchError::Output)
}

/// The error with its causes. There is nobody to tell if even that cannot be written.
fn report(error: &BenchError) {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.extend([": ", &inner.to_string()]);
        cause = inner.source();
    }
    drop(writeln!(io::stderr(), "{text}"));
}
