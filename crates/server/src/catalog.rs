//! The endpoints below `/api/catalog`: one file each, with its request, its response, its errors and its tests.

pub(crate) mod analyze_location;
mod ancestry;
pub(crate) mod entities;
pub(crate) mod entities_by_query;
pub(crate) mod entities_by_refs;
mod entity_by_name;
mod entity_by_uid;
pub(crate) mod entity_facets;
pub(crate) mod entity_stream;
pub(crate) mod errors;
pub(crate) mod location;
mod location_by_entity;
pub(crate) mod location_create;
pub(crate) mod location_delete;
mod location_filter;
mod location_get;
pub(crate) mod location_update;
pub(crate) mod locations;
pub(crate) mod locations_by_query;
mod malformed;
pub(crate) mod refresh;
pub(crate) mod validate_entity;

use axum::Router;
use axum::routing::{MethodRouter, get, post};
use callboard_model::EntityRef;
use http::header::ALLOW;

use crate::api_error::ApiError;
use crate::openapi;
use crate::request::Accepted;
use crate::router::unknown;
use crate::state::AppState;

pub(crate) fn routes() -> Router<AppState> {
    endpoints()
        .into_iter()
        .fold(Router::new(), |router, (path, allow, methods)| router.route(path, endpoint(allow, methods)))
}

/// The paths, the methods that `OPTIONS` tells for each, and what answers them.
pub(crate) fn endpoints() -> Vec<(&'static str, &'static str, MethodRouter<AppState>)> {
    let by_query = get(entities_by_query::get).post(entities_by_query::post);
    let facets = get(entity_facets::get).post(entity_facets::post);
    let by_uid = get(entity_by_uid::get).delete(entity_by_uid::delete);
    let location = get(location_get::get).put(location_update::update).delete(location_delete::delete);
    let by_entity = "/locations/by-entity/{kind}/{namespace}/{name}";
    vec![
        ("/entities", "GET,HEAD", get(entities::list)),
        ("/entities/by-query", "GET,HEAD,POST", by_query),
        ("/entities/by-refs", "POST", post(entities_by_refs::post)),
        ("/entity-facets", "GET,HEAD,POST", facets),
        ("/entities/by-uid/{uid}", "GET,HEAD,DELETE", by_uid),
        ("/entities/by-name/{kind}/{namespace}/{name}", "GET,HEAD", get(entity_by_name::get)),
        ("/entities/by-name/{kind}/{namespace}/{name}/ancestry", "GET,HEAD", get(ancestry::get)),
        ("/refresh", "POST", post(refresh::refresh)),
        ("/locations", "GET,HEAD,POST", get(locations::list).post(location_create::create)),
        ("/locations/by-query", "POST", post(locations_by_query::post)),
        (by_entity, "GET,HEAD", get(location_by_entity::get)),
        ("/locations/{id}", "GET,HEAD,PUT,DELETE", location),
        ("/analyze-location", "POST", post(analyze_location::analyze)),
        ("/validate-entity", "POST", post(validate_entity::validate)),
        ("/errors", "GET,HEAD", get(errors::list)),
        ("/openapi.json", "GET,HEAD", get(openapi::get)),
    ]
}

/// Completes the methods of a path as Express does: `OPTIONS` tells them, and others find nothing.
pub(crate) fn endpoint(allow: &'static str, methods: MethodRouter<AppState>) -> MethodRouter<AppState> {
    methods.options(move || async move { ([(ALLOW, allow)], allow) }).fallback(unknown)
}

/// The canonical ref that `{kind}/{namespace}/{name}` of the path means, in any letter case.
fn ref_of_path(accepted: &Accepted) -> Result<EntityRef, ApiError> {
    Ok(EntityRef::new(accepted.path("kind")?, accepted.path("namespace")?, accepted.path("name")?))
}

#[cfg(test)]
mod tests;
