use callboard_store::{EntityId, LeaseToken};
use tokio::sync::Semaphore;

use super::*;

fn finished(id: i64, lane: Lane) -> Finished {
    Finished {
        entity_ref: Arc::from("component:default/c"),
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
        _room: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
    }
}

async fn batches(ids: std::ops::Range<i64>, limit: usize) -> Vec<Vec<i64>> {
    let (outcomes, mut commits) = mpsc::channel(100);
    for id in ids {
        outcomes.send(finished(id, Lane::New)).await.unwrap();
    }
    drop(outcomes);
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    while gather(&mut commits, limit, &mut batch).await {
        batches.push(batch.drain(..).map(|it| it.outcome.id.0).collect());
    }
    batches
}

#[tokio::test(start_paused = true)]
async fn every_outcome_is_in_a_batch_whatever_the_limit_is() {
    assert_eq!(batches(0..3, 1).await, [[0], [1], [2]]);
    assert_eq!(batches(0..3, 2).await, [vec![0, 1], vec![2]]);
    assert_eq!(batches(0..3, 1_000).await, [[0, 1, 2]]);
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
    tokio::join!(gather(&mut commits, 40, &mut batch), later);
    assert_eq!(batch.len(), 40);
    batch.clear();
    drop(outcomes);
    assert!(gather(&mut commits, 40, &mut batch).await);
    assert_eq!(batch.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_waits_for_does_not_wait_for_more() {
    let (outcomes, mut commits) = mpsc::channel(100);
    outcomes.send(finished(0, Lane::Interactive)).await.unwrap();
    let before = tokio::time::Instant::now();
    assert!(gather(&mut commits, 40, &mut Vec::new()).await);
    assert_eq!(before.elapsed(), Duration::ZERO);
}
