//! `GET /metrics`: what was recorded while the daemon ran, and sizes that are counted when somebody asks: kinds in the
//! query index, the others in the store.
//!
//! Names and labels are those of the Prometheus metrics of Backstage's catalog, so that dashboards keep working.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use callboard_index::Index;
use callboard_sdk::{Clock, SystemClock, Timestamp};
use callboard_store::{Counts, Store, StoreError, error_chain};
use http::header::CONTENT_TYPE;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::state::AppState;
use crate::view::View;

/// Counting walks whole tables. The sizes are good for so many times as long as counting them took, which bounds the
/// share of the processor that it takes.
const COUNTS_AGE_PER_COST: u32 = 50;

const CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Sizes of the catalog as gauges.
#[derive(Debug, Default)]
pub(crate) struct CatalogGauges(Mutex<Option<Counted>>);

#[derive(Debug)]
struct Counted {
    at: Instant,
    cost: Duration,
    kinds: Vec<(String, u64)>,
    text: String,
}

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/metrics", get(render))
}

async fn render(State(state): State<AppState>) -> Response {
    let mut text = state.metrics.recorded.render();
    // While the daemon starts there is nothing to count yet.
    let (Ok(store), Ok(view)) = (state.store(), state.view()) else { return exposed(text) };
    let gauges = [
        state.metrics.gauges.text(store.as_ref(), view, SystemClock.now()).await,
        changes_behind(view).await,
    ];
    for gauges in gauges {
        match gauges {
            Ok(gauges) => text.push_str(&gauges),
            // The other metrics are wanted most while the store is in trouble.
            Err(error) => tracing::warn!(error = error_chain(&error), "cannot count the catalog for metrics"),
        }
    }
    exposed(text)
}

async fn changes_behind(view: &View) -> Result<String, StoreError> {
    // In this order, so that what the index takes in between does not count as being behind.
    let newest = view.newest_position().await?;
    let behind = newest.saturating_sub(view.position()).max(0);
    let name = "callboard_index_changes_behind";
    let help = "Changes of the log that the query index of this process does not hold yet";
    Ok(format!("{}{name} {behind}\n", header(name, help)))
}

fn exposed(text: String) -> Response {
    ([(CONTENT_TYPE, CONTENT)], text).into_response()
}

impl CatalogGauges {
    async fn text(&self, store: &dyn Store, view: &View, now: Timestamp) -> Result<String, StoreError> {
        // Held while counting, so that scrapes at the same time count once.
        let mut cached = self.0.lock().await;
        let is_good = |counted: &&Counted| counted.at.elapsed() < counted.cost * COUNTS_AGE_PER_COST;
        if let Some(counted) = cached.as_ref().filter(is_good) {
            return Ok(counted.text.clone());
        }
        let started = Instant::now();
        let mut kinds = view.query(Index::count_by_kind);
        if let Some(last) = cached.as_ref() {
            add_vanished(&mut kinds, &last.kinds);
        }
        let text = exposition(&kinds, &store.counts(now).await?);
        *cached = Some(Counted { at: Instant::now(), cost: started.elapsed(), kinds, text: text.clone() });
        Ok(text)
    }
}

/// A kind that had entities and has none any more is told as 0 once, so that its series does not stay at its last
/// value.
fn add_vanished(kinds: &mut Vec<(String, u64)>, last: &[(String, u64)]) {
    for (kind, count) in last {
        if *count > 0 && kinds.iter().all(|(known, _)| known != kind) {
            kinds.push((kind.clone(), 0));
        }
    }
}

fn exposition(kinds: &[(String, u64)], counts: &Counts) -> String {
    let kinds = kinds.iter().map(|(kind, count)| {
        let kind = kind.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("catalog_entities_count{{kind=\"{kind}\"}} {count}\n")
    });
    let mut text = header("catalog_entities_count", "Total amount of entities in the catalog");
    text.extend(kinds);
    let sizes = [
        ("catalog_registered_locations_count", "Total amount of registered locations", counts.locations),
        ("catalog_relations_count", "Total amount of relations between entities", counts.relations),
        ("catalog_stitching_queue_length", "Entities that wait for stitching", counts.stitch_queue),
        ("callboard_errors_count", "Errors of the catalog's content", counts.errors),
    ];
    text.extend(sizes.map(|(name, help, count)| format!("{}{name} {count}\n", header(name, help))));
    text
}

fn header(name: &str, help: &str) -> String {
    format!("# HELP {name} {help}\n# TYPE {name} gauge\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(kinds: &[(&str, u64)]) -> Vec<(String, u64)> {
        kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
    }

    #[test]
    fn gauges_are_in_the_text_format_of_prometheus() {
        let counts = Counts { locations: 2, relations: 3, stitch_queue: 4, due: 5, errors: 6 };
        let text = exposition(&kinds(&[("component", 7), ("a\"b", 1)]), &counts);
        let values: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            values,
            [
                "catalog_entities_count{kind=\"component\"} 7",
                "catalog_entities_count{kind=\"a\\\"b\"} 1",
                "catalog_registered_locations_count 2",
                "catalog_relations_count 3",
                "catalog_stitching_queue_length 4",
                "callboard_errors_count 6",
            ]
        );
        assert!(text.contains("# TYPE catalog_relations_count gauge\n"));
    }

    #[test]
    fn a_vanished_kind_is_told_as_zero_once() {
        let mut second = kinds(&[("api", 1)]);
        add_vanished(&mut second, &kinds(&[("api", 1), ("component", 7)]));
        assert_eq!(second, kinds(&[("api", 1), ("component", 0)]));
        let mut third = kinds(&[("api", 1)]);
        add_vanished(&mut third, &second);
        assert_eq!(third, kinds(&[("api", 1)]));
    }
}
