//! Connections and transactions: the only way in which statements reach the database.

use std::pin::pin;
use std::task::Poll;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Sqlite, SqlitePool, Transaction, Type};
use tokio::sync::Mutex;

use super::statement::Bulk;
use crate::StoreError;
use crate::rules::statement::{Faults, Statement, count_written};

/// The parameters of an execution.
#[derive(Default)]
pub(super) struct Args {
    values: SqliteArguments,
    error: Option<sqlx::error::BoxDynError>,
}

impl Args {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter. Should it not encode, the execution fails.
    pub(super) fn push<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(&mut self, value: T) {
        if let Err(error) = self.values.add(value) {
            self.error = Some(error);
        }
    }

    /// Adds a parameter.
    pub(super) fn with<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(mut self, value: T) -> Self {
        self.push(value);
        self
    }

    fn take(self) -> Result<SqliteArguments, StoreError> {
        match self.error {
            Some(error) => Err(StoreError::Internal(error)),
            None => Ok(self.values),
        }
    }
}

/// The connections to a database: one that writes, and others that read from snapshots.
#[derive(Debug)]
pub(super) struct Connections {
    /// One connection. Whoever uses it holds the lock on the writer's state.
    pub(super) writer: SqlitePool,
    /// That connection between two single statements. On its way back into the pool it is asked whether it still
    /// lives, which costs as much as the statement.
    kept: Mutex<Option<PoolConnection<Sqlite>>>,
    /// None if the database is in memory: there, who reads would wait for who writes.
    readers: Option<SqlitePool>,
    /// A database in memory lives as long as some connection to it.
    _keeper: Option<SqliteConnection>,
    faults: Faults,
}

impl Connections {
    pub(super) fn new(
        writer: SqlitePool,
        readers: Option<SqlitePool>,
        keeper: Option<SqliteConnection>,
        faults: Faults,
    ) -> Self {
        Self { writer, kept: Mutex::new(None), readers, _keeper: keeper, faults }
    }

    /// A snapshot to read from.
    pub(super) async fn read(&self) -> Result<Session, StoreError> {
        self.faults.check("BEGIN")?;
        let tx = self.readers().begin().await?;
        Ok(Session { tx, faults: self.faults.clone(), written: Vec::new() })
    }

    /// The write lock. It is taken at once: a transaction that begins by reading and wants to write later fails
    /// whenever somebody else wrote in between, whatever the busy timeout is.
    pub(super) async fn write(&self) -> Result<Session, StoreError> {
        self.faults.check("BEGIN IMMEDIATE")?;
        drop(self.kept.lock().await.take());
        let tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Session { tx, faults: self.faults.clone(), written: Vec::new() })
    }

    /// Reads with one statement, which is a snapshot in itself and needs no transaction.
    pub(super) async fn rows(&self, statement: Statement, args: Args) -> Result<Vec<SqliteRow>, StoreError> {
        self.faults.check(statement.name)?;
        Ok(sqlx::query_with(statement.sql, args.take()?).fetch_all(self.readers()).await?)
    }

    /// Executes one statement on the connection that writes; it is a transaction in itself.
    pub(super) async fn writer_rows(
        &self,
        statement: Statement,
        args: Args,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        self.faults.check(statement.name)?;
        let mut kept = self.kept.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.writer.acquire().await?,
        };
        // Should this fail, the pool looks after the connection.
        let rows = sqlx::query_with(statement.sql, args.take()?).fetch_all(&mut *connection).await?;
        if self.readers.is_some() {
            *kept = Some(connection);
        }
        Ok(rows)
    }

    /// Closes them. Whoever reads at the moment may finish.
    pub(super) async fn close(&self) {
        drop(self.kept.lock().await.take());
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        self.writer.close().await;
    }

    fn readers(&self) -> &SqlitePool {
        self.readers.as_ref().unwrap_or(&self.writer)
    }
}

/// One transaction. Dropped without [`commit`](Self::commit), it is rolled back.
#[derive(Debug)]
pub(super) struct Session {
    tx: Transaction<'static, Sqlite>,
    faults: Faults,
    /// Rows written by table; counted when they are committed.
    written: Vec<(&'static str, u64)>,
}

impl Session {
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.faults.check("COMMIT")?;
        self.tx.commit().await?;
        for (table, rows) in self.written {
            count_written(table, rows);
        }
        Ok(())
    }

    /// Executes a statement; answers how many rows it wrote.
    pub(super) async fn run(&mut self, statement: Statement, args: Args) -> Result<u64, StoreError> {
        self.faults.check(statement.name)?;
        Ok(sqlx::query_with(statement.sql, args.take()?).execute(&mut *self.tx).await?.rows_affected())
    }

    pub(super) async fn rows(
        &mut self,
        statement: Statement,
        args: Args,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        self.faults.check(statement.name)?;
        Ok(sqlx::query_with(statement.sql, args.take()?).fetch_all(&mut *self.tx).await?)
    }

    pub(super) async fn row(
        &mut self,
        statement: Statement,
        args: Args,
    ) -> Result<Option<SqliteRow>, StoreError> {
        self.faults.check(statement.name)?;
        Ok(sqlx::query_with(statement.sql, args.take()?).fetch_optional(&mut *self.tx).await?)
    }

    /// Executes a bulk statement for all items; `bind` adds the parameters of one. While one chunk is executed, on the
    /// connection's own thread, the parameters of the next are put together here.
    pub(super) async fn bulk<T, I>(
        &mut self,
        bulk: &'static Bulk,
        items: I,
        mut bind: impl FnMut(&mut Args, T) + Send,
    ) -> Result<u64, StoreError>
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: ExactSizeIterator + Send,
        T: Send,
    {
        let mut items = items.into_iter();
        let mut next_chunk = || {
            let (size, sql) = bulk.chunk(items.len())?;
            let mut args = Args::new();
            args.values.reserve(size * bulk.columns(), 0);
            for item in items.by_ref().take(size) {
                bind(&mut args, item);
            }
            Some((sql, args))
        };
        let mut written = 0;
        let mut next = next_chunk();
        while let Some((sql, args)) = next {
            self.faults.check(bulk.name)?;
            let query = sqlx::query_with(AssertSqlSafe(sql), args.take()?);
            let mut execution = pin!(query.execute(&mut *self.tx));
            let begun = futures::poll!(execution.as_mut());
            next = next_chunk();
            let done = match begun {
                Poll::Ready(done) => done,
                Poll::Pending => execution.await,
            };
            written += done?.rows_affected();
        }
        if written > 0 {
            self.written.push((bulk.table, written));
        }
        Ok(written)
    }
}
