//! What every endpoint has at hand.

use std::sync::Arc;

use callboard_engine::Catalog;
use callboard_store::Store;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::lifecycle::Lifecycle;
use crate::metrics::CatalogGauges;
use crate::options::ServerOptions;

/// Shared by all requests; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) catalog: Catalog,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) options: Arc<ServerOptions>,
    pub(crate) metrics: Arc<MetricsState>,
}

/// What `/metrics` shows.
#[derive(Debug)]
pub(crate) struct MetricsState {
    pub(crate) recorded: PrometheusHandle,
    pub(crate) gauges: CatalogGauges,
}

impl AppState {
    pub(crate) fn new(
        catalog: Catalog,
        lifecycle: Lifecycle,
        options: Arc<ServerOptions>,
        recorded: PrometheusHandle,
    ) -> Self {
        let metrics = Arc::new(MetricsState { recorded, gauges: CatalogGauges::default() });
        Self { catalog, lifecycle, options, metrics }
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.catalog.store()
    }
}
