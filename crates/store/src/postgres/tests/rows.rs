//! What is in the tables.

use crate::postgres::{FaultHook, PostgresStore};
use crate::tables::{AnyRow, Tables, table_suite};

impl Tables for PostgresStore {
    const UNREADABLE: &[&str] = &[
        r"UPDATE results SET relations = '\x80' WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')",
        r"UPDATE results SET refresh_keys = '\x00' WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')",
    ];
    const UNREADABLE_UNPROCESSED: &str = r"UPDATE refresh_state SET unprocessed = '\x00' WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')";
    const UNSTITCHABLE: &[(&str, &str)] = &[
        (r"UPDATE results SET relations = '\x80' WHERE id = (SELECT min(id) FROM results)", "end too early"),
        // Its own number, and twice one that no ref has.
        (
            r"UPDATE results SET relations = '\x007f7f' WHERE id = (SELECT min(id) FROM results)",
            "no text has the number 127",
        ),
    ];
    const UNSTITCHABLE_PEERS: &[(&str, &str)] = &[(
        "INSERT INTO peer_relations (source, type, target, originator) SELECT min(id), 127, 127, 1 FROM results",
        "no text has the number 127",
    )];

    const LOSE_ALL_UNPROCESSED: &[&str] = &["DELETE FROM refresh_state"];
    const LOSE_UNPROCESSED: &[&str] = &[
        "DELETE FROM refresh_state WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/d')",
    ];
    const MISCOUNT: &str = "UPDATE counters SET relations = relations + 5 WHERE shard = 3";
    const LOSE_HEAD: &str = "UPDATE change_head SET position = 0";

    async fn open_with(fault: Option<FaultHook>) -> Option<Self> {
        super::open_with(fault).await
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.connections.readers.connections).await.unwrap();
    }

    async fn rows<T: AnyRow>(&self, sql: String) -> Vec<T> {
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_all(&self.connections.readers.connections)
            .await
            .unwrap()
    }
}

table_suite!(crate::postgres::PostgresStore);
