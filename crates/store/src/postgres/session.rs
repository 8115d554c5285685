//! Connections and transactions: the only way in which statements reach the database.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgConnection, PgHasArrayType, PgRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Connection as _, Encode, PgPool, Postgres, SqlSafeStr as _, Transaction,
    Type,
};

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

/// Tells connections that are of no use any more: the server at their other end was replaced by another one, and refuses to
/// write; or it does not answer on them, as the network lost them without a word.
#[derive(Debug, Clone, Default)]
pub(super) struct Useless(Arc<Mutex<Option<Instant>>>);

impl Useless {
    /// Notes when one was of no use.
    fn heed(&self, error: sqlx::Error) -> StoreError {
        let is_silent = matches!(&error, sqlx::Error::Io(error) if error.kind() == ErrorKind::TimedOut);
        if is_silent || is_read_only(&error) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        error.into()
    }

    /// Whether a connection of this age was there already when one was of no use.
    fn has(&self, age: Duration) -> bool {
        let noted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.is_some_and(|noted| noted.elapsed() <= age)
    }

    /// Whether an idle connection of this age can be used.
    pub(super) async fn admits(
        &self,
        connection: &mut PgConnection,
        age: Duration,
        answer_max: Duration,
    ) -> bool {
        !self.has(age)
            && in_time(answer_max, connection.ping()).await.map_err(|error| self.heed(error)).is_ok()
    }
}

/// What the server answers, unless that takes longer. A connection that the network lost without a word is given up by the
/// kernel after a quarter of an hour only.
pub(super) async fn in_time<T>(
    answer_max: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(answer_max, answer).await.unwrap_or_else(|_| {
        Err(io::Error::new(ErrorKind::TimedOut, "the server does not answer on this connection").into())
    })
}

/// Connections with the same settings.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) connections: PgPool,
    /// What each transaction has to set at its beginning, because its connection is its own only until its end.
    pub(super) settings: Option<String>,
    /// How long the answer to a statement may take. The server ends a statement before that.
    pub(super) answer_max: Duration,
}

impl Pool {
    async fn begin(&self, begin: &'static str) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let begin = match &self.settings {
            None => begin.into_sql_str(),
            Some(settings) => AssertSqlSafe(format!("{begin}; {settings}")).into_sql_str(),
        };
        // It waits for a connection first.
        let begun_max = self.connections.options().get_acquire_timeout() + self.answer_max;
        in_time(begun_max, self.connections.begin_with(begin)).await
    }

    /// Whether statements may be prepared once for all transactions of a connection.
    fn prepares(&self) -> bool {
        self.settings.is_none()
    }

    async fn fetch(&self, sql: &'static str, args: PgArguments) -> Result<Vec<PgRow>, sqlx::Error> {
        let query = sqlx::query_with(sql, args).persistent(self.prepares());
        if self.prepares() {
            let mut connection = self.connections.acquire().await?;
            return in_time(self.answer_max, query.fetch_all(&mut *connection)).await;
        }
        let mut tx = self.begin("BEGIN").await?;
        let rows = in_time(self.answer_max, query.fetch_all(&mut *tx)).await?;
        in_time(self.answer_max, tx.commit()).await?;
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
    pub(super) useless: Useless,
    /// Why nothing is to be written any more.
    pub(super) writing_ended: OnceLock<String>,
    pub(super) faults: Faults,
}

impl Connections {
    /// Nothing is written from now on.
    pub(super) fn end_writing(&self, reason: &str) {
        self.writing_ended.get_or_init(|| reason.to_owned());
    }

    fn check_writing(&self) -> Result<(), StoreError> {
        self.writing_ended.get().map_or(Ok(()), |reason| Err(StoreError::Schema(reason.clone())))
    }

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
        self.check_writing()?;
        self.fetch(&self.writers, statement, args).await
    }

    async fn fetch(&self, pool: &Pool, statement: Statement, args: Args) -> Result<Vec<PgRow>, StoreError> {
        self.faults.check(statement.name)?;
        pool.fetch(statement.sql, args.take()?).await.map_err(|error| self.useless.heed(error))
    }

    /// A snapshot for several statements.
    pub(super) async fn snapshot(&self) -> Result<Session, StoreError> {
        self.faults.check("BEGIN READ ONLY")?;
        self.session(&self.readers, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// A transaction that writes. Each of its statements sees what was committed before the statement began.
    pub(super) async fn begin(&self) -> Result<Session, StoreError> {
        self.check_writing()?;
        self.faults.check("BEGIN")?;
        self.session(&self.writers, "BEGIN").await
    }

    async fn session(&self, pool: &Pool, begin: &'static str) -> Result<Session, StoreError> {
        Ok(Session {
            tx: pool.begin(begin).await.map_err(|error| self.useless.heed(error))?,
            prepares: pool.prepares(),
            answer_max: pool.answer_max,
            useless: self.useless.clone(),
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
    answer_max: Duration,
    useless: Useless,
    faults: Faults,
    /// Rows written by table; counted when they are committed.
    written: Vec<(&'static str, u64)>,
}

impl Session {
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.faults.check("COMMIT")?;
        in_time(self.answer_max, self.tx.commit()).await.map_err(|error| self.useless.heed(error))?;
        for (table, rows) in self.written {
            count_written(table, rows);
        }
        Ok(())
    }

    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        in_time(self.answer_max, self.tx.rollback()).await.map_err(|error| self.useless.heed(error))
    }

    /// Executes a statement; answers how many rows it wrote.
    pub(super) async fn run(&mut self, statement: Statement, args: Args) -> Result<u64, StoreError> {
        self.faults.check(statement.name)?;
        let query = sqlx::query_with(statement.sql, args.take()?).persistent(self.prepares);
        let done = in_time(self.answer_max, query.execute(&mut *self.tx)).await;
        Ok(done.map_err(|error| self.useless.heed(error))?.rows_affected())
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
        let rows = in_time(self.answer_max, query.fetch_all(&mut *self.tx)).await;
        rows.map_err(|error| self.useless.heed(error))
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
