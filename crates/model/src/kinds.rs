//! The built-in kinds: what their `spec` holds, and which relations follow from it.
//!
//! The kinds are data ([`tables`]); checking, relating and sorting are the same for all of them.

use std::cmp::Ordering;

use serde_json::Value;

use crate::entity::Entity;
use crate::entity_ref::EntityRef;
use crate::error::ModelError;
use crate::relation::Relation;
use crate::schema::{Checked, Complaint, each, filled, object, one_of, properties, property, required};
use crate::schema_check::check_entity_schema;
use crate::text::js_cmp;

mod tables;

use tables::SORTED_ARRAYS;
pub use tables::{API_VERSIONS, KINDS, Kind, RelationField, Shape};

/// Whether an entity is of a built-in kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindCheck {
    /// The kind or its API version is foreign; someone else may know it.
    NotMine,
    /// A built-in kind, and well formed.
    Valid,
}

/// Validates an entity of a built-in kind.
///
/// Kind and API version are matched to the letter. Fails with the first fault as a `TypeError`, such as
/// `/spec must have required property 'owner' - missingProperty: owner`.
pub fn check_builtin_kind(entity: &Entity) -> Result<KindCheck, ModelError> {
    let (kind, api_version) = (entity.kind(), entity.api_version());
    let known = find(kind).filter(|_| API_VERSIONS.contains(&api_version));
    // Texts in both places are merely foreign; anything else there is a fault that the schema check names.
    let is_foreign = known.is_none() && !kind.is_empty() && !api_version.is_empty();
    if is_foreign {
        return Ok(KindCheck::NotMine);
    }
    check_entity_schema(entity)?;
    let Some(known) = known else {
        return Ok(KindCheck::NotMine);
    };
    check_spec(entity, known).map_err(|complaint| complaint.into_type_error(known.rule))?;
    Ok(KindCheck::Valid)
}

/// The relations that an entity of a built-in kind states, each with its opposite.
///
/// Goes by the kind alone, whatever the API version. Fails on targets that are no refs, or that name no kind where
/// the field implies none.
pub fn builtin_relations(entity: &Entity) -> Result<Vec<Relation>, ModelError> {
    let mut relations = Vec::new();
    if let (Some(kind), Some(spec)) = (find(entity.kind()), entity.spec()) {
        let own = entity.entity_ref();
        for field in kind.relations {
            relate(spec.get(field.name), field, &own, &mut relations)?;
        }
    }
    Ok(relations)
}

/// Sorts the ref lists of `spec`, whatever the kind, so that a provider's changing order is no change.
///
/// A list that holds anything but strings stays as it is.
pub fn sort_builtin_arrays(entity: &mut Entity) {
    let Some(spec) = entity.spec_mut() else { return };
    for name in SORTED_ARRAYS {
        if let Some(Value::Array(items)) = spec.get_mut(*name)
            && items.iter().all(Value::is_string)
        {
            items.sort_by(|a, b| match (a.as_str(), b.as_str()) {
                (Some(a), Some(b)) => js_cmp(a, b),
                _ => Ordering::Equal,
            });
        }
    }
}

fn find(kind: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|known| known.name == kind)
}

fn check_spec(entity: &Entity, kind: &Kind) -> Checked {
    let root = entity.as_map();
    required(root, &["spec"])?;
    property(root, "spec", &|spec| {
        let spec = object(spec)?;
        required(spec, kind.required)?;
        kind.fields
            .iter()
            .try_for_each(|(name, shape)| property(spec, name, &|value| check_shape(value, *shape)))
    })
}

fn check_shape(value: &Value, shape: Shape) -> Result<(), Complaint> {
    match shape {
        Shape::Text => filled(value),
        Shape::Texts => each(value, &filled),
        Shape::OneOf(allowed) => one_of(value, allowed),
        Shape::Profile => {
            properties(object(value)?, &[("displayName", &filled), ("email", &filled), ("picture", &filled)])
        }
    }
}

fn relate(
    value: Option<&Value>,
    field: &RelationField,
    own: &EntityRef,
    relations: &mut Vec<Relation>,
) -> Result<(), ModelError> {
    let targets = match value {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(text)) if text.is_empty() => return Ok(()),
        Some(Value::Array(items)) => items.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    for target in targets {
        let target =
            EntityRef::from_value(target, field.default_kind, Some(&own.namespace)).map_err(|error| {
                let pointer = format!("/spec/{}", field.name);
                ModelError { rule: field.rule, ..error.at(pointer) }
            })?;
        let edge = |source: &EntityRef, kind: &str, target: &EntityRef| Relation {
            source: source.clone(),
            kind: kind.to_owned(),
            target: target.clone(),
        };
        relations.push(edge(own, field.out, &target));
        relations.push(edge(&target, field.back, own));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
