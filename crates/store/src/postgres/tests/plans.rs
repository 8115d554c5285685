//! How statements are executed by a database that has nothing in it yet, which is how it goes on to execute them.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use super::{STATEMENTS, open_empty};
use crate::rules::statement::Statement;

fn all_statements() -> impl Iterator<Item = Statement> {
    STATEMENTS.into_iter().flatten().copied()
}

/// The types of parameters that a statement does not tell by itself.
const TYPES: [(&str, &str); 30] = [
    ("APPEND_CHANGES", "bigint[], smallint[], bigint"),
    ("DELETE_CONFLICTS", "bigint[], bytea[]"),
    ("DELETE_EDGES", "bigint[], bigint[]"),
    ("DELETE_PEER_RELATIONS", "bigint[], bigint[], bigint[], bigint[]"),
    ("DELETE_REFRESH_KEYS", "bigint[], bigint[]"),
    ("EXTEND_LEASES", "bigint[], bigint[], timestamptz"),
    ("INSERT_MISSING_PEER_RELATIONS", "bigint[], bigint[], bigint[], bigint[]"),
    ("INSERT_PEER_RELATIONS", "bigint[], bigint[], bigint[], bigint[]"),
    ("INSERT_REFRESH_KEYS", "bigint[], bigint[]"),
    ("INSERT_REFS", "text[], text[]"),
    ("INSERT_SCHEDULE", "bigint[], smallint[], timestamptz"),
    ("INSERT_UNPROCESSED", "bigint[], uuid[], uuid[], text[], bytea[]"),
    ("LEASE_CHILDREN", "bigint[], bigint[], timestamptz"),
    ("PUT_BODIES", "bigint[], uuid[], int[], int[], boolean[], bytea[]"),
    ("PUT_CACHES", "bigint[], bigint[], bytea[]"),
    ("PUT_EDGES", "bigint[], bigint[], boolean[], bigint[], int[], int[]"),
    (
        "PUT_ERRORS",
        "bigint[], smallint[], bytea[], int[], text[], text[], bigint[], bigint[], bigint[], text[], text[], uuid[], \
         timestamptz",
    ),
    ("PUT_FINALS", "bigint[], uuid[], text[], boolean[], bytea[], text[]"),
    ("PUT_OFF", "bigint[], bigint[], timestamptz[], text[], uuid[], uuid[], bigint, bigint"),
    ("PUT_RESULTS", "bigint[], uuid[], bytea[], bytea[], text[]"),
    ("PUT_SCHEDULE", "bigint[], timestamptz[], smallint[], uuid[], uuid[]"),
    ("QUEUE_STITCH", "bigint[], smallint[]"),
    ("RELEASE_CLAIMED", "bigint[], bigint[]"),
    ("SELECT_HELD", "bigint[], bigint[]"),
    ("SELECT_KEYS_THERE", "bigint[], bigint[]"),
    ("SELECT_PEERS_THERE", "bigint[], bigint[], bigint[], bigint[]"),
    ("SELECT_REF_IDS", "text[]"),
    ("SELECT_REFUSED_THERE", "bigint[], bigint[]"),
    ("SET_LOCATION_KEYS", "bigint[], text[]"),
    ("UPDATE_UNPROCESSED", "bigint[], uuid[], text[], bytea[]"),
];

/// Prepares a statement under the name `planned`.
async fn prepare(connection: &mut PgConnection, Statement { name, sql }: Statement) -> sqlx::Result<()> {
    let types = TYPES.iter().find(|(known, _)| *known == name);
    let types = types.map(|(_, types)| format!("({types})")).unwrap_or_default();
    connection.execute(AssertSqlSafe(format!("PREPARE planned{types} AS {sql}"))).await.map(drop)
}

/// Statements that look at everything there is, or at a table that is short in a healthy catalog.
const SCANS: [&str; 24] = [
    "COUNT_KINDS",
    "COUNT_OTHERS",
    // What only the search finds: an entity's result is damaged, and so does not say what it left elsewhere.
    "DELETE_PEER_RELATIONS_OF",
    "DELETE_REFRESH_KEYS_OF",
    "MARK_ALL_DUE",
    "MARK_DUE_BY_FINGERPRINT",
    "PARDON_REFS",
    "SELECT_ALL_UNROOTED",
    "SELECT_ANY_QUEUED",
    "SELECT_ERRORS",
    "SELECT_ORPHANS",
    "SELECT_QUEUE",
    "SELECT_UNUSED_DOOMED_REFS",
    "SELECT_UNUSED_REFS",
    // One row, or sixteen.
    "APPEND_CHANGES",
    "CORRECT_COUNT",
    "INSERT_HEAD",
    "SELECT_CHANGES",
    "SELECT_COUNTED",
    "SELECT_CYCLE_HINTS",
    "SELECT_HEAD",
    "SELECT_MENTIONS_GONE",
    "SELECT_POSITION",
    "SET_HEAD",
];

/// The lines of a plan that read a table from its beginning to its end, or all of it that some condition lets through.
async fn scans(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    let parameters = (1..100).take_while(|number| sql.contains(&format!("${number}"))).count();
    let nulls = vec!["NULL"; parameters].join(", ");
    let execute = if parameters == 0 { String::new() } else { format!("({nulls})") };
    let plan = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN (VERBOSE) EXECUTE planned{execute}")))
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let lines = plan.iter().map(|row| row.get::<String, _>(0));
    lines.filter(|line| line.contains("Seq Scan") || line.contains("hashed SubPlan")).collect()
}

#[tokio::test]
async fn no_statement_walks_over_a_table_that_grows() {
    let Some(store) = open_empty().await else { return };
    let mut connection = store.connections.writers.connections.acquire().await.unwrap();
    let mut found = BTreeMap::new();
    for statement in all_statements() {
        let prepared = prepare(&mut connection, statement).await;
        assert!(prepared.is_ok(), "{}: {prepared:?}", statement.name);
        let scans = scans(&mut connection, statement.sql).await;
        connection.execute("DEALLOCATE planned").await.unwrap();
        if !scans.is_empty() && !SCANS.contains(&statement.name) {
            found.insert(statement.name, scans);
        }
    }
    assert_eq!(found, BTreeMap::new());
}
