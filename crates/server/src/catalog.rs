//! The endpoints below `/api/catalog`: one file each, with its request, its response, its errors and its tests.

mod ancestry;
mod entities;
mod entity_by_name;
mod entity_by_uid;
mod errors;
mod location;
mod location_create;
mod location_delete;
mod location_get;
mod location_update;
mod locations;
mod malformed;
mod refresh;
mod validate_entity;

use axum::Router;
use axum::routing::{MethodRouter, get, post};
use callboard_model::EntityRef;
use http::header::ALLOW;

use crate::api_error::ApiError;
use crate::request::Accepted;
use crate::router::unknown;
use crate::state::AppState;

pub(crate) fn routes() -> Router<AppState> {
    let by_uid = get(entity_by_uid::get).delete(entity_by_uid::delete);
    let by_name = "/entities/by-name/{kind}/{namespace}/{name}";
    let location = get(location_get::get).put(location_update::update).delete(location_delete::delete);
    Router::new()
        .route("/entities", endpoint("GET,HEAD", get(entities::list)))
        .route("/entities/by-uid/{uid}", endpoint("GET,HEAD,DELETE", by_uid))
        .route(by_name, endpoint("GET,HEAD", get(entity_by_name::get)))
        .route(&format!("{by_name}/ancestry"), endpoint("GET,HEAD", get(ancestry::get)))
        .route("/refresh", endpoint("POST", post(refresh::refresh)))
        .route("/locations", endpoint("GET,HEAD,POST", get(locations::list).post(location_create::create)))
        .route("/locations/{id}", endpoint("GET,HEAD,PUT,DELETE", location))
        .route("/validate-entity", endpoint("POST", post(validate_entity::validate)))
        .route("/errors", endpoint("GET,HEAD", get(errors::list)))
}

/// Completes the methods of a path as Express does: `OPTIONS` tells them, and others find nothing.
fn endpoint(allow: &'static str, methods: MethodRouter<AppState>) -> MethodRouter<AppState> {
    methods.options(move || async move { ([(ALLOW, allow)], allow) }).fallback(unknown)
}

/// The canonical ref that `{kind}/{namespace}/{name}` of the path means, in any letter case.
fn ref_of_path(accepted: &Accepted) -> Result<EntityRef, ApiError> {
    Ok(EntityRef::new(accepted.path("kind")?, accepted.path("namespace")?, accepted.path("name")?))
}

#[cfg(test)]
mod tests;
