//! Opening a database: connections, their settings, migrations.

use std::sync::OnceLock;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgPool, Row as _};
use tokio::time::Instant;

use super::enter::in_the_schema;
use super::hints::Hints;
use super::log::Given;
use super::migrate::MIGRATIONS;
use super::names::Names;
use super::session::{Connections, Pool, Useless, in_time};
use super::{PostgresStore, again};
use crate::rules::migrations::Migration;
use crate::rules::statement::Faults;
use crate::{Migrated, Schema, StoreError, error_chain};

/// Room for every prepared statement, so that none is prepared twice.
const STATEMENT_CACHE: usize = 256;
/// How long a connection may stay open, so that servers behind a balancer share the load after a while.
const LIFETIME_MAX: Duration = Duration::from_mins(30);
/// How long to wait before a server that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is told that the server still does not answer.
const TOLD_EVERY: Duration = Duration::from_secs(30);
/// A transaction in which nothing happens for so long is ended: its process hangs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an idle connection may take to answer whether it is still one, as a share of the time for connecting: what is
/// left is for another connection.
const PING_SHARE: u32 = 3;

/// When the server ends a connection whose other end is gone without a word. By default it keeps it for two hours, as one of
/// the few that it can have.
const LOST_CLIENTS: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "60"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "6"),
    ("tcp_user_timeout", "120000"),
];

