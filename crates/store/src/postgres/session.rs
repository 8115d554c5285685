//! Connections and transactions: the only way in which statements reach the database.

use std::borrow::Cow;

use sqlx::postgres::{PgArguments, PgHasArrayType, PgRow};
use sqlx::{Arguments as _, Encode, PgPool, Postgres, Transaction, Type};

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

/// A text as the database takes it: it has no place for NUL.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The connections to a database.
#[derive(Debug)]
pub(super) struct Connections {
    /// For what writes; plans of these do not depend on how much the tables held when they were made.
    writers: PgPool,
    /// For what only reads.
    readers: PgPool,
    faults: Faults,
}

impl Connections {
    pub(super) fn new(writers: PgPool, readers: PgPool, faults: Faults) -> Self {
        Self { writers, readers, faults }
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
        self.fetch(&self.writers, statement, args).await
    }

    async fn fetch(&self, pool: &PgPool, statement: Statement, args: Args) -> Result<Vec<PgRow>, StoreError> {
        self.faults.check(statement.name)?;
        Ok(sqlx::query_with(statement.sql, args.take()?).fetch_all(pool).await?)
    }

    /// A snapshot for several statements.
    pub(super) async fn snapshot(&self) -> Result<Session, StoreError> {
        self.faults.check("BEGIN READ ONLY")?;
        let tx = self.readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        Ok(self.session(tx))
    }

    /// A transaction that writes. Each of its statements sees what was committed before the statement began.
    pub(super) async fn begin(&self) -> Result<Session, StoreError> {
        self.faults.check("BEGIN")?;
        Ok(self.session(self.writers.begin().await?))
    }

    fn session(&self, tx: Transaction<'static, Postgres>) -> Session {
        Session { tx, faults: self.faults.clone(), written: Vec::new() }
    }

    /// The pool of those that only read, for whoever needs a connection of its own.
    #[cfg(all(test, feature = "testsuite"))]
    pub(super) fn readers(&self) -> &PgPool {
        &self.readers
    }

    /// The pool of those that write.
    #[cfg(all(test, feature = "testsuite"))]
    pub(super) fn writers(&self) -> &PgPool {
        &self.writers
    }

    /// Closes them. Whoever uses one at the moment may finish.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

/// One transaction. Dropped without [`commit`](Self::commit), it is rolled back.
#[derive(Debug)]
pub(super) struct Session {
    tx: Transaction<'static, Postgres>,
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
        Ok(sqlx::query_with(statement.sql, args.take()?).execute(&mut *self.tx).await?.rows_affected())
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
        Ok(sqlx::query_with(statement.sql, args.take()?).fetch_all(&mut *self.tx).await?)
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

    #[test]
    fn texts_have_no_nul() {
        assert_eq!(plain("a\0b"), "a\u{fffd}b");
        assert!(matches!(plain("ab"), Cow::Borrowed("ab")));
    }
}
