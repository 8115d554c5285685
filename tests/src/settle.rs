//! The whole catalog at a moment, and the moment at which it no longer changes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{Api, Daemon};

const ORPHAN: &str = "backstage.io/orphan";

/// All entities by ref, without what differs between two runs on the same input.
pub type Snapshot = BTreeMap<String, Value>;

/// What the catalog shows now.
pub fn snapshot(api: &Api) -> Snapshot {
    let comparable = |mut entity: Value| {
        let metadata = entity["metadata"].as_object_mut().expect("entities have metadata");
        metadata.remove("uid");
        metadata.remove("etag");
        (entity_ref(&entity), entity)
    };
    api.entities().into_iter().map(comparable).collect()
}

/// Waits until every location, and everything that failed, was looked at twice more and nothing changed meanwhile.
/// What came from a location is looked at again only when it changed.
pub fn settled_snapshot(daemon: &Daemon) -> Snapshot {
    let mut last: Option<(Seen, u64)> = None;
    daemon.wait_for("the catalog to settle", |api| {
        let results = api.metrics().by_label("catalog_processed_entities_count", "result");
        let runs = |result: &str| results.get(result).copied().unwrap_or_default();
        let now = Seen::look(api, runs("changed"));
        let visits = runs("unchanged") + runs("errors");
        match &last {
            Some((before, since)) if *before == now && !now.has_orphans() => {
                (visits >= since + 2 * now.visited_each_cycle()).then_some(now.catalog)
            }
            _ => {
                last = Some((now, visits));
                None
            }
        }
    })
}

#[derive(PartialEq)]
struct Seen {
    catalog: Snapshot,
    failing: BTreeSet<String>,
    changes: u64,
}

impl Seen {
    fn look(api: &Api, changes: u64) -> Self {
        let failing = api.errors().into_iter().map(|error| error["entityRef"].to_string()).collect();
        Self { catalog: snapshot(api), failing, changes }
    }

    /// Orphans are on their way out.
    fn has_orphans(&self) -> bool {
        self.catalog.values().any(|entity| entity["metadata"]["annotations"].get(ORPHAN).is_some())
    }

    /// At least one, as before the first run there is nothing to be seen.
    fn visited_each_cycle(&self) -> u64 {
        let locations = self.catalog.keys().filter(|entity_ref| entity_ref.starts_with("location:"));
        ((locations.count() + self.failing.len()) as u64).max(1)
    }
}

fn entity_ref(entity: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    let metadata = &entity["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or("default").to_lowercase();
    format!("{}:{namespace}/{}", text(&entity["kind"]), text(&metadata["name"]))
}
