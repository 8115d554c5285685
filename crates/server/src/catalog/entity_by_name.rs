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
    let view = state.view()?;
    let hit = view.query(|index| index.by_ref(&entity_ref.to_canonical(), &[]));
    let text = match hit {
        Some(hit) => view.text(&hit).await?,
        None => None,
    };
    match text {
        Some(text) => Ok(reply::stored(text)),
        None => Err(ApiError::not_found(format!(
            "No entity named '{}' found, with kind '{}' in namespace '{}'",
            entity_ref.name, entity_ref.kind, entity_ref.namespace
        ))),
    }
}
