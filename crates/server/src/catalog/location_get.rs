//! `GET /locations/{id}`.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

use crate::api_error::ApiError;
use crate::catalog::location::LocationBody;
use crate::reply;
use crate::request::Operation;
use crate::state::AppState;

pub(crate) async fn get(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let id = Operation::BARE.accept(&state, request).await?.path("id")?;
    match state.store()?.location_get(&id).await? {
        Some(location) => reply::json(StatusCode::OK, &LocationBody::from(&location)),
        None => Err(ApiError::not_found(format!("Found no location with ID {id}"))),
    }
}
