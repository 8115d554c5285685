use std::time::Duration;

use callboard_model::Digest;
use callboard_sdk::{RemovedEntity, SystemClock};
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::{Claim, ClaimRequest, Claimed};
use futures::FutureExt as _;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Warnings, stored};

async fn open() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(SqliteOptions::memory()).await.unwrap())
}

fn connect(provider: &str, store: &Arc<dyn Store>) -> Connection {
    Connection {
        provider: provider.to_owned(),
        store: Arc::clone(store),
        clock: Arc::new(SystemClock),
        wake: Wake::default(),
        outage: Arc::default(),
        is_connecting: AtomicBool::new(false),
    }
}

fn deferred(entity: Value, location_key: Option<&str>) -> DeferredEntity {
    let entity = Entity::from_value(entity).unwrap();
    DeferredEntity { entity, location_key: location_key.map(str::to_owned) }
}

/// A component whose content is the number.
fn component(name: &str, content: u32) -> DeferredEntity {
    let mut entity = stored("Component", name);
    entity["spec"] = json!({ "content": content });
    deferred(entity, None)
}

fn full(entities: impl Into<Vec<DeferredEntity>>) -> EntityProviderMutation {
    EntityProviderMutation::Full { entities: entities.into() }
}

fn delta(added: impl Into<Vec<DeferredEntity>>, removed: &[&str]) -> EntityProviderMutation {
    let removed = removed.iter().map(|text| RemovedEntity { entity_ref: (*text).to_owned() });
    EntityProviderMutation::Delta { added: added.into(), removed: removed.collect() }
}

/// All that is due, which here is all that there is: ref, name as it is written, and content.
async fn handed_over(store: &Arc<dyn Store>) -> Vec<(String, String, u64)> {
    let now = SystemClock.now();
    let fingerprint = Digest::of("processors");
    let request =
        ClaimRequest { limit: 100, lane_max: Lane::Periodic, now, lease: Duration::ZERO, fingerprint };
    let told = |claim: Claim| {
        let entity: Value = serde_json::from_str(&claim.unprocessed).unwrap();
        let name = entity["metadata"]["name"].as_str().unwrap().to_owned();
        (claim.entity_ref.to_string(), name, entity["spec"]["content"].as_u64().unwrap_or_default())
    };
    let Claimed::Leased(claims) = store.claim(&request).await.unwrap() else { panic!("other processors") };
    let mut handed: Vec<_> = claims.into_iter().map(told).collect();
    handed.sort();
    handed
}

fn row(entity_ref: &str, name: &str, content: u64) -> (String, String, u64) {
    (entity_ref.to_owned(), name.to_owned(), content)
}

#[tokio::test]
async fn of_two_entities_whose_names_differ_in_case_the_later_one_counts() {
    let both = || [component("d", 1), component("other", 2), component("D", 3)];
    for mutation in [full(both()), delta(both(), &[])] {
        let store = open().await;
        connect("p", &store).apply_mutation(mutation).await.unwrap();
        let expected = [row("component:default/d", "D", 3), row("component:default/other", "other", 2)];
        assert_eq!(handed_over(&store).await, expected);
    }
}

#[tokio::test]
async fn a_mutation_with_a_malformed_entity_is_refused_as_a_whole() {
    let store = open().await;
    let connection = connect("p", &store);
    connection.apply_mutation(full([component("kept", 1)])).await.unwrap();
    let malformed = || {
        let mut entity = stored("Component", "malformed");
        entity.as_object_mut().unwrap().remove("apiVersion");
        [component("new", 1), component("kept", 2), deferred(entity, None)]
    };
    for mutation in [full(malformed()), delta(malformed(), &["component:default/kept"])] {
        let refused = connection.apply_mutation(mutation).await.unwrap_err();
        assert!(matches!(refused, ProviderError::MalformedEntity(_)), "{refused:?}");
        assert_eq!(
            refused.to_string(),
            "Malformed entity envelope, TypeError: <root> must have required property 'apiVersion' - \
             missingProperty: apiVersion"
        );
        assert_eq!(handed_over(&store).await, [row("component:default/kept", "kept", 1)]);
    }
}

#[tokio::test]
async fn what_is_removed_may_be_named_in_any_case() {
    let store = open().await;
    let connection = connect("p", &store);
    connection.apply_mutation(full([component("D", 1), component("other", 2)])).await.unwrap();
    connection.apply_mutation(delta([], &["Component:Default/D"])).await.unwrap();
    assert_eq!(handed_over(&store).await, [row("component:default/other", "other", 2)]);
}

#[tokio::test]
async fn a_mutation_wakes_whoever_has_work_by_it() {
    let store = open().await;
    let connection = connect("p", &store);
    connection.apply_mutation(full([component("d", 1)])).await.unwrap();
    assert!(connection.wake.claim_wanted().now_or_never().is_some());
    assert!(connection.wake.stitch_wanted().now_or_never().is_none());
    connection.refresh(&["key".to_owned()]).await.unwrap();
    assert!(connection.wake.claim_wanted().now_or_never().is_some());
}

#[tokio::test]
async fn a_store_that_is_gone_is_told_with_its_reason() {
    let store = open().await;
    let connection = connect("p", &store);
    store.close().await;
    let refused = connection.apply_mutation(full([])).await.unwrap_err();
    assert!(matches!(refused, ProviderError::Unavailable(_)), "{refused:?}");
    let text = refused.to_string();
    assert!(text.starts_with("the store is unavailable: the database is unavailable: "), "{text}");
}

#[tokio::test]
async fn what_another_source_has_under_another_key_is_refused_and_logged() {
    let store = open().await;
    let keyed = |key| full([deferred(stored("Component", "One"), key)]);
    connect("a", &store).apply_mutation(keyed(Some("a"))).await.unwrap();
    let (warnings, _guard) = Warnings::collect();
    for key in [Some("b"), None] {
        connect("b", &store).apply_mutation(keyed(key)).await.unwrap();
    }
    let line =
        "Source b detected conflicting entityRef component:default/one already referenced by a and now also";
    assert_eq!(warnings.all(), [format!("{line} b"), format!("{line} undefined")]);
}
