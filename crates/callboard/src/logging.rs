//! Log lines: readable on a terminal, JSON elsewhere, and never with a secret in them.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, PoisonError, RwLock};

use callboard_config::Secrets;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::Error;
use crate::cli::LogFormat;

/// Configurations after that of the start whose secrets are cut out. One that is not in force any more may still be in
/// what is told about its last runs.
const CONFIGS_MAX: usize = 16;

/// Starts logging to stderr.
pub(crate) fn start(format: LogFormat, filter: &str, secrets: &Secrets) -> Result<Redaction, Error> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Error::Setting(format!("the log filter '{filter}' cannot be used: {error}")))?;
    let is_json = match format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let redaction = Redaction::new(secrets.clone());
    let writer = Redacted { inner: io::stderr, redaction: redaction.clone() };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let started = if is_json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_target(false).with_ansi(io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| Error::Setting(format!("logging cannot start: {error}")))?;
    Ok(redaction)
}

/// What is cut out of log lines. It follows the configuration; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Redaction(Arc<RwLock<Known>>);

#[derive(Debug)]
struct Known {
    /// Of the configuration of the start, most of which stays in force to the end.
    first: Secrets,
    later: VecDeque<Secrets>,
    all: Secrets,
}

impl Redaction {
    fn new(first: Secrets) -> Self {
        Self(Arc::new(RwLock::new(Known { all: first.clone(), first, later: VecDeque::new() })))
    }

    /// Cuts out the secrets of a changed configuration as well.
    pub(crate) fn follow(&self, secrets: &Secrets) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.later.len() >= CONFIGS_MAX {
            known.later.pop_front();
        }
        known.later.push_back(secrets.clone());
        known.all = known.later.iter().fold(known.first.clone(), |all, secrets| all.and(secrets));
    }

    pub(crate) fn redact(&self, text: &str) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).all.redact(text)
    }
}

/// Writes what is left after all secrets are taken out.
#[derive(Debug)]
struct Redacted<M> {
    inner: M,
    redaction: Redaction,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Redacted<M> {
    type Writer = Line<'a, M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { inner: self.inner.make_writer(), redaction: &self.redaction, bytes: Vec::with_capacity(256) }
    }
}

/// One log line; written as a whole, so that no secret is cut in two.
#[derive(Debug)]
struct Line<'a, W: Write> {
    inner: W,
    redaction: &'a Redaction,
    bytes: Vec<u8>,
}

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Drop for Line<'_, W> {
    fn drop(&mut self) {
        let text = self.redaction.redact(&String::from_utf8_lossy(&self.bytes));
        // There is nobody left to tell if stderr is closed.
        drop(self.inner.write_all(text.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use callboard_config::Config;
    use serde_json::json;

    use super::*;

    const KEY: &str = "-----BEGIN KEY-----\nline\\1\nline\"2\n-----END KEY-----";

    fn config(token: &str) -> Config {
        Config::from_value("c", json!({ "integrations": { "github": [{ "token": token }] } }))
    }

    #[derive(Debug, Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged by `log`, as text and as JSON.
    fn logged(redaction: &Redaction, log: impl Fn()) -> [String; 2] {
        [false, true].map(|is_json| {
            let lines = Lines::default();
            let inner = lines.clone();
            let writer = Redacted { inner: move || inner.clone(), redaction: redaction.clone() };
            let builder = tracing_subscriber::fmt().with_writer(writer).with_ansi(false);
            if is_json {
                tracing::subscriber::with_default(builder.json().flatten_event(true).finish(), &log);
            } else {
                tracing::subscriber::with_default(builder.finish(), &log);
            }
            String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
        })
    }

    #[test]
    fn secrets_of_several_lines_are_cut_out_of_all_formats() {
        let redaction = Redaction::new(config(KEY).secrets().clone());
        let log = || tracing::info!(text = KEY, debug = ?KEY, shown = %KEY, "the key is {KEY}");
        for text in logged(&redaction, log) {
            assert!(!text.contains("KEY---") && !text.contains("line"), "{text}");
            assert!(text.contains("the key is ***"), "{text}");
        }
    }

    #[test]
    fn secrets_of_a_changed_configuration_are_cut_out_beside_those_of_the_start() {
        let redaction = Redaction::new(config("first-token").secrets().clone());
        let log = || tracing::info!("first-token second-token");
        assert!(logged(&redaction, log).iter().all(|text| text.contains("*** second-token")));
        redaction.follow(config("second-token").secrets());
        assert!(logged(&redaction, log).iter().all(|text| text.contains("*** ***")));
        for number in 0..CONFIGS_MAX {
            redaction.follow(config(&format!("later-token-{number}")).secrets());
        }
        assert!(logged(&redaction, log).iter().all(|text| text.contains("*** second-token")));
    }
}
