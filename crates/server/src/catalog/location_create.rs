//! `POST /locations`: registers a location, or tries out what it would bring in.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_engine::Catalog;
use callboard_model::{Entity, LocationSpec, Presence};
use callboard_store::{LocationConflict, StoredLocation};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::api_error::ApiError;
use crate::catalog::location::{LocationBody, refuse_if_readonly};
use crate::catalog::malformed;
use crate::openapi::schemas;
use crate::request::{BodySchema, Field, Operation, Param};
use crate::state::AppState;
use crate::{position, reply};

pub(crate) const OPERATION: Operation = Operation {
    query: &[Param::text("dryRun"), Param::one_of("onConflict", &["refresh", "reject"])],
    body: Some(BodySchema {
        fields: &[Field::text("type"), Field::text("target"), Field::optional_text("presence")],
        closed: false,
        required: true,
    }),
};

const MEMBERS: [&str; 3] = ["type", "target", "presence"];

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CreateLocationResponse", deny_unknown_fields)]
pub(crate) struct Created<'a> {
    location: LocationBody<'a>,
    #[schemars(with = "Vec<schemas::Entity>")]
    entities: &'a [Entity],
    #[serde(skip_serializing_if = "Option::is_none")]
    exists: Option<bool>,
}

pub(crate) async fn create(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let accepted = OPERATION.accept(&state, request).await?;
    let spec = location_spec(&accepted.body)?;
    if accepted.query.text("dryRun").is_some_and(is_yes) {
        return dry_run(&state, &spec).await;
    }
    let on_conflict = match accepted.query.text("onConflict") {
        Some("refresh") => LocationConflict::Refresh,
        Some(_) => LocationConflict::Reject,
        None => state.options.location_conflict,
    };
    // Presence matters to a dry run alone: a registered location is a type and a target.
    let location = register(&state, LocationSpec::new(spec.kind, spec.target), on_conflict).await?;
    let created = Created { location: (&location).into(), entities: &[], exists: None };
    position::changed(&state, reply::json(StatusCode::CREATED, &created)?).await
}

/// Registers a location, unless that is not allowed.
pub(crate) async fn register(
    state: &AppState,
    spec: LocationSpec,
    on_conflict: LocationConflict,
) -> Result<StoredLocation, ApiError> {
    refuse_if_readonly(state)?;
    state.change(async move |catalog: Catalog| catalog.location_register(&spec, on_conflict).await).await
}

async fn dry_run(state: &AppState, spec: &LocationSpec) -> Result<Response, ApiError> {
    let result = state.catalog()?.location_dry_run(spec).await?;
    let created = Created {
        location: (&result.location).into(),
        entities: &result.entities,
        exists: Some(result.exists),
    };
    reply::json(StatusCode::CREATED, &created)
}

fn location_spec(body: &Map<String, Value>) -> Result<LocationSpec, ApiError> {
    let unknown: Vec<&str> = body.keys().map(String::as_str).filter(|key| !MEMBERS.contains(key)).collect();
    if !unknown.is_empty() {
        return Err(malformed::unknown_members(&unknown));
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let presence = match text("presence") {
        None => None,
        Some("required") => Some(Presence::Required),
        Some("optional") => Some(Presence::Optional),
        Some(_) => return Err(malformed::not_one_of("presence", &["required", "optional"])),
    };
    let (kind, target) = (text("type").unwrap_or_default(), text("target").unwrap_or_default());
    Ok(LocationSpec { presence, ..LocationSpec::new(kind, target) })
}

/// The words that mean yes; everything else means no.
fn is_yes(word: &str) -> bool {
    ["y", "yes", "true", "1", "on"].iter().any(|yes| word.trim().eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yes_has_five_words() {
        for word in ["true", "TRUE", "1", "y", "Yes", "on"] {
            assert!(is_yes(word), "{word}");
        }
        for word in ["false", "0", "no", "off", "maybe", ""] {
            assert!(!is_yes(word), "{word}");
        }
    }

    #[test]
    fn bodies_become_specs() {
        let spec = |body: Value| location_spec(body.as_object().unwrap());
        let plain = spec(json!({"type": "url", "target": "t"})).unwrap();
        assert_eq!(plain, LocationSpec::new("url", "t"));
        let optional = spec(json!({"type": "url", "target": "t", "presence": "optional"})).unwrap();
        assert_eq!(optional.presence, Some(Presence::Optional));
        for wrong in [
            json!({"type": "u", "target": "t", "x": 1}),
            json!({"type": "u", "target": "t", "presence": "x"}),
        ] {
            assert!(
                spec(wrong.clone()).unwrap_err().message().starts_with("Malformed request: ["),
                "{wrong}"
            );
        }
    }
}
