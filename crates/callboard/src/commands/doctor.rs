//! `callboard doctor`: whether the store keeps its promises, and mending where it does not.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_engine::{Care, CheckedPage, Checkup, Finding, LOCATION_STORE};
use callboard_sdk::SystemClock;
use callboard_store::{Invariant, Store};
use serde_json::{Value, json};

use super::output::{columns, print, print_json};
use crate::cli::OutputFormat;
use crate::database::Database;
use crate::{CatalogBuilder, Error, settings};

/// What is mended may bring to light what was hidden behind it.
const PASSES_MAX: usize = 3;

/// Findings that are shown one by one; the others are counted.
const FINDINGS_SHOWN_MAX: usize = 1_000;

const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

const CLEAR_LINE: &str = "\r\x1b[2K";

pub(crate) async fn run(
    builder: CatalogBuilder,
    mends: bool,
    format: OutputFormat,
) -> Result<ExitCode, Error> {
    let CatalogBuilder { config, sources, .. } = &builder;
    let has_location_store = !settings::is_provider_disabled(config, LOCATION_STORE)?;
    let store = Database::from_config(config, &sources.cwd)?.open_existing(mends).await?;
    let result = examine(&store, has_location_store, mends).await;
    store.close().await;
    let report = result?;
    match format {
        OutputFormat::Text => print(&report.text())?,
        OutputFormat::Json => print_json(&report.json())?,
    }
    Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What all passes found.
#[derive(Debug, Default)]
struct Report {
    rows: usize,
    findings: Vec<Finding>,
    found: usize,
    mended: usize,
    /// How many of the last pass are neither mended nor over.
    left: usize,
    took: Duration,
}

/// One pass; with mending as many as it takes until one finds nothing.
async fn examine(store: &Arc<dyn Store>, has_location_store: bool, mends: bool) -> Result<Report, Error> {
    let started = Instant::now();
    let mut report = Report::default();
    let passes = if mends { PASSES_MAX } else { 1 };
    for _ in 0..passes {
        let mut progress = Progress::new(started);
        report.left = 0;
        let before = report.mended;
        let clock = Arc::new(SystemClock);
        let mut checkup = Checkup::new(Arc::clone(store), clock, has_location_store, mends);
        loop {
            progress.show(checkup.part(), &report);
            let Some(page) = checkup.next_page().await? else { break };
            report.add(page);
        }
        progress.clear();
        if report.mended == before {
            break;
        }
    }
    report.took = started.elapsed();
    Ok(report)
}

impl Report {
    fn add(&mut self, CheckedPage { rows, findings }: CheckedPage) {
        self.rows += rows;
        for finding in findings.into_iter().filter(|finding| finding.care != Care::Gone) {
            self.found += 1;
            match finding.care {
                Care::Mended => self.mended += 1,
                Care::None | Care::Left | Care::Gone => self.left += 1,
            }
            if self.findings.len() < FINDINGS_SHOWN_MAX {
                self.findings.push(finding);
            }
        }
    }

    fn is_well(&self) -> bool {
        self.left == 0
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        if !self.findings.is_empty() {
            let mut rows = vec![["SUBJECT", "INVARIANT", "FOUND", "DONE"].map(str::to_owned)];
            rows.extend(self.findings.iter().map(row));
            parts.push(columns(&rows));
            let told: BTreeSet<Invariant> = self.findings.iter().map(|it| it.violation.invariant).collect();
            let mut rows = vec![["INVARIANT".to_owned(), "MEANS".to_owned()]];
            rows.extend(
                told.iter().map(|invariant| [invariant.id().to_owned(), invariant.meaning().to_owned()]),
            );
            parts.push(columns(&rows));
        }
        parts.push(self.summary());
        parts.join("\n\n")
    }

    fn summary(&self) -> String {
        let Self { rows, found, mended, left, took, .. } = self;
        let shown = self.findings.len();
        let more = if *found > shown { format!(" ({shown} are shown)") } else { String::new() };
        let seconds = took.as_secs_f64();
        let looked = format!("{rows} rows looked at in {seconds:.1} s");
        let can_mend =
            self.findings.iter().any(|it| it.care == Care::None && it.violation.invariant.remedy().is_some());
        match (found, can_mend) {
            (0, _) => format!("{looked}: nothing is wrong"),
            (_, true) => format!("{looked}: {found} violations{more}; callboard doctor --repair mends them"),
            (_, false) => format!("{looked}: {found} violations{more}, {mended} mended, {left} left"),
        }
    }

    fn json(&self) -> Value {
        let finding = |Finding { violation, care }: &Finding| {
            json!({
                "invariant": violation.invariant.id(),
                "subject": violation.subject,
                "meaning": violation.invariant.meaning(),
                "detail": violation.detail,
                "remedy": violation.invariant.remedy(),
                "mended": *care == Care::Mended,
            })
        };
        json!({
            "rows": self.rows,
            "violations": self.found,
            "mended": self.mended,
            "left": self.left,
            "seconds": self.took.as_secs_f64(),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    }
}

fn row(Finding { violation, care }: &Finding) -> [String; 4] {
    let remedy = violation.invariant.remedy();
    let done = match care {
        Care::Mended => remedy.unwrap_or_default(),
        Care::None if remedy.is_some() => "-",
        Care::None | Care::Left | Care::Gone => "only you can mend it",
    };
    let invariant = violation.invariant.id().to_owned();
    [violation.subject.clone(), invariant, violation.detail.clone(), done.to_owned()]
}

/// One line that is written over again and again; nothing where nobody watches.
struct Progress {
    is_watched: bool,
    started: Instant,
    shown_at: Option<Instant>,
}

impl Progress {
    fn new(started: Instant) -> Self {
        Self { is_watched: io::stderr().is_terminal(), started, shown_at: None }
    }

    fn show(&mut self, part: &str, report: &Report) {
        let is_early = self.shown_at.is_some_and(|shown_at| shown_at.elapsed() < PROGRESS_INTERVAL);
        if !self.is_watched || is_early {
            return;
        }
        self.shown_at = Some(Instant::now());
        let (rows, found, seconds) = (report.rows, report.found, self.started.elapsed().as_secs());
        let text = format!("looking at {part}: {rows} rows, {found} violations, {seconds} s");
        drop(write!(io::stderr(), "{CLEAR_LINE}{text}"));
        drop(io::stderr().flush());
    }

    fn clear(&self) {
        if self.shown_at.is_some() {
            drop(write!(io::stderr(), "{CLEAR_LINE}"));
        }
    }
}
