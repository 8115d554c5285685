use std::sync::Mutex as SyncMutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::*;

/// Keeps what it is told, unless it is told to fail.
#[derive(Debug, Default)]
struct Recorder {
    buckets: SyncMutex<Vec<Vec<DeferredEntity>>>,
    is_down: AtomicBool,
}

impl Recorder {
    /// The location keys of each mutation.
    fn keys(&self) -> Vec<Vec<String>> {
        let buckets = self.buckets.lock().unwrap();
        let keys =
            |bucket: &Vec<DeferredEntity>| bucket.iter().filter_map(|it| it.location_key.clone()).collect();
        buckets.iter().map(keys).collect()
    }
}

#[async_trait]
impl EntityProviderConnection for Recorder {
    async fn apply_mutation(&self, mutation: EntityProviderMutation) -> Result<(), ProviderError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(ProviderError::Unavailable("down".to_owned()));
        }
        let EntityProviderMutation::Full { entities } = mutation else { panic!("{mutation:?}") };
        self.buckets.lock().unwrap().push(entities);
        Ok(())
    }

    async fn refresh(&self, _keys: &[String]) -> Result<(), ProviderError> {
        Ok(())
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn provider(locations: &Value) -> ConfigLocationProvider {
    ConfigLocationProvider::new(items(locations), "/srv/app").unwrap()
}

#[tokio::test]
async fn connecting_hands_over_one_location_entity_for_each_item() {
    let locations = json!([
        {"type": "url", "target": "https://backstage.io/catalog-info.yaml", "rules": []},
        {"type": "file", "target": "../catalog/./*.yaml"},
        {"type": "file", "target": "/srv/catalog/*.yaml"},
    ]);
    let recorder = Arc::new(Recorder::default());
    let provider = provider(&locations);
    assert_eq!(provider.name(), "ConfigLocationProvider");
    provider.connect(recorder.clone()).await.unwrap();
    assert_eq!(recorder.keys(), [["url:https://backstage.io/catalog-info.yaml", "file:/srv/catalog/*.yaml"]]);
    let entity = recorder.buckets.lock().unwrap()[0][0].entity.clone();
    let key = "url:https://backstage.io/catalog-info.yaml";
    assert_eq!(
        entity.into_value(),
        json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Location",
            "metadata": {
                "name": "generated-bbad4f61e08f24e25d5c5e68e13e164f760aff06",
                "annotations": {
                    "backstage.io/managed-by-location": key,
                    "backstage.io/managed-by-origin-location": key,
                },
            },
            "spec": {"type": "url", "target": "https://backstage.io/catalog-info.yaml"},
        })
    );
}

#[tokio::test]
async fn only_a_change_is_handed_over_again() {
    let (one, two) = (json!([{"type": "url", "target": "a"}]), json!([{"type": "url", "target": "b"}]));
    let recorder = Arc::new(Recorder::default());
    let provider = provider(&json!([]));
    assert!(!provider.update(items(&one)).await.unwrap());
    provider.connect(recorder.clone()).await.unwrap();
    assert!(!provider.update(items(&one)).await.unwrap());
    assert!(provider.update(items(&two)).await.unwrap());
    assert!(!provider.update(items(&two)).await.unwrap());
    assert_eq!(recorder.keys(), [["url:a"], ["url:b"]]);
}

#[tokio::test]
async fn a_change_that_the_catalog_missed_is_handed_over_by_the_next_update() {
    let (one, two) = (json!([{"type": "url", "target": "a"}]), json!([{"type": "url", "target": "b"}]));
    let recorder = Arc::new(Recorder::default());
    let provider = provider(&one);
    provider.connect(recorder.clone()).await.unwrap();
    recorder.is_down.store(true, Ordering::SeqCst);
    assert!(provider.update(items(&two)).await.is_err());
    recorder.is_down.store(false, Ordering::SeqCst);
    assert!(provider.update(items(&two)).await.unwrap());
    assert_eq!(recorder.keys(), [["url:a"], ["url:b"]]);
}

#[tokio::test]
async fn a_broken_change_leaves_everything_as_it_was() {
    let one = json!([{"type": "url", "target": "a"}]);
    let recorder = Arc::new(Recorder::default());
    let provider = provider(&one);
    provider.connect(recorder.clone()).await.unwrap();
    assert!(provider.update(items(&json!([{}]))).await.is_err());
    assert!(!provider.update(items(&one)).await.unwrap());
    assert_eq!(recorder.keys(), [["url:a"]]);
}

#[test]
fn all_errors_name_index_and_key() {
    let locations = json!([
        {"type": "url", "target": "a"},
        {"type": 3},
        "url:a",
        {"type": "url", "target": ""},
        {"type": "url", "target": "javascript:alert(1)"},
    ]);
    let error = ConfigLocationProvider::new(items(&locations), "/").unwrap_err();
    assert_eq!(
        error.0,
        [
            "Invalid type in config for key 'catalog.locations[1].type', got number, wanted string",
            "Missing required config value at 'catalog.locations[1].target'",
            "Invalid type in config for key 'catalog.locations[2]', got string, wanted object",
            "Invalid type in config for key 'catalog.locations[3].target', got empty-string, wanted string",
            "Invalid location at 'catalog.locations[4]', Invalid location ref 'url:javascript:alert(1)', target is a \
             javascript: URL",
        ]
    );
}
