//! The rules of every store, kept by the store in memory.

use callboard_store::memory::MemoryStore;

async fn open() -> Option<MemoryStore> {
    Some(MemoryStore::new())
}

async fn open_twice() -> Option<([MemoryStore; 2], ())> {
    let store = MemoryStore::new();
    Some(([store.clone(), store], ()))
}

callboard_store::store_suite!(open);
callboard_store::shared_store_suite!(open_twice);
