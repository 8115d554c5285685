use std::sync::Arc;

use callboard_sdk::SystemClock;
use callboard_store::postgres::{PostgresOptions, PostgresStore};

use super::*;
use crate::testing::{Fake, cluster, pipeline};
use crate::{Engine, EngineSettings};

/// What the engine of one of several processes shares.
async fn process(options: &PostgresOptions) -> Arc<Shared> {
    let store = Arc::new(PostgresStore::open(options.clone()).await.unwrap());
    let pipeline = pipeline([Fake::new("nothing")]);
    let settings = EngineSettings { lease: Duration::from_hours(1), ..EngineSettings::default() };
    Engine::new(store, pipeline, Vec::new(), Arc::new(SystemClock), settings).unwrap().shared
}

#[tokio::test]
async fn a_job_stays_with_whoever_has_it_until_it_is_given_back() {
    let Some(cluster) = cluster() else { return };
    let options = PostgresOptions::new(cluster.database().await);
    let (one, other) = (process(&options).await, process(&options).await);
    let (mut ours, mut theirs) = (Job::new("job"), Job::new("job"));
    for _ in 0..2 {
        assert!(ours.is_ours(&one, Duration::ZERO).await.unwrap());
        assert!(!theirs.is_ours(&other, Duration::ZERO).await.unwrap());
    }
    ours.give_back(&one).await;
    assert!(theirs.is_ours(&other, Duration::ZERO).await.unwrap());
}
