//! What every endpoint has at hand.

use std::sync::Arc;

use callboard_engine::Catalog;
use callboard_store::Store;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::api_error::ApiError;
use crate::lifecycle::{Lifecycle, not_started};
use crate::metrics::CatalogGauges;
use crate::options::ServerOptions;
use crate::view::View;

/// Shared by all requests; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
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
    pub(crate) fn new(lifecycle: Lifecycle, options: Arc<ServerOptions>, recorded: PrometheusHandle) -> Self {
        let metrics = Arc::new(MetricsState { recorded, gauges: CatalogGauges::default() });
        Self { lifecycle, options, metrics }
    }

    /// The catalog; the error is for requests that come before there is one.
    pub(crate) fn catalog(&self) -> Result<&Catalog, ApiError> {
        self.lifecycle.catalog().ok_or_else(not_started)
    }

    /// What is read from; the error is for requests that come before there is anything.
    pub(crate) fn view(&self) -> Result<&View, ApiError> {
        self.lifecycle.view().ok_or_else(not_started)
    }

    pub(crate) fn store(&self) -> Result<&Arc<dyn Store>, ApiError> {
        self.catalog().map(Catalog::store)
    }
}
