//! The whole catalog at a moment, and the moment at which it no longer changes.

use std::collections::{BTreeMap, BTreeSet};

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

/// Waits until every location, and everything that failed, was looked at twice more without any change to what the
/// catalog shows. What came from a location is looked at again only when it changed.
pub fn settled_snapshot(daemon: &Daemon) -> Snapshot {
    let mut last: Option<(Seen, u64)> = None;
    daemon.wait_for("the catalog to settle", |api| {
        let now = Seen::look(api);
        let metrics = api.metrics();
        let runs = metrics.sum("catalog_processed_entities_count");
        let is_idle = metrics.sum("catalog_stitching_queue_length") == 0;
        match &last {
            Some((before, since)) if *before == now => {
                (is_idle && runs >= since + 2 * now.visited_each_cycle()).then_some(now.catalog)
            }
            _ => {
                last = Some((now, runs));
                None
            }
        }
    })
}

#[derive(PartialEq)]
struct Seen {
    catalog: Snapshot,
    failing: BTreeSet<String>,
}

impl Seen {
    fn look(api: &Api) -> Self {
        let failing = api
            .errors()
            .into_iter()
            .map(|error| error["entityRef"].to_string())
            .collect();
        Self {
            catalog: snapshot(api),
            failing,
        }
    }

    fn visited_each_cycle(&self) -> u64 {
        let locations = self
            .catalog
            .keys()
            .filter(|entity_ref| entity_ref.starts_with("location:"));
        (locations.count() + self.failing.len()) as u64
    }
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
