//! `GET` and `DELETE /entities/by-uid/{uid}`.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_engine::Catalog;
use http::StatusCode;
use uuid::Uuid;

use crate::api_error::ApiError;
use crate::request::Operation;
use crate::state::AppState;
use crate::{position, reply};

pub(crate) async fn get(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let given = Operation::BARE.accept(&state, request).await?.path("uid")?;
    let view = state.view()?;
    let hit = view.query(|index| index.by_uid(&given, &[]));
    let text = match hit {
        Some(hit) => view.text(&hit).await?,
        None => None,
    };
    match text {
        Some(text) => Ok(reply::stored(text)),
        None => Err(ApiError::not_found(format!("No entity with uid {given}"))),
    }
}

/// An entity that is not there is as good as deleted.
pub(crate) async fn delete(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let given = Operation::BARE.accept(&state, request).await?.path("uid")?;
    if let Some(uid) = parse(&given) {
        state.change(async move |catalog: Catalog| catalog.delete_entity(uid).await).await?;
    }
    position::changed(&state, reply::empty(StatusCode::NO_CONTENT)).await
}

/// Only the form with hyphens is a uid, in any letter case; UUIDs have others.
fn parse(given: &str) -> Option<Uuid> {
    Some(given)
        .filter(|given| given.len() == uuid::fmt::Hyphenated::LENGTH)
        .and_then(|given| given.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_have_one_form() {
        let uid = "0190163F-8F0B-7d3e-8c1d-0a1b2c3d4e5f";
        assert_eq!(parse(uid).unwrap().to_string(), uid.to_lowercase());
        for other in
            ["nope", "", "0190163f8f0b7d3e8c1d0a1b2c3d4e5f", "{0190163f-8f0b-7d3e-8c1d-0a1b2c3d4e5f}"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
