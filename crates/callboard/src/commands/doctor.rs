//! `callboard doctor`: whether the store keeps its promises, and mending where it does not.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_engine::{Care, CheckedPage, Checkup, Finding, LOCATION_STORE};
use callboard_sdk::SystemClock;
use callboard_store::{Invariant, Store};
use serde_json::{Value, json};

use super::output::{columns, count, print, print_json};
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
    mends: bool,
    passes: usize,
    rows: usize,
    sums: BTreeMap<Invariant, Sum>,
    /// Those that are shown one by one.
    findings: Vec<Finding>,
    took: Duration,
}

/// How many violations of an invariant there were.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    mended: usize,
    /// Neither mended nor over when the last pass came by.
    left: usize,
}

/// One pass; with mending as many as it takes until one finds nothing.
async fn examine(store: &Arc<dyn Store>, has_location_store: bool, mends: bool) -> Result<Report, Error> {
    let started = Instant::now();
    let mut report = Report { mends, ..Report::default() };
    let passes = if mends { PASSES_MAX } else { 1 };
    for _ in 0..passes {
        let mut progress = Progress::new(started);
        let before = report.mended();
        report.begin_pass();
        let clock = Arc::new(SystemClock);
        let mut checkup = Checkup::new(Arc::clone(store), clock, has_location_store, mends);
        loop {
            progress.show(checkup.part(), &report);
            let Some(page) = checkup.next_page().await? else { break };
            report.add(page);
        }
        progress.clear();
        if report.mended() == before {
            break;
        }
    }
    report.took = started.elapsed();
    Ok(report)
}

impl Report {
    /// What the last pass left is found again.
    fn begin_pass(&mut self) {
        self.passes += 1;
        self.findings.retain(|finding| finding.care == Care::Mended);
        self.sums.values_mut().for_each(|sum| sum.left = 0);
    }

    fn add(&mut self, CheckedPage { rows, findings }: CheckedPage) {
        self.rows += rows;
        for finding in findings.into_iter().filter(|finding| finding.care != Care::Gone) {
            let sum = self.sums.entry(finding.violation.invariant).or_default();
            match finding.care {
                Care::Mended => sum.mended += 1,
                Care::None | Care::Left | Care::Gone => sum.left += 1,
            }
            if self.findings.len() < FINDINGS_SHOWN_MAX {
                self.findings.push(finding);
            }
        }
    }

    fn mended(&self) -> usize {
        self.sums.values().map(|sum| sum.mended).sum()
    }

    fn left(&self) -> usize {
        self.sums.values().map(|sum| sum.left).sum()
    }

    fn found(&self) -> usize {
        self.mended() + self.left()
    }

    /// How many mending can do something about.
    fn mendable(&self) -> usize {
        let of = |(invariant, sum): (&Invariant, &Sum)| invariant.remedy().map_or(0, |_| sum.left);
        self.sums.iter().map(of).sum()
    }

    fn is_well(&self) -> bool {
        self.left() == 0
    }

    /// Those that are shown, by what is wrong.
    fn sorted(&self) -> Vec<&Finding> {
        let mut sorted: Vec<_> = self.findings.iter().collect();
        sorted.sort_by_key(|it| (it.violation.invariant, &it.violation.subject));
        sorted
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        if self.found() > 0 {
            let last = if self.mends { "DONE" } else { "REPAIR" };
            let mut rows = vec![["INVARIANT", "SUBJECT", "FOUND", last].map(str::to_owned)];
            rows.extend(self.sorted().into_iter().map(row));
            parts.push(columns(&rows));
            let mut rows = vec![["INVARIANT", "COUNT", "MEANS"].map(str::to_owned)];
            let told = self.sums.iter().map(|(invariant, sum)| (invariant, sum.mended + sum.left));
            rows.extend(told.filter(|(_, count)| *count > 0).map(|(invariant, count)| {
                [invariant.id().to_owned(), count.to_string(), invariant.meaning().to_owned()]
            }));
            parts.push(columns(&rows));
        }
        parts.push(self.summary());
        if self.mended() > 0 {
            parts.push(
                "The daemon does the rest: it processes what was made due and stitches what was queued."
                    .into(),
            );
        }
        parts.join("\n\n")
    }

    fn summary(&self) -> String {
        let (found, shown) = (self.found(), self.findings.len());
        let passes = if self.passes > 1 { format!(" in {} passes", self.passes) } else { String::new() };
        let looked = format!("{} looked at{passes} in {:.1} s", rows(self.rows), self.took.as_secs_f64());
        if found == 0 {
            return format!("{looked}: nothing is wrong");
        }
        let more = if found > shown { format!(" ({shown} are shown)") } else { String::new() };
        let result = match self.mendable() {
            _ if self.mends => format!("{} mended, {} left", self.mended(), self.left()),
            0 => "to be mended by hand".to_owned(),
            1 if found == 1 => "callboard doctor --repair mends it".to_owned(),
            mendable if mendable == found => "callboard doctor --repair mends them".to_owned(),
            mendable => format!("callboard doctor --repair mends {mendable} of them"),
        };
        format!("{looked}: {}{more}; {result}", violations(found))
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
        let told = self.sums.iter().map(|(invariant, sum)| (invariant.id(), sum.mended + sum.left));
        json!({
            "rows": self.rows,
            "passes": self.passes,
            "violations": self.found(),
            "mended": self.mended(),
            "left": self.left(),
            "seconds": self.took.as_secs_f64(),
            "invariants": told.filter(|(_, count)| *count > 0).collect::<BTreeMap<_, _>>(),
            "findings": self.sorted().into_iter().map(finding).collect::<Vec<_>>(),
        })
    }
}

fn rows(number: usize) -> String {
    count(number, "row")
}

fn violations(number: usize) -> String {
    count(number, "violation")
}

fn row(Finding { violation, care }: &Finding) -> [String; 4] {
    let remedy = violation.invariant.remedy().filter(|_| matches!(care, Care::None | Care::Mended));
    let invariant = violation.invariant.id().to_owned();
    let remedy = remedy.unwrap_or("by hand").to_owned();
    [invariant, violation.subject.clone(), violation.detail.clone(), remedy]
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
        let (rows, found) = (rows(report.rows), violations(report.found()));
        let text = format!("looking at {part}: {rows}, {found}, {} s", self.started.elapsed().as_secs());
        drop(write!(io::stderr(), "{CLEAR_LINE}{text}"));
        drop(io::stderr().flush());
    }

    fn clear(&self) {
        if self.shown_at.is_some() {
            drop(write!(io::stderr(), "{CLEAR_LINE}"));
        }
    }
}

#[cfg(test)]
mod tests;
