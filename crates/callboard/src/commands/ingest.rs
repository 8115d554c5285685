//! `callboard ingest --once`: every location once, for CI and cron.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_store::{CatalogError, ErrorFilter};
use serde_json::json;

use super::output::{columns, print, print_json};
use super::running::{Live, Running};
use crate::cli::OutputFormat;
use crate::{CatalogBuilder, Error};

const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// How long to wait for a database that does not answer yet.
const DATABASE_PATIENCE: Duration = Duration::from_mins(1);

const CLEAR_LINE: &str = "\r\x1b[2K";

/// Errors that the summary shows; the API and the log have all of them.
const ERRORS_SHOWN_MAX: usize = 50;

pub(crate) async fn run(builder: CatalogBuilder, format: OutputFormat) -> Result<ExitCode, Error> {
    let started = Instant::now();
    let mut running = Running::prepare(builder, DATABASE_PATIENCE).await?;
    running.live().refresh_all().await?;
    running.start().await?;
    let live = Arc::clone(running.live());
    let settled = tokio::select! {
        result = running.settled() => result,
        () = show_progress(&live, started) => Ok(()),
    };
    if let Err(error) = settled {
        running.stop().await.close().await;
        return Err(error);
    }
    if io::stderr().is_terminal() {
        drop(write!(io::stderr(), "{CLEAR_LINE}"));
    }
    let took = started.elapsed();
    let counts = live.counts().await?;
    let kinds = live.store().count_by_kind().await?;
    let filter = ErrorFilter { limit: ERRORS_SHOWN_MAX, ..ErrorFilter::default() };
    let errors = live.store().errors_list(&filter).await?;
    running.stop().await.close().await;
    match format {
        OutputFormat::Text => print(&summary(&kinds, counts.errors, &errors, took))?,
        OutputFormat::Json => print_json(&json!({
            "entities": kinds.into_iter().collect::<BTreeMap<_, _>>(),
            "errors": counts.errors,
            "seconds": took.as_secs_f64(),
        }))?,
    }
    Ok(if counts.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line that is written over again and again; nothing where nobody watches. Never comes back.
async fn show_progress(live: &Live, started: Instant) {
    if !io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    loop {
        ticks.tick().await;
        let Ok(counts) = live.counts().await else { continue };
        let Ok(kinds) = live.store().count_by_kind().await else { continue };
        let entities = total(&kinds);
        let rate = rate(entities, started.elapsed());
        let text = format!("{entities} entities, {} errors, {rate} entities/s", counts.errors);
        drop(write!(io::stderr(), "{CLEAR_LINE}{text}"));
        drop(io::stderr().flush());
    }
}

fn total(kinds: &[(String, i64)]) -> i64 {
    kinds.iter().map(|(_, count)| count).sum()
}

/// Entities per second.
fn rate(entities: i64, time: Duration) -> u128 {
    u128::try_from(entities).unwrap_or_default() * 1000 / time.as_millis().max(1)
}

fn summary(kinds: &[(String, i64)], error_count: i64, errors: &[CatalogError], took: Duration) -> String {
    let mut rows = vec![["KIND".to_owned(), "ENTITIES".to_owned()]];
    rows.extend(kinds.iter().map(|(kind, count)| [kind.clone(), count.to_string()]));
    rows.push(["total".to_owned(), total(kinds).to_string()]);
    let mut text = columns(&rows);
    if !errors.is_empty() {
        let mut rows = vec![["SUBJECT".to_owned(), "AT".to_owned(), "PROBLEM".to_owned()]];
        rows.extend(errors.iter().map(|error| [error.subject.clone(), place(error), first_line(error)]));
        text = format!("{text}\n\n{}", columns(&rows));
    }
    let (rate, seconds) = (rate(total(kinds), took), took.as_secs_f64());
    format!("{text}\n\n{error_count} errors, {seconds:.1} s, {rate} entities/s")
}

fn place(error: &CatalogError) -> String {
    let location = error.error.location.as_deref().unwrap_or_default();
    match (error.error.line, error.error.column) {
        (Some(line), Some(column)) => format!("{location}:{line}:{column}"),
        (Some(line), None) => format!("{location}:{line}"),
        (None, _) => format!("{location}{}", error.error.pointer.as_deref().unwrap_or_default()),
    }
}

fn first_line(error: &CatalogError) -> String {
    error.error.error.summary().lines().next().unwrap_or_default().to_owned()
}
