//! `POST /validate-entity`: runs an entity through the pipeline and keeps nothing.
//!
//! Whatever is wrong comes as `{"errors": [...]}` with at least one item. Backstage answers its usual error body if the
//! request itself is wrong, and its own clients crash on that.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_model::{Entity, LocationRef, LocationSpec, SerializedError};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::api_error::ApiError;
use crate::catalog::malformed;
use crate::openapi::schemas;
use crate::reply;
use crate::request::{BodySchema, Operation};
use crate::state::AppState;

pub(crate) const OPERATION: Operation =
    Operation { query: &[], body: Some(BodySchema { fields: &[], closed: false, required: true }) };

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ValidationErrors", deny_unknown_fields)]
pub(crate) struct Invalid {
    #[schemars(with = "Vec<schemas::SerializedError>", length(min = 1))]
    errors: Vec<SerializedError>,
}

pub(crate) async fn validate(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let accepted = OPERATION.accept(&state, request).await;
    let parsed =
        accepted.and_then(|accepted| parse(accepted.body.get("entity"), accepted.body.get("location")));
    let errors = match parsed {
        Ok((entity, location)) => state.catalog()?.validate_entity(entity, &location).await,
        Err(error) => vec![error.into()],
    };
    if errors.is_empty() {
        return Ok(reply::empty(StatusCode::OK));
    }
    reply::json(StatusCode::BAD_REQUEST, &Invalid { errors })
}

fn parse(entity: Option<&Value>, location: Option<&Value>) -> Result<(Entity, LocationSpec), ApiError> {
    let location =
        location.and_then(Value::as_str).ok_or_else(|| malformed::not_a_text("location", location))?;
    let Some(Value::Object(entity)) = entity else {
        return Err(type_error("<root> must be object - type: object"));
    };
    let entity = Entity::from(entity.clone());
    entity.check_envelope()?;
    Ok((entity, url_location(location)?))
}

/// The location that an entity is said to be from.
pub(crate) fn url_location(location: &str) -> Result<LocationSpec, ApiError> {
    let LocationRef { type_, target } = LocationRef::parse(location)?;
    if type_ != "url" {
        let message = format!(
            "Invalid location ref {location}, only 'url:<target>' is supported, e.g. url:https://host/path"
        );
        return Err(type_error(message));
    }
    Ok(LocationSpec::new(type_, target))
}

fn type_error(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "TypeError", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn summary(entity: Option<&Value>, location: Option<&Value>) -> String {
        SerializedError::from(parse(entity, location).unwrap_err()).summary()
    }

    #[test]
    fn wrong_requests_are_told_as_errors_of_the_entity() {
        let entity = || json!({"apiVersion": "v1", "kind": "k", "metadata": {"name": "n"}});
        let url = || json!("url:https://example.com/a.yaml");
        let root = "TypeError: <root> must be object - type: object";
        let rows = [
            (entity(), json!(null), "InputError: Malformed request: ["),
            (entity(), json!(7), "InputError: Malformed request: ["),
            (json!(null), url(), root),
            (json!([]), url(), root),
            (
                json!({"kind": "k", "metadata": {"name": "n"}}),
                url(),
                "TypeError: <root> must have required property 'apiVersion' - missingProperty: apiVersion",
            ),
            (
                entity(),
                json!("nocolon"),
                "TypeError: Unable to parse location ref 'nocolon', expected '<type>:<target>', \
                 e.g. 'url:https://host/path'",
            ),
            (
                entity(),
                json!("file:/a"),
                "TypeError: Invalid location ref file:/a, only 'url:<target>' is supported, \
                 e.g. url:https://host/path",
            ),
        ];
        for (entity, location, expected) in rows {
            let summary = summary(Some(&entity), Some(&location));
            assert!(summary.starts_with(expected), "{summary}");
        }
        assert_eq!(summary(None, Some(&url())), root);
        assert!(summary(Some(&entity()), None).contains("Required"));
        let (_, location) = parse(Some(&entity()), Some(&url())).unwrap();
        assert_eq!(location, LocationSpec::new("url", "https://example.com/a.yaml"));
    }
}
