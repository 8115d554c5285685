use std::time::Duration;

use callboard_model::{Entity, LocationSpec};
use callboard_sdk::{
    DeferredEntity, EntityProviderConnection, EntityProviderMutation, SystemClock, async_trait,
};
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::{ClaimRequest, LocationConflict};
use serde_json::json;

use super::*;
use crate::testing::{Act, Fake, pipeline, stored};

/// Brings in Locations that read `url:slow`.
#[derive(Debug)]
struct Slow(usize);

#[async_trait]
impl EntityProvider for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    async fn connect(&self, connection: Arc<dyn EntityProviderConnection>) -> Result<(), ProviderError> {
        let location = |index| {
            let mut entity = stored("Location", &format!("slow-{index}"));
            entity["spec"] = json!({"target": "slow"});
            DeferredEntity { entity: Entity::from_value(entity).unwrap(), location_key: None }
        };
        let entities = (0..self.0).map(location).collect();
        connection.apply_mutation(EntityProviderMutation::Full { entities }).await
    }
}

/// A loop with one worker, which `url:slow` keeps from all else.
async fn start(slow: usize, queue_max: usize) -> (Arc<dyn Store>, Catalog, RunningEngine) {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(SqliteOptions::memory()).await.unwrap());
    let reader = Fake::new("reader").read("url:slow", [Act::Hang]).read("url:quick", []);
    let settings = EngineSettings {
        concurrency: 1,
        queue_max,
        drain_timeout: Duration::from_millis(1),
        ..EngineSettings::default()
    };
    let engine = Engine::new(
        Arc::clone(&store),
        Arc::new(pipeline([reader])),
        vec![Arc::new(Slow(slow))],
        Arc::new(SystemClock),
        settings,
    )
    .unwrap();
    let catalog = engine.catalog();
    engine.connect().await.unwrap();
    let running = engine.start().await.unwrap();
    let claimed = slow.min(queue_max);
    while running.shared.leases.all().len() < claimed || running.shared.queue.len() == claimed {
        tokio::task::yield_now().await;
    }
    (store, catalog, running)
}

#[tokio::test]
async fn what_somebody_waits_for_waits_neither_for_slow_sources_nor_for_room() {
    for queue_max in [100, 4] {
        let (store, catalog, running) = start(10, queue_max).await;
        let quick = LocationSpec::new("url", "quick");
        let location = catalog.location_register(&quick, LocationConflict::Reject).await.unwrap();
        while store.entity_by_ref(&location.entity_ref).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn claims_that_nobody_worked_on_are_given_back() {
    let (store, _, running) = start(10, 100).await;
    running.stop().await;
    let now = SystemClock.now();
    let request = ClaimRequest { limit: 100, lane_max: Lane::Periodic, now, lease: Duration::from_mins(1) };
    // The one that was under way comes back when its lease runs out.
    assert_eq!(store.claim(&request).await.unwrap().len(), 9);
    let later = ClaimRequest { now: now + Duration::from_hours(1), ..request };
    assert_eq!(store.claim(&later).await.unwrap().len(), 10);
}

#[tokio::test]
async fn a_part_that_dies_ends_the_wait_for_rest() {
    let (_, _, mut running) = start(10, 100).await;
    running.committer.abort_all();
    assert!(matches!(running.settled().await, Err(EngineError::Died)));
    running.stop().await;
}
