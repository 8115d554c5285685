//! Who holds what in a PostgreSQL database, as its tables say.

use std::collections::BTreeSet;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// The leases of entities and of jobs that were taken and not given back, each with its token. The tables are in this
/// schema.
///
/// # Panics
///
/// If it is not the database of a store.
pub async fn held(database: &PgConnectOptions, schema: &str) -> BTreeSet<String> {
    let mut connection = database.connect().await.unwrap();
    let select = format!(
        "SELECT format('entity %s, token %s', id, lease_token) FROM \"{schema}\".schedule WHERE lease_token IS NOT NULL \
         UNION ALL SELECT format('job %s, token %s', name, token) FROM \"{schema}\".job_leases"
    );
    let held = sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    held.into_iter().collect()
}
