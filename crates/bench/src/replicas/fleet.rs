//! Daemons on one database, from an empty one to the end of a cycle in which nothing changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::ReplicasPlan;
use super::report::{Cycle, Figures};
use crate::daemon::metrics::added;
use crate::daemon::{Daemon, Ingested, Observer, Snapshot, contract, free_address};
use crate::error::BenchError;
use crate::figures::{float, ratio};
use crate::generate::app_config::{ConfigPlan, Source};
use crate::generate::layout::Catalog;
use crate::interrupt::Interrupt;
use crate::store::{PostgresServer, StoreKind};

/// How long before the end of the second interval its visits are counted.
const MARGIN: Duration = Duration::from_secs(1);

/// Dropping it ends the daemons, then the server, and then removes the folder.
struct Fleet {
    replicas: Vec<Observer>,
    postgres: PostgresServer,
    locations: usize,
    started: Instant,
    _folder: TempDir,
}

/// Ingests the plan's catalog with so many daemons.
pub(super) fn measure(
    plan: &ReplicasPlan,
    replicas: usize,
    interrupt: &Interrupt,
) -> Result<Figures, BenchError> {
    let mut fleet = Fleet::start(plan, replicas, interrupt)?;
    let entities = plan.catalog.population.entities() as u64;
    let (complete, settled) = fleet.ingest(entities)?;
    let postgres = fleet.postgres.figures()?.since_start();
    let checksums = fleet.checksums()?;
    let cycle = fleet.cycle(plan.interval, &settled)?;
    let since_start = |at: Instant| (at - fleet.started).as_secs_f64();
    let seconds = complete.iter().copied().map(since_start).fold(0.0, f64::max);
    let cpu_seconds = settled.iter().map(|it| it.usage.cpu_seconds).sum();
    let peaks = || settled.iter().map(|it| it.usage.peak_rss_bytes);
    let per_entity = |cpu_seconds: f64| ratio(cpu_seconds * 1e6, float(entities));
    Ok(Figures {
        replicas,
        location_entities: fleet.locations,
        seconds_to_all_visible: seconds,
        entities_per_second: ratio(float(entities), seconds),
        cpu_seconds,
        cpu_microseconds_per_entity: per_entity(cpu_seconds),
        postgres_cpu_microseconds_per_entity: postgres.cpu_seconds.map(per_entity),
        postgres,
        peak_rss_bytes_of_largest: peaks().max().unwrap_or_default(),
        peak_rss_bytes_together: peaks().sum(),
        processed: sum(settled.iter().map(|it| &it.processed)),
        processed_by_replica: settled.iter().map(|it| it.processed.values().sum()).collect(),
        stitched: sum(settled.iter().map(|it| &it.stitched)),
        cycle,
        checksums,
        deadlocks: fleet.postgres.deadlocks(),
    })
}

impl Fleet {
    fn start(plan: &ReplicasPlan, replicas: usize, interrupt: &Interrupt) -> Result<Self, BenchError> {
        let folder = tempfile::Builder::new()
            .prefix("callboard-bench-")
            .disable_cleanup(plan.keep)
            .tempdir()
            .map_err(BenchError::file("create a folder in", &std::env::temp_dir()))?;
        let catalog = plan.catalog.write(folder.path())?;
        let postgres = PostgresServer::start(&StoreKind::Postgres)?.ok_or(BenchError::NoPostgres)?;
        let mut fleet = Self {
            replicas: Vec::with_capacity(replicas),
            postgres,
            locations: 0,
            started: Instant::now(),
            _folder: folder,
        };
        for number in 0..replicas {
            let (config, daemon) = replica(plan, &catalog, number, &fleet.postgres)?;
            fleet.locations = config.location_entities(&catalog);
            let folder = catalog.folder.clone();
            fleet.replicas.push(Observer::new(daemon, None, None, folder, plan.timeout, interrupt.clone()));
        }
        Ok(fleet)
    }

