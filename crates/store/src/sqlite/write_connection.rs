//! The one connection that writes.
//!
//! It is in no pool. A pool asks each connection whether it still lives when it comes back, on a task of its own; in a
//! busy process the next transaction waits longer for that than for its own statements. And begin and end are plain
//! statements here: out of room or memory, or unable to read or write, SQLite may roll back by itself, and whoever
//! counts transactions on its behalf would refuse every further one.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

/// A connection, with what is known about its transaction.
#[derive(Debug)]
pub(super) struct WriteConnection {
    options: SqliteConnectOptions,
    /// `None` once it is closed.
    connection: Option<SqliteConnection>,
    /// Whether a transaction was begun of whose end nothing is known.
    may_be_in_transaction: bool,
}

impl WriteConnection {
    pub(super) async fn open(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let connection = Some(options.connect().await?);
        Ok(Self { options, connection, may_be_in_transaction: false })
    }

    /// The connection, as it is.
    pub(super) fn get(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// The connection, in no transaction: one that nobody ended is rolled back.
    pub(super) async fn idle(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        if self.may_be_in_transaction {
            match self.execute("ROLLBACK").await {
                // SQLite says so if there is none.
                Ok(()) | Err(sqlx::Error::Database(_)) => {}
                Err(sqlx::Error::PoolClosed) => return Err(sqlx::Error::PoolClosed),
                // The connection itself is broken.
                Err(_) => self.connection = Some(self.options.connect().await?),
            }
            self.may_be_in_transaction = false;
        }
        self.get()
    }

    pub(super) async fn begin(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        self.idle().await?;
        // Who does not wait for the end of a statement does not know what became of it.
        self.may_be_in_transaction = true;
        self.execute(statement).await
    }

    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.execute("COMMIT").await?;
        self.may_be_in_transaction = false;
        Ok(())
    }

    /// Closes it; what is not committed is rolled back.
    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            // There is nothing to be done about a failure, and nothing is lost by it.
            drop(connection.close().await);
        }
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(statement).execute(self.get()?).await.map(drop)
    }
}
