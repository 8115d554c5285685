use callboard_model::Digest;
use callboard_sdk::Clock as _;
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::{Lane, NewEntity, ProviderMutation};

use super::*;

/// A store with so many Locations that are held by registered locations which are not there.
async fn store(locations: usize) -> Arc<dyn Store> {
    let store = SqliteStore::open(SqliteOptions::memory()).await.unwrap();
    let entity = |number: usize| {
        let metadata = json!({ "name": format!("l{number}"), "namespace": "default" });
        let json = json!({ "apiVersion": "backstage.io/v1alpha1", "kind": "Location", "metadata": metadata });
        let json = json.to_string();
        NewEntity {
            entity_ref: Arc::from(format!("location:default/l{number}")),
            digest: Digest::of(&json),
            json: Arc::from(json),
            location_key: None,
            position: None,
            group: 0,
        }
    };
    let mutation = ProviderMutation::Full((0..locations).map(entity).collect());
    store.provider_mutate(LOCATION_STORE, mutation, Lane::New, SystemClock.now()).await.unwrap();
    Arc::new(store)
}

fn summary(report: &Report) -> String {
    let summary = report.summary();
    summary.split_once(" s: ").unwrap().1.to_owned()
}

#[tokio::test]
async fn the_summary_says_how_many_and_what_can_be_done() {
    for (locations, found, done) in [
        (0, "nothing is wrong", "nothing is wrong"),
        (1, "1 violation; callboard doctor --repair mends it", "1 violation; 1 mended, 0 left"),
        (2, "2 violations; callboard doctor --repair mends them", "2 violations; 2 mended, 0 left"),
    ] {
        let store = store(locations).await;
        let looked = examine(&store, true, false).await.unwrap();
        assert_eq!((summary(&looked).as_str(), looked.is_well()), (found, locations == 0));
        let mended = examine(&store, true, true).await.unwrap();
        assert_eq!((summary(&mended).as_str(), mended.is_well()), (done, true));
    }
}

#[tokio::test]
async fn findings_are_told_one_by_one_and_counted() {
    let store = store(2).await;
    let text = examine(&store, true, false).await.unwrap().text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("INVARIANT ") && lines[0].ends_with("REPAIR"), "{text}");
    assert!(lines[1].contains("location:default/l0") && lines[2].contains("location:default/l1"), "{text}");
    assert!(lines[5].starts_with("unregistered-location  2      a Location entity that"), "{text}");
    let report = examine(&store, true, true).await.unwrap();
    assert!(report.text().contains("DONE") && report.text().ends_with("was queued."), "{}", report.text());
    let json = report.json();
    assert_eq!((&json["violations"], &json["mended"], &json["passes"]), (&2.into(), &2.into(), &2.into()));
    assert_eq!(json["invariants"], json!({ "unregistered-location": 2 }));
    assert_eq!(json["findings"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_a_pass_left_is_counted_once() {
    let mut report = Report { mends: true, ..Report::default() };
    for _ in 0..2 {
        report.begin_pass();
        report.sums.insert(Invariant::NamelessLocation, Sum { mended: 0, left: 1 });
    }
    assert_eq!(summary(&report), "1 violation (0 are shown); 0 mended, 1 left");
    report.mends = false;
    assert_eq!(summary(&report), "1 violation (0 are shown); to be mended by hand");
}
