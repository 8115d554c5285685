//! The rules of every store, kept by the SQLite store; and what is special about it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use callboard_store::sqlite::{SqliteOptions, SqliteStore};

mod faults;
mod file;

async fn open() -> SqliteStore {
    SqliteStore::open(SqliteOptions::memory()).await.unwrap()
}

callboard_store::store_suite!(open);
