//! New processors, applied while old ones are at work.

use std::time::Duration;

use callboard_model::Digest;
use sqlx::{Executor as _, Row as _};

use super::open_empty;
use crate::OutcomeKind;
use crate::suite::world::{INTERVAL, World, entity, processed};

const REFS: [&str; 2] = ["component:default/a", "component:default/b"];

/// Whether somebody waits for a row of `schedule` to make it due.
const IS_MARKING: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
                          AND wait_event_type = 'Lock' AND query LIKE '%marked AS%' AND pid <> pg_backend_pid())";

#[tokio::test]
async fn what_is_claimed_and_put_off_while_new_processors_are_applied_is_due() {
    let Some(store) = open_empty().await else { return };
    let mut world = World::new(&store);
    world.apply("processors").await;
    world.full("p", REFS.map(|name| entity(name, "x"))).await;
    let [later, due] = REFS;
    world.process(due, processed(due, "x")).await;
    world.pass(INTERVAL / 2);
    world.process(later, processed(later, "x")).await;
    world.pass(INTERVAL / 2);
    let mut other = store.connections.writers.connections.begin().await.unwrap();
    other.execute("SELECT id FROM schedule ORDER BY id LIMIT 1 FOR UPDATE").await.unwrap();
    let meanwhile = async {
        let readers = &store.connections.readers.connections;
        while !readers.fetch_one(IS_MARKING).await.unwrap().get::<bool, _>(0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let claims = world.claim(10).await;
        assert_eq!(claims[0].entity_ref.as_ref(), due);
        let report = world.end(&claims[0], OutcomeKind::Unchanged).await;
        assert_eq!(report.left_due, 0);
        other.rollback().await.unwrap();
    };
    tokio::join!(world.apply("new processors"), meanwhile);
    world.processors = Digest::of("new processors");
    assert_eq!(world.due().await, REFS);
}
