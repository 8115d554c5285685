//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "Examples:
  callboard                                   run the daemon on ./app-config.yaml
  callboard --config a.yaml --config b.yaml   run it on two files; the later one wins
  callboard validate catalog-info.yaml        check a file the way the daemon would
  callboard ingest --once                     walk every location once, for CI and cron
  callboard migrate --check                   tell whether the database is in this version's form
  callboard doctor                            check that nothing in the database is lost or stale
  callboard config print                      show every setting and the file and line it comes from

While the daemon runs:
  curl http://localhost:7007/api/catalog/entities    what is in the catalog
  curl http://localhost:7007/api/catalog/errors      what is wrong, where, and since when";

const DOCTOR: &str =
    "It looks at every row, in small pages: entities that were processed and are not served, or are served
otherwise than their rows say; that nothing makes due; relations, edges, errors and stitch work of what is
not there; counts. What is queued, due or under way is not counted. A daemon may run meanwhile: it looks
after its database in the same way, slowly (callboard.doctor), and tells of it at /metrics in
catalog_invariant_violations_total.

Code 0: nothing is wrong, or all of it was mended. Code 1: something is wrong, or the database cannot be
read. Mending makes due and queues what can be made again: a daemon does the rest when it runs.

Examples:
  callboard doctor                          look, change nothing
  callboard doctor --repair                 mend; what only a person can mend is told
  callboard doctor --format json | jq '.findings[].subject'";

const MIGRATE: &str =
    "The daemon does the same when it starts, unless backend.database.skipMigrations is set. Daemons of the
version before may be at work on a PostgreSQL database meanwhile.

Code 0: the database is in the form that this version needs, or in a newer one that it can work with.
Code 1: it could not be brought there; with --check: migrations are pending, or there is no such
database, or a newer version left it in a form that this one does not know.

Examples:
  callboard migrate                         create the database, or migrate it
  callboard migrate --check                 look, change nothing";

/// A catalog ingestion daemon with processor plugins, compatible with the Backstage catalog.
#[derive(Debug, Parser)]
#[command(name = "callboard", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Cli {
    /// Configuration file; may be given several times, later ones win. Default: app-config.yaml,
    /// app-config.local.yaml and those named by BACKSTAGE_ENV.
    #[arg(long = "config", value_name = "FILE", global = true)]
    pub(crate) config: Vec<PathBuf>,

    /// How log lines look. `auto` is text on a terminal and JSON elsewhere.
    #[arg(long, value_enum, default_value_t = LogFormat::Auto, global = true)]
    pub(crate) log_format: LogFormat,

    /// Which log lines are written: error, warn, info, debug, trace, or a filter such as
    /// `info,callboard_engine=debug`. Default: LOG_LEVEL, else info.
    #[arg(long, value_name = "FILTER", global = true)]
    pub(crate) log_level: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Auto,
    Text,
    Json,
}

/// How results look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon (the default).
    Serve,
    /// Walk every location once, print a summary, and end: with code 1 if there were errors.
    Ingest {
        /// End when everything was walked once. The daemon is what walks again and again.
        #[arg(long, required = true)]
        once: bool,
        /// How the summary looks.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Check descriptor files without a daemon, by its own pipeline: with code 1 if there are errors.
    Validate {
        /// Files, directories (searched for catalog-info.yaml), or URLs.
        #[arg(value_name = "PATH|URL", required = true)]
        targets: Vec<String>,
        /// How the result looks.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Check that the database keeps the catalog's promises: with code 1 if it does not.
    #[command(after_help = DOCTOR)]
    Doctor {
        /// Mend what is found. A SQLite database must not be in use by a daemon, which mends it by itself.
        #[arg(long)]
        repair: bool,
        /// How the findings look.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Bring the database to the form that this version needs, and end.
    #[command(after_help = MIGRATE)]
    Migrate {
        /// Change nothing, and tell whether there is something to do: with code 1 if so.
        #[arg(long)]
        check: bool,
        /// How the result looks.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// List the processors in their effective order.
    Processors {
        /// How the list looks.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective configuration; each value with the file and line it comes from. Secrets are hidden.
    Print {
        /// How it looks.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Check the sections that Callboard reads for unknown and deprecated keys: with code 1 if there are errors.
    Check {
        /// How the findings look.
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
}
