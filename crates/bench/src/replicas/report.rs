//! What a run found out, as JSON for comparisons and as a table for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::figures::{float, ratio};
use crate::store::PostgresUse;
use crate::table::{Bytes, Counts, row};

/// All figures of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Without the locations.
    pub entities: usize,
    pub interval_seconds: f64,
    /// One daemon.
    pub alone: Figures,
    /// Several.
    pub together: Figures,
}

/// From the start of the processes, on an empty database, until all had come to rest; and the cycle after that.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub replicas: usize,
    pub location_entities: usize,
    /// In all replicas.
    pub seconds_to_all_visible: f64,
    pub entities_per_second: f64,
    /// Of all replicas together.
    pub cpu_seconds: f64,
    pub cpu_microseconds_per_entity: f64,
    pub postgres_cpu_microseconds_per_entity: Option<f64>,
    pub postgres: PostgresUse,
    pub peak_rss_bytes_of_largest: u64,
    /// The peaks of all replicas, added up.
    pub peak_rss_bytes_together: u64,
    /// Visits to entities in the first pass, by result.
    pub processed: BTreeMap<String, u64>,
    /// How many of them each replica made.
    pub processed_by_replica: Vec<u64>,
    /// Assemblies of final entities, by result.
    pub stitched: BTreeMap<String, u64>,
    pub cycle: Cycle,
    /// Of the index of each replica, at one position of the change log.
    pub checksums: Vec<String>,
    /// Lines of the server's log.
    pub deadlocks: Vec<String>,
}

/// The cycle after the first pass, in which nothing changes.
#[derive(Debug, Clone, Serialize)]
pub struct Cycle {
    /// Visits to entities, by result. Each location is to be visited once.
    pub processed: BTreeMap<String, u64>,
    /// Of all replicas together.
    pub cpu_seconds: f64,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Setup")?;
        row(f, "entities", self.entities)?;
        row(f, "processing interval", format_args!("{} s", self.interval_seconds))?;
        self.alone.write(f, self.entities)?;
        self.together.write(f, self.entities)
    }
}

impl Figures {
    fn write(&self, f: &mut Formatter<'_>, entities: usize) -> fmt::Result {
        writeln!(
            f,
            "{} on one PostgreSQL",
            if self.replicas == 1 { "One daemon" } else { "Several daemons" }
        )?;
        row(f, "replicas", self.replicas)?;
        row(f, "all visible", format_args!("{:.3} s", self.seconds_to_all_visible))?;
        row(f, "rate from start", format_args!("{:.0} entities/s", self.entities_per_second))?;
        let per_entity = self.cpu_microseconds_per_entity;
        row(f, "CPU", format_args!("{:.2} s, {per_entity:.1} us per entity", self.cpu_seconds))?;
        if let Some(per_entity) = self.postgres_cpu_microseconds_per_entity {
            row(f, "CPU of PostgreSQL", format_args!("{per_entity:.1} us per entity"))?;
        }
        let wal = Bytes(self.postgres.wal_bytes);
        row(f, "PostgreSQL", format_args!("{wal} of write-ahead log, {} rows", self.postgres.rows_written))?;
        let (largest, together) =
            (Bytes(self.peak_rss_bytes_of_largest), Bytes(self.peak_rss_bytes_together));
        row(f, "peak memory", format_args!("{largest}, {together} together"))?;
        row(f, "stitched", Counts(&self.stitched))?;
        let due = (entities + self.location_entities) as u64;
        row(f, "processed", Counts(&self.processed))?;
        row(f, "by replica", format_args!("{:?}", self.processed_by_replica))?;
        row(f, "runs per entity", Runs { counts: &self.processed, due })?;
        row(f, "cycle: processed", Counts(&self.cycle.processed))?;
        let due = self.location_entities as u64;
        row(f, "cycle: per location", Runs { counts: &self.cycle.processed, due })?;
        row(f, "cycle: CPU", format_args!("{:.2} s", self.cycle.cpu_seconds))?;
        let different = self.checksums.iter().collect::<BTreeSet<_>>().len();
        let verdict = if different == 1 { "equal" } else { "DIFFERENT" };
        row(f, "index checksums", format_args!("{verdict}: {}", self.checksums.join(", ")))?;
        row(f, "deadlocks", self.deadlocks.len())?;
        self.deadlocks.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

/// `1.0000 (50 of 50)`
struct Runs<'a> {
    counts: &'a BTreeMap<String, u64>,
    due: u64,
}

impl Display for Runs<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let runs = self.counts.values().sum::<u64>();
        write!(f, "{:.4} ({runs} of {})", ratio(float(runs), float(self.due)), self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_all_results_are_held_against_what_was_due() {
        let counts = BTreeMap::from([("changed".to_owned(), 3), ("unchanged".to_owned(), 1)]);
        assert_eq!(Runs { counts: &counts, due: 4 }.to_string(), "1.0000 (4 of 4)");
        assert_eq!(Runs { counts: &counts, due: 2 }.to_string(), "2.0000 (4 of 2)");
    }
}
