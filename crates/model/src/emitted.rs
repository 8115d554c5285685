//! Acceptance of an entity that the processing of another entity has brought forth.

use serde_json::Value;

use crate::annotations::{MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION};
use crate::entity::Entity;
use crate::error::{ErrorKind, ModelError};
use crate::location::LocationRef;

/// The entity whose processing brings forth others.
#[derive(Debug, Clone, Copy)]
pub struct EmittingParent<'a> {
    /// Its canonical ref.
    pub entity_ref: &'a str,
    /// Its `managed-by-origin-location` annotation, which all its descendants inherit.
    pub origin_location: &'a str,
}

/// What became of an emitted entity.
#[derive(Debug, Clone, PartialEq)]
pub enum Emitted {
    /// To be processed in its turn, annotated with where it comes from.
    Accepted(Entity),
    /// It is the very entity being processed, and must be dropped with a warning.
    SameAsParent,
}

/// Checks and annotates an emitted entity.
///
/// Both location annotations are forced, whatever the entity says itself. An error here is one to collect for the
/// parent; it does not stop the parent's processing.
pub fn accept_emitted(
    mut entity: Entity,
    location: &LocationRef,
    parent: EmittingParent<'_>,
) -> Result<Emitted, ModelError> {
    entity.check_envelope()?;
    if entity.entity_ref().to_canonical() == parent.entity_ref {
        return Ok(Emitted::SameAsParent);
    }
    if has_odd_annotations(&entity) {
        let message = "metadata.annotations must be a valid object";
        return Err(
            ModelError::new(ErrorKind::Error, "emitted/annotations", message).at("/metadata/annotations")
        );
    }
    entity.set_annotation(MANAGED_BY_ORIGIN_LOCATION, parent.origin_location);
    entity.set_annotation(MANAGED_BY_LOCATION, location.to_string());
    Ok(Emitted::Accepted(entity))
}

/// Empty values of other types count as no annotations at all, as they do in JavaScript.
fn has_odd_annotations(entity: &Entity) -> bool {
    match entity.metadata().and_then(|metadata| metadata.get("annotations")) {
        None | Some(Value::Null | Value::Bool(false) | Value::Object(_)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::Bool(true) | Value::Array(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PARENT: EmittingParent<'_> =
        EmittingParent { entity_ref: "location:default/a", origin_location: "url:origin" };

    fn accept(value: Value) -> Result<Emitted, ModelError> {
        let location = LocationRef::new("url", "here").unwrap();
        accept_emitted(Entity::from_value(value).unwrap(), &location, PARENT)
    }

    #[test]
    fn location_annotations_are_forced() {
        for annotations in
            [json!({"backstage.io/managed-by-location": "url:fake", "x": "y"}), json!(null), json!("")]
        {
            let value = json!({"apiVersion": "v", "kind": "K", "metadata": {"name": "n", "annotations": annotations}});
            let Emitted::Accepted(entity) = accept(value).unwrap() else { panic!("dropped") };
            assert_eq!(entity.annotation(MANAGED_BY_LOCATION), Some("url:here"));
            assert_eq!(entity.annotation(MANAGED_BY_ORIGIN_LOCATION), Some("url:origin"));
            assert_eq!(entity.annotation("x"), annotations.get("x").and_then(Value::as_str));
        }
    }

    #[test]
    fn the_parent_itself_is_told_apart() {
        let value =
            json!({"apiVersion": "v", "kind": "location", "metadata": {"name": "A", "annotations": []}});
        assert_eq!(accept(value).unwrap(), Emitted::SameAsParent);
    }

    #[test]
    fn faults_are_reported_in_order() {
        let rows = [
            (
                json!({"apiVersion": "v", "kind": "K"}),
                "TypeError",
                "<root> must have required property 'metadata' - missingProperty: metadata",
            ),
            (
                json!({"apiVersion": "v", "kind": "K", "metadata": {"name": "n", "annotations": [1]}}),
                "Error",
                "metadata.annotations must be a valid object",
            ),
        ];
        for (value, name, message) in rows {
            let error = accept(value).unwrap_err();
            assert_eq!((error.name(), error.message.as_str()), (name, message));
        }
    }
}
