//! `GET /.backstage/actions/v1/actions`: the actions, with what has to be known to invoke them.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use crate::actions::action::{RegisteredAction, allowed};
use crate::api_error::ApiError;
use crate::reply;
use crate::request::Operation;
use crate::state::AppState;

#[derive(Debug, Serialize)]
struct Answer {
    actions: Vec<&'static RegisteredAction>,
}

pub(super) async fn list(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    Operation::BARE.accept(&state, request).await?;
    reply::json(StatusCode::OK, &Answer { actions: allowed(&state.options.actions).collect() })
}
