//! Watches a daemon: takes snapshots of all that can be seen of it, and waits for conditions, never longer than the
//! run may take and never past the end of the daemon.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::contract;
use super::metrics::Samples;
use super::process::Daemon;
use super::procfs::Usage;
use crate::error::BenchError;
use crate::generate::Identity;
use crate::generate::app_config::STORE_FOLDER;
use crate::http_client;
use crate::interrupt::Interrupt;
use crate::serve::{FileServer, HttpStats};
use crate::store::{PostgresFigures, PostgresServer};

/// Time between two looks: short against a first pass of a second, long against the cost of a scrape.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// For how long nothing may change until the daemon counts as at rest.
const REST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Observer {
    pub(crate) daemon: Daemon,
    server: Option<FileServer>,
    postgres: Option<PostgresServer>,
    folder: PathBuf,
    deadline: Instant,
    timeout: Duration,
    interrupt: Interrupt,
}

/// All that can be seen of a daemon at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) at: Instant,
    pub(crate) usage: Usage,
    pub(crate) entities: BTreeMap<String, u64>,
    pub(crate) processed: BTreeMap<String, u64>,
    pub(crate) stitched: BTreeMap<String, u64>,
    pub(crate) rows_written: BTreeMap<String, u64>,
    /// Without it, the catalog is not read over HTTP.
    pub(crate) http: Option<HttpStats>,
}

impl Snapshot {
    /// How often processing and stitching had an effect: the count that stands still in a daemon at rest.
    fn changes(&self) -> u64 {
        let changed = |counts: &BTreeMap<String, u64>| counts.get(contract::RESULT_CHANGED).copied();
        changed(&self.processed).unwrap_or_default() + changed(&self.stitched).unwrap_or_default()
    }

    fn visible(&self) -> u64 {
        let kinds = self.entities.iter().filter(|(kind, _)| *kind != contract::LOCATION_KIND);
        kinds.map(|(_, count)| count).sum()
    }

    fn visible_locations(&self) -> u64 {
        self.entities.get(contract::LOCATION_KIND).copied().unwrap_or_default()
    }
}

/// How a daemon got from an empty store to rest.
#[derive(Debug)]
pub(crate) struct Ingested {
    /// The first look at which there was any entity.
    pub(crate) first: Sighting,
    /// The first look at which there was every entity.
    pub(crate) complete: Sighting,
    /// The snapshot with the last change.
    pub(crate) settled: Snapshot,
}

/// How many entities were visible at a moment, without locations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    pub(crate) at: Instant,
    pub(crate) entities: u64,
}

impl Observer {
    pub(crate) fn new(
        daemon: Daemon,
        server: Option<FileServer>,
        postgres: Option<PostgresServer>,
        folder: PathBuf,
        timeout: Duration,
        interrupt: Interrupt,
    ) -> Self {
        Self { daemon, server, postgres, folder, deadline: Instant::now() + timeout, timeout, interrupt }
    }

