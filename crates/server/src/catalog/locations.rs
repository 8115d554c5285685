//! `GET /locations`: all registered locations.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_store::{Store, StoreError, StoredLocation};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api_error::ApiError;
use crate::catalog::location::LocationBody;
use crate::reply;
use crate::request::Operation;
use crate::state::AppState;

/// Locations that the store is asked for at a time.
const PAGE_LEN: usize = 1000;

/// The type of the location from which Backstage's own bucket hangs; it is nobody's business.
const BOOTSTRAP: &str = "bootstrap";

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LocationItem", deny_unknown_fields)]
pub(crate) struct Item<'a> {
    data: LocationBody<'a>,
}

pub(crate) async fn list(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    Operation::BARE.accept(&state, request).await?;
    let mut locations = Vec::new();
    each(state.store()?.as_ref(), |location| locations.push(location)).await?;
    let items: Vec<Item<'_>> = locations.iter().map(|location| Item { data: location.into() }).collect();
    reply::json(StatusCode::OK, &items)
}

/// Shows all registered locations, ordered by id. People register them one by one, so there are not so many that a
/// list of them would have to be streamed, or that looking for some would need an index.
pub(crate) async fn each(
    store: &dyn Store,
    mut visit: impl FnMut(StoredLocation) + Send,
) -> Result<(), StoreError> {
    let mut after: Option<String> = None;
    loop {
        let page = store.locations_list(after.as_deref(), PAGE_LEN).await?;
        after = page.last().map(|location| location.id.clone());
        let is_last = page.len() < PAGE_LEN;
        page.into_iter().filter(|location| location.spec.kind != BOOTSTRAP).for_each(&mut visit);
        if is_last {
            return Ok(());
        }
    }
}
