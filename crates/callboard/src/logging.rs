//! Log lines: readable on a terminal, JSON elsewhere, and never with a secret in them.

use std::io::{self, IsTerminal as _, Write};

use callboard_config::Config;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::Error;
use crate::cli::LogFormat;

/// Starts logging to stderr.
pub(crate) fn start(format: LogFormat, filter: &str, config: &Config) -> Result<(), Error> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Error::Setting(format!("the log filter '{filter}' cannot be used: {error}")))?;
    let is_json = match format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Redacted(config.clone()));
    let started = if is_json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_target(false).with_ansi(io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| Error::Setting(format!("logging cannot start: {error}")))
}

/// Writes to stderr what is left after all secrets of a configuration are taken out.
#[derive(Debug)]
struct Redacted(Config);

impl<'a> MakeWriter<'a> for Redacted {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { config: &self.0, bytes: Vec::with_capacity(256) }
    }
}

/// One log line; written as a whole, so that no secret is cut in two.
#[derive(Debug)]
struct Line<'a> {
    config: &'a Config,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.bytes);
        // There is nobody left to tell if stderr is closed.
        drop(io::stderr().write_all(self.config.redact(&text).as_bytes()));
    }
}
