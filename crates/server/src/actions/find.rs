//! Finding the one entity that an action is about, by as much of its name as is known.

use callboard_index::{After, Hit, Predicate};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::actions::input::given;
use crate::api_error::ApiError;
use crate::view::{Effort, View};

/// Refs that an error lists; nobody chooses among more.
const REFS_TOLD_MAX: usize = 50;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityName {
    /// The name of the entity, which is `metadata.name`, such as `hire-app`. Letter case does not matter.
    name: String,
    /// The kind of the entity, such as `Component`. Leave it out if it is not known.
    #[serde(default, deserialize_with = "given")]
    kind: Option<String>,
    /// The namespace of the entity; most are in `default`. Leave it out if it is not known.
    #[serde(default, deserialize_with = "given")]
    namespace: Option<String>,
}

/// The entity that has this name. None, and more than one, are errors.
pub(super) async fn find_one(view: &View, wanted: &EntityName) -> Result<Hit, ApiError> {
    let EntityName { name, kind, namespace } = wanted;
    let fields =
        [("metadata.name", Some(name)), ("kind", kind.as_ref()), ("metadata.namespace", namespace.as_ref())];
    let filters: Vec<Predicate> =
        fields.into_iter().filter_map(|(key, value)| Some(Predicate::one_of(key, [value?]))).collect();
    let filters: Vec<&Predicate> = filters.iter().collect();
    let part = After { limit: Some(REFS_TOLD_MAX + 1), offset: None };
    let page = view.search(Effort::Usual, |index| index.list_page(&filters, &[], part)).await?;
    let mut hits = page.hits;
    match hits.len() {
        1 => hits.pop().ok_or_else(|| nothing(name)),
        0 => Err(nothing(name)),
        _ => Err(several(name, &hits)),
    }
}

pub(super) fn nothing(name: &str) -> ApiError {
    ApiError::input(format!("No entity found with name \"{name}\""))
}

fn several(name: &str, hits: &[Hit]) -> ApiError {
    let refs: Vec<String> =
        hits.iter().take(REFS_TOLD_MAX).map(|hit| format!("\"{}\"", hit.entity_ref)).collect();
    let more = if hits.len() > REFS_TOLD_MAX { " and more" } else { "" };
    ApiError::conflict(format!(
        "Multiple entities found with name \"{name}\", please provide more specific filters. Entities found: {}{more}",
        refs.join(", "),
    ))
}
