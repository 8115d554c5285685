//! The command line.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

use callboard_bench::generate::ENTITIES_RANGE;
use callboard_bench::generate::app_config::Locations;
use callboard_bench::generate::layout::Layout;
use callboard_bench::read::scenario::Scenario;
use callboard_bench::store::StoreKind;
use callboard_bench::test_bed::SourceKind;

/// More threads than this would measure the machine's scheduler.
const CLIENTS_RANGE: RangeInclusive<i64> = 1..=256;

/// All of them share the machine with the server.
const REPLICAS_RANGE: RangeInclusive<i64> = 2..=16;

/// The times of all answers are kept until the end of a measurement.
const SECONDS_RANGE: RangeInclusive<u64> = 1..=600;

/// Generates catalogs and measures a Callboard daemon from outside.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a catalog and a configuration of a daemon for it
    Generate(Generate),
    /// Serve a folder over HTTP, with validators, until interrupted
    Serve(Serve),
    /// Measure a daemon while it ingests a catalog, keeps it and sees a change
    Ingest(Ingest),
    /// Measure one daemon, and then several, while they ingest a catalog into a PostgreSQL that is started for it
    Replicas(Replicas),
    /// Measure how fast a daemon at rest answers, over connections that stay open
    Read(Read),
}

/// What is in a catalog and how it is spread over files.
#[derive(Debug, Args)]
pub(crate) struct Content {
    /// Entities to generate, without locations
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(ENTITIES_RANGE))]
    pub(crate) entities: u64,

    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    #[arg(long, value_enum, default_value_t = Layout::ManyPerFile)]
    pub(crate) layout: Layout,

    /// Entities in each file, if there are many
    #[arg(long, default_value_t = 200)]
    pub(crate) per_file: usize,

    /// How the configuration points at the files [default: glob for files, index for HTTP]
    #[arg(long, value_enum)]
    pub(crate) locations: Option<Locations>,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    pub(crate) content: Content,

    /// Folder to write to; it must not hold a catalog
    #[arg(long)]
    pub(crate) out: PathBuf,

    /// Let the configuration read the catalog from a server of the folder at this URL
    #[arg(long, value_name = "BASE_URL")]
    pub(crate) http: Option<Url>,

    /// Where the configured daemon listens
    #[arg(long, default_value_t = 7007)]
    pub(crate) port: u16,

    /// The configured processing interval, such as 500ms, 5s, 2m or 1h [default: the daemon's]
    #[arg(long, value_parser = parse_duration)]
    pub(crate) interval: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Folder to serve
    #[arg(long)]
    pub(crate) dir: PathBuf,

    /// 0 lets the system choose; the address is printed first
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Ingest {
    #[command(flatten)]
    pub(crate) content: Content,

    #[command(flatten)]
    pub(crate) run: Run,

    #[arg(long, value_enum, default_value_t = SourceKind::Files)]
    pub(crate) source: SourceKind,

    /// The processing interval, such as 5s: it has to be longer than the first pass
    #[arg(long, default_value = "5s", value_parser = parse_duration)]
    pub(crate) interval: Duration,

    /// Cycles to observe after the first pass
    #[arg(long, default_value_t = 3)]
    pub(crate) cycles: u32,

    /// Change one entity at the end
    #[arg(long)]
    pub(crate) change_one: bool,

    /// For the whole run
    #[arg(long, default_value = "5m", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Read {
    #[command(flatten)]
    pub(crate) content: Content,

    #[command(flatten)]
    pub(crate) run: Run,

    /// The processing interval: long enough to keep visits to entities out of the measurements
    #[arg(long, default_value = "1h", value_parser = parse_duration)]
    pub(crate) interval: Duration,

    /// What to ask, in this order [default: everything]
    #[arg(long = "scenario", value_enum, value_delimiter = ',')]
    pub(crate) scenarios: Vec<Scenario>,

    /// Numbers of clients to measure each scenario with; each has a thread and a connection
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [1, 16],
        value_parser = clap::value_parser!(u16).range(CLIENTS_RANGE)
    )]
    pub(crate) clients: Vec<u16>,

    /// Length of each measurement
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(SECONDS_RANGE))]
    pub(crate) seconds: u64,

    /// For the daemon to come to rest
    #[arg(long, default_value = "5m", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Replicas {
    #[command(flatten)]
    pub(crate) content: Content,

    /// The daemon
    #[arg(long, default_value = "target/release/callboard")]
    pub(crate) binary: PathBuf,

    /// Daemons on one database
    #[arg(
        long = "replicas",
        value_name = "NUMBER",
        default_value_t = 3,
        value_parser = clap::value_parser!(u16).range(REPLICAS_RANGE)
    )]
    pub(crate) daemons: u16,

    /// The processing interval: a first pass has to take less than a third of it
    #[arg(long, default_value = "40s", value_parser = parse_duration)]
    pub(crate) interval: Duration,

    /// For each of both runs
    #[arg(long, default_value = "5m", value_parser = parse_duration)]
    pub(crate) timeout: Duration,

    /// Leave the catalogs and the daemons' logs
    #[arg(long)]
    pub(crate) keep: bool,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// What runs, and what is left of it.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The daemon
    #[arg(long, default_value = "target/release/callboard")]
    pub(crate) binary: PathBuf,

    /// Where the daemon keeps the catalog: sqlite, postgres (a server is started and thrown away), or the URL of a
    /// PostgreSQL database without a catalog
    #[arg(long, default_value = "sqlite")]
    pub(crate) store: StoreKind,

    /// Leave the catalog, the store and the daemon's log
    #[arg(long)]
    pub(crate) keep: bool,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

/// Where a server listens, for its first line of output.
pub(crate) fn base_url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DURATION_FORM.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| DURATION_FORM.to_owned())?;
    Ok(Duration::from_millis(number.saturating_mul(milliseconds)))
}

const DURATION_FORM: &str = "expected a whole number and one of ms, s, m, h";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        let cases = [
            ("250ms", Some(250)),
            ("5s", Some(5_000)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("5", None),
            ("s", None),
            ("1.5s", None),
            ("5 s", None),
            ("-5s", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration(text).ok(), expected.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
