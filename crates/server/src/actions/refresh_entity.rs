//! `catalog:refresh-catalog-entity`: has one entity processed at once.

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use crate::actions::action::{Action, Attributes, output};
use crate::actions::find::{EntityName, find_one};
use crate::api_error::ApiError;
use crate::catalog::refresh::schedule;
use crate::position;
use crate::state::AppState;

pub(super) struct RefreshEntity;

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct Refreshed {
    /// The ref of the entity that will be refreshed, as `kind:namespace/name`.
    entity_ref: String,
}

impl Action for RefreshEntity {
    const NAME: &'static str = "refresh-catalog-entity";
    const TITLE: &'static str = "Refresh an Entity";
    const DESCRIPTION: &'static str = "\
Has the software catalog read an entity again from where it is described, before its turn. Use it after a descriptor \
file was changed and the catalog still shows the old content.

It is done in the background: the answer comes at once, the new content some seconds later. Kind and namespace may \
be left out; if several entities have the name, the error lists their refs.";
    const ATTRIBUTES: Attributes = Attributes { destructive: false, idempotent: true, read_only: false };

    type Input = EntityName;
    type Output = Refreshed;

    async fn invoke(state: &AppState, input: EntityName) -> Result<Response, ApiError> {
        let entity_ref = find_one(state.view()?, &input).await?.entity_ref;
        schedule(state, entity_ref.clone()).await?;
        position::changed(state, output(&Refreshed { entity_ref })?).await
    }
}
