//! `DELETE /locations/{id}`: unregisters a location. What only it brought in goes with it.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_engine::Catalog;
use http::StatusCode;

use crate::api_error::ApiError;
use crate::catalog::location::refuse_if_readonly;
use crate::request::Operation;
use crate::state::AppState;
use crate::{position, reply};

pub(crate) async fn delete(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let id = Operation::BARE.accept(&state, request).await?.path("id")?;
    unregister(&state, id).await?;
    position::changed(&state, reply::empty(StatusCode::NO_CONTENT)).await
}

/// Unregisters a location, unless that is not allowed.
pub(crate) async fn unregister(state: &AppState, id: String) -> Result<(), ApiError> {
    refuse_if_readonly(state)?;
    state.change(async move |catalog: Catalog| catalog.location_delete(&id).await).await
}
