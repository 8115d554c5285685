//! The layers around the endpoints, from the outside in.

use std::any::Any;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tower::Layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use crate::api_error::{ApiError, render_errors};
use crate::state::AppState;
use crate::{
    actions, catalog, conditional, cors, health, index_contents, lifecycle, metrics, position, reply,
    security_headers, target,
};

/// Bodies from this length on are compressed; the limit of the middleware that Backstage uses.
const COMPRESS_BYTES_MIN: u64 = 1024;

/// The whole application.
pub(crate) fn app(state: &AppState) -> Router {
    let catalog = catalog::routes()
        .merge(actions::routes())
        .fallback(unknown)
        .layer(from_fn_with_state(state.clone(), position::await_wanted))
        .layer(from_fn(target::refuse_empty_segments))
        .layer(from_fn_with_state(state.clone(), lifecycle::gate))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(render_errors));
    let routes = Router::new()
        .nest(target::MOUNT, catalog)
        .merge(health::routes())
        .merge(index_contents::routes())
        .merge(metrics::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(state.clone());
    // Routing has to see the normal form, so the routes are inside of what makes it.
    Router::new()
        .fallback_service(from_fn(target::normalize).layer(routes))
        .layer(from_fn(conditional::not_modified))
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESS_BYTES_MIN)))
        .layer(from_fn_with_state(state.clone(), cors::apply))
        .layer(from_fn_with_state(state.clone(), security_headers::add))
}

/// The answer to paths and methods that nobody serves: there is no 405.
pub(crate) async fn unknown() -> Response {
    reply::empty(StatusCode::NOT_FOUND)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is that of the layer")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    ApiError::masked_text(&format!("panic: {}", text.unwrap_or("of unknown kind"))).into_response()
}

#[cfg(test)]
mod tests;
