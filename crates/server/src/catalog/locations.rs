//! `GET /locations`: all registered locations.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_store::{Store, StoreError, StoredLocation};
use http::StatusCode;
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

#[derive(Serialize)]
struct Item<'a> {
    data: LocationBody<'a>,
}

pub(crate) async fn list(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    Operation::BARE.accept(&state, request).await?;
    let locations = all(state.store()?.as_ref()).await?;
    let items: Vec<Item<'_>> = locations.iter().map(|location| Item { data: location.into() }).collect();
    reply::json(StatusCode::OK, &items)
}

/// People register locations one by one, so there are not so many that the list would have to be streamed.
async fn all(store: &dyn Store) -> Result<Vec<StoredLocation>, StoreError> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.locations_list(after.as_deref(), PAGE_LEN).await?;
        after = page.last().map(|location| location.id.clone());
        let is_last = page.len() < PAGE_LEN;
        all.extend(page.into_iter().filter(|location| location.spec.kind != BOOTSTRAP));
        if is_last {
            return Ok(all);
        }
    }
}
