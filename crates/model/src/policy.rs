//! Policies: the rules that every entity passes, in order, before anything looks at its kind.

use std::fmt::Debug;

use serde_json::Value;

use crate::entity::{DEFAULT_NAMESPACE, Entity};
use crate::entity_ref::EntityRef;
use crate::error::{ErrorKind, ModelError};
use crate::format::Validators;
use crate::schema_check::first_complaint;

mod field_format;

pub use field_format::FieldFormat;

/// A rule that an entity must pass, and that may complete or replace it.
///
/// Called once for every processed entity, from many threads at a time; it must be quick and not block. An error
/// fails the processing of the entity.
pub trait EntityPolicy: Debug + Send + Sync {
    /// The name under which errors speak of the policy.
    fn name(&self) -> &str;

    /// Returns the entity to go on with. `None` counts as a fault of the policy.
    fn enforce(&self, entity: Entity) -> Result<Option<Entity>, ModelError>;

    /// Changes whenever the same entity may be judged or completed in another way: a version, a digest of the
    /// configuration. All entities are processed afresh after a change.
    fn fingerprint(&self) -> String {
        String::new()
    }
}

/// The entity must fit the schema that all kinds share.
#[derive(Debug, Clone, Copy, Default)]
pub struct SchemaValid;

impl EntityPolicy for SchemaValid {
    fn name(&self) -> &'static str {
        "SchemaValidEntityPolicy"
    }

    fn enforce(&self, entity: Entity) -> Result<Option<Entity>, ModelError> {
        check_schema(&entity)?;
        Ok(Some(entity))
    }
}

/// An entity without a namespace gets `default`.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultNamespace;

impl EntityPolicy for DefaultNamespace {
    fn name(&self) -> &'static str {
        "DefaultNamespaceEntityPolicy"
    }

    fn enforce(&self, mut entity: Entity) -> Result<Option<Entity>, ModelError> {
        fill_in_namespace(&mut entity);
        Ok(Some(entity))
    }
}

/// Nobody but the catalog itself writes more than `apiVersion`, `kind`, `metadata` and `spec`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoForeignRootFields;

impl EntityPolicy for NoForeignRootFields {
    fn name(&self) -> &'static str {
        "NoForeignRootFieldsEntityPolicy"
    }

    fn enforce(&self, entity: Entity) -> Result<Option<Entity>, ModelError> {
        check_root_fields(&entity)?;
        Ok(Some(entity))
    }
}

/// Groups without a parent get one, so that all groups hang together under one root. Not among the default policies.
#[derive(Debug, Clone)]
pub struct GroupDefaultParent {
    parent_ref: String,
}

impl GroupDefaultParent {
    /// Takes the ref of the root group; the kind may be left out.
    pub fn new(parent_ref: &str) -> Result<Self, ModelError> {
        let parent = EntityRef::parse(parent_ref, Some("Group"), None)?;
        if !parent.kind.eq_ignore_ascii_case("group") {
            let message = "group parent must be a group";
            return Err(ModelError::new(ErrorKind::TypeError, "group-default-parent", message));
        }
        Ok(Self { parent_ref: parent.to_canonical() })
    }
}

impl EntityPolicy for GroupDefaultParent {
    fn name(&self) -> &'static str {
        "GroupDefaultParentEntityPolicy"
    }

    fn enforce(&self, mut entity: Entity) -> Result<Option<Entity>, ModelError> {
        let is_root = entity.entity_ref().to_canonical() == self.parent_ref;
        if entity.kind() == "Group"
            && !is_root
            && let Some(spec) = entity.spec_mut()
            && spec.get("parent").is_none_or(|parent| parent.is_null() || parent == "")
        {
            spec.insert("parent".to_owned(), Value::from(self.parent_ref.as_str()));
        }
        Ok(Some(entity))
    }

    fn fingerprint(&self) -> String {
        self.parent_ref.clone()
    }
}

/// The policies that every installation has; it may replace the validators of single fields.
pub fn default_policies(validators: Validators) -> Vec<Box<dyn EntityPolicy>> {
    vec![
        Box::new(SchemaValid),
        Box::new(DefaultNamespace),
        Box::new(NoForeignRootFields),
        Box::new(FieldFormat::new(validators)),
    ]
}

/// Passes the entity through the policies, one after the other.
pub fn enforce_all(policies: &[Box<dyn EntityPolicy>], entity: Entity) -> Result<Entity, ModelError> {
    policies.iter().try_fold(entity, |entity, policy| {
        policy.enforce(entity)?.ok_or_else(|| {
            let message = format!("Policy {} did not return a result", policy.name());
            ModelError::new(ErrorKind::Error, "policy/no-result", message)
        })
    })
}

/// The same as [`enforce_all`] with [`default_policies`] and the standard validators, without the boxes.
pub fn enforce_default(mut entity: Entity) -> Result<Entity, ModelError> {
    check_schema(&entity)?;
    fill_in_namespace(&mut entity);
    check_root_fields(&entity)?;
    FieldFormat::default().check(&entity)?;
    Ok(entity)
}

fn check_schema(entity: &Entity) -> Result<(), ModelError> {
    first_complaint(entity).map_err(|complaint| {
        let message = format!("Malformed envelope, {}", complaint.summary());
        ModelError::new(ErrorKind::Error, "schema-valid", message).at(complaint.pointer)
    })
}

fn fill_in_namespace(entity: &mut Entity) {
    let given = entity.metadata().and_then(|metadata| metadata.get("namespace"));
    if given.is_none_or(|namespace| namespace.is_null() || namespace == "") {
        entity.metadata_mut().insert("namespace".to_owned(), Value::from(DEFAULT_NAMESPACE));
    }
}

fn check_root_fields(entity: &Entity) -> Result<(), ModelError> {
    let known = ["apiVersion", "kind", "metadata", "spec"];
    match entity.as_map().keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let pointer = format!("/{}", crate::text::pointer_segment(key));
            let message = format!("Unknown field {key}");
            Err(ModelError::new(ErrorKind::Error, "no-foreign-root-fields", message).at(pointer))
        }
    }
}

#[cfg(test)]
mod tests;
