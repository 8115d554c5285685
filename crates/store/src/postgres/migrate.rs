//! Creating and migrating the tables. Of several processes that start at once, one does it.
//!
//! A program may find tables that a newer one has migrated, as both run while one replaces the other. It works with them
//! unless `meta.compatible_from` says that it is too old.

use std::time::Duration;

use callboard_model::Digest;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};

use super::open::PostgresOptions;
use super::row::{RowExt as _, uuid};
use crate::StoreError;

/// All migrations, by number from 1.
const MIGRATIONS: [&str; 1] = [include_str!("../../../../migrations/postgres/0001_init.sql")];

/// How long to wait before it is asked again whether another process has finished. A statement that waits would hold a
/// snapshot, for which the other one may wait.
const PAUSE: Duration = Duration::from_millis(200);

const TRY_LOCK: &str = "SELECT pg_try_advisory_lock(3, hashtext(current_schema()))";
const UNLOCK: &str = "SELECT pg_advisory_unlock(3, hashtext(current_schema()))";
const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS _callboard_migrations \
    (version bigint NOT NULL PRIMARY KEY, checksum uuid NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
const SELECT_APPLIED: &str = "SELECT version, checksum FROM _callboard_migrations ORDER BY version";
const INSERT_APPLIED: &str = "INSERT INTO _callboard_migrations (version, checksum) VALUES ($1, $2)";
const SELECT_COMPATIBLE: &str = "SELECT value FROM meta WHERE key = 'compatible_from'";

impl PostgresOptions {
    /// Brings the tables to the form that this program knows.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        // Rewriting a table takes as long as it takes.
        let mut connection = self.connection(Duration::ZERO).connect().await?;
        loop {
            let row = sqlx::query(TRY_LOCK).fetch_one(&mut connection).await?;
            if row.flag(0)? {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        migrate(&mut connection).await?;
        sqlx::query(UNLOCK).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }
}

async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query(CREATE_TABLE).execute(&mut *connection).await?;
    let applied = sqlx::query(SELECT_APPLIED).fetch_all(&mut *connection).await?;
    let mut is_newer = false;
    for row in &applied {
        let version = row.int(0)?;
        match migration(version) {
            Some(sql) if uuid(&Digest::of(sql)) != row.uid(1)? => return Err(other_form(version)),
            Some(_) => {}
            None => is_newer = true,
        }
    }
    if is_newer {
        let row = sqlx::query(SELECT_COMPATIBLE).fetch_one(&mut *connection).await?;
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        return if row.int(0)? <= known { Ok(()) } else { Err(too_new()) };
    }
    for (version, sql) in (1..).zip(MIGRATIONS).skip(applied.len()) {
        let mut tx = connection.begin().await?;
        sqlx::raw_sql(sql).execute(&mut *tx).await?;
        let insert = sqlx::query(INSERT_APPLIED).bind(version).bind(uuid(&Digest::of(sql)));
        insert.execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn migration(version: i64) -> Option<&'static str> {
    let index = usize::try_from(version).ok()?.checked_sub(1)?;
    MIGRATIONS.get(index).copied()
}

fn other_form(version: i64) -> StoreError {
    StoreError::Schema(format!(
        "migration {version} was applied in another form than this program knows; run the version that created the \
         database, or restore a backup"
    ))
}

fn too_new() -> StoreError {
    StoreError::Schema(
        "a newer version of this program migrated the database to a form that this one does not know; run that version, \
         or restore a backup from before the upgrade"
            .to_owned(),
    )
}

#[cfg(test)]
#[cfg(feature = "testsuite")]
mod tests {
    use super::super::PostgresStore;
    use super::super::tests::cluster;
    use super::*;
    use crate::Store as _;

    /// A database without tables.
    async fn options() -> Option<PostgresOptions> {
        let mut options = PostgresOptions::new(cluster()?.database().await);
        options.schema = Some("of \"callboard\"".to_owned());
        Some(options)
    }

    /// Opens the tables of a program that knows migrations which this one does not know.
    async fn open_newer(changes: &'static str) -> Option<Result<PostgresStore, StoreError>> {
        let options = options().await?;
        let store = PostgresStore::open(options.clone()).await.unwrap();
        let mut connection = options.connection(Duration::ZERO).connect().await.unwrap();
        sqlx::raw_sql(changes).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        store.close().await;
        Some(PostgresStore::open(options).await)
    }

    #[tokio::test]
    async fn of_those_who_open_at_once_one_makes_the_tables() {
        let Some(options) = options().await else { return };
        let opened = futures::future::join_all((0..4).map(|_| PostgresStore::open(options.clone()))).await;
        for store in opened {
            assert!(store.unwrap().earliest_due().await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn tables_of_a_newer_program_are_used_if_it_allows_that() {
        let newer = "INSERT INTO _callboard_migrations (version, checksum) VALUES (99, gen_random_uuid())";
        let Some(opened) = open_newer(newer).await else { return };
        assert!(opened.is_ok());
    }

    #[tokio::test]
    async fn tables_of_a_much_newer_program_are_left_alone() {
        let newer = "INSERT INTO _callboard_migrations (version, checksum) VALUES (99, gen_random_uuid()); \
                     UPDATE meta SET value = 99 WHERE key = 'compatible_from'";
        let Some(opened) = open_newer(newer).await else { return };
        let error = opened.unwrap_err();
        assert!(
            matches!(&error, StoreError::Schema(advice) if advice.contains("run that version")),
            "{error}"
        );
    }

    #[tokio::test]
    async fn migrations_in_another_form_are_told() {
        let other = "UPDATE _callboard_migrations SET checksum = gen_random_uuid()";
        let Some(opened) = open_newer(other).await else { return };
        assert!(matches!(opened, Err(StoreError::Schema(advice)) if advice.contains("migration 1")));
    }
}
