//! Starting, ready, stopping: what readiness tells, and which requests the API lets in.

use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use callboard_engine::Catalog;
use tokio::sync::watch;

use crate::api_error::ApiError;
use crate::state::AppState;
use crate::view::View;

/// Where the daemon is in its life. Clones share it; it only moves forward.
#[derive(Debug, Clone)]
pub struct Lifecycle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phases: watch::Sender<Phase>,
    /// There from [`Phase::Ready`] on.
    catalog: OnceLock<(Catalog, View)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Requests wait.
    Starting,
    /// All is well.
    Ready,
    /// Shutdown was asked for. Load balancers are told, and what they still send is served.
    Stopping,
    /// Requests are refused; those that were let in are brought to their end.
    Closed,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    /// A daemon that starts.
    pub fn new() -> Self {
        Self(Arc::new(Shared { phases: watch::Sender::new(Phase::Starting), catalog: OnceLock::new() }))
    }

    /// The daemon can serve requests out of this catalog and the view of it; those that wait go on.
    pub fn set_ready(&self, catalog: Catalog, view: View) {
        self.0.catalog.get_or_init(|| (catalog, view));
        self.advance(|_| Phase::Ready);
    }

    /// The daemon is to stop: readiness fails from now on. [`Server::serve`](crate::Server::serve) does this too when
    /// it is told to shut down.
    ///
    /// A daemon that never was ready closes at once: nobody sends it anything that would have to be served.
    pub fn set_stopping(&self) {
        self.advance(|phase| match phase {
            Phase::Starting => Phase::Closed,
            Phase::Ready | Phase::Stopping | Phase::Closed => Phase::Stopping,
        });
    }

    pub(crate) fn set_closed(&self) {
        self.advance(|_| Phase::Closed);
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.0.phases.borrow()
    }

    pub(crate) fn catalog(&self) -> Option<&Catalog> {
        self.0.catalog.get().map(|(catalog, _)| catalog)
    }

    pub(crate) fn view(&self) -> Option<&View> {
        self.0.catalog.get().map(|(_, view)| view)
    }

    fn advance(&self, to: impl FnOnce(Phase) -> Phase) {
        self.0.phases.send_if_modified(|phase| {
            let to = to(*phase);
            let is_forward = *phase < to;
            if is_forward {
                *phase = to;
            }
            is_forward
        });
    }

    /// The phase after the start; waits for it.
    async fn started(&self) -> Phase {
        let mut phases = self.0.phases.subscribe();
        // The sender lives in `self`, so that waiting cannot fail.
        phases.wait_for(|phase| *phase != Phase::Starting).await.map_or(Phase::Closed, |phase| *phase)
    }
}

/// Lets requests in while the daemon serves; those that come during the start wait for a while.
pub(crate) async fn gate(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let pause = state.options.startup_request_pause;
    match tokio::time::timeout(pause, state.lifecycle.started()).await {
        Ok(Phase::Closed) => Err(ApiError::unavailable("Service is shutting down")),
        Ok(_) => Ok(next.run(request).await),
        Err(_) => Err(not_started()),
    }
}

/// What is asked for while there is no catalog yet.
pub(crate) fn not_started() -> ApiError {
    ApiError::unavailable("Service has not started up yet")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{empty_catalog, set_ready};

    #[tokio::test]
    async fn never_goes_back() {
        let (lifecycle, catalog) = (Lifecycle::new(), empty_catalog().await);
        set_ready(&lifecycle, &catalog).await;
        lifecycle.set_stopping();
        set_ready(&lifecycle, &catalog).await;
        assert_eq!(lifecycle.phase(), Phase::Stopping);
    }

    #[test]
    fn a_daemon_that_never_started_closes_at_once() {
        let lifecycle = Lifecycle::new();
        lifecycle.set_stopping();
        assert_eq!(lifecycle.phase(), Phase::Closed);
    }

    #[tokio::test]
    async fn whoever_waits_for_the_start_sees_it() {
        let (lifecycle, catalog) = (Lifecycle::new(), empty_catalog().await);
        let (phase, ()) = tokio::join!(lifecycle.started(), set_ready(&lifecycle, &catalog));
        assert_eq!(phase, Phase::Ready);
    }
}
