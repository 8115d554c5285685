//! `catalog:register-entity`: registers the URL of a descriptor file.

use axum::response::Response;
use callboard_model::LocationSpec;
use callboard_model::format::is_valid_url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::action::{Action, Attributes, output};
use crate::api_error::ApiError;
use crate::catalog::location_create::register;
use crate::position;
use crate::state::AppState;

pub(super) struct RegisterEntity;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ToRegister {
    /// The URL of a descriptor file as a browser shows it, such as
    /// `https://github.com/example/shop/blob/main/catalog-info.yaml`.
    location_url: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct Registered {
    /// The id of the location, by which it can be unregistered.
    location_id: String,
}

impl Action for RegisterEntity {
    const NAME: &'static str = "register-entity";
    const TITLE: &'static str = "Register a Descriptor File";
    const DESCRIPTION: &'static str = "\
Registers the URL of a descriptor file (mostly called `catalog-info.yaml`) as a location of the software catalog. \
From then on the catalog reads that file again and again, and has all entities that it describes.

The file is read in the background: the answer comes before the entities are there, and also if nothing is at the \
URL. A URL that is registered already is an error. Use `catalog:validate-entity` to check a descriptor first.";
    const ATTRIBUTES: Attributes = Attributes { destructive: false, idempotent: false, read_only: false };

    type Input = ToRegister;
    type Output = Registered;

    async fn invoke(state: &AppState, input: ToRegister) -> Result<Response, ApiError> {
        let ToRegister { location_url } = input;
        if !is_valid_url(&location_url) {
            return Err(ApiError::input(format!("{location_url} is an invalid URL")));
        }
        let spec = LocationSpec::new("url", location_url);
        let location = register(state, spec, state.options.location_conflict).await?;
        position::changed(state, output(&Registered { location_id: location.id })?).await
    }
}
