//! The server: bind, serve, shut down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::connections::Connections;
use crate::error::ServerError;
use crate::lifecycle::Lifecycle;
use crate::options::ServerOptions;
use crate::router;
use crate::state::AppState;

/// How often the samples of histograms are folded, which bounds what they hold while nobody scrapes.
const METRICS_UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// A server that is bound to its address. Connections queue up from then on and are served by [`Server::serve`].
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    options: Arc<ServerOptions>,
}

impl Server {
    /// Binds the address of the options.
    pub async fn bind(options: ServerOptions) -> Result<Self, ServerError> {
        let address = &options.listen;
        let failed = |source| ServerError::Bind { address: address.clone(), source };
        let listener = TcpListener::bind((address.host(), address.port())).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, local_addr, options: Arc::new(options) })
    }

    /// Where the server listens; tells the port that was chosen for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown`: what tells how the daemon is at once, and the API as soon as `lifecycle` is ready. Then
    /// readiness fails, and after the configured delay the server closes: it takes no more connections, lets requests in
    /// flight end within the drain limit, and returns.
    pub async fn serve(
        self,
        lifecycle: Lifecycle,
        metrics: PrometheusHandle,
        shutdown: CancellationToken,
    ) -> Result<(), ServerError> {
        let state = AppState::new(lifecycle.clone(), Arc::clone(&self.options), metrics.clone());
        let mut connections = Connections::new(router::app(&state), &self.options);
        let ended = tokio::select! {
            () = closing(&lifecycle, &shutdown, self.options.shutdown_delay) => Ok(()),
            error = connections.accept_all(&self.listener) => Err(ServerError::Accept(error)),
            () = keep_up(&metrics) => Ok(()),
        };
        lifecycle.set_closed();
        drop(self.listener);
        let deadline = tokio::time::Instant::now() + self.options.drain_limit;
        connections.drain(self.options.drain_limit).await;
        drop(tokio::time::timeout_at(deadline, state.changes_ended()).await);
        ended
    }
}

/// Ends when the server is to close.
async fn closing(lifecycle: &Lifecycle, shutdown: &CancellationToken, delay: Duration) {
    shutdown.cancelled().await;
    lifecycle.set_stopping();
    tokio::time::sleep(delay).await;
}

/// Never ends.
async fn keep_up(metrics: &PrometheusHandle) {
    let mut interval = tokio::time::interval(METRICS_UPKEEP_INTERVAL);
    loop {
        interval.tick().await;
        metrics.run_upkeep();
    }
}

#[cfg(test)]
mod tests;
