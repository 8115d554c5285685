//! What a run found out, as JSON for comparisons and as a table for people.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::figures::rounded;
use crate::serve::HttpStats;
use crate::store::PostgresUse;
use crate::table::{Bytes, Counts, row};
use crate::test_bed::Setup;

/// All figures of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub setup: Setup,
    pub first_pass: FirstPass,
    pub steady_state: Option<SteadyState>,
    pub change: Option<Change>,
}

/// From the start of the process, on an empty store. Times to visibility have the resolution of the runner's polling.
#[derive(Debug, Clone, Serialize)]
pub struct FirstPass {
    pub seconds_to_first_entity: f64,
    pub seconds_to_all_visible: f64,
    /// Until the last change of an entity. The figures below are those of this moment.
    pub seconds_to_rest: f64,
    /// Entities by the time from the start of the process until all were visible.
    pub entities_per_second: f64,
    /// The same from the first visible entity on.
    pub entities_per_second_from_first: Option<f64>,
    pub cpu_seconds: f64,
    pub cpu_microseconds_per_entity: f64,
    pub peak_rss_bytes: u64,
    pub store_bytes: u64,
    pub store_bytes_per_entity: f64,
    /// What the process wrote to files of all kinds, its log included.
    pub written_bytes: u64,
    pub written_bytes_per_entity: f64,
    /// The part of it that the kernel accounts to the disk.
    pub disk_bytes: u64,
    /// From the start of the server.
    pub postgres: Option<PostgresUse>,
    pub work: Work,
}

/// While nothing changes.
#[derive(Debug, Clone, Serialize)]
pub struct SteadyState {
    /// Cycles of the mean time between two visits to an entity: 1.25 intervals.
    pub cycles: u32,
    pub seconds: f64,
    pub cpu_seconds_per_cycle: f64,
    pub cpu_relative_to_first_pass: f64,
    pub written_bytes: u64,
    pub peak_rss_bytes: u64,
    pub store_bytes: u64,
    /// Of all cycles together, like the following.
    pub postgres: Option<PostgresUse>,
    pub work: Work,
}

/// One entity edited in its file.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    pub entity: String,
    /// Includes the wait for the next visit to the location.
    pub seconds_to_visible: f64,
    pub cpu_seconds: f64,
    /// From the edit until the daemon came to rest. What the schedule brought along stands under `unchanged`.
    pub work: Work,
}

/// What the daemon did in some time.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Work {
    /// Visits to entities, by result.
    pub processed: BTreeMap<String, u64>,
    /// Assemblies of final entities, by result.
    pub stitched: BTreeMap<String, u64>,
    /// Rows written, by table.
    pub rows_written: BTreeMap<String, u64>,
    /// Requests for files, if the catalog is read over HTTP.
    pub http: Option<HttpStats>,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.setup.fmt(f)?;
        self.first_pass.fmt(f)?;
        if let Some(steady_state) = &self.steady_state {
            steady_state.fmt(f)?;
        }
        if let Some(change) = &self.change {
            change.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for FirstPass {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "First pass")?;
        row(f, "first entity visible", format_args!("{:.3} s", self.seconds_to_first_entity))?;
        row(f, "all visible", format_args!("{:.3} s", self.seconds_to_all_visible))?;
        row(f, "at rest", format_args!("{:.3} s", self.seconds_to_rest))?;
        row(f, "rate from start", format_args!("{:.0} entities/s", self.entities_per_second))?;
        if let Some(rate) = self.entities_per_second_from_first {
            row(f, "rate from first entity", format_args!("{rate:.0} entities/s"))?;
        }
        let per_entity = rounded(self.cpu_microseconds_per_entity, 1);
        row(f, "CPU", format_args!("{:.2} s, {per_entity} us per entity", self.cpu_seconds))?;
        row(f, "peak memory", Bytes(self.peak_rss_bytes))?;
        let per_entity = self.store_bytes_per_entity;
        row(f, "store", format_args!("{}, {per_entity:.0} B per entity", Bytes(self.store_bytes)))?;
        let per_entity = self.written_bytes_per_entity;
        row(f, "written", format_args!("{}, {per_entity:.0} B per entity", Bytes(self.written_bytes)))?;
        row(f, "written to disk", Bytes(self.disk_bytes))?;
        postgres_row(f, self.postgres.as_ref())?;
        self.work.fmt(f)
    }
}

impl Display for SteadyState {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Steady state, {} cycles in {:.1} s", self.cycles, self.seconds)?;
        row(f, "CPU per cycle", format_args!("{:.3} s", self.cpu_seconds_per_cycle))?;
        let percent = rounded(self.cpu_relative_to_first_pass * 100.0, 2);
        row(f, "of the first pass", format_args!("{percent} %"))?;
        row(f, "written", Bytes(self.written_bytes))?;
        row(f, "peak memory", Bytes(self.peak_rss_bytes))?;
        row(f, "store", Bytes(self.store_bytes))?;
        postgres_row(f, self.postgres.as_ref())?;
        self.work.fmt(f)
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "One change, of {}", self.entity)?;
        row(f, "visible", format_args!("{:.3} s", self.seconds_to_visible))?;
        row(f, "CPU", format_args!("{:.2} s", self.cpu_seconds))?;
        self.work.fmt(f)
    }
}

fn postgres_row(f: &mut Formatter<'_>, postgres: Option<&PostgresUse>) -> fmt::Result {
    let Some(PostgresUse { cpu_seconds, wal_bytes, rows_written }) = postgres else { return Ok(()) };
    let cpu = cpu_seconds.map_or_else(|| "unknown".to_owned(), |seconds| format!("{seconds:.2} s"));
    let wal = Bytes(*wal_bytes);
    row(f, "PostgreSQL", format_args!("CPU {cpu}, {wal} of write-ahead log, {rows_written} rows"))
}

impl Display for Work {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        row(f, "processed", Counts(&self.processed))?;
        row(f, "stitched", Counts(&self.stitched))?;
        row(f, "rows written", Counts(&self.rows_written))?;
        match &self.http {
            Some(http) => {
                let by_status = Counts(&http.by_status);
                row(f, "HTTP requests", format_args!("{by_status}; {} of bodies", Bytes(http.bytes)))
            }
            None => Ok(()),
        }
    }
}
