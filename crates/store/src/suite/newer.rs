//! A database as a program leaves it that knows further migrations.

use std::path::Path;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// Makes a SQLite database one of this version, for programs that know `compatible_from` or later.
///
/// # Panics
///
/// If it is not the database of a store.
pub async fn sqlite(path: &Path, version: i64, compatible_from: i64) {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let newer = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES ({version}, 'newer', TRUE, x'00', -1); \
         INSERT INTO meta (key, value) VALUES ('compatible_from', {compatible_from}) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    );
    sqlx::raw_sql(AssertSqlSafe(newer)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The same with a PostgreSQL database, whose tables are in this schema.
///
/// # Panics
///
/// If it is not the database of a store.
pub async fn postgres(database: &PgConnectOptions, schema: &str, version: i64, compatible_from: i64) {
    let mut connection = database.connect().await.unwrap();
    let newer = format!(
        "SET search_path = \"{schema}\"; \
         INSERT INTO _callboard_migrations (version, checksum) VALUES ({version}, gen_random_uuid()); \
         UPDATE meta SET value = {compatible_from} WHERE key = 'compatible_from'"
    );
    sqlx::raw_sql(AssertSqlSafe(newer)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
