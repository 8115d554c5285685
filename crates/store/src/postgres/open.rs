//! Opening a database: connections, their settings, migrations.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use tokio::time::Instant;

use super::PostgresStore;
use super::enter::in_the_schema;
use super::log::Given;
use super::names::Names;
use super::session::Connections;
use crate::StoreError;
use crate::rules::statement::Faults;

/// Room for every prepared statement, so that none is prepared twice.
const STATEMENT_CACHE: usize = 256;
/// How long a connection may stay open, so that servers behind a balancer share the load after a while.
const LIFETIME_MAX: Duration = Duration::from_mins(30);
/// How long to wait before a server that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is told that the server still does not answer.
const TOLD_EVERY: Duration = Duration::from_secs(30);
/// A transaction in which nothing happens for so long is ended, in milliseconds: its process hangs.
const IDLE_TIMEOUT: &str = "15000";

/// Prepared statements get one plan for all parameters, and on tables that were empty or small then it would read all of
/// them for ever. Every statement of the loop has an index, so that is what it takes.
const PLANS: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // Plans that take what is switched off look expensive enough to be compiled.
    ("jit", "off"),
];

/// How to open a database.
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// The server, the database and the user.
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
    /// How long to wait for a server that does not answer yet; without end if that cannot be added to the time.
    pub patience: Duration,
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
            patience: Duration::from_mins(1),
            #[cfg(feature = "testsuite")]
            fault: None,
        }
    }

    /// The database at `postgres://user:password@host:port/database?sslmode=…`.
    pub fn url(url: &str) -> Result<Self, StoreError> {
        Ok(Self::new(url.parse()?))
    }

    /// Settings that all connections have.
    pub(super) fn connection(&self, statement_timeout: Duration) -> PgConnectOptions {
        let millis = |timeout: Duration| timeout.as_millis().to_string();
        let connection = self
            .connection
            .clone()
            .application_name("callboard")
            .statement_cache_capacity(STATEMENT_CACHE)
            .options([
                ("statement_timeout", millis(statement_timeout).as_str()),
                ("lock_timeout", millis(self.lock_timeout).as_str()),
                ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
                // Only messages that say something about a failure.
                ("client_min_messages", "warning"),
            ]);
        let own = [
            ("search_path", self.schema.as_deref().map(quoted)),
            ("role", self.role.as_ref().map(ToString::to_string)),
        ];
        connection.options(own.into_iter().filter_map(|(name, value)| Some((name, value?))))
    }

    fn reader_pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(self.readers.max(1))
            .acquire_timeout(self.connect_timeout)
            .max_lifetime(LIFETIME_MAX)
            .connect_lazy_with(self.connection(self.reader_timeout))
    }

    /// Sees that the database can be written to, and that its tables are those that this program knows.
    async fn prepare(&self, writers: &PgPool) -> Result<(), StoreError> {
        self.enter().await?;
        let _first = writers.acquire().await?;
        self.migrate().await.map_err(in_the_schema)
    }

    fn writer_pool(&self) -> PgPool {
        let settings = self.connection(self.writer_timeout).options(PLANS);
        PgPoolOptions::new()
            .max_connections(self.writers.max(1))
            .acquire_timeout(self.connect_timeout)
            .max_lifetime(LIFETIME_MAX)
            .after_connect(|connection, _| Box::pin(refuse_read_only(connection)))
            .connect_lazy_with(settings)
    }
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A server that was replaced by another one may still be there, and only be read from.
async fn refuse_read_only(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (is_read_only,): (bool,) = sqlx::query_as("SELECT current_setting('transaction_read_only')::boolean")
        .fetch_one(connection)
        .await?;
    if is_read_only { Err(std::io::Error::other("the server is read-only").into()) } else { Ok(()) }
}

impl PostgresStore {
    /// Opens a database, and creates or migrates its tables. Others may have it open.
    ///
    /// `Unavailable` if the server does not answer in time; `Refused` if somebody has to put something right; `Schema` if a
    /// newer version of this program wrote it in a form that this one does not know.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let writers = options.writer_pool();
        let deadline = Instant::now().checked_add(options.patience);
        let mut told_at: Option<Instant> = None;
        while let Err(error) = options.prepare(&writers).await {
            if !error.is_retryable() || deadline.is_some_and(|deadline| Instant::now() + PAUSE >= deadline) {
                return Err(error);
            }
            if told_at.is_none_or(|told_at| told_at.elapsed() >= TOLD_EVERY) {
                told_at = Some(Instant::now());
                tracing::warn!(error = error.in_full(), "the database is not available yet; waiting for it");
            }
            tokio::time::sleep(PAUSE).await;
        }
        if told_at.is_some() {
            tracing::info!("the database is available");
        }
        let connections = Connections::new(writers, options.reader_pool(), faults(&options));
        Ok(Self { connections, names: Names::default(), given: Given::default() })
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
