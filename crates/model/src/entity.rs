//! The entity: a JSON object with an envelope (`apiVersion`, `kind`, `metadata`) that the catalog understands.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::entity_ref::EntityRef;
use crate::error::{ErrorKind, ModelError};
use crate::schema::{filled, object, properties, required};

/// The namespace of entities that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// An entity as data. Only its root is known to be an object; keys keep the order of the input.
///
/// The accessors are forgiving: what is absent or of a wrong type reads as absent.
/// [`Entity::check_envelope`] is the way to insist.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Entity(Map<String, Value>);

impl Entity {
    /// Takes any JSON value that is an object.
    pub fn from_value(value: Value) -> Result<Self, ModelError> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            other => {
                let message = format!("Expected object at root, got {}", js_typeof(&other));
                Err(ModelError::new(ErrorKind::Error, "entity/root", message).at(""))
            }
        }
    }

    /// The entity as the JSON object that it is.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The entity as the JSON object that it is, to change.
    pub fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// The entity as a JSON value.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// A copy of the entity as a JSON value.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// `apiVersion`; empty when absent or not a string.
    pub fn api_version(&self) -> &str {
        self.root_str("apiVersion")
    }

    /// `kind`, in the case of the input; empty when absent or not a string.
    pub fn kind(&self) -> &str {
        self.root_str("kind")
    }

    /// `metadata.name`; empty when absent or not a string.
    pub fn name(&self) -> &str {
        self.metadata().and_then(|m| m.get("name")).and_then(Value::as_str).unwrap_or_default()
    }

    /// `metadata.namespace`, as given.
    pub fn namespace(&self) -> Option<&str> {
        self.metadata()?.get("namespace")?.as_str()
    }

    /// `metadata`.
    pub fn metadata(&self) -> Option<&Map<String, Value>> {
        self.0.get("metadata")?.as_object()
    }

    /// `metadata`, made into an object if it is none.
    pub fn metadata_mut(&mut self) -> &mut Map<String, Value> {
        object_at(&mut self.0, "metadata")
    }

    /// `metadata.annotations`.
    pub fn annotations(&self) -> Option<&Map<String, Value>> {
        self.metadata()?.get("annotations")?.as_object()
    }

    /// The value of one annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations()?.get(key)?.as_str()
    }

    /// Sets one annotation. `metadata` and `annotations` are made into objects if they are none.
    pub fn set_annotation(&mut self, key: impl Into<String>, value: impl Into<String>) {
        object_at(self.metadata_mut(), "annotations").insert(key.into(), Value::String(value.into()));
    }

    /// `spec`.
    pub fn spec(&self) -> Option<&Map<String, Value>> {
        self.0.get("spec")?.as_object()
    }

    /// `spec`, to change; `None` when there is none.
    pub fn spec_mut(&mut self) -> Option<&mut Map<String, Value>> {
        self.0.get_mut("spec")?.as_object_mut()
    }

    /// One text of `spec`.
    pub fn spec_str(&self, key: &str) -> Option<&str> {
        self.spec()?.get(key)?.as_str()
    }

    /// The entity's ref. A missing namespace reads as `default`; an empty one stays empty.
    pub fn entity_ref(&self) -> EntityRef {
        EntityRef::new(self.kind(), self.namespace().unwrap_or(DEFAULT_NAMESPACE), self.name())
    }

    /// Checks what is needed to give the entity a ref: texts for `apiVersion`, `kind` and `metadata.name`, and for
    /// `metadata.namespace` if there is one. Everything else is left to later checks.
    pub fn check_envelope(&self) -> Result<(), ModelError> {
        let root = &self.0;
        required(root, &["apiVersion", "kind", "metadata"])
            .and_then(|()| {
                properties(
                    root,
                    &[
                        ("apiVersion", &filled),
                        ("kind", &filled),
                        ("metadata", &|metadata| {
                            let metadata = object(metadata)?;
                            required(metadata, &["name"])?;
                            properties(metadata, &[("name", &filled), ("namespace", &filled)])
                        }),
                    ],
                )
            })
            .map_err(|complaint| complaint.into_type_error("envelope"))
    }

    fn root_str(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

impl From<Map<String, Value>> for Entity {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

impl TryFrom<Value> for Entity {
    type Error = ModelError;

    fn try_from(value: Value) -> Result<Self, ModelError> {
        Self::from_value(value)
    }
}

/// What the `typeof` of JavaScript says, in which lists and null are objects.
fn js_typeof(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => "object",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
    }
}

fn object_at<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let slot = map.entry(key).or_insert(Value::Null);
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(inner) => inner,
        _ => unreachable!("the slot was made an object right above"),
    }
}

#[cfg(test)]
mod tests;
