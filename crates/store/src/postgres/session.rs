//! Connections and transactions: the only way in which statements reach the database.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgHasArrayType, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, PgPool, Postgres, Transaction, Type};

use super::error::is_read_only;
use crate::StoreError;
use crate::rules::statement::{Faults, Statement, count_written};

/// The parameters of an execution. Lists are arrays: one text and one plan for any number of rows.
#[derive(Default)]
pub(super) struct Args {
    values: PgArguments,
    error: Option<sqlx::error::BoxDynError>,
}

impl Args {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter. Should it not encode, the execution fails.
    pub(super) fn with<'t, T: Encode<'t, Postgres> + Type<Postgres>>(mut self, value: T) -> Self {
        if let Err(error) = self.values.add(value) {
            self.error = Some(error);
        }
        self
    }

    /// Adds an array.
    pub(super) fn list<'t, T>(self, values: impl IntoIterator<Item = T>) -> Self
    where
        T: Encode<'t, Postgres> + Type<Postgres> + PgHasArrayType,
    {
        self.with(values.into_iter().collect::<Vec<T>>())
    }

    fn take(self) -> Result<PgArguments, StoreError> {
        match self.error {
            Some(error) => Err(StoreError::Internal(error)),
            None => Ok(self.values),
        }
    }
}

/// Tells connections that lead to a server which was replaced by another one: it is still there, and refuses to write.
#[derive(Debug, Clone, Default)]
pub(super) struct Replaced(Arc<Mutex<Option<Instant>>>);

impl Replaced {
    /// Notes when the server refused to write.
    fn heed(&self, error: sqlx::Error) -> StoreError {
        if is_read_only(&error) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        error.into()
    }

    /// Whether a connection of this age was there already when one was refused.
    pub(super) fn is_led_to_by(&self, age: Duration) -> bool {
        let refused = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.is_some_and(|refused| refused.elapsed() <= age)
    }
}

/// Connections with the same settings.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) connections: PgPool,
    /// What each transaction has to set at its beginning, because its connection is its own only until its end.
    pub(super) settings: Option<String>,
}

impl Pool {
    async fn begin(&self, begin: &'static str) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        match &self.settings {
            None => self.connections.begin_with(begin).await,
            Some(settings) => {
                self.connections.begin_with(AssertSqlSafe(format!("{begin}; {settings}"))).await
            }
        }
    }

    /// Whether statements may be prepared once for all transactions of a connection.
    fn prepares(&self) -> bool {
        self.settings.is_none()
    }

    async fn fetch(&self, sql: &'static str, args: PgArguments) -> Result<Vec<PgRow>, sqlx::Error> {
        if self.prepares() {
            return sqlx::query_with(sql, args).fetch_all(&self.connections).await;
        }
        let mut tx = self.begin("BEGIN").await?;
        let rows = sqlx::query_with(sql, args).persistent(false).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(rows)
    }
}

/// The connections to a database.
#[derive(Debug)]
pub(super) struct Connections {
    /// For what writes; plans of these do not depend on how much the tables held when they were made.
    pub(super) writers: Pool,
    /// For what only reads.
    pub(super) readers: Pool,
    pub(super) replaced: Replaced,
    pub(super) faults: Faults,
}

impl Connections {
    /// Reads with one statement, which is a snapshot in itself and needs no transaction.
    pub(super) async fn rows(&self, statement: Statement, args: Args) -> Result<Vec<PgRow>, StoreError> {
        self.fetch(&self.readers, statement, args).await
    }

    /// Executes one statement that writes; it is a transaction in itself.
    pub(super) async fn writer_rows(
        &self,
        statement: Statement,
        args: Args,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.fetch(&self.writers, statement, args).await
    }

    async fn fetch(&self, pool: &Pool, statement: Statement, args: Args) -> Result<Vec<PgRow>, StoreError> {
        self.faults.check(statement.name)?;
        pool.fetch(statement.sql, args.take()?).await.map_err(|error| self.replaced.heed(error))
    }

    /// A snapshot for several statements.
    pub(super) async fn snapshot(&self) -> Result<Session, StoreError> {
        self.faults.check("BEGIN READ ONLY")?;
        self.session(&self.readers, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// A transaction that writes. Each of its statements sees what was committed before the statement began.
    pub(super) async fn begin(&self) -> Result<Session, StoreError> {
        self.faults.check("BEGIN")?;
        self.session(&self.writers, "BEGIN").await
    }

    async fn session(&self, pool: &Pool, begin: &'static str) -> Result<Session, StoreError> {
        Ok(Session {
            tx: pool.begin(begin).await?,
            prepares: pool.prepares(),
            replaced: self.replaced.clone(),
            faults: self.faults.clone(),
            written: Vec::new(),
        })
    }

    /// Closes them. Whoever uses one at the moment may finish.
    pub(super) async fn close(&self) {
        self.readers.connections.close().await;
        self.writers.connections.close().await;
    }
}

/// One transaction. Dropped without [`commit`](Self::commit), it is rolled back.
#[derive(Debug)]
pub(super) struct Session {
    tx: Transaction<'static, Postgres>,
    prepares: bool,
    replaced: Replaced,
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

    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.tx.rollback().await?)
    }

    /// Executes a statement; answers how many rows it wrote.
    pub(super) async fn run(&mut self, statement: Statement, args: Args) -> Result<u64, StoreError> {
        self.faults.check(statement.name)?;
        let query = sqlx::query_with(statement.sql, args.take()?).persistent(self.prepares);
        let done = query.execute(&mut *self.tx).await.map_err(|error| self.replaced.heed(error))?;
        Ok(done.rows_affected())
    }

    /// Executes a statement that writes rows of a table.
    pub(super) async fn write(
        &mut self,
        table: &'static str,
        statement: Statement,
        args: Args,
    ) -> Result<u64, StoreError> {
        let rows = self.run(statement, args).await?;
        self.written.push((table, rows));
        Ok(rows)
    }

    pub(super) async fn rows(&mut self, statement: Statement, args: Args) -> Result<Vec<PgRow>, StoreError> {
        self.faults.check(statement.name)?;
        let query = sqlx::query_with(statement.sql, args.take()?).persistent(self.prepares);
        query.fetch_all(&mut *self.tx).await.map_err(|error| self.replaced.heed(error))
    }

    pub(super) async fn row(
        &mut self,
        statement: Statement,
        args: Args,
    ) -> Result<Option<PgRow>, StoreError> {
        Ok(self.rows(statement, args).await?.pop())
    }
}

/// How many rows one execution takes at most, and about how many bytes: a message to the server ends at 1 GB.
const CHUNK_ROWS: usize = 2_000;
const CHUNK_BYTES: usize = 8 << 20;

/// Cuts rows into pieces for one execution each.
pub(super) fn chunks<T>(rows: &[T], size: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let (mut pieces, mut rest) = (Vec::new(), rows);
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take(CHUNK_ROWS).take_while(|row| {
            let fits = bytes < CHUNK_BYTES;
            bytes += size(row);
            fits
        });
        let (piece, others) = rest.split_at(fitting.count().max(1));
        pieces.push(piece);
        rest = others;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_by_number_and_by_bytes() {
        let lengths =
            |rows: &[usize]| chunks(rows, |size| *size).into_iter().map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[]), Vec::<usize>::new());
        assert_eq!(lengths(&[1; CHUNK_ROWS + 1]), [CHUNK_ROWS, 1]);
        assert_eq!(lengths(&[CHUNK_BYTES, 1, CHUNK_BYTES - 1, 1, 1]), [1, 2, 2]);
    }
}
