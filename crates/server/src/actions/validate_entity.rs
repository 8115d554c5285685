//! `catalog:validate-entity`: checks the text of a descriptor.

use axum::response::Response;
use callboard_model::{Entity, LocationSpec, SerializedError};
use callboard_sdk::ProcessorError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::action::{Action, Attributes, output};
use crate::actions::input::given;
use crate::actions::schema::AnyEntity;
use crate::api_error::ApiError;
use crate::catalog::validate_entity::url_location;
use crate::state::AppState;

/// Where an entity is said to be from unless the input says it; Backstage's.
const LOCATION_DEFAULT: &str = "url:https://localhost/entity-validator";

pub(super) struct ValidateEntity;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ToValidate {
    /// The descriptor of one entity as YAML, as it would be in a `catalog-info.yaml` file.
    entity: String,
    /// Where the descriptor is or will be, as `url:<URL>`; relative targets in it start there.
    #[serde(default, deserialize_with = "given")]
    location: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct Validated {
    /// Whether the catalog would take the entity as it is.
    is_valid: bool,
    /// Whether the text is YAML at all.
    is_valid_yaml: bool,
    /// What is wrong; empty if nothing is.
    errors: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AnyEntity>")]
    entity: Option<Entity>,
}

impl Action for ValidateEntity {
    const NAME: &'static str = "validate-entity";
    const TITLE: &'static str = "Check an Entity Descriptor";
    const DESCRIPTION: &'static str = "\
Checks the text of an entity descriptor, such as the content of a `catalog-info.yaml` file, by the rules of the \
software catalog, and keeps nothing. Use it before a descriptor is committed or registered, and again after each \
correction.

The text is YAML and describes one entity; of a file with several documents, check one after the other. The answer \
says whether the text is YAML (`isValidYaml`) and whether the catalog would take the entity (`isValid`), and lists \
what is wrong (`errors`). A valid entity comes back as it was read. Whether the entities that it refers to exist is \
not checked. `catalog:get-catalog-model-description` says which kinds there are and what belongs into them.";
    const ATTRIBUTES: Attributes = Attributes { destructive: false, idempotent: true, read_only: true };

    type Input = ToValidate;
    type Output = Validated;

    async fn invoke(state: &AppState, input: ToValidate) -> Result<Response, ApiError> {
        output(&validate(state, &input).await?)
    }
}

async fn validate(state: &AppState, input: &ToValidate) -> Result<Validated, ApiError> {
    let catalog = state.catalog()?;
    let location = url_location(input.location.as_deref().unwrap_or(LOCATION_DEFAULT));
    let read_from = location.clone().or_else(|_| url_location(LOCATION_DEFAULT))?;
    // The second one only says that there is more than one.
    let mut documents = catalog.parse_descriptor(&input.entity, &read_from, 2).await.into_iter();
    let entity = match documents.next() {
        Some(Ok(entity)) => entity,
        Some(Err(error)) => return Ok(unread(&error)),
        None => return Ok(invalid(false, ["Validation error: the text describes no entity".to_owned()])),
    };
    if documents.next().is_some() {
        let error = "Validation error: the text has several documents, check one after the other";
        return Ok(invalid(true, [error.to_owned()]));
    }
    let errors = match checked(&entity, location) {
        Ok(location) => catalog.validate_entity(entity.clone(), &location).await,
        Err(error) => vec![error.into()],
    };
    if errors.is_empty() {
        return Ok(Validated {
            is_valid: true,
            is_valid_yaml: true,
            errors: Vec::new(),
            entity: Some(entity),
        });
    }
    Ok(invalid(true, errors.into_iter().map(|SerializedError { message, .. }| message)))
}

fn checked(entity: &Entity, location: Result<LocationSpec, ApiError>) -> Result<LocationSpec, ApiError> {
    entity.check_envelope()?;
    location
}

/// What cannot be read as an entity.
fn unread(error: &ProcessorError) -> Validated {
    let is_yaml = error.rule.as_ref().is_none_or(|rule| !rule.starts_with("yaml/"));
    let what = if is_yaml { "Validation error" } else { "YAML parsing error" };
    invalid(is_yaml, [format!("{what}: {}", error.message)])
}

fn invalid(is_valid_yaml: bool, errors: impl IntoIterator<Item = String>) -> Validated {
    Validated { is_valid: false, is_valid_yaml, errors: errors.into_iter().collect(), entity: None }
}
