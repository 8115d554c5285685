use super::*;
use crate::testing::{Counted, Warnings};

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
