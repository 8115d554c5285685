//! What callers are told when a store refuses something, in words that reach clients.

use callboard_model::LocationSpec;

use crate::StoreError;

pub(crate) fn entity_not_found(entity_ref: &str) -> StoreError {
    StoreError::NotFound(format!("Entity {entity_ref} not found"))
}

pub(crate) fn location_not_found(id: &str) -> StoreError {
    StoreError::NotFound(format!("Found no location with ID {id}"))
}

pub(crate) fn location_exists(spec: &LocationSpec) -> StoreError {
    StoreError::Conflict(format!("Location {}:{} already exists", spec.kind, spec.target))
}

pub(crate) fn location_ref_taken(entity_ref: &str) -> StoreError {
    StoreError::Conflict(format!("{entity_ref} is the entity of another location"))
}

pub(crate) fn changes_trimmed(trimmed_to: i64) -> StoreError {
    StoreError::NotFound(format!("the change log begins after position {trimmed_to}"))
}

pub(crate) fn changes_replaced(position: i64) -> StoreError {
    StoreError::NotFound(format!("the change log is not the one that had position {position}"))
}
