//! What every endpoint has at hand.

use std::panic::resume_unwind;
use std::sync::Arc;

use callboard_engine::{Catalog, CatalogOpError};
use callboard_store::Store;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::api_error::ApiError;
use crate::index_contents::Turn;
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
    pub(crate) index_turn: Turn,
    changes: TaskTracker,
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
        let index_turn = Turn::default();
        Self { lifecycle, options, metrics, index_turn, changes: TaskTracker::new() }
    }

    /// The catalog; the error is for requests that come before there is one.
    pub(crate) fn catalog(&self) -> Result<&Catalog, ApiError> {
        self.lifecycle.catalog().ok_or_else(not_started)
    }

    /// Makes a change, to its end even if the client goes away: a handler is dropped then, wherever it happens to wait,
    /// and what follows from a commit (waking the loop, say) would come late.
    pub(crate) async fn change<T, F>(&self, change: impl FnOnce(Catalog) -> F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, CatalogOpError>> + Send + 'static,
    {
        let change = change(self.catalog()?.clone()).in_current_span();
        match self.changes.spawn(change).await {
            Ok(result) => Ok(result?),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(error) => Err(ApiError::masked(&error)),
            },
        }
    }

    /// Comes back when no change is under way any more.
    pub(crate) async fn changes_ended(&self) {
        self.changes.close();
        self.changes.wait().await;
    }

    /// What is read from; the error is for requests that come before there is anything.
    pub(crate) fn view(&self) -> Result<&View, ApiError> {
        self.lifecycle.view().ok_or_else(not_started)
    }

    pub(crate) fn store(&self) -> Result<&Arc<dyn Store>, ApiError> {
        self.catalog().map(Catalog::store)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use crate::options::ServerOptions;
    use crate::testing::Fixture;

    #[tokio::test]
    async fn a_change_is_made_although_nobody_waits_for_it_any_more() {
        let fixture = Fixture::new(ServerOptions::default()).await;
        let ((begun, has_begun), (go_on, may_go_on)) = (oneshot::channel(), oneshot::channel::<()>());
        let (ended, has_ended) = oneshot::channel();
        let change = fixture.state.change(|_| async move {
            begun.send(()).unwrap();
            may_go_on.await.unwrap();
            ended.send(()).unwrap();
            Ok(())
        });
        tokio::select! {
            _ = change => panic!("it waits"),
            begun = has_begun => begun.unwrap(),
        }
        go_on.send(()).unwrap();
        fixture.state.changes_ended().await;
        has_ended.await.unwrap();
    }
}
