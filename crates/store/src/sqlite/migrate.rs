//! Creating and migrating the tables. Each migration is a transaction, under the lock of whoever writes.
//!
//! The table of what was applied is that of sqlx's migrator, with its checksums: databases have it from their first day.

use sqlx::migrate::{Migration as Remembered, MigrationType};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, SqlStr};

use super::codec::RowExt as _;
use crate::rules::migrations::{self, Applied, Migration, migrations};
use crate::{Migrated, Schema, StoreError};

/// All migrations, by number from 1.
pub(crate) const MIGRATIONS: &[Migration] = migrations!("sqlite": "0001_init");

const SELECT_TABLES: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (\
    version BIGINT PRIMARY KEY, \
    description TEXT NOT NULL, \
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
    success BOOLEAN NOT NULL, \
    checksum BLOB NOT NULL, \
    execution_time BIGINT NOT NULL)";
const SELECT_APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
const INSERT_APPLIED: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
    VALUES (?1, ?2, TRUE, ?3, -1)";
/// Not there until a migration takes something away.
const SELECT_COMPATIBLE: &str = "SELECT value FROM meta WHERE key = 'compatible_from'";

/// The form of the tables, against `known` migrations.
pub(super) async fn schema(
    connection: &mut SqliteConnection,
    known: &'static [Migration],
) -> Result<Schema, StoreError> {
    migrations::schema(known, &applied(connection).await?, checksum)
}

/// Brings the tables to the form that this program knows.
pub(super) async fn migrate(
    connection: &mut SqliteConnection,
    known: &'static [Migration],
) -> Result<Migrated, StoreError> {
    let (mut from, mut names) = (None, Vec::new());
    loop {
        let schema = schema(connection, known).await?;
        if schema.pending.is_empty() {
            return Ok(Migrated { from: from.unwrap_or(schema.version), applied: names, schema });
        }
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        // Whoever held the lock until now may have done it.
        let schema = self::schema(&mut tx, known).await?;
        if let Some((version, migration)) = migrations::next(known, &schema) {
            apply(&mut tx, version, migration).await?;
            tx.commit().await?;
            from = from.or(Some(schema.version));
            names.push(migration.name);
        }
    }
}

async fn apply(tx: &mut SqliteConnection, version: i64, migration: Migration) -> Result<(), StoreError> {
    sqlx::raw_sql(CREATE_TABLE).execute(&mut *tx).await?;
    sqlx::raw_sql(migration.sql).execute(&mut *tx).await?;
    let insert = sqlx::query(INSERT_APPLIED).bind(version).bind(migration.name);
    insert.bind(checksum(migration.sql)).execute(tx).await?;
    Ok(())
}

async fn applied(connection: &mut SqliteConnection) -> Result<Applied<Vec<u8>>, StoreError> {
    let tables = sqlx::query(SELECT_TABLES).fetch_all(&mut *connection).await?;
    let tables: Vec<&str> = tables.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
    if !tables.contains(&"_sqlx_migrations") {
        return if tables.is_empty() {
            Ok(Applied::default())
        } else {
            Err(migrations::of_another_program())
        };
    }
    let rows = sqlx::query(SELECT_APPLIED).fetch_all(&mut *connection).await?;
    let rows = rows.iter().map(|row| Ok((row.int(0)?, row.blob(1)?.to_vec())));
    let mut applied = Applied { migrations: rows.collect::<Result<_, StoreError>>()?, ..Applied::default() };
    if tables.contains(&"meta")
        && let Some(row) = sqlx::query(SELECT_COMPATIBLE).fetch_optional(connection).await?
    {
        applied.compatible_from = row.int(0)?;
    }
    Ok(applied)
}

fn checksum(sql: &'static str) -> Vec<u8> {
    let sql = SqlStr::from_static(sql);
    Remembered::new(0, "".into(), MigrationType::Simple, sql, false).checksum.into_owned()
}

#[cfg(test)]
#[cfg(feature = "testsuite")]
mod tests;
