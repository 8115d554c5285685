//! `GET /openapi.json`: the API in the words of OpenAPI 3.1.
//!
//! What a request may hold comes from the [`Operation`]s with which the endpoints check requests, and what an answer
//! holds from the types that are written as JSON, so that the document cannot say anything else. [`schemas`] has the
//! shapes of what is put together as text, and [`operations`] the names, texts and statuses. `docs/openapi.json` is the
//! document as it was last looked at by somebody.

mod answers;
mod meanings;
mod operations;
mod requests;
pub(crate) mod schemas;

use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::api_error::ApiError;
use crate::reply;
use crate::request::Operation;
use crate::state::AppState;
use crate::target::MOUNT;

const INTRODUCTION: &str = "The software catalog: entities, where they come from, and what is wrong with them. \
    Paths are compared without regard to case, and a slash at the end does not matter. Paths and methods that are not \
    here are answered with 404 and an empty body, unknown parameters of the query with 400.";

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

pub(crate) async fn get(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    Operation::BARE.accept(&state, request).await?;
    Ok(reply::buffered(StatusCode::OK, DOCUMENT.clone()))
}

fn document() -> Value {
    let mut generator = generator();
    let mut paths = Map::new();
    for operation in operations::all() {
        let path =
            paths.entry(format!("{MOUNT}{}", operation.path)).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(methods) = path {
            methods.insert(operation.method.to_owned(), operation.describe(&mut generator));
        }
    }
    // Bodies refer to it by its name.
    generator.subschema_for::<schemas::Predicate>();
    let mut components = Map::new();
    components.insert("responses".to_owned(), answers::shared(&mut generator));
    components.insert("parameters".to_owned(), requests::shared_parameters());
    components.insert("headers".to_owned(), answers::headers());
    let mut schemas = generator.take_definitions(true);
    schemas.sort_keys();
    components.insert("schemas".to_owned(), Value::Object(schemas));
    json!({
        "openapi": "3.1.0",
        "info": {
            // The name by which Backstage's tools know the API; its version is that of its form.
            "title": "catalog",
            "version": "1",
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": operations::tags(),
        "paths": paths,
        "components": components,
    })
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .with_transform(schemas::without_nulls)
        .into_generator()
}

#[cfg(test)]
mod tests;
