//! `PUT /locations/{id}`: points a registered location elsewhere. Its id and the ref of its entity stay.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_engine::Catalog;
use callboard_model::LocationSpec;
use http::StatusCode;

use crate::api_error::ApiError;
use crate::catalog::location::{LocationBody, refuse_if_readonly};
use crate::request::{BodySchema, Field, Operation};
use crate::state::AppState;
use crate::{position, reply};

pub(crate) const OPERATION: Operation = Operation {
    query: &[],
    body: Some(BodySchema {
        fields: &[Field::text("type"), Field::text("target")],
        closed: true,
        required: true,
    }),
};

pub(crate) async fn update(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let accepted = OPERATION.accept(&state, request).await?;
    refuse_if_readonly(&state)?;
    let spec = LocationSpec::new(accepted.body_text("type"), accepted.body_text("target"));
    let id = accepted.path("id")?;
    let update = async move |catalog: Catalog| catalog.location_update(&id, &spec).await;
    let location = state.change(update).await?;
    position::changed(&state, reply::json(StatusCode::OK, &LocationBody::from(&location))?).await
}
