//! Actions: what programs may have done in the catalog, described so that a language model can choose among them.
//! Backstage's actions service lists and invokes them, and its MCP server offers them as tools.
//!
//! An action is thin: it brings its input into the form of one of the endpoints in `catalog`, and does what that one
//! does. Its schemas are those of the types that its input is read into and that its output is written from.

mod action;
mod filter;
mod find;
mod get_entity;
mod input;
mod invoke;
mod list;
mod model_description;
mod query_entities;
mod refresh_entity;
mod register_entity;
mod schema;
mod unregister_entity;
mod validate_entity;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use filter::ActionFilter;

use crate::catalog::endpoint;
use crate::state::AppState;

/// They are not in the OpenAPI document: each describes itself.
pub(crate) fn routes() -> Router<AppState> {
    [
        ("/.backstage/actions/v1/actions", "GET,HEAD", get(list::list)),
        ("/.backstage/actions/v1/actions/{id}/invoke", "POST", post(invoke::bare)),
        ("/.backstage/actions/v2/actions/{id}/invoke", "POST", post(invoke::wrapped)),
    ]
    .into_iter()
    .fold(Router::new(), |router, (path, allow, methods)| router.route(path, endpoint(allow, methods)))
}

#[cfg(test)]
mod tests;
