//! Work that is queued already when more of it comes.

use crate::postgres::PostgresStore;
use crate::postgres::locks::Graph;
use crate::postgres::names::Wanted;
use crate::postgres::writer::Writer;
use crate::rules::stitch_work::Urgency;
use crate::suite::world::{World, entity};

const A: &str = "component:default/a";

/// A transaction that queues the entity, and then does not end.
async fn queueing(store: &PostgresStore, id: i64, urgency: Urgency) -> Writer<'_> {
    let mut writer = store.writer(Graph::Shared, &Wanted::none()).await.unwrap();
    writer.work.add(id, urgency);
    writer.queue_work().await.unwrap();
    writer
}

async fn rows(store: &PostgresStore) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM stitch_queue")
        .fetch_one(&store.connections.readers.connections)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_queued_counts_for_a_later_cause_and_stays_until_that_is_committed() {
    let Some(store) = super::open_empty().await else { return };
    let world = World::new(&store);
    world.full("p", [entity(A, "x")]).await;
    world.process_all().await;
    let id = sqlx::query_scalar("SELECT id FROM stitch_queue")
        .fetch_one(&store.connections.readers.connections)
        .await
        .unwrap();

    // What is more urgent needs a row of its own.
    queueing(&store, id, Urgency::Own).await.db.commit().await.unwrap();
    assert_eq!(rows(&store).await, 1);
    queueing(&store, id, Urgency::Awaited).await.db.commit().await.unwrap();
    assert_eq!(rows(&store).await, 2);

    // Another one that is not committed yet does not count.
    let first = queueing(&store, id, Urgency::Peer).await;
    let second = queueing(&store, id, Urgency::Peer).await;
    assert_eq!(world.stitch_changed().await, [A]);
    second.db.commit().await.unwrap();
    assert_eq!(rows(&store).await, 3);
    first.db.commit().await.unwrap();
    assert_eq!(world.stitch().await.unchanged, 1);
    assert_eq!(rows(&store).await, 0);
}
