//! `GET /entities/by-name/{kind}/{namespace}/{name}`.

use axum::extract::{Request, State};
use axum::response::Response;

use crate::api_error::ApiError;
use crate::catalog::ref_of_path;
use crate::reply;
use crate::request::Operation;
use crate::state::AppState;

pub(crate) async fn get(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let entity_ref = ref_of_path(&Operation::BARE.accept(&state, request).await?)?;
    match state.store()?.entity_by_ref(&entity_ref.to_canonical()).await? {
        Some(entity) => Ok(reply::stored(entity.json)),
        None => Err(ApiError::not_found(format!(
            "No entity named '{}' found, with kind '{}' in namespace '{}'",
            entity_ref.name, entity_ref.kind, entity_ref.namespace
        ))),
    }
}
