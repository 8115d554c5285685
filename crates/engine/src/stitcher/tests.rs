use callboard_sdk::SystemClock;
use callboard_store::sqlite::{SqliteOptions, SqliteStore};

use super::*;
use crate::testing::{Counted, Warnings, pipeline};
use crate::{Engine, EngineSettings};

#[test]
fn an_entity_that_could_not_be_stitched_is_logged_and_counted() {
    let failed = ["a", "b"].map(|name| StitchFailure {
        entity_ref: format!("component:default/{name}"),
        error: format!("Error: inconsistent row: {name}"),
    });
    let report = StitchReport { changed: 3, failed: failed.into(), ..StitchReport::default() };
    let (warnings, _guard) = Warnings::collect();
    let counted = Counted::default();
    metrics::with_local_recorder(&counted, || record(&report, Instant::now()));
    assert_eq!(
        warnings.all(),
        [
            "Failed to stitch component:default/a, Error: inconsistent row: a",
            "Failed to stitch component:default/b, Error: inconsistent row: b"
        ]
    );
    assert_eq!(
        counted.all(),
        [
            ("catalog_stitched_entities_count changed".to_owned(), 3),
            ("catalog_stitched_entities_count error".to_owned(), 2),
            ("catalog_stitching_duration_seconds changed".to_owned(), 3),
            ("catalog_stitching_duration_seconds error".to_owned(), 2),
        ]
    );
}

#[tokio::test]
async fn after_what_took_long_comes_a_rest_of_the_same_length_unless_somebody_waits() {
    let store = SqliteStore::open(SqliteOptions::memory()).await.unwrap();
    let (clock, settings) = (Arc::new(SystemClock), EngineSettings::default());
    let engine = Engine::new(Arc::new(store), pipeline([]), Vec::new(), clock, settings).unwrap();
    let shared = &engine.shared;
    let cost = Duration::from_secs(3);
    tokio::time::pause();
    for (is_awaited, expected) in [(false, cost), (true, Duration::ZERO)] {
        if is_awaited {
            shared.wake.stitch_at_once();
        } else {
            shared.wake.stitch();
        }
        let began = Instant::now();
        rest(shared, cost).await;
        assert_eq!(began.elapsed().as_secs(), expected.as_secs());
    }
}
