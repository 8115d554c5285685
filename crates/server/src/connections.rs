//! Connections: bounded in number, in the time that a head may take, in memory; and ended in order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::options::ServerOptions;
use crate::stall::StallGuard;

/// Longest head of a request, and most that is buffered for writing, in bytes. Lists of filters make heads of 16 KiB
/// and more.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long to wait after an accept failed for want of resources, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// After so many failures in a row, accepting is given up.
const ACCEPT_FAILURES_MAX: u32 = 300;

/// How long a peer may leave a response unread.
const WRITE_STALL_MAX: Duration = Duration::from_mins(1);

/// The open connections.
pub(crate) struct Connections {
    app: Router,
    http: http1::Builder,
    permits: Arc<Semaphore>,
    tasks: JoinSet<()>,
    graceful: GracefulShutdown,
}

impl Connections {
    pub(crate) fn new(app: Router, options: &ServerOptions) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(options.headers_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .keep_alive(true);
        Self {
            app,
            http,
            permits: Arc::new(Semaphore::new(options.connections_max)),
            tasks: JoinSet::new(),
            graceful: GracefulShutdown::new(),
        }
    }

    /// Accepts connections until accepting fails for good. Dropping the future loses none.
    pub(crate) async fn accept_all(&mut self, listener: &TcpListener) -> io::Error {
        let mut failures = 0;
        loop {
            // Beyond the limit, peers wait in the queue of the operating system. The semaphore is never closed.
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
                return io::ErrorKind::BrokenPipe.into();
            };
            match listener.accept().await {
                Ok((socket, _)) => {
                    failures = 0;
                    self.serve(socket, permit);
                }
                Err(error) if is_of_peer(&error) => {}
                Err(error) => {
                    failures += 1;
                    if failures >= ACCEPT_FAILURES_MAX {
                        return error;
                    }
                    tracing::error!(error = error.to_string(), "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(&mut self, socket: TcpStream, permit: OwnedSemaphorePermit) {
        // Tasks that are done are forgotten here, so that the set is no longer than the permits are many.
        while self.tasks.try_join_next().is_some() {}
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(error = error.to_string(), "cannot switch off the delay of small packets");
        }
        let app = self.app.clone().map_request(|request: Request<Incoming>| request.map(Body::new));
        let io = TokioIo::new(StallGuard::new(socket, WRITE_STALL_MAX));
        let connection = self.graceful.watch(self.http.serve_connection(io, TowerToHyperService::new(app)));
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = error.to_string(), "connection ended early");
            }
            drop(permit);
        });
    }

    /// Lets requests in flight come to their end, and cuts off those that take longer than `limit`.
    pub(crate) async fn drain(mut self, limit: Duration) {
        if tokio::time::timeout(limit, self.graceful.shutdown()).await.is_err() {
            tracing::warn!("requests still in flight at the end of the shutdown limit are cut off");
        }
        self.tasks.shutdown().await;
    }
}

/// Whether accepting failed for reasons of the one connection.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
