//! Entity refs: `[kind:][namespace/]name`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::DEFAULT_NAMESPACE;
use crate::error::{ErrorKind, ModelError};

const RULE: &str = "entity-ref";

/// The three parts that name an entity.
///
/// The parts keep the case they were written in. [`Display`](fmt::Display) and [`EntityRef::to_canonical`] lower-case
/// them; two refs mean the same entity when their canonical texts are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntityRef {
    /// The entity's `kind`.
    pub kind: String,
    /// The entity's `metadata.namespace`, or `default`.
    pub namespace: String,
    /// The entity's `metadata.name`.
    pub name: String,
}

impl EntityRef {
    /// Puts a ref together from its parts, unchecked.
    pub fn new(kind: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// Parses `[kind:][namespace/]name`. The namespace falls back to the given one, then to `default`.
    ///
    /// The kind ends at the first `:`, if that comes before the first `/`. Further separators belong to the name;
    /// nothing is trimmed.
    pub fn parse(
        text: &str,
        default_kind: Option<&str>,
        default_namespace: Option<&str>,
    ) -> Result<Self, ModelError> {
        if text.is_empty() {
            return Err(ModelError::new(ErrorKind::Error, RULE, "Entity reference must not be empty"));
        }
        let (kind, namespace, name) = split(text);
        if kind == Some("") || namespace == Some("") || name.is_empty() {
            let message =
                format!("Entity reference \"{text}\" was not on the form [<kind>:][<namespace>/]<name>");
            return Err(ModelError::new(ErrorKind::TypeError, RULE, message));
        }
        let textual = || Value::from(text).to_string();
        complete(kind, namespace, Some(name), default_kind, default_namespace, textual)
    }

    /// Reads a ref from JSON: its text form, or an object with `name` and optional `kind` and `namespace`.
    pub fn from_value(
        value: &Value,
        default_kind: Option<&str>,
        default_namespace: Option<&str>,
    ) -> Result<Self, ModelError> {
        match value {
            Value::String(text) => Self::parse(text, default_kind, default_namespace),
            Value::Null | Value::Bool(false) => Self::parse("", None, None),
            _ => {
                let part = |key| value.get(key).and_then(Value::as_str);
                let textual = || value.to_string();
                complete(
                    part("kind"),
                    part("namespace"),
                    part("name"),
                    default_kind,
                    default_namespace,
                    textual,
                )
            }
        }
    }

    /// Takes a canonical text `kind:namespace/name` apart. Unlike [`EntityRef::parse`] it wants all three parts to
    /// be there, but lets them be empty, as canonical texts of odd entities may have it.
    pub fn from_canonical(text: &str) -> Result<Self, ModelError> {
        text.split_once(':')
            .and_then(|(kind, rest)| {
                rest.split_once('/').map(|(namespace, name)| Self::new(kind, namespace, name))
            })
            .ok_or_else(|| {
                let message =
                    format!("Entity reference \"{text}\" was not on the form <kind>:<namespace>/<name>");
                ModelError::new(ErrorKind::TypeError, RULE, message)
            })
    }

    /// The text under which the catalog knows the entity: all parts lower-cased.
    pub fn to_canonical(&self) -> String {
        // Part by part: the rule for a final sigma looks at the neighbouring letters.
        let (kind, namespace, name) = (&self.kind, &self.namespace, &self.name);
        format!("{}:{}/{}", kind.to_lowercase(), namespace.to_lowercase(), name.to_lowercase())
    }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_canonical())
    }
}

fn split(text: &str) -> (Option<&str>, Option<&str>, &str) {
    let (before_slash, after_slash) = match text.split_once('/') {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    };
    match (before_slash.split_once(':'), after_slash) {
        (Some((kind, namespace)), Some(name)) => (Some(kind), Some(namespace), name),
        (Some((kind, name)), None) => (Some(kind), None, name),
        (None, Some(name)) => (None, Some(before_slash), name),
        (None, None) => (None, None, text),
    }
}

fn complete(
    kind: Option<&str>,
    namespace: Option<&str>,
    name: Option<&str>,
    default_kind: Option<&str>,
    default_namespace: Option<&str>,
    textual: impl Fn() -> String,
) -> Result<EntityRef, ModelError> {
    let default_namespace = default_namespace.filter(|n| !n.is_empty()).unwrap_or(DEFAULT_NAMESPACE);
    let missing = |what: &str| {
        ModelError::new(
            ErrorKind::Error,
            RULE,
            format!("Entity reference {} had missing or empty {what}", textual()),
        )
    };
    let filled = |part: Option<&str>| part.filter(|p| !p.is_empty()).map(str::to_owned);
    Ok(EntityRef {
        kind: filled(kind.or(default_kind))
            .ok_or_else(|| missing("kind (e.g. did not start with \"component:\" or similar)"))?,
        namespace: filled(namespace.or(Some(default_namespace))).ok_or_else(|| missing("namespace"))?,
        name: filled(name).ok_or_else(|| missing("name"))?,
    })
}

#[cfg(test)]
mod tests;
