//! What a run found out, as JSON for comparisons and as a table for people.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::client::Tally;
use super::latency::LatencySummary;
use super::scenario::Scenario;
use crate::figures::{float, ratio};
use crate::table::Bytes;
use crate::test_bed::Setup;

/// All figures of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub setup: Setup,
    /// Length of each measurement.
    pub seconds: f64,
    pub measurements: Vec<Measurement>,
}

/// One scenario, asked by some clients at once.
#[derive(Debug, Clone, Serialize)]
pub struct Measurement {
    pub scenario: Scenario,
    pub clients: usize,
    pub requests: u64,
    pub requests_per_second: f64,
    /// From the first byte of a request until the last of its answer.
    pub p50_microseconds: f64,
    pub p99_microseconds: f64,
    pub daemon_cpu_microseconds_per_request: f64,
    /// What asking cost in this process, on the same machine.
    pub client_cpu_microseconds_per_request: f64,
    pub body_bytes_per_request: f64,
    pub body_megabytes_per_second: f64,
    /// The daemon's resident size before the clients warmed it up.
    pub rss_bytes_before: u64,
    /// The most that was resident from then on.
    pub peak_rss_bytes: u64,
}

/// What a measurement took, beside time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Costs {
    pub(super) daemon_cpu_seconds: f64,
    pub(super) client_cpu_seconds: f64,
    pub(super) rss_bytes_before: u64,
    pub(super) peak_rss_bytes: u64,
}

impl Measurement {
    pub(super) fn new(scenario: Scenario, clients: usize, tally: Tally, costs: &Costs) -> Self {
        let requests = tally.latencies.count() as u64;
        let seconds = tally.elapsed.as_secs_f64();
        let per_request = |figure: f64| ratio(figure, float(requests));
        let LatencySummary { p50, p99 } = tally.latencies.summary();
        Self {
            scenario,
            clients,
            requests,
            requests_per_second: ratio(float(requests), seconds),
            p50_microseconds: p50.as_secs_f64() * 1e6,
            p99_microseconds: p99.as_secs_f64() * 1e6,
            daemon_cpu_microseconds_per_request: per_request(costs.daemon_cpu_seconds * 1e6),
            client_cpu_microseconds_per_request: per_request(costs.client_cpu_seconds * 1e6),
            body_bytes_per_request: per_request(float(tally.body_bytes)),
            body_megabytes_per_second: ratio(float(tally.body_bytes) / 1e6, seconds),
            rss_bytes_before: costs.rss_bytes_before,
            peak_rss_bytes: costs.peak_rss_bytes,
        }
    }

    /// How far the peak of memory was above what the daemon held at rest.
    fn memory_growth(&self) -> Bytes {
        Bytes(self.peak_rss_bytes.saturating_sub(self.rss_bytes_before))
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.setup.fmt(f)?;
        writeln!(f, "Reads, {} s each", self.seconds)?;
        columns(
            f,
            &[
                "scenario",
                "clients",
                "requests/s",
                "p50 us",
                "p99 us",
                "CPU us",
                "client CPU us",
                "bytes",
                "MB/s",
                "memory",
            ],
        )?;
        self.measurements.iter().try_for_each(|measurement| measurement.fmt(f))
    }
}

/// A line of the table. CPU times and bytes are those of one request.
impl Display for Measurement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        columns(
            f,
            &[
                &self.scenario.name(),
                &self.clients.to_string(),
                &format!("{:.0}", self.requests_per_second),
                &format!("{:.0}", self.p50_microseconds),
                &format!("{:.0}", self.p99_microseconds),
                &format!("{:.1}", self.daemon_cpu_microseconds_per_request),
                &format!("{:.1}", self.client_cpu_microseconds_per_request),
                &format!("{:.0}", self.body_bytes_per_request),
                &format!("{:.1}", self.body_megabytes_per_second),
                &format!("+{}", self.memory_growth()),
            ],
        )
    }
}

/// The first to the left, the others to the right.
fn columns(f: &mut Formatter<'_>, cells: &[&str]) -> fmt::Result {
    for (position, cell) in cells.iter().enumerate() {
        if position == 0 { write!(f, "  {cell:<14}")? } else { write!(f, "{cell:>14}")? }
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::latency::Latencies;
    use super::*;

    fn measurement(milliseconds: &[u64]) -> Measurement {
        let mut latencies = Latencies::default();
        for time in milliseconds {
            latencies.push(Duration::from_millis(*time));
        }
        let tally = Tally { latencies, body_bytes: 4_000_000, elapsed: Duration::from_secs(2) };
        let costs = Costs {
            daemon_cpu_seconds: 0.01,
            client_cpu_seconds: 0.005,
            rss_bytes_before: 10 << 20,
            peak_rss_bytes: 12 << 20,
        };
        Measurement::new(Scenario::FullList, 16, tally, &costs)
    }

    #[test]
    fn rates_are_over_the_time_and_costs_over_the_requests() {
        let measurement = measurement(&[1, 2, 3, 40]);
        let figures = [
            (measurement.requests_per_second, 2.0),
            (measurement.p50_microseconds, 2_000.0),
            (measurement.p99_microseconds, 40_000.0),
            (measurement.daemon_cpu_microseconds_per_request, 2_500.0),
            (measurement.client_cpu_microseconds_per_request, 1_250.0),
            (measurement.body_bytes_per_request, 1e6),
            (measurement.body_megabytes_per_second, 2.0),
        ];
        for (figure, expected) in figures {
            assert!((figure - expected).abs() < 1e-6, "{figure} {expected}");
        }
    }

    #[test]
    fn a_measurement_is_a_line_of_the_table() {
        let line = measurement(&[1, 2, 3, 40]).to_string();
        let cells: Vec<_> = line.split_whitespace().collect();
        assert_eq!(
            cells,
            ["full-list", "16", "2", "2000", "40000", "2500.0", "1250.0", "1000000", "2.0", "+2.0", "MiB"]
        );
        assert!(line.ends_with('\n'));
    }

    #[test]
    fn without_answers_there_is_nothing_to_divide_by() {
        let measurement = measurement(&[]);
        assert_eq!(measurement.requests, 0);
        assert!(measurement.body_bytes_per_request.abs() < 1e-6);
    }
}
