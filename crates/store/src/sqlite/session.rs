//! Connections and transactions: the only way in which statements reach the database.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Sqlite, SqlitePool, Transaction, Type};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::statement::Bulk;
use super::write_connection::WriteConnection;
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
    /// Whoever writes holds the lock on the writer's state as well.
    writer: Arc<Mutex<WriteConnection>>,
    /// None if the database is in memory: there, who reads would wait for who writes.
    readers: Option<SqlitePool>,
    faults: Faults,
}

impl Connections {
    pub(super) fn new(writer: WriteConnection, readers: Option<SqlitePool>, faults: Faults) -> Self {
        Self { writer: Arc::new(Mutex::new(writer)), readers, faults }
    }

    /// A snapshot to read from.
    pub(super) async fn read(&self) -> Result<Session, StoreError> {
        self.faults.check("BEGIN")?;
        let held = match &self.readers {
            Some(readers) => Held::Reader(readers.begin().await?),
            None => self.begin("BEGIN").await?,
        };
        Ok(Session { held, faults: self.faults.clone(), written: Vec::new() })
    }

    /// The write lock. It is taken at once: a transaction that begins by reading and wants to write later fails
    /// whenever somebody else wrote in between, whatever the busy timeout is.
    pub(super) async fn write(&self) -> Result<Session, StoreError> {
        self.faults.check("BEGIN IMMEDIATE")?;
        let held = self.begin("BEGIN IMMEDIATE").await?;
        Ok(Session { held, faults: self.faults.clone(), written: Vec::new() })
    }

    async fn begin(&self, statement: &'static str) -> Result<Held, StoreError> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        writer.begin(statement).await?;
        Ok(Held::Writer(writer))
    }

    /// Reads with one statement, which is a snapshot in itself and needs no transaction.
    pub(super) async fn rows(&self, statement: Statement, args: Args) -> Result<Vec<SqliteRow>, StoreError> {
        let Some(readers) = &self.readers else { return self.writer_rows(statement, args).await };
        self.faults.check(statement.name)?;
        Ok(sqlx::query_with(statement.sql, args.take()?).fetch_all(readers).await?)
    }

    /// Executes one statement on the connection that writes; it is a transaction in itself.
    pub(super) async fn writer_rows(
        &self,
        statement: Statement,
        args: Args,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        self.faults.check(statement.name)?;
        let mut writer = self.writer.lock().await;
        Ok(sqlx::query_with(statement.sql, args.take()?).fetch_all(writer.idle().await?).await?)
    }

    /// The connection that writes, for statements of tests.
    #[cfg(test)]
    pub(super) async fn writer(&self) -> OwnedMutexGuard<WriteConnection> {
        Arc::clone(&self.writer).lock_owned().await
    }

    /// Closes them. Whoever reads at the moment may finish.
    pub(super) async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        self.writer.lock().await.close().await;
    }
}

/// The connection of a transaction.
#[derive(Debug)]
enum Held {
    Reader(Transaction<'static, Sqlite>),
    Writer(OwnedMutexGuard<WriteConnection>),
}

impl Held {
    fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        match self {
            Self::Reader(tx) => Ok(tx),
            Self::Writer(writer) => writer.get(),
        }
    }

    async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Reader(tx) => tx.commit().await,
            Self::Writer(mut writer) => writer.commit().await,
        }
    }
}

/// One transaction. Dropped without [`commit`](Self::commit), it is rolled back.
#[derive(Debug)]
pub(super) struct Session {
    held: Held,
    faults: Faults,
    /// Rows written by table; counted when they are committed.
    written: Vec<(&'static str, u64)>,
}

impl Session {
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.faults.check("COMMIT")?;
        self.held.commit().await?;
        for (table, rows) in self.written {
            count_written(table, rows);
        }
        Ok(())
    }

    /// Executes a statement; answers how many rows it wrote.
    pub(super) async fn run(&mut self, statement: Statement, args: Args) -> Result<u64, StoreError> {
        self.faults.check(statement.name)?;
        Ok(sqlx::query_with(statement.sql, args.take()?)
            .execute(self.held.connection()?)
            .await?
            .rows_affected())
    }

    pub(super) async fn rows(
        &mut self,
        statement: Statement,
        args: Args,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        self.faults.check(statement.name)?;
        Ok(sqlx::query_with(statement.sql, args.take()?).fetch_all(self.held.connection()?).await?)
    }

    pub(super) async fn row(
        &mut self,
        statement: Statement,
        args: Args,
    ) -> Result<Option<SqliteRow>, StoreError> {
        self.faults.check(statement.name)?;
        Ok(sqlx::query_with(statement.sql, args.take()?).fetch_optional(self.held.connection()?).await?)
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
            let mut execution = pin!(query.execute(self.held.connection()?));
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