/// Prepared statements get one plan for all parameters, and on tables that were empty or small then it would read all of
/// them for ever. Every statement of the loop has an index, so that is what it takes.
const PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// How to open a database.
#[derive(Clone)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else, and all combinations make sense"
)]
pub struct PostgresOptions {
    /// The server, the database and the user; and the name that the server knows this program by, if another one than
    /// `callboard` is given.
    pub connection: PgConnectOptions,
    /// The schema that holds the tables; the user's default without one.
    pub schema: Option<String>,
    /// Whether to create the database if it is not there.
    pub creates_database: bool,
    /// Whether to create the schema if it is not there.
    pub creates_schema: bool,
    /// The role in which to work, instead of the user's own.
    pub role: Option<String>,
    /// Connections of what processes and writes.
    pub writers: u32,
    /// Connections that only read.
    pub readers: u32,
    /// How long to wait for a connection: for one that is free, or for a server that does not answer.
    pub connect_timeout: Duration,
    /// How long a statement that writes may take.
    pub writer_timeout: Duration,
    /// How long a statement that only reads may take.
    pub reader_timeout: Duration,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// How long after the time of a statement its answer may come, before the connection counts as lost.
    pub answer_delay: Duration,
    /// How long to wait at the start for a server that does not answer yet; without end if that cannot be added to the time.
    pub patience: Duration,
    /// Between this program and the server is a pooler that gives each transaction whatever connection is free, such as
    /// PgBouncer in its mode `transaction`. Nothing then outlives a transaction: statements are prepared anew for each, and
    /// there are no hints from other processes.
    pub pooler: bool,
    /// Whether opening brings the tables to the form that this program knows. Otherwise older ones are refused.
    pub migrates: bool,
    /// All that this program knows.
    pub(super) migrations: &'static [Migration],
    /// Makes statements fail.
    #[cfg(feature = "testsuite")]
    pub fault: Option<super::FaultHook>,
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the password.
        f.debug_struct("PostgresOptions")
            .field("host", &self.connection.get_host())
            .field("database", &self.connection.get_database())
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// Settings of a connection, by name.
type Settings = Vec<(&'static str, String)>;

impl PostgresOptions {
    /// The database that such a connection leads to.
    pub fn new(connection: PgConnectOptions) -> Self {
        Self {
            connection,
            schema: None,
            creates_database: false,
            creates_schema: true,
            role: None,
            writers: 8,
            readers: 8,
            connect_timeout: Duration::from_secs(15),
            writer_timeout: Duration::from_mins(1),
            reader_timeout: Duration::from_secs(15),
            lock_timeout: Duration::from_secs(10),
            answer_delay: Duration::from_secs(5),
            patience: Duration::from_mins(1),
            pooler: false,
            migrates: true,
            migrations: MIGRATIONS,
            #[cfg(feature = "testsuite")]
            fault: None,
        }
    }

    /// The database at `postgres://user:password@host:port/database?sslmode=…`.
    pub fn url(url: &str) -> Result<Self, StoreError> {
        Ok(Self::new(url.parse()?))
    }

    /// Settings that all connections have.
    fn settings(&self, statement_timeout: Duration) -> Settings {
        let millis = |timeout: Duration| timeout.as_millis().to_string();
        let mut settings = vec![
            ("statement_timeout", millis(statement_timeout)),
            ("lock_timeout", millis(self.lock_timeout)),
            ("idle_in_transaction_session_timeout", millis(IDLE_TIMEOUT)),
            // Only messages that say something about a failure.
            ("client_min_messages", "warning".to_owned()),
            // Nothing here runs for as long as compiling it takes, whatever it is estimated at.
            ("jit", "off".to_owned()),
            // Nor is a page of anything work for several processes.
            ("max_parallel_workers_per_gather", "0".to_owned()),
        ];
        settings.extend(self.schema.as_deref().map(|schema| ("search_path", quoted(schema))));
        settings.extend(self.role.clone().map(|role| ("role", role)));
        settings
    }

    fn connection(&self) -> PgConnectOptions {
        let connection = self.connection.clone().statement_cache_capacity(STATEMENT_CACHE);
        match connection.get_application_name() {
            None => connection.application_name("callboard"),
            Some(_) => connection,
        }
    }

    /// How to connect once, for what takes as long as it takes; and the settings of its transactions.
    pub(super) fn alone(&self) -> (PgConnectOptions, Option<String>) {
        self.with_settings(self.settings(Duration::ZERO))
    }

    /// A pooler refuses settings when it is connected to, also those that the driver makes, and would not keep them.
    fn with_settings(&self, settings: Settings) -> (PgConnectOptions, Option<String>) {
        if self.pooler {
            let set = |(name, value): (_, String)| format!("set_config('{name}', {}, true)", literal(&value));
            (
                self.connection().extra_float_digits(None),
                Some(format!("SELECT {}", settings.into_iter().map(set).collect::<Vec<_>>().join(", "))),
            )
        } else {
            (self.connection().options(LOST_CLIENTS).options(settings), None)
        }
    }

    fn pool(&self, size: u32, useless: &Useless) -> PgPoolOptions {
        let ping_max = self.connect_timeout / PING_SHARE;
        let useless = useless.clone();
        PgPoolOptions::new()
            .max_connections(size.max(1))
            .acquire_timeout(self.connect_timeout)
            .max_lifetime(LIFETIME_MAX)
            // Instead of the pool's own test, which would wait for the kernel. The one on release cannot be taken away, but it
            // comes right after this one.
            .test_before_acquire(false)
            .before_acquire(move |connection, idle| {
                let useless = useless.clone();
                Box::pin(async move { Ok(useless.admits(connection, idle.age, ping_max).await) })
            })
            .after_release(move |connection, _| {
                Box::pin(async move { in_time(ping_max, connection.ping()).await.map(|()| true) })
            })
    }

    fn reader_pool(&self, useless: &Useless) -> Pool {
        let (connection, settings) = self.with_settings(self.settings(self.reader_timeout));
        let connections = self.pool(self.readers, useless).connect_lazy_with(connection);
        Pool { connections, settings, answer_max: self.reader_timeout + self.answer_delay }
    }

    fn writer_pool(&self, useless: &Useless) -> Pool {
        let mut settings = self.settings(self.writer_timeout);
        settings.extend(PLANS.map(|(name, value)| (name, value.to_owned())));
        let (connection, settings) = self.with_settings(settings);
        let connections = self
            .pool(self.writers, useless)
            .after_connect(|connection, _| Box::pin(refuse_read_only(connection)))
            .connect_lazy_with(connection);
        Pool { connections, settings, answer_max: self.writer_timeout + self.answer_delay }
    }

    /// None where nobody can listen.
    fn hints(&self, useless: &Useless) -> Option<Hints> {
        if self.pooler {
            return None;
        }
        let (connection, _) = self.with_settings(self.settings(self.reader_timeout));
        let options = self.pool(1, useless);
        Some(Hints::begin(move || options.clone().connect_lazy_with(connection.clone())))
    }

    /// Sees that the database can be written to, and that its tables are those that this program knows.
    async fn prepare(&self, writers: &PgPool) -> Result<(), StoreError> {
        let entered = self.enter().await?;
        let _first = writers.acquire().await?;
        entered.close().await?;
        if self.migrates {
            return self.bring_up().await.map(drop).map_err(in_the_schema);
        }
        let schema = self.schema_there().await?;
        if schema.pending.is_empty() { Ok(()) } else { Err(StoreError::Outdated(schema)) }
    }

    /// Does what needs a server that answers, and waits for one that does not answer yet.
    async fn patiently<T>(&self, attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let deadline = Instant::now().checked_add(self.patience);
        let mut told_at: Option<Instant> = None;
        loop {
            let error = match attempt().await {
                Ok(done) => {
                    if told_at.is_some() {
                        tracing::info!("the database is available");
                    }
                    return Ok(done);
                }
                Err(error) => error,
            };
            if !error.is_retryable() || deadline.is_some_and(|deadline| Instant::now() + PAUSE >= deadline) {
                return Err(error);
            }
            if told_at.is_none_or(|told_at| told_at.elapsed() >= TOLD_EVERY) {
                told_at = Some(Instant::now());
                tracing::warn!(
                    error = error_chain(&error),
                    "the database is not available yet; waiting for it"
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL takes it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A server that was replaced by another one may still be there, and only be read from.
async fn refuse_read_only(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let row = connection.fetch_one(sqlx::raw_sql("SHOW transaction_read_only")).await?;
    match row.try_get(0)? {
        "off" => Ok(()),
        _ => Err(std::io::Error::other("the server is read-only").into()),
    }
}

impl PostgresStore {
    /// Opens a database, and creates or migrates its tables unless that is not wanted. Others may have it open.
    ///
    /// `Unavailable` if the server does not answer in time; `Refused` if somebody has to put something right; `Schema` if a
    /// newer version of this program wrote it in a form that this one does not know; `Outdated` if it was not to be migrated
    /// and would have to be.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        again::begin_counters();
        let useless = Useless::default();
        let writers = options.writer_pool(&useless);
        options.patiently(async || options.prepare(&writers.connections).await).await?;
        let readers = options.reader_pool(&useless);
        let hints = options.hints(&useless);
        let faults = faults(&options);
        let connections = Connections { writers, readers, useless, writing_ended: OnceLock::new(), faults };
        let (names, given, migrations) = (Names::default(), Given::default(), options.migrations);
        Ok(Self { connections, names, given, hints, migrations })
    }

    /// Which form the tables of a database have. Changes nothing, but for the database and the schema if these are to be
    /// created.
    ///
    /// Errors are those of [`open`](Self::open).
    pub async fn schema(options: PostgresOptions) -> Result<Schema, StoreError> {
        let look = async || {
            let entered = options.enter().await?;
            let schema = options.schema_there().await;
            entered.close().await?;
            schema
        };
        options.patiently(look).await
    }

    /// Creates or migrates the tables of a database, and does nothing else. Others may have it open.
    ///
    /// Errors are those of [`open`](Self::open).
    pub async fn migrate(options: PostgresOptions) -> Result<Migrated, StoreError> {
        let migrate = async || {
            let entered = options.enter().await?;
            let migrated = options.bring_up().await.map_err(in_the_schema);
            entered.close().await?;
            migrated
        };
        options.patiently(migrate).await
    }
}

#[cfg(feature = "testsuite")]
fn faults(options: &PostgresOptions) -> Faults {
    Faults(options.fault.clone())
}

#[cfg(not(feature = "testsuite"))]
fn faults(_: &PostgresOptions) -> Faults {
    Faults::default()
}
