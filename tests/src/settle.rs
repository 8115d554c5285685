//! The whole catalog at a moment, and the moment at which it no longer changes.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

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
    settled_replicas(slice::from_ref(daemon))
}

/// The same of daemons that work on one database, and until all of them show the same.
pub fn settled_replicas(daemons: &[Daemon]) -> Snapshot {
    let (first, others) = daemons.split_first().expect("there is a daemon");
    let mut last: Option<(Seen, u64)> = None;
    let is_shown_by = |other: &Daemon, catalog: &Snapshot| snapshot(other.api()) == *catalog;
    first.wait_for("the catalog to settle", |api| {
        let runs = |result| -> u64 { daemons.iter().map(|daemon| runs_with(daemon.api(), result)).sum() };
        let now = Seen::look(api, runs("changed"));
        let visits = runs("unchanged") + runs("errors");
        match &last {
            Some((before, since)) if *before == now && now.is_complete() => {
                let is_settled = visits >= since + 2 * now.visited_each_cycle()
                    && others.iter().all(|other| is_shown_by(other, &now.catalog));
                is_settled.then_some(now.catalog)
            }
            _ => {
                last = Some((now, visits));
                None
            }
        }
    })
}

fn runs_with(api: &Api, result: &str) -> u64 {
    api.metrics().labelled("catalog_processed_entities_count", "result", result)
}

#[derive(PartialEq)]
struct Seen {
    catalog: Snapshot,
    failing: BTreeSet<String>,
    changes: u64,
    unstitched: u64,
}

impl Seen {
    fn look(api: &Api, changes: u64) -> Self {
        let failing = api.errors().into_iter().map(|error| error["entityRef"].to_string()).collect();
        let unstitched = api.metrics().sum("catalog_stitching_queue_length");
        Self { catalog: snapshot(api), failing, changes, unstitched }
    }

    /// Nothing waits to be shown, and there are no orphans, which are on their way out.
    fn is_complete(&self) -> bool {
        let is_orphan = |entity: &Value| entity["metadata"]["annotations"].get(ORPHAN).is_some();
        self.unstitched == 0 && !self.catalog.values().any(is_orphan)
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
