//! `/.backstage/health/v1/liveness` and `readiness`: for the platform that runs the daemon.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;

use crate::lifecycle::Phase;
use crate::reply;
use crate::state::AppState;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/.backstage/health/v1/liveness", get(liveness))
        .route("/.backstage/health/v1/readiness", get(readiness))
}

async fn liveness(State(state): State<AppState>) -> Response {
    respond(&state, StatusCode::OK, r#"{"status":"ok"}"#)
}

async fn readiness(State(state): State<AppState>) -> Response {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    match state.lifecycle.phase() {
        Phase::Starting => {
            respond(&state, unavailable, r#"{"message":"Backend has not started yet","status":"error"}"#)
        }
        Phase::Ready => respond(&state, StatusCode::OK, r#"{"status":"ok"}"#),
        Phase::Stopping | Phase::Closed => {
            respond(&state, unavailable, r#"{"message":"Backend is shutting down","status":"error"}"#)
        }
    }
}

fn respond(state: &AppState, status: StatusCode, body: &'static str) -> Response {
    let mut response = reply::buffered(status, body);
    for (name, value) in &state.options.health_headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}
