//! Opening a database: lock, connections, migrations.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::Mutex;

use super::SqliteStore;
use super::codec::RowExt as _;
use super::migrate::{self, MIGRATIONS};
use super::session::{Args, Connections};
use super::write_connection::WriteConnection;
use super::writer::WriterState;
use crate::rules::migrations::Migration;
use crate::rules::statement::{Faults, statements};
use crate::rules::unused::FORGOTTEN_MIN;
use crate::{Migrated, Schema, StoreError};

/// Measured: smaller pages waste a tenth of the room on rows of this length and cost a tenth more CPU when entities
/// come in; larger ones make the steady state, which changes single small rows, write more.
const PAGE_SIZE: u32 = 8192;
/// Room for every prepared statement, so that none is prepared twice.
const STATEMENT_CACHE: usize = 256;
/// How many rows the connection's thread may be ahead of the reader; each wake-up costs more than a few rows.
const ROW_BUFFER: usize = 256;

statements! {
    SELECT_COUNTERS =
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'refs'), 0), \
                coalesce((SELECT max(rank & 281474976710655) FROM stitch_queue), 0)";
}

/// How to open a database.
#[derive(Clone)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// The database file; `None` keeps everything in memory.
    pub path: Option<PathBuf>,
    /// How long to wait for a lock that another connection holds, such as a backup.
    pub busy_timeout: Duration,
    /// Connections that only read.
    pub readers: u32,
    /// Page cache of the writing connection, in KiB. A batch of 1,000 entities fits into the default.
    pub cache_size_kib: u32,
    /// Page cache of each reading connection, in KiB.
    pub reader_cache_size_kib: u32,
    /// After how many pages in the write-ahead log they are moved to the database file.
    pub wal_autocheckpoint: u32,
    /// Whether opening brings the tables to the form that this program knows. Otherwise older ones are refused.
    pub migrates: bool,
    /// All that this program knows.
    pub(super) migrations: &'static [Migration],
    /// Makes statements fail.
    #[cfg(feature = "testsuite")]
    pub fault: Option<super::FaultHook>,
}

impl std::fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteOptions").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteOptions {
    /// A database in a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::memory() }
    }

    /// A database that lives as long as the store.
    pub fn memory() -> Self {
        Self {
            path: None,
            busy_timeout: Duration::from_secs(10),
            readers: 3,
            cache_size_kib: 5 * 1024,
            reader_cache_size_kib: 1024,
            wal_autocheckpoint: 2000,
            migrates: true,
            migrations: MIGRATIONS,
            #[cfg(feature = "testsuite")]
            fault: None,
        }
    }

    fn connection(&self, cache_size_kib: u32) -> Result<SqliteConnectOptions, StoreError> {
        let options = match &self.path {
            Some(path) => SqliteConnectOptions::new()
                .filename(path)
                .journal_mode(SqliteJournalMode::Wal)
                .pragma("wal_autocheckpoint", self.wal_autocheckpoint.to_string()),
            None => SqliteConnectOptions::from_str("sqlite::memory:")?,
        };
        Ok(options
            .create_if_missing(true)
            .page_size(PAGE_SIZE)
            .foreign_keys(true)
            .busy_timeout(self.busy_timeout)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", format!("-{cache_size_kib}"))
            .pragma("temp_store", "memory")
            .statement_cache_capacity(STATEMENT_CACHE)
            .row_buffer_size(ROW_BUFFER)
            // At each statement that takes long, its whole text would be a warning.
            .disable_statement_logging())
    }

    /// A connection for who only looks.
    fn looking(&self) -> Result<SqliteConnectOptions, StoreError> {
        Ok(self.connection(self.reader_cache_size_kib)?.create_if_missing(false).read_only(true))
    }

    /// Refuses tables that are older than this program.
    async fn see_that_it_is_migrated(&self, connection: &mut WriteConnection) -> Result<(), StoreError> {
        let schema = migrate::schema(connection.get()?, self.migrations).await?;
        if schema.pending.is_empty() { Ok(()) } else { Err(StoreError::Outdated(schema)) }
    }
}

