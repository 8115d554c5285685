//! Creating and migrating the tables. Of several processes that start at once, one does it.
//!
//! A program may find tables that a newer one has migrated, as both run while one replaces the other. It works with them
//! unless `meta.compatible_from` says that it is too old.

use std::time::Duration;

use callboard_model::Digest;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Postgres};

use super::PostgresStore;
use super::error::{TABLE_EXISTS, has_code};
use super::open::PostgresOptions;
use super::row::{RowExt as _, uuid};
use super::session::Args;
use crate::rules::migrations::{self, Applied, Migration, migrations};
use crate::rules::statement::statements;
use crate::{Migrated, Schema, StoreError};

/// All migrations, by number from 1.
pub(crate) const MIGRATIONS: &[Migration] = migrations!("postgres": "0001_init");

/// How long to wait before it is asked again whether another process has finished. A statement that waits would hold a
/// snapshot, for which the other one may wait.
const PAUSE: Duration = Duration::from_millis(200);
/// How often a program looks whether a newer one has shut it out.
const LOOK_EVERY: Duration = Duration::from_secs(10);

const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock(3, hashtext(coalesce(current_schema(), '')))";
/// `to_regclass` may answer from what this connection remembers, and not know a table that was made meanwhile.
const HAS_TABLE: &str = "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relname = '_callboard_migrations' AND n.nspname = ANY (current_schemas(FALSE)))";
const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS _callboard_migrations \
    (version bigint NOT NULL PRIMARY KEY, checksum uuid NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
const INSERT_APPLIED: &str = "INSERT INTO _callboard_migrations (version, checksum) VALUES ($1, $2)";

statements! {
    SELECT_APPLIED = "SELECT version, checksum, (SELECT value FROM meta WHERE key = 'compatible_from') \
         FROM _callboard_migrations ORDER BY version";
}

/// What one transaction found.
enum Step {
    /// Another process migrates.
    Busy,
    /// There was a migration to apply, and maybe there is another one.
    Applied { from: i64, name: &'static str },
    /// There was none.
    Done(Schema),
}

impl PostgresOptions {
    /// Which form the tables have. Changes nothing.
    pub(super) async fn schema_there(&self) -> Result<Schema, StoreError> {
        let (connection, settings) = self.alone();
        let mut connection = connection.connect().await?;
        let begin = format!("BEGIN READ ONLY; {}", settings.as_deref().unwrap_or_default());
        let mut tx = connection.begin_with(AssertSqlSafe(begin)).await?;
        let schema = self.look(&mut tx).await?;
        tx.commit().await?;
        connection.close().await?;
        Ok(schema)
    }

    /// Brings the tables to the form that this program knows.
    pub(super) async fn bring_up(&self) -> Result<Migrated, StoreError> {
        let (connection, settings) = self.alone();
        let mut connection = connection.connect().await?;
        let (mut first, mut applied) = (None, Vec::new());
        let schema = loop {
            let begin = format!("BEGIN; {}", settings.as_deref().unwrap_or_default());
            let mut tx = connection.begin_with(AssertSqlSafe(begin)).await?;
            let step = self.step(&mut tx).await?;
            tx.commit().await?;
            match step {
                Step::Busy => tokio::time::sleep(PAUSE).await,
                Step::Applied { from, name } => {
                    first = first.or(Some(from));
                    applied.push(name);
                }
                Step::Done(schema) => break schema,
            }
        };
        connection.close().await?;
        Ok(Migrated { from: first.unwrap_or(schema.version), applied, schema })
    }

    async fn step(&self, tx: &mut PgConnection) -> Result<Step, StoreError> {
        // Where there is nothing to do, nothing has to be allowed.
        let schema = self.look(tx).await?;
        if schema.pending.is_empty() {
            return Ok(Step::Done(schema));
        }
        if !query(TRY_LOCK).fetch_one(&mut *tx).await?.flag(0)? {
            return Ok(Step::Busy);
        }
        // Whoever held the lock until now may have done it.
        let schema = self.look(tx).await?;
        let Some((version, Migration { name, sql })) = migrations::next(self.migrations, &schema) else {
            return Ok(Step::Done(schema));
        };
        query(CREATE_TABLE).execute(&mut *tx).await?;
        if let Err(error) = sqlx::raw_sql(sql).execute(&mut *tx).await {
            let error = StoreError::from(error);
            let is_taken = version == 1 && has_code(&error, TABLE_EXISTS);
            return Err(if is_taken { migrations::of_another_program() } else { error });
        }
        query(INSERT_APPLIED).bind(version).bind(checksum(sql)).execute(&mut *tx).await?;
        Ok(Step::Applied { from: schema.version, name })
    }

    async fn look(&self, tx: &mut PgConnection) -> Result<Schema, StoreError> {
        if !query(HAS_TABLE).fetch_one(&mut *tx).await?.flag(0)? {
            return schema(self.migrations, &[]);
        }
        schema(self.migrations, &query(SELECT_APPLIED.sql).fetch_all(tx).await?)
    }
}

impl PostgresStore {
    /// Comes back with the reason when a newer program has shut this one out. Nothing is written from then on.
    pub(super) async fn shut_out_by_a_newer_program(&self) -> StoreError {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let found = self.read_rows(SELECT_APPLIED, Args::new()).await;
            if let Err(StoreError::Schema(reason)) = found.and_then(|rows| schema(self.migrations, &rows)) {
                self.connections.end_writing(&reason);
                return StoreError::Schema(reason);
            }
        }
    }
}

/// The form of the tables, from what was applied to them.
fn schema(known: &'static [Migration], rows: &[PgRow]) -> Result<Schema, StoreError> {
    let mut applied = Applied::default();
    for row in rows {
        applied.migrations.push((row.int(0)?, row.uid(1)?));
        applied.compatible_from = row.int(2)?;
    }
    migrations::schema(known, &applied, checksum)
}

/// A pooler keeps no prepared statements.
fn query(sql: &'static str) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(sql).persistent(false)
}

fn checksum(sql: &'static str) -> uuid::Uuid {
    uuid(&Digest::of(sql))
}

#[cfg(test)]
#[cfg(feature = "testsuite")]
mod tests;
