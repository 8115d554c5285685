//! The rules of every store, kept by the SQLite store; and what is special about it.

use callboard_store::sqlite::{SqliteOptions, SqliteStore};

mod faults;
mod file;

async fn open() -> SqliteStore {
    SqliteStore::open(SqliteOptions::memory()).await.unwrap()
}

callboard_store::store_suite!(open);