    /// Waits until all replicas show everything and have come to rest. Answers when each did the first, and what was to be
    /// seen of each after the last of them did.
    fn ingest(&mut self, entities: u64) -> Result<(Vec<Instant>, Vec<Snapshot>), BenchError> {
        let locations = self.locations as u64;
        let ingested: Vec<Result<Ingested, BenchError>> = thread::scope(|scope| {
            let begin = |replica| scope.spawn(move || Observer::ingested(replica, entities, locations));
            let threads: Vec<_> = self.replicas.iter_mut().map(begin).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(Err(BenchError::Interrupted))).collect()
        });
        let complete =
            ingested.into_iter().map(|it| Ok(it?.complete.at)).collect::<Result<_, BenchError>>()?;
        Ok((complete, self.snapshots()?))
    }

    fn snapshots(&mut self) -> Result<Vec<Snapshot>, BenchError> {
        self.replicas.iter_mut().map(Observer::snapshot).collect()
    }

    /// The checksums of all replicas at one position of the change log.
    fn checksums(&mut self) -> Result<Vec<String>, BenchError> {
        let (first, others) = self.replicas.split_first_mut().ok_or(BenchError::Interrupted)?;
        first.wait_for(
            || "the indexes to be at one position".to_owned(),
            |first| {
                let all: Option<Vec<_>> =
                    [&*first].into_iter().chain(others.iter()).map(Observer::index).collect();
                let Some(all) = all else { return Ok(None) };
                let positions: BTreeSet<_> = all.iter().map(|(position, _)| position).collect();
                let is_one = positions.len() == 1;
                Ok(is_one.then(|| all.into_iter().map(|(_, checksum)| checksum).collect()))
            },
        )
    }

    /// Waits for the end of the cycle after the first pass.
    fn cycle(&mut self, interval: Duration, settled: &[Snapshot]) -> Result<Cycle, BenchError> {
        let rested = settled.iter().map(|it| it.at).max().unwrap_or(self.started);
        let looked = self.started + (interval * 2).saturating_sub(MARGIN);
        let visited = interval.mul_f64(contract::LONGEST_CYCLE_IN_INTERVALS) + contract::CLAIM_INTERVAL;
        if rested + visited > looked {
            return Err(BenchError::IntervalTooShort {
                first_pass: (rested - self.started).as_secs_f64(),
                interval: interval.as_secs_f64(),
            });
        }
        if let Some(first) = self.replicas.first_mut() {
            first.snapshot_after(looked.saturating_duration_since(Instant::now()))?;
        }
        let after = self.snapshots()?;
        let cpu = |snapshots: &[Snapshot]| snapshots.iter().map(|it| it.usage.cpu_seconds).sum::<f64>();
        Ok(Cycle {
            processed: added(
                &sum(after.iter().map(|it| &it.processed)),
                &sum(settled.iter().map(|it| &it.processed)),
            ),
            cpu_seconds: cpu(&after) - cpu(settled),
        })
    }
}

/// Starts a daemon in a folder of its own.
fn replica(
    plan: &ReplicasPlan,
    catalog: &Catalog,
    number: usize,
    postgres: &PostgresServer,
) -> Result<(ConfigPlan, Daemon), BenchError> {
    let folder = catalog.folder.join(format!("replica-{number}"));
    fs::create_dir(&folder).map_err(BenchError::file("create the folder", &folder))?;
    let address = free_address()?;
    let config = ConfigPlan {
        source: Source::Files,
        locations: plan.locations,
        port: address.port(),
        database: Some(postgres.database()),
        processing_interval: Some(plan.interval),
    };
    let config_file = config.write(catalog, &folder)?;
    let daemon = Daemon::start(&plan.binary, &config_file, &folder, address)?;
    Ok((config, daemon))
}

fn sum<'a>(counts: impl Iterator<Item = &'a BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (key, count) in counts.flatten() {
        *sums.entry(key.clone()).or_default() += count;
    }
    sums
}
