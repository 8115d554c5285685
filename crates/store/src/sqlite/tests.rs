//! Tests of the SQL itself.

use super::*;

#[cfg(feature = "testsuite")]
mod full;
#[cfg(feature = "testsuite")]
mod rows;

const STATEMENTS: [&[Statement]; 18] = [
    super::STATEMENTS,
    changes::STATEMENTS,
    claim::STATEMENTS,
    commit::STATEMENTS,
    counts::STATEMENTS,
    delete::STATEMENTS,
    edges::STATEMENTS,
    errors::STATEMENTS,
    forget::STATEMENTS,
    intake::STATEMENTS,
    locations::STATEMENTS,
    open::STATEMENTS,
    orphans::STATEMENTS,
    provider::STATEMENTS,
    read::STATEMENTS,
    requests::STATEMENTS,
    results::STATEMENTS,
    stitch::STATEMENTS,
];
const MORE_STATEMENTS: [&[Statement]; 5] = [
    doctor::MENDING_STATEMENTS,
    doctor::STATEMENTS,
    refs::STATEMENTS,
    schedule::STATEMENTS,
    writer::STATEMENTS,
];

const BULK_STATEMENTS: [&[&statement::Bulk]; 9] = [
    commit::BULK_STATEMENTS,
    edges::BULK_STATEMENTS,
    errors::BULK_STATEMENTS,
    intake::BULK_STATEMENTS,
    refs::BULK_STATEMENTS,
    results::BULK_STATEMENTS,
    schedule::BULK_STATEMENTS,
    stitch::BULK_STATEMENTS,
    writer::BULK_STATEMENTS,
];

fn all_statements() -> Vec<(&'static str, std::borrow::Cow<'static, str>)> {
    let single = STATEMENTS.iter().chain(&MORE_STATEMENTS).flat_map(|list| list.iter());
    let single = single.map(|statement| (statement.name, statement.sql.into()));
    let bulk = BULK_STATEMENTS.iter().flat_map(|list| list.iter());
    let bulk = bulk.flat_map(|bulk| bulk.texts().iter().map(|text| (bulk.name, text.to_string().into())));
    single.chain(bulk).collect()
}

#[tokio::test]
async fn every_statement_prepares() {
    use sqlx::Executor as _;
    let store = SqliteStore::open(SqliteOptions::memory()).await.unwrap();
    let mut writer = store.connections.writer().await;
    for (name, sql) in all_statements() {
        let sql = sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(sql));
        let prepared = writer.idle().await.unwrap().prepare(sql).await;
        assert!(prepared.is_ok(), "{name}: {prepared:?}");
    }
}

/// Statements that look at everything there is, or at a table that is short in a healthy catalog.
const SCANS: [&str; 17] = [
    "COUNT_KINDS",
    "COUNT_OTHERS",
    // What only the search finds: an entity's result is damaged, and so does not say what it left elsewhere.
    "DELETE_PEER_RELATIONS_OF",
    "DELETE_REFRESH_KEYS_OF",
    "MARK_ALL_DUE",
    "MARK_DUE_BY_FINGERPRINT",
    "SELECT_ALL_UNROOTED",
    "SELECT_ANY_QUEUED",
    "SELECT_COUNTERS",
    "INSERT_HEAD",
    "SELECT_HEAD",
    "SET_HEAD",
    "SELECT_ERRORS",
    "SELECT_ORPHANS",
    "SELECT_POSITION",
    "SELECT_QUEUE",
    "SELECT_UNUSED_REFS",
];
/// What queries walk over that is not a table of the catalog: parameters, and what they find on the way.
const HARMLESS: [&str; 10] =
    ["j ", "l ", "CONSTANT ROW", "json_each ", "up", "down", "rooted", "providers", "s", "u"];

#[tokio::test]
async fn no_statement_walks_over_a_table_that_grows() {
    use sqlx::Row as _;
    let store = SqliteStore::open(SqliteOptions::memory()).await.unwrap();
    let mut writer = store.connections.writer().await;
    for (name, sql) in all_statements() {
        if sql.starts_with("PRAGMA") || SCANS.contains(&name) {
            continue;
        }
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        for row in sqlx::query(explain).fetch_all(writer.idle().await.unwrap()).await.unwrap() {
            let detail: String = row.get("detail");
            let Some(walked) = detail.strip_prefix("SCAN ") else { continue };
            let is_harmless = walked.ends_with("-ROW VALUES CLAUSE")
                || HARMLESS.iter().any(|known| {
                    walked == *known || known.ends_with([' ', 'W']) && walked.starts_with(known)
                });
            assert!(is_harmless, "{name}: {detail}");
        }
    }
}
