//! The rules of every store, kept by the SQLite store; and what is special about it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::suite::FaultHook;

mod file;

async fn open() -> Option<SqliteStore> {
    Some(SqliteStore::open(SqliteOptions::memory()).await.unwrap())
}

async fn open_with_faults(fault: FaultHook) -> Option<SqliteStore> {
    let mut options = SqliteOptions::memory();
    options.fault = Some(fault);
    Some(SqliteStore::open(options).await.unwrap())
}

callboard_store::store_suite!(open);
callboard_store::fault_suite!(open_with_faults, 3);
