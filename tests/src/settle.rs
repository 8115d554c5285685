//! The whole catalog at a moment, and the moment at which it no longer changes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Api, Daemon};

/// All entities by ref, without what differs between two runs on the same input.
pub type Snapshot = BTreeMap<String, Value>;

/// What the catalog shows now.
pub fn snapshot(api: &Api) -> Snapshot {
    let comparable = |mut entity: Value| {
        let metadata = entity["metadata"]
            .as_object_mut()
            .expect("entities have metadata");
        metadata.remove("uid");
        metadata.remove("etag");
        (entity_ref(&entity), entity)
    };
    api.entities().into_iter().map(comparable).collect()
}

/// Waits until everything was processed twice more without any change to what the catalog shows.
///
/// What is not shown (entities that failed in their first run) is processed too, so that failures are allowed for.
pub fn settled_snapshot(daemon: &Daemon) -> Snapshot {
    let mut last: Option<(Snapshot, usize, u64)> = None;
    daemon.wait_for("the catalog to settle", |api| {
        let now = snapshot(api);
        let errors = api.errors().len();
        let metrics = api.metrics();
        let runs = metrics.sum("catalog_processed_entities_count");
        let is_idle = metrics.sum("catalog_stitching_queue_length") == 0;
        match &last {
            Some((before, errors_before, since)) if *before == now && *errors_before == errors => {
                let whole_cycles = 2 * (now.len() + errors + 1);
                (is_idle && runs - since >= whole_cycles as u64).then_some(now)
            }
            _ => {
                last = Some((now, errors, runs));
                None
            }
        }
    })
}

fn entity_ref(entity: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    let metadata = &entity["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or("default").to_lowercase();
    format!(
        "{}:{namespace}/{}",
        text(&entity["kind"]),
        text(&metadata["name"])
    )
}
