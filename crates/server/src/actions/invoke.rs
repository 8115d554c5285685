//! `POST /.backstage/actions/{v1,v2}/actions/{id}/invoke`: does what an action does.
//!
//! In the first version the body is the input; the second has room for secrets beside it.

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Map, Value};

use crate::actions::action::{RegisteredAction, allowed};
use crate::api_error::ApiError;
use crate::request::{Accepted, BodySchema, Operation};
use crate::state::AppState;

/// None of the actions needs an input, so that there may be no body. Inputs are the action's to check.
const BODY: BodySchema = BodySchema { fields: &[], closed: false, required: false };
const OPERATION: Operation = Operation { query: &[], body: Some(BODY) };

pub(super) async fn bare(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let (accepted, body) = OPERATION.accept_json(&state, request).await?;
    let action = action_of_path(&state, &accepted)?;
    action.invoke(state, body.unwrap_or_else(nothing)).await
}

pub(super) async fn wrapped(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let mut accepted = OPERATION.accept(&state, request).await?;
    let action = action_of_path(&state, &accepted)?;
    if accepted.body.get("secrets").is_some_and(is_something) {
        return Err(ApiError::input(format!("Action \"{}\" does not accept secrets", action.id)));
    }
    let input = accepted.body.remove("input").unwrap_or_else(nothing);
    action.invoke(state, input).await
}

/// One that the filter keeps back is as good as none.
fn action_of_path(state: &AppState, accepted: &Accepted) -> Result<&'static RegisteredAction, ApiError> {
    let id = accepted.path("id")?;
    let action = allowed(&state.options.actions).find(|action| action.id == id);
    action.ok_or_else(|| ApiError::not_found(format!("Action \"{id}\" not found")))
}

fn nothing() -> Value {
    Value::Object(Map::new())
}

fn is_something(secrets: &Value) -> bool {
    match secrets {
        Value::Null => false,
        Value::Object(members) => !members.is_empty(),
        _ => true,
    }
}
