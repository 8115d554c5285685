//! Creating and migrating the tables. Of several processes that start at once, one does it.
//!
//! A program may find tables that a newer one has migrated, as both run while one replaces the other. It works with them
//! unless `meta.compatible_from` says that it is too old.

use std::time::Duration;

use callboard_model::Digest;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Postgres};

use super::error::{TABLE_EXISTS, has_code};
use super::open::PostgresOptions;
use super::row::{RowExt as _, uuid};
use crate::rules::migrations::{self, Applied, Migration, migrations};
use crate::{Migrated, Schema, StoreError};

/// All migrations, by number from 1.
pub(crate) const MIGRATIONS: &[Migration] = migrations!("postgres": "0001_init");

/// How long to wait before it is asked again whether another process has finished. A statement that waits would hold a
/// snapshot, for which the other one may wait.
const PAUSE: Duration = Duration::from_millis(200);

const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock(3, hashtext(coalesce(current_schema(), '')))";
const HAS_TABLE: &str = "SELECT to_regclass('_callboard_migrations') IS NOT NULL";
const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS _callboard_migrations \
    (version bigint NOT NULL PRIMARY KEY, checksum uuid NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
const SELECT_APPLIED: &str = "SELECT version, checksum FROM _callboard_migrations ORDER BY version";
const INSERT_APPLIED: &str = "INSERT INTO _callboard_migrations (version, checksum) VALUES ($1, $2)";
const SELECT_COMPATIBLE: &str = "SELECT value FROM meta WHERE key = 'compatible_from'";

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
        let mut applied = Applied::default();
        if query(HAS_TABLE).fetch_one(&mut *tx).await?.flag(0)? {
            let rows = query(SELECT_APPLIED).fetch_all(&mut *tx).await?;
            let rows = rows.iter().map(|row| Ok((row.int(0)?, row.uid(1)?)));
            applied.migrations = rows.collect::<Result<_, StoreError>>()?;
        }
        if !applied.migrations.is_empty() {
            applied.compatible_from = query(SELECT_COMPATIBLE).fetch_one(tx).await?.int(0)?;
        }
        migrations::schema(self.migrations, &applied, checksum)
    }
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
