//! What the endpoints of registered locations share: the shape of a location, and the read-only mode.

use callboard_store::StoredLocation;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api_error::ApiError;
use crate::state::AppState;

/// A registered location as clients see it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Location", deny_unknown_fields)]
pub(crate) struct LocationBody<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    target: &'a str,
    entity_ref: &'a str,
}

impl<'a> From<&'a StoredLocation> for LocationBody<'a> {
    fn from(location: &'a StoredLocation) -> Self {
        Self {
            id: &location.id,
            kind: &location.spec.kind,
            target: &location.spec.target,
            entity_ref: &location.entity_ref,
        }
    }
}

/// Refuses changes while `catalog.readonly` is set.
pub(crate) fn refuse_if_readonly(state: &AppState) -> Result<(), ApiError> {
    if state.options.readonly {
        return Err(ApiError::not_allowed("This operation not allowed in readonly mode"));
    }
    Ok(())
}
