//! `POST /analyze-location`: what a repository brings to the catalog, or could bring.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_engine::LocationAnalysis;
use callboard_model::{Entity, LocationSpec};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::api_error::ApiError;
use crate::catalog::malformed;
use crate::openapi::schemas;
use crate::reply;
use crate::request::{BodySchema, Field, Operation, Shape};
use crate::state::AppState;

const LOCATION: Shape = Shape::Object { fields: &[Field::text("type"), Field::text("target")], closed: true };

/// The document of Backstage spells one member in another way than its code and its clients do, to no effect.
pub(crate) const OPERATION: Operation = Operation {
    query: &[],
    body: Some(BodySchema {
        fields: &[Field::required("location", LOCATION), Field::optional_text("catalogFileName")],
        closed: false,
        required: true,
    }),
};

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AnalyzeLocationResponse")]
pub(crate) struct Analysis<'a> {
    existing_entity_files: Vec<Existing<'a>>,
    generate_entities: Vec<Generated<'a>>,
}

/// An entity of a descriptor file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AnalyzeLocationExistingEntity")]
struct Existing<'a> {
    #[schemars(with = "schemas::LocationSpec")]
    location: &'a LocationSpec,
    is_registered: bool,
    #[schemars(with = "schemas::Entity")]
    entity: &'a Entity,
}

/// An entity to begin with, and what is known of its fields: nothing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AnalyzeLocationGenerateEntity")]
struct Generated<'a> {
    #[schemars(with = "schemas::Entity")]
    entity: &'a Entity,
    fields: [(); 0],
}

pub(crate) async fn analyze(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let accepted = OPERATION.accept(&state, request).await?;
    let target = accepted.body.get("location").and_then(|location| location.get("target"));
    let target = target.and_then(Value::as_str).unwrap_or_default();
    let analysis = state.catalog()?.analyze_location(target, file_name(&accepted.body)?).await?;
    reply::json(StatusCode::OK, &Analysis::from(&analysis))
}

fn file_name(body: &Map<String, Value>) -> Result<Option<&str>, ApiError> {
    let name = "catalogFilename";
    match body.get(name) {
        None => Ok(None),
        Some(Value::String(file_name)) => Ok(Some(file_name)),
        other => Err(malformed::not_a_text(name, other)),
    }
}

impl<'a> From<&'a LocationAnalysis> for Analysis<'a> {
    fn from(analysis: &'a LocationAnalysis) -> Self {
        match analysis {
            LocationAnalysis::Existing(files) => {
                let entities = files.iter().flat_map(|file| {
                    let (location, is_registered) = (&file.location, file.is_registered);
                    file.entities.iter().map(move |entity| Existing { location, is_registered, entity })
                });
                Self { existing_entity_files: entities.collect(), ..Self::default() }
            }
            LocationAnalysis::Suggested(entity) => {
                Self { generate_entities: vec![Generated { entity, fields: [] }], ..Self::default() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use callboard_engine::ExistingFile;
    use http::Method;
    use serde_json::json;

    use super::*;
    use crate::options::ServerOptions;
    use crate::testing::{Answer, Fixture, component};

    async fn analyze(fixture: &Fixture, body: &Value) -> Answer {
        fixture.send(Method::POST, "/api/catalog/analyze-location", body.to_string()).await
    }

    #[tokio::test]
    async fn an_entity_is_suggested() {
        let fixture = Fixture::new(ServerOptions { readonly: true, ..ServerOptions::default() }).await;
        let location = json!({"type": "url", "target": "https://git.example.com/o/shop"});
        let expected = json!({
            "existingEntityFiles": [],
            "generateEntities": [{
                "entity": {
                    "apiVersion": "backstage.io/v1alpha1",
                    "kind": "Component",
                    "metadata": {"name": "shop"},
                    "spec": {"type": "other", "lifecycle": "unknown"},
                },
                "fields": [],
            }],
        });
        for body in [
            json!({"location": location}),
            json!({"location": location, "catalogFilename": "x.yaml", "catalogFileName": "y.yaml", "z": 1}),
        ] {
            let answer = analyze(&fixture, &body).await;
            assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected.clone()), "{body}");
        }
    }

    #[test]
    fn entities_of_files_that_are_there_take_its_place() {
        let entity = |name: &str| Entity::from_value(component(name)).unwrap();
        let file = |target: &str, is_registered: bool, names: &[&str]| ExistingFile {
            location: LocationSpec::new("url", target),
            is_registered,
            entities: names.iter().map(|name| entity(name)).collect(),
        };
        let analysis =
            LocationAnalysis::Existing(vec![file("t", true, &["a", "b"]), file("u", false, &["c"])]);
        let existing = |target: &str, is_registered: bool, name: &str| {
            json!({
                "location": {"type": "url", "target": target},
                "isRegistered": is_registered,
                "entity": component(name),
            })
        };
        assert_eq!(
            serde_json::to_value(Analysis::from(&analysis)).unwrap(),
            json!({
                "existingEntityFiles": [existing("t", true, "a"), existing("t", true, "b"), existing("u", false, "c")],
                "generateEntities": [],
            })
        );
    }

    #[tokio::test]
    async fn wrong_requests_are_refused() {
        let fixture = Fixture::new(ServerOptions::default()).await;
        let url = "https://github.com/o/r";
        let rows = [
            (json!({}), "request/body must have required property 'location'"),
            (json!({"location": "x"}), "request/body/location must be object"),
            (
                json!({"location": {"type": "url"}}),
                "request/body/location must have required property 'target'",
            ),
            (
                json!({"location": {"type": "url", "target": 7}}),
                "request/body/location/target must be string",
            ),
            (
                json!({"location": {"type": "url", "target": url, "presence": "optional"}}),
                "request/body/location must NOT have additional properties",
            ),
            (
                json!({"location": {"type": "url", "target": "nope"}}),
                "The given location.target is not a URL",
            ),
        ];
        for (body, message) in rows {
            assert_eq!(analyze(&fixture, &body).await.error(), (400, message.to_owned()), "{body}");
        }
        let body = json!({"location": {"type": "url", "target": url}, "catalogFilename": null});
        let (status, message) = analyze(&fixture, &body).await.error();
        assert_eq!(status, 400);
        assert!(message.contains("Expected string, received null"), "{message}");
    }
}
