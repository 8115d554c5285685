//! A database that has no more room.

use sqlx::AssertSqlSafe;

use crate::sqlite::{SqliteOptions, SqliteStore};
use crate::suite::world::{World, entity};
use crate::{Lane, ProviderMutation, Store as _, StoreError};

const A: &str = "component:default/a";

/// How many pages the database may have. Fewer than there are mean: as many as there are.
async fn limit_pages(store: &SqliteStore, pages: u32) {
    let sql = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(sql).execute(store.connections.writer().await.idle().await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_full_database_takes_changes_again_once_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    for options in [SqliteOptions::memory(), SqliteOptions::file(directory.path().join("catalog.db"))] {
        let store = SqliteStore::open(options).await.unwrap();
        let world = World::new(&store);
        world.full("p", [entity(A, "before")]).await;
        // Long however well it is packed.
        let numbers = (0..20_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_string());
        let noise = numbers.collect::<Vec<_>>().concat();
        // The second time finds a connection that was let down in the midst of a transaction.
        for _ in 0..2 {
            limit_pages(&store, 1).await;
            let mutation = ProviderMutation::Full(vec![entity(A, &noise)]);
            let error = store.provider_mutate("p", mutation, Lane::New, world.now).await.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        }
        world.process_all().await;
        world.stitch().await;
        assert!(world.get(A).await.to_string().contains("before"));

        limit_pages(&store, 1_000_000).await;
        assert_eq!(world.full("p", [entity(A, &noise)]).await.updated, 1);
        world.process_all().await;
        world.stitch().await;
        assert!(world.get(A).await.to_string().contains(&noise));
    }
}
