//! Tests of the SQL itself.

use super::*;

const STATEMENTS: [&[statement::Statement]; 17] = [
    super::STATEMENTS,
    changes::STATEMENTS,
    claim::STATEMENTS,
    commit::STATEMENTS,
    counts::STATEMENTS,
    delete::STATEMENTS,
    edges::STATEMENTS,
    errors::STATEMENTS,
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
const MORE_STATEMENTS: [&[statement::Statement]; 3] =
    [refs::STATEMENTS, schedule::STATEMENTS, writer::STATEMENTS];

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
    for (name, sql) in all_statements() {
        let prepared = store.writer.prepare(sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(sql))).await;
        assert!(prepared.is_ok(), "{name}: {prepared:?}");
    }
}

/// Tables that may be walked from end to end, and the statements that do it.
const SCANS: [(&str, &str); 9] = [
    ("SELECT_ORPHANS", "SCAN orphans"),
    ("SELECT_QUEUE", "SCAN stitch_queue"),
    ("SELECT_COUNTERS", ""),
    ("SELECT_ERRORS", ""),
    ("SELECT_ALL_UNROOTED", ""),
    ("SELECT_UNUSED_REFS", ""),
    ("SELECT_POSITION", "SCAN sqlite_sequence"),
    ("COUNT_KINDS", ""),
    ("COUNT_OTHERS", ""),
];

#[tokio::test]
async fn no_statement_walks_over_a_table_that_grows() {
    use sqlx::Row as _;
    let store = SqliteStore::open(SqliteOptions::memory()).await.unwrap();
    for (name, sql) in all_statements() {
        if sql.starts_with("PRAGMA") || SCANS.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query(explain).fetch_all(&store.writer).await.unwrap();
        for row in plan {
            let detail: String = row.get("detail");
            let harmless = ["SCAN j ", "SCAN CONSTANT ROW", "SCAN up", "SCAN down", "SCAN rooted", "SCAN providers"];
            let is_scan = detail.starts_with("SCAN ") && detail != "SCAN s" && !detail.contains("-ROW VALUES");
            let is_scan = is_scan && !harmless.iter().any(|known| detail.starts_with(known));
            let is_scan = is_scan && !detail.starts_with("SCAN json_each");
            assert!(!is_scan, "{name}: {detail}");
        }
    }
}
