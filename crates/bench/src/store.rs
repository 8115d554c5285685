//! Where the daemon under test keeps its catalog, and what a PostgreSQL server says about it.

use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;

use callboard_store::suite::cluster::Cluster;
use serde::Serialize;
use serde_json::{Value, json};

use crate::daemon::tree_cpu_seconds;
use crate::error::BenchError;

/// Bytes of all tables of the daemon with their indexes; the position in the write-ahead log; rows written.
const FIGURES: &str = "SELECT \
    (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c \
     WHERE c.relkind = 'r' AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'callboard')), \
    pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'), \
    (SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables)";

/// Where to keep the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// In a file.
    Sqlite,
    /// In a server that is started for the measurement. It waits for the disk as others do.
    Postgres,
    /// In the database at this URL, which is created if it can be, and must not hold a catalog.
    PostgresAt(String),
}

impl FromStr for StoreKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" => Ok(Self::Postgres),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Self::PostgresAt(url.to_owned()))
            }
            _ => Err("expected sqlite, postgres, or a URL such as postgres://user:password@host/database"
                .to_owned()),
        }
    }
}

/// A PostgreSQL server. One that was started for the measurement ends with this value.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    url: String,
    cluster: Option<Cluster>,
}

/// What a server did so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PostgresFigures {
    pub(crate) store_bytes: u64,
    wal_bytes: u64,
    rows_written: u64,
    cpu_seconds: Option<f64>,
}

/// What a server did in some time.
#[derive(Debug, Clone, Serialize)]
pub struct PostgresUse {
    /// Of all processes of the server, if it runs here.
    pub cpu_seconds: Option<f64>,
    pub wal_bytes: u64,
    /// As the server counts them, a moment late.
    pub rows_written: u64,
}

impl PostgresServer {
    /// The server for that kind of store, if it is one.
    pub(crate) fn start(kind: &StoreKind) -> Result<Option<Self>, BenchError> {
        match kind {
            StoreKind::Sqlite => Ok(None),
            StoreKind::PostgresAt(url) => {
                let server = Self { url: url.clone(), cluster: None };
                let is_in_use = server.figures().is_ok_and(|figures| figures.store_bytes > 0);
                if is_in_use { Err(BenchError::StoreInUse) } else { Ok(Some(server)) }
            }
            StoreKind::Postgres => {
                let cluster = Cluster::durable(false).ok_or(BenchError::NoPostgres)?;
                Ok(Some(Self { url: cluster.url("callboard_bench"), cluster: Some(cluster) }))
            }
        }
    }

    /// What the server said of transactions that waited for each other, if its log can be seen.
    pub(crate) fn deadlocks(&self) -> Vec<String> {
        self.cluster.as_ref().map(Cluster::deadlocks).unwrap_or_default()
    }

    /// `backend.database` of the daemon.
    pub(crate) fn database(&self) -> Value {
        json!({ "client": "pg", "connection": { "connectionString": self.url } })
    }

    pub(crate) fn figures(&self) -> Result<PostgresFigures, BenchError> {
        let programs = self.cluster.as_ref().and_then(Cluster::programs);
        let psql = programs.map_or_else(|| PathBuf::from("psql"), |programs| programs.join("psql"));
        // Members that are the daemon's own mean nothing to this program.
        let (url, _) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let output = Command::new(&psql)
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", FIGURES, url])
            .output()
            .map_err(|source| BenchError::Spawn { binary: psql, source })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let figures: Vec<u64> = text.trim().split('|').filter_map(|figure| figure.parse().ok()).collect();
        let [store_bytes, wal_bytes, rows_written] = figures.as_slice() else {
            return Err(BenchError::Psql(String::from_utf8_lossy(&output.stderr).into_owned()));
        };
        let pid = self.cluster.as_ref().and_then(Cluster::server_pid);
        let cpu_seconds = pid.map(tree_cpu_seconds).transpose()?;
        Ok(PostgresFigures {
            store_bytes: *store_bytes,
            wal_bytes: *wal_bytes,
            rows_written: *rows_written,
            cpu_seconds,
        })
    }
}

impl PostgresFigures {
    /// Everything; of a server that was not started just now, this is more than the daemon's share.
    pub(crate) fn since_start(&self) -> PostgresUse {
        self.since(&Self { wal_bytes: 0, rows_written: 0, cpu_seconds: Some(0.0), ..*self })
    }

    pub(crate) fn since(&self, before: &Self) -> PostgresUse {
        PostgresUse {
            cpu_seconds: self.cpu_seconds.zip(before.cpu_seconds).map(|(after, before)| after - before),
            wal_bytes: self.wal_bytes.saturating_sub(before.wal_bytes),
            rows_written: self.rows_written.saturating_sub(before.rows_written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_name_or_a_url() {
        assert_eq!("sqlite".parse(), Ok(StoreKind::Sqlite));
        assert_eq!("postgres".parse(), Ok(StoreKind::Postgres));
        let url = "postgres://h/d";
        assert_eq!(url.parse(), Ok(StoreKind::PostgresAt(url.to_owned())));
        assert!("mysql://h/d".parse::<StoreKind>().is_err());
    }
}