impl SqliteStore {
    /// Opens a database, creates or migrates its tables unless that is not wanted, and makes this process its only user.
    ///
    /// `InUse` if another process has it open; `Schema` if a newer version of this program wrote it in a form that this one
    /// does not know; `Outdated` if it was not to be migrated and would have to be.
    pub async fn open(options: SqliteOptions) -> Result<Self, StoreError> {
        let lock = options.path.as_deref().map(lock).transpose()?;
        let faults = faults(&options);
        let mut writer = WriteConnection::open(options.connection(options.cache_size_kib)?).await?;
        if options.migrates {
            migrate::migrate(writer.get()?, options.migrations).await?;
        } else {
            options.see_that_it_is_migrated(&mut writer).await?;
        }
        let readers = if options.path.is_some() {
            let connection = options.connection(options.reader_cache_size_kib)?;
            Some(readers(options.readers.max(1)).connect_with(connection.read_only(true)).await?)
        } else {
            None
        };
        let connections = Connections::new(writer, readers, faults);
        let state = Mutex::new(initial_state(&connections).await?);
        Ok(Self { connections, state, lock })
    }

    /// Opens the database of another process, which may be at work on it, to look at. Whatever would write fails.
    ///
    /// `Schema` and `Outdated` if its tables are not those that this program knows.
    pub async fn open_read_only(options: SqliteOptions) -> Result<Self, StoreError> {
        let mut only = WriteConnection::open(options.looking()?).await?;
        options.see_that_it_is_migrated(&mut only).await?;
        let readers = readers(options.readers.max(1)).connect_with(options.looking()?).await?;
        let connections = Connections::new(only, Some(readers), faults(&options));
        Ok(Self { connections, state: Mutex::new(WriterState::default()), lock: None })
    }

    /// Which form the tables of a database have, that may be in use. Changes nothing.
    ///
    /// `Schema` if this program cannot work with them.
    pub async fn schema(options: SqliteOptions) -> Result<Schema, StoreError> {
        let mut connection = WriteConnection::open(options.looking()?).await?;
        let schema = migrate::schema(connection.get()?, options.migrations).await;
        connection.close().await;
        schema
    }

    /// Creates or migrates the tables of a database, and does nothing else. One that needs nothing may be in use.
    ///
    /// `InUse` if another process has it open; `Schema` if a newer version of this program wrote it in a form that this one
    /// does not know.
    pub async fn migrate(options: SqliteOptions) -> Result<Migrated, StoreError> {
        let is_there = options.path.as_deref().is_some_and(Path::exists);
        if is_there {
            let schema = Self::schema(options.clone()).await?;
            if schema.pending.is_empty() {
                return Ok(Migrated { from: schema.version, applied: Vec::new(), schema });
            }
        }
        let _lock = options.path.as_deref().map(lock).transpose()?;
        let mut connection = WriteConnection::open(options.connection(options.cache_size_kib)?).await?;
        let migrated = migrate::migrate(connection.get()?, options.migrations).await;
        connection.close().await;
        migrated
    }
}

#[cfg(feature = "testsuite")]
fn faults(options: &SqliteOptions) -> Faults {
    Faults(options.fault.clone())
}

#[cfg(not(feature = "testsuite"))]
fn faults(_: &SqliteOptions) -> Faults {
    Faults::default()
}

/// Connections stay open: they hold prepared statements and pages.
fn readers(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_mins(1))
}

/// Takes the lock file beside the database. The operating system drops the lock when the process ends, however it
/// ends.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let unavailable = |error| StoreError::Unavailable(Box::new(error));
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(unavailable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(format!(
            "the database {} is in use by another process, which holds the lock on {}",
            path.display(),
            name.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unavailable(error)),
    }
}

async fn initial_state(connections: &Connections) -> Result<WriterState, StoreError> {
    let rows = connections.writer_rows(SELECT_COUNTERS, Args::new()).await?;
    let (last_ref, last_rank) = match rows.first() {
        Some(row) => (row.int(0)?, row.int(1)?),
        None => (0, 0),
    };
    Ok(WriterState {
        next_ref: last_ref + 1,
        next_rank: last_rank + 1,
        // What happened before this process is not known, unless nothing did.
        may_have_cycles: last_ref > 0,
        mentions_gone: if last_ref > 0 { FORGOTTEN_MIN } else { 0 },
        ..WriterState::default()
    })
}
