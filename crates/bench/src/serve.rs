//! A static file server for measuring conditional requests: strong validators from the content, 304 when nothing
//! changed, connections kept alive, and counters of what was asked and answered.
//!
//! It runs on threads of its own, so that a runner can serve a catalog and watch a daemon in one process. Beside the
//! files there are `GET /__stats`, which answers with [`HttpStats`] as JSON, and `POST /__reset`, which sets them to zero.

mod files;
mod stats;

pub use stats::HttpStats;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use tokio::sync::oneshot;

use crate::error::BenchError;
use files::{Files, Found, matches_any};
use stats::Counters;

/// Two threads answer well over 10,000 conditional requests a second and leave a small machine to the daemon.
const WORKER_THREADS: usize = 2;

const YAML: &str = "application/yaml; charset=utf-8";

/// A running server. Dropping it closes its connections and waits for its threads.
#[derive(Debug)]
pub struct FileServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    files: Files,
    counters: Counters,
}

impl FileServer {
    /// Serves the files of `folder` on the loopback interface; port 0 lets the system choose one.
    pub fn start(folder: &Path, port: u16) -> Result<Self, BenchError> {
        let folder = folder.canonicalize().map_err(BenchError::file("resolve", folder))?;
        let requested = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let cannot_listen = |source| BenchError::Listen { address: requested.to_string(), source };
        let listener = TcpListener::bind(requested).map_err(cannot_listen)?;
        listener.set_nonblocking(true).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .enable_all()
            .build()
            .map_err(BenchError::Runtime)?;
        let shared = Arc::new(Shared { files: Files::new(folder), counters: Counters::default() });
        let router = router(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel();
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(cannot_listen)?
        };
        // Answers are small and awaited: held back for more data they would take 40 ms.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = axum::serve(listener, router).into_future() => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn stats(&self) -> HttpStats {
        self.shared.counters.snapshot()
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        // Dropping the sender wakes the receiver just as a message does.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/__stats", get(stats))
        .route("/__reset", post(reset))
        .fallback(get(file))
        .with_state(shared)
}

async fn stats(State(shared): State<Arc<Shared>>) -> Json<HttpStats> {
    Json(shared.counters.snapshot())
}

async fn reset(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.counters.reset();
    StatusCode::NO_CONTENT
}

async fn file(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let found = shared.files.find(uri.path(), |etag| known.is_some_and(|known| matches_any(known, etag)));
    let (response, bytes) = match found {
        Found::Content { etag, content } => {
            let bytes = content.len();
            ((StatusCode::OK, [(ETAG, etag.as_ref()), (CONTENT_TYPE, YAML)], content).into_response(), bytes)
        }
        Found::Unchanged { etag } => ((StatusCode::NOT_MODIFIED, [(ETAG, etag.as_ref())]).into_response(), 0),
        Found::Nothing => (StatusCode::NOT_FOUND.into_response(), 0),
        Found::Unreadable => (StatusCode::INTERNAL_SERVER_ERROR.into_response(), 0),
    };
    shared.counters.count(response.status(), bytes as u64);
    response
}

#[cfg(test)]
mod tests;