    /// Repeats `look` until it gives something.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: impl Fn() -> String,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>, BenchError>,
    ) -> Result<T, BenchError> {
        loop {
            self.daemon.check()?;
            if let Some(found) = look(self)? {
                return Ok(found);
            }
            if self.interrupt.is_raised() {
                return Err(BenchError::Interrupted);
            }
            if Instant::now() >= self.deadline {
                return Err(BenchError::TimedOut { timeout: self.timeout, waiting_for: what() });
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// A snapshot, or nothing if the daemon does not answer (yet).
    pub(crate) fn look(&mut self) -> Result<Option<Snapshot>, BenchError> {
        let Ok(response) = http_client::get(self.daemon.address, contract::METRICS_PATH, &[]) else {
            return Ok(None);
        };
        if response.status != 200 {
            return Ok(None);
        }
        let samples = Samples::parse(&response.body);
        Ok(Some(Snapshot {
            at: Instant::now(),
            usage: self.daemon.usage()?,
            entities: samples.by_label(contract::ENTITIES, contract::KIND),
            processed: samples.by_label(contract::PROCESSED, contract::RESULT),
            stitched: samples.by_label(contract::STITCHED, contract::RESULT),
            rows_written: samples.by_label(contract::ROWS_WRITTEN, contract::TABLE),
            http: self.server.as_ref().map(FileServer::stats),
        }))
    }

    pub(crate) fn snapshot(&mut self) -> Result<Snapshot, BenchError> {
        self.wait_for(|| "an answer with metrics".to_owned(), Self::look)
    }

    /// Waits until that many entities and locations are visible and the daemon has come to rest.
    pub(crate) fn ingested(&mut self, entities: u64, locations: u64) -> Result<Ingested, BenchError> {
        let mut first = None;
        let complete = self.wait_for(
            || format!("{entities} entities and {locations} locations to be visible"),
            |observer| {
                let Some(now) = observer.look()? else {
                    return Ok(None);
                };
                let seen = Sighting { at: now.at, entities: now.visible() };
                if seen.entities > 0 && first.is_none() {
                    first = Some(seen);
                }
                let is_complete = seen.entities >= entities && now.visible_locations() >= locations;
                Ok(is_complete.then_some(seen))
            },
        )?;
        Ok(Ingested { first: first.unwrap_or(complete), complete, settled: self.rest()? })
    }

    /// The snapshot with the last change after which nothing changed for a while.
    pub(crate) fn rest(&mut self) -> Result<Snapshot, BenchError> {
        let mut last = self.snapshot()?;
        let what = || "the daemon to come to rest: it keeps changing what it has".to_owned();
        self.wait_for(what, |observer| {
            let Some(now) = observer.look()? else {
                return Ok(None);
            };
            if now.changes() != last.changes() {
                last = now;
                return Ok(None);
            }
            Ok((now.at - last.at >= REST).then(|| last.clone()))
        })
    }

    /// The snapshot after that time.
    pub(crate) fn snapshot_after(&mut self, time: Duration) -> Result<Snapshot, BenchError> {
        let end = Instant::now() + time;
        self.wait_for(
            || format!("{} s to pass", time.as_secs_f64()),
            |_| Ok((Instant::now() >= end).then_some(())),
        )?;
        self.snapshot()
    }

    /// Whether the API serves the entity with that text somewhere in it.
    pub(crate) fn serves(&self, identity: &Identity, text: &str) -> bool {
        let response = http_client::get(self.daemon.address, &contract::entity_path(identity), &[]);
        response.is_ok_and(|response| response.status == 200 && response.body.contains(text))
    }

    /// What the daemon's index holds, as position and checksum; nothing while it changes.
    pub(crate) fn index(&self) -> Option<(i64, String)> {
        let response = http_client::get(self.daemon.address, contract::INDEX_PATH, &[]).ok()?;
        let contents: Value =
            (response.status == 200).then(|| serde_json::from_str(&response.body).ok())??;
        let position = contents.get(contract::POSITION)?.as_i64()?;
        Some((position, contents.get(contract::CHECKSUM)?.as_str()?.to_owned()))
    }

    /// Size of the database with its journals, or of all tables with their indexes.
    pub(crate) fn store_bytes(&self) -> Result<u64, BenchError> {
        match self.postgres_figures()? {
            Some(figures) => Ok(figures.store_bytes),
            None => folder_bytes(&self.folder.join(STORE_FOLDER)),
        }
    }

    /// What the PostgreSQL server did so far, if there is one. Asking takes it some work, too.
    pub(crate) fn postgres_figures(&self) -> Result<Option<PostgresFigures>, BenchError> {
        self.postgres.as_ref().map(PostgresServer::figures).transpose()
    }
}

fn folder_bytes(folder: &Path) -> Result<u64, BenchError> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(BenchError::file("list", folder))? {
        let entry = entry.map_err(BenchError::file("list", folder))?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += folder_bytes(&entry.path())?,
            Ok(metadata) => bytes += metadata.len(),
            // A journal may go at any time.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(BenchError::file("look at", &entry.path())(error)),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_all_that_lies_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("db"), "12345").unwrap();
        fs::write(folder.path().join("db-wal"), "123").unwrap();
        fs::create_dir(folder.path().join("more")).unwrap();
        fs::write(folder.path().join("more/blob"), "12").unwrap();
        assert_eq!(folder_bytes(folder.path()).unwrap(), 10);
    }
}
