//! What is in the tables. SQLite lets texts and numbers be of any type, so more can go wrong than elsewhere.

use crate::sqlite::{FaultHook, SqliteOptions, SqliteStore};
use crate::suite::world::{World, entity, relation};
use crate::tables::{AnyRow, Tables, table_suite};

const A: &str = "component:default/a";
const B: &str = "component:default/b";

async fn open_empty() -> SqliteStore {
    SqliteStore::open(SqliteOptions::memory()).await.unwrap()
}

impl Tables for SqliteStore {
    const UNREADABLE: &[&str] = &[
        "UPDATE results SET relations = x'80' WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')",
        "UPDATE results SET refresh_keys = x'00' \
         WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')",
        "UPDATE results SET status = x'00' WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')",
    ];
    const UNREADABLE_UNPROCESSED: &str = "UPDATE refresh_state SET unprocessed = x'00' \
         WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')";
    const UNSTITCHABLE: &[(&str, &str)] = &[
        ("UPDATE results SET relations = x'80' WHERE id = (SELECT min(id) FROM results)", "end too early"),
        // Its own number, and twice one that no ref has.
        (
            "UPDATE results SET relations = x'007f7f' WHERE id = (SELECT min(id) FROM results)",
            "no text has the number 127",
        ),
        (
            "UPDATE results SET body_digest = x'00' WHERE id = (SELECT min(id) FROM results)",
            "a digest has 16 bytes, got 1",
        ),
    ];
    const UNSTITCHABLE_PEERS: &[(&str, &str)] =
        &[("INSERT INTO peer_relations SELECT min(id), 'x', 1, 1 FROM results", "x is not a number")];

    const LOSE_ALL_UNPROCESSED: &[&str] =
        &["PRAGMA foreign_keys = OFF", "DELETE FROM refresh_state", "PRAGMA foreign_keys = ON"];
    const LOSE_UNPROCESSED: &[&str] = &[
        "PRAGMA foreign_keys = OFF",
        "DELETE FROM refresh_state WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/d')",
        "PRAGMA foreign_keys = ON",
    ];
    const MISCOUNT: &str = "UPDATE meta SET value = value + 5 WHERE key = 'relations'";
    const LOSE_HEAD: &str = "UPDATE sqlite_sequence SET seq = 0 WHERE name = 'change_log'";

    async fn open_with(fault: Option<FaultHook>) -> Option<Self> {
        let mut options = SqliteOptions::memory();
        options.fault = fault;
        Some(SqliteStore::open(options).await.unwrap())
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(self.connections.writer().await.idle().await.unwrap()).await.unwrap();
    }

    async fn rows<T>(&self, sql: String) -> Vec<T>
    where
        T: AnyRow,
    {
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_all(self.connections.writer().await.idle().await.unwrap())
            .await
            .unwrap()
    }
}

table_suite!(crate::sqlite::SqliteStore);

#[tokio::test]
async fn a_text_that_cannot_be_read_fails_only_those_that_mention_it() {
    for damaged in ["component:default/target", "::type:ownedBy"] {
        let store = open_empty().await;
        let world = World::new(&store);
        world.full("p", [entity(A, "x"), entity(B, "x")]).await;
        world.relate(A, [relation(A, "ownedBy", "component:default/target")]).await;
        world.relate(B, [relation(B, "dependsOn", A)]).await;
        let damage = "UPDATE refs SET entity_ref = CAST(x'ff' AS TEXT) WHERE entity_ref = ?1";
        sqlx::query(damage)
            .bind(damaged)
            .execute(store.connections.writer().await.idle().await.unwrap())
            .await
            .unwrap();
        store.state.lock().await.refs.clear();
        let report = world.stitch().await;
        assert_eq!((report.changed, report.failed.len()), (1, 1), "{damaged}");
        let failure = &report.failed[0];
        assert_eq!(failure.entity_ref, A);
        assert!(failure.error.contains("no text has the number"), "{}", failure.error);
        assert_eq!(world.relations_of(B).await, [format!("dependsOn {A}")]);
        world.refresh(A).await;
        world.relate(A, [relation(A, "ownedBy", "component:default/other")]).await;
        assert_eq!(world.stitch().await.failed, []);
    }
}
