//! `catalog:get-catalog-entity`: one entity.

use axum::response::Response;
use http::StatusCode;

use crate::actions::action::{Action, Attributes};
use crate::actions::find::{EntityName, find_one, nothing};
use crate::actions::schema::AnyEntity;
use crate::api_error::ApiError;
use crate::reply;
use crate::state::AppState;

pub(super) struct GetEntity;

impl Action for GetEntity {
    const NAME: &'static str = "get-catalog-entity";
    const TITLE: &'static str = "Look Up an Entity";
    const DESCRIPTION: &'static str = "\
Looks up one entity of the software catalog (a component, API, system, team, user and so on) whose name is known, \
and answers all of it: `metadata`, `spec` and its `relations` to other entities, such as who owns it and what it \
depends on.

An entity is identified by kind, namespace and name, written as the ref `kind:namespace/name`. Kind and namespace \
may be left out. If several entities have the name, the error lists their refs: call again with the kind and the \
namespace of the one that is meant. To search by anything else than the name, use `catalog:query-catalog-entities`.";
    const ATTRIBUTES: Attributes = Attributes { destructive: false, idempotent: true, read_only: true };

    type Input = EntityName;
    type Output = AnyEntity;

    async fn invoke(state: &AppState, input: EntityName) -> Result<Response, ApiError> {
        let view = state.view()?;
        let hit = find_one(view, &input).await?;
        let entity = view.text(&hit).await?.ok_or_else(|| nothing(&hit.entity_ref))?;
        Ok(reply::buffered(StatusCode::OK, [br#"{"output":"#, entity.as_ref(), b"}"].concat()))
    }
}
