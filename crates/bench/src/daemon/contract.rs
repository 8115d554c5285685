//! All that the bench assumes of a daemon, apart from its configuration: command line, metrics, API. What it asks of the
//! API when it measures reads stands with the scenarios.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::generate::Identity;

/// Prometheus text.
pub const METRICS_PATH: &str = "/metrics";

/// Gauge: entities that the API serves, by [`KIND`], in lower case. It has to follow the catalog without delay, since
/// the runner takes the moment at which it is complete for the end of the first pass.
pub const ENTITIES: &str = "catalog_entities_count";

/// Counter: visits to entities, by [`RESULT`].
pub const PROCESSED: &str = "catalog_processed_entities_count";

/// Counter: assemblies of final entities, by [`RESULT`].
pub const STITCHED: &str = "catalog_stitched_entities_count";

/// Counter: rows inserted, updated or deleted, by [`TABLE`].
pub const ROWS_WRITTEN: &str = "callboard_store_rows_written_total";

pub const KIND: &str = "kind";
pub const RESULT: &str = "result";
pub const TABLE: &str = "table";

/// Value of [`RESULT`] for work that had an effect.
pub const RESULT_CHANGED: &str = "changed";

/// Value of [`KIND`] for the entities that the daemon makes out of its configuration.
pub const LOCATION_KIND: &str = "location";

/// An interval of `i` means that the time between two visits is drawn evenly from `i` to 1.5 `i`.
pub const MEAN_CYCLE_IN_INTERVALS: f64 = 1.25;
pub const LONGEST_CYCLE_IN_INTERVALS: f64 = 1.5;

/// Arguments that make the daemon serve with that configuration until it is killed.
pub fn arguments(config: &Path) -> Vec<OsString> {
    vec!["serve".into(), "--config".into(), config.into()]
}

/// Gives [`POSITION`] in the change log, and [`CHECKSUM`] of all that the API serves: equal positions have equal sums.
/// Not while that changes.
pub const INDEX_PATH: &str = "/.callboard/v1/index";
pub const POSITION: &str = "position";
pub const CHECKSUM: &str = "checksum";

/// What is due is looked for at least this often.
pub const CLAIM_INTERVAL: Duration = Duration::from_secs(5);

/// Where the API begins. It is asked without a token: the configuration switches the check off.
pub const API_PATH: &str = "/api/catalog";

/// Path of the one entity in the API. Names and namespaces of generated entities need no encoding.
pub fn entity_path(identity: &Identity) -> String {
    let Identity { kind, namespace, name } = identity;
    format!("{API_PATH}/entities/by-name/{}/{namespace}/{name}", kind.slug())
}
