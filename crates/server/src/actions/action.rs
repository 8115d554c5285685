//! What an action is, and which there are.

use std::sync::LazyLock;

use axum::response::Response;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::StatusCode;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::actions::filter::ActionFilter;
use crate::actions::get_entity::GetEntity;
use crate::actions::model_description::GetModelDescription;
use crate::actions::query_entities::QueryEntities;
use crate::actions::refresh_entity::RefreshEntity;
use crate::actions::register_entity::RegisterEntity;
use crate::actions::unregister_entity::UnregisterEntity;
use crate::actions::validate_entity::ValidateEntity;
use crate::actions::{input, schema};
use crate::api_error::ApiError;
use crate::reply;
use crate::state::AppState;

/// The plugin that has these actions.
const PLUGIN_ID: &str = "catalog";

/// Those that there are, in the order in which they are listed.
static ACTIONS: LazyLock<[RegisteredAction; 7]> = LazyLock::new(|| {
    [
        RegisteredAction::of::<GetModelDescription>(),
        RegisteredAction::of::<GetEntity>(),
        RegisteredAction::of::<QueryEntities>(),
        RegisteredAction::of::<ValidateEntity>(),
        RegisteredAction::of::<RegisterEntity>(),
        RegisteredAction::of::<UnregisterEntity>(),
        RegisteredAction::of::<RefreshEntity>(),
    ]
});

/// Something that can be done.
pub(super) trait Action {
    /// Its id is this after the plugin's.
    const NAME: &'static str;
    /// A few words for people.
    const TITLE: &'static str;
    /// What a language model has to know to choose it.
    const DESCRIPTION: &'static str;
    const ATTRIBUTES: Attributes;

    /// Doc comments of fields are what the schema says of them.
    type Input: DeserializeOwned + JsonSchema + Send;
    type Output: JsonSchema;

    /// Does it. The answer is an [`output`] of the type above.
    fn invoke(
        state: &AppState,
        input: Self::Input,
    ) -> impl Future<Output = Result<Response, ApiError>> + Send;
}

/// What invoking an action may do.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attributes {
    /// Something that is there may be lost.
    pub(super) destructive: bool,
    /// The second time makes no difference.
    pub(super) idempotent: bool,
    /// Nothing changes.
    pub(super) read_only: bool,
}

/// An action as it is listed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisteredAction {
    pub(super) id: String,
    name: &'static str,
    title: &'static str,
    description: &'static str,
    plugin_id: &'static str,
    pub(super) attributes: Attributes,
    schema: Schemas,
    #[serde(skip)]
    invoke: fn(AppState, Value) -> BoxFuture<'static, Result<Response, ApiError>>,
}

#[derive(Debug, Serialize)]
struct Schemas {
    input: Schema,
    output: Schema,
}

/// The actions that a filter lets through.
pub(super) fn allowed(filter: &ActionFilter) -> impl Iterator<Item = &'static RegisteredAction> {
    ACTIONS.iter().filter(|action| filter.allows(&action.id, action.attributes))
}

impl RegisteredAction {
    fn of<A: Action + 'static>() -> Self {
        Self {
            id: id::<A>(),
            name: A::NAME,
            title: A::TITLE,
            description: A::DESCRIPTION,
            plugin_id: PLUGIN_ID,
            attributes: A::ATTRIBUTES,
            schema: Schemas {
                input: schema::of_input::<A::Input>(),
                output: schema::of_output::<A::Output>(),
            },
            invoke: invoke::<A>,
        }
    }

    /// Checks the input and does it.
    pub(super) async fn invoke(&self, state: AppState, input: Value) -> Result<Response, ApiError> {
        (self.invoke)(state, input).await
    }
}

fn invoke<A: Action>(state: AppState, input: Value) -> BoxFuture<'static, Result<Response, ApiError>> {
    async move {
        let input = input::read(input).map_err(|complaint| {
            let id = id::<A>();
            ApiError::input(format!("Invalid input to action \"{id}\"; caused by InputError: {complaint}"))
        })?;
        A::invoke(&state, input).await
    }
    .boxed()
}

fn id<A: Action>() -> String {
    format!("{PLUGIN_ID}:{}", A::NAME)
}

/// The answer of an action.
pub(super) fn output(value: &impl Serialize) -> Result<Response, ApiError> {
    reply::json(StatusCode::OK, &json!({ "output": value }))
}
