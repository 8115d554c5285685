//! `catalog:unregister-entity`: takes back what was registered.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::action::{Action, Attributes, output};
use crate::api_error::ApiError;
use crate::catalog::location::refuse_if_readonly;
use crate::catalog::location_delete::unregister;
use crate::catalog::locations;
use crate::position;
use crate::state::AppState;

pub(super) struct UnregisterEntity;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ToUnregister {
    /// What names the location: either its id or its URL.
    #[serde(rename = "type")]
    by: By,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum By {
    /// The id of the location, as `catalog:register-entity` answered it.
    LocationId(String),
    /// The URL that was registered. Letter case does not matter.
    LocationUrl(String),
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Unregistered {}

impl Action for UnregisterEntity {
    const NAME: &'static str = "unregister-entity";
    const TITLE: &'static str = "Unregister a Descriptor File";
    const DESCRIPTION: &'static str = "\
Removes a registered location from the software catalog, and with it all entities that came in through it and \
through nothing else. Give the id of the location, or its URL. The descriptor file itself is left alone.

This cannot be undone but by registering the location again. Entities that came in another way, such as through the \
configuration of the catalog, cannot be removed like this.";
    const ATTRIBUTES: Attributes = Attributes { destructive: true, idempotent: true, read_only: false };

    type Input = ToUnregister;
    type Output = Unregistered;

    async fn invoke(state: &AppState, input: ToUnregister) -> Result<Response, ApiError> {
        match input.by {
            By::LocationId(id) => unregister(state, id).await?,
            By::LocationUrl(url) => {
                refuse_if_readonly(state)?;
                for id in ids_of(state, &url).await? {
                    unregister(state, id).await?;
                }
            }
        }
        position::changed(state, output(&Unregistered {})?).await
    }
}

/// The registered locations that lead to a URL, at least one. Several are spelled differently, or of different types.
async fn ids_of(state: &AppState, url: &str) -> Result<Vec<String>, ApiError> {
    let wanted = url.to_lowercase();
    let mut ids = Vec::new();
    locations::each(state.store()?.as_ref(), |location| {
        if location.spec.target.to_lowercase() == wanted {
            ids.push(location.id);
        }
    })
    .await?;
    if ids.is_empty() {
        return Err(ApiError::not_found(format!("Location with URL {url} not found")));
    }
    Ok(ids)
}
