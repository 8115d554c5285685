//! What a batch of 2,000 new components costs the store: taking them in, committing them, stitching them.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has nothing to say")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::suite::load::{component, outcome, processed_component};
use callboard_store::suite::world::{World, entity, processed};
use callboard_store::{Outcome, OutcomeKind, Processed, Store as _};
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

const BATCH: usize = 2000;
const LOCATION: &str = "location:default/root";

/// Takes in and commits one batch after the other, and tells how long each step took.
async fn ingest(store: &SqliteStore, batches: usize) -> [Duration; 3] {
    let world = World::new(store);
    let mut times = [Duration::ZERO; 3];
    for batch in 0..batches {
        let location = format!("{LOCATION}-{batch}");
        world.delta("bench", [entity(&location, "x")], &[]).await;
        let claim = world.claim_one(&location).await;
        let children = (batch * BATCH..(batch + 1) * BATCH).map(component).collect();
        let emitted = Processed { children, ..processed(&location, "x") };
        let parent = Outcome {
            kind: OutcomeKind::Processed(Box::new(emitted.clone())),
            ..outcome(&claim, emitted, world.now)
        };
        let later = world.now + Duration::from_mins(2);
        let started = Instant::now();
        let report = world.commit_all(&[parent], BATCH).await;
        times[0] += started.elapsed();
        let outcomes: Vec<Outcome> = report
            .handed
            .iter()
            .enumerate()
            .map(|(index, claim)| {
                let spread = Duration::from_millis((index as u64).wrapping_mul(7919) % 60_000);
                outcome(claim, processed_component(batch * BATCH + index), later + spread)
            })
            .collect();
        let started = Instant::now();
        world.commit_all(&outcomes, 0).await;
        times[1] += started.elapsed();
        let started = Instant::now();
        world.stitch().await;
        times[2] += started.elapsed();
    }
    times
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("ingest");
    group.sample_size(10);
    for (step, name) in ["take in 2000", "commit 2000", "stitch 2000"].into_iter().enumerate() {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let directory = tempfile::tempdir().unwrap();
                runtime.block_on(async {
                    let options = SqliteOptions::file(directory.path().join("bench.db"));
                    let store = Arc::new(SqliteStore::open(options).await.unwrap());
                    let times = ingest(&store, usize::try_from(rounds).unwrap()).await;
                    store.close().await;
                    times.get(step).copied().unwrap()
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
