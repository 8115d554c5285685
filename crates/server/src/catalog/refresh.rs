//! `POST /refresh`: has an entity, and the Locations it came through, processed at once.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_engine::Catalog;
use http::StatusCode;

use crate::api_error::ApiError;
use crate::request::{BodySchema, Field, Operation};
use crate::state::AppState;
use crate::{position, reply};

/// The token is what old clients send along; it is of no use while nobody is asked who they are.
pub(crate) const OPERATION: Operation = Operation {
    query: &[],
    body: Some(BodySchema {
        fields: &[Field::text("entityRef"), Field::optional_text("authorizationToken")],
        closed: true,
        required: true,
    }),
};

/// Clients insist on 200.
pub(crate) async fn refresh(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let accepted = OPERATION.accept(&state, request).await?;
    schedule(&state, accepted.body_text("entityRef").to_owned()).await?;
    position::changed(&state, reply::empty(StatusCode::OK)).await
}

/// Has an entity processed at once.
pub(crate) async fn schedule(state: &AppState, entity_ref: String) -> Result<(), ApiError> {
    state.change(async move |catalog: Catalog| catalog.refresh(&entity_ref).await).await
}
