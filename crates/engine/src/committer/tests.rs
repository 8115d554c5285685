use callboard_sdk::SystemClock;
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::suite::world::{self, World};
use callboard_store::{EntityId, LeaseToken, Store};
use tokio::sync::Semaphore;

use super::*;
use crate::testing::{Counted, Fake, Warnings, pipeline};
use crate::{Engine, EngineSettings};

const MANY_KIB: usize = 1_000;

fn finished(id: i64, lane: Lane) -> Finished {
    Finished {
        entity_ref: Arc::from("component:default/c"),
        uid: Uuid::nil(),
        had_failed: false,
        started: std::time::Instant::now(),
        outcome: Outcome {
            id: EntityId(id),
            token: LeaseToken(id),
            location_key: None,
            lane,
            next_update_at: None,
            cache: CacheWrite::Keep,
            result_digest: Digest::of(""),
            fingerprint: Digest::of(""),
            kind: OutcomeKind::Unchanged,
        },
        room: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
    }
}

async fn batches(ids: std::ops::Range<i64>, max: BatchMax) -> Vec<Vec<i64>> {
    let (outcomes, mut commits) = mpsc::channel(100);
    for id in ids {
        outcomes.send(finished(id, Lane::New)).await.unwrap();
    }
    drop(outcomes);
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    while gather(&mut commits, max, &mut batch).await {
        batches.push(batch.drain(..).map(|it| it.outcome.id.0).collect());
    }
    batches
}

#[tokio::test(start_paused = true)]
async fn every_outcome_is_in_a_batch_whatever_the_limit_is() {
    for (outcomes, kib, expected) in [
        (1, MANY_KIB, vec![vec![0], vec![1], vec![2]]),
        (2, MANY_KIB, vec![vec![0, 1], vec![2]]),
        (1_000, MANY_KIB, vec![vec![0, 1, 2]]),
        (1_000, 0, vec![vec![0], vec![1], vec![2]]),
        (1_000, 2, vec![vec![0, 1], vec![2]]),
    ] {
        assert_eq!(batches(0..3, BatchMax { outcomes, kib }).await, expected, "{outcomes} {kib}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_outcomes_wait_for_more_and_none_is_taken_beyond_the_limit() {
    let (outcomes, mut commits) = mpsc::channel(100);
    outcomes.send(finished(0, Lane::New)).await.unwrap();
    let mut batch = Vec::new();
    let later = async {
        tokio::time::sleep(LINGER / 2).await;
        for id in 1..50 {
            outcomes.send(finished(id, Lane::New)).await.unwrap();
        }
    };
    tokio::join!(gather(&mut commits, BatchMax { outcomes: 40, kib: MANY_KIB }, &mut batch), later);
    assert_eq!(batch.len(), 40);
    batch.clear();
    drop(outcomes);
    assert!(gather(&mut commits, BatchMax { outcomes: 40, kib: MANY_KIB }, &mut batch).await);
    assert_eq!(batch.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_waits_for_does_not_wait_for_more() {
    let (outcomes, mut commits) = mpsc::channel(100);
    outcomes.send(finished(0, Lane::Interactive)).await.unwrap();
    let before = tokio::time::Instant::now();
    assert!(gather(&mut commits, BatchMax { outcomes: 40, kib: MANY_KIB }, &mut Vec::new()).await);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[test]
fn a_refusal_names_what_was_to_be_written() {
    let Finished { entity_ref, uid, had_failed, started, mut outcome, .. } = finished(7, Lane::New);
    let head = Head { entity_ref, uid, had_failed, started };
    for (key, shown) in [(Some("url:x"), "url:x"), (None, "undefined")] {
        outcome.location_key = key.map(Arc::from);
        assert_eq!(
            refusal(&head, &outcome),
            format!(
                "ConflictError: Conflicting write of processing result for 00000000-0000-0000-0000-000000000000 with \
                 location key '{shown}'"
            )
        );
    }
}

#[tokio::test]
async fn of_a_batch_only_the_refused_outcomes_are_logged_and_counted_as_failed() {
    let store = SqliteStore::open(SqliteOptions::memory()).await.unwrap();
    let world = World::new(&store);
    let refs = ["component:default/a", "component:default/b", "component:default/c"];
    world.full("p", refs.map(|entity_ref| world::entity(entity_ref, "x"))).await;
    let claims = world.claim(refs.len()).await;
    let (heads, mut outcomes): (Vec<_>, Vec<_>) = claims
        .iter()
        .map(|claim| {
            let head = Head {
                entity_ref: Arc::clone(&claim.entity_ref),
                uid: claim.uid,
                had_failed: false,
                started: std::time::Instant::now(),
            };
            (head, world::outcome(claim, OutcomeKind::Unchanged, world.now))
        })
        .unzip();
    // Somebody else has the lease meanwhile.
    outcomes[1].token = LeaseToken(-1);
    let store: Arc<dyn Store> = Arc::new(store);
    let engine = Engine::new(
        store,
        pipeline([Fake::new("p")]),
        Vec::new(),
        Arc::new(SystemClock),
        EngineSettings::default(),
    )
    .unwrap();
    let (warnings, _guard) = Warnings::collect();
    let counted = Counted::default();
    let _recorder = metrics::set_default_local_recorder(&counted);
    write(&engine.shared, &heads, &outcomes).await;
    assert_eq!(warnings.all(), ["Processing of component:default/b failed"]);
    assert_eq!(warnings.errors(), [refusal(&heads[1], &outcomes[1])]);
    let of_the_engine: Vec<_> =
        counted.all().into_iter().filter(|(name, _)| name.starts_with("catalog_")).collect();
    assert_eq!(
        of_the_engine,
        [
            ("catalog_processed_entities_count failed".to_owned(), 1),
            ("catalog_processed_entities_count unchanged".to_owned(), 2),
            ("catalog_processing_duration_seconds unchanged".to_owned(), 2),
        ]
    );
}
