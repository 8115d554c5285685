//! `GET /.callboard/v1/index`: what the query index of this process holds, in order to compare it with those of others
//! that serve the same catalog. Equal positions have equal checksums.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;
use tokio::sync::Mutex;

use crate::reply;
use crate::state::AppState;
use crate::view::{Contents, View};

/// How often it is tried to take the sum while the index changes.
const TRIES_MAX: usize = 3;

/// Adding up takes some microseconds for each entity, so it is done for one request at a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turn(Arc<Mutex<()>>);

impl Turn {
    async fn contents(&self, view: &View) -> Option<Contents> {
        let _turn = self.0.lock().await;
        for _ in 0..TRIES_MAX {
            if let Some(contents) = view.contents().await {
                return Some(contents);
            }
        }
        None
    }
}

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/.callboard/v1/index", get(contents))
}

async fn contents(State(state): State<AppState>) -> Response {
    let unavailable = |message: &str| {
        let body = json!({"status": "error", "message": message}).to_string();
        reply::buffered(StatusCode::SERVICE_UNAVAILABLE, body)
    };
    let Ok(view) = state.view() else { return unavailable("Backend has not started yet") };
    match state.index_turn.contents(view).await {
        Some(Contents { position, checksum }) => {
            let (entities, sum) = (checksum.entities, format!("{:032x}", checksum.sum));
            let body = json!({"position": position, "entities": entities, "checksum": sum}).to_string();
            reply::buffered(StatusCode::OK, body)
        }
        None => unavailable("the index changes at the moment"),
    }
}
