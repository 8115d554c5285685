//! The policy on the formats of single fields.

use serde_json::{Map, Value};

use super::EntityPolicy;
use crate::entity::Entity;
use crate::error::{ErrorKind, ModelError};
use crate::format::{Validator, Validators, is_non_blank, is_valid_url};
use crate::text::pointer_segment;

const LEARN_MORE: &str = "To learn more about catalog file format, visit: https://github.com/backstage/backstage/blob/master/docs/architecture-decisions/adr002-default-catalog-file-format.md";

const NAME: &str =
    "a string that is sequences of [a-zA-Z0-9] separated by any of [-_.], at most 63 characters in total";
const PREFIX_SUFFIX: &str = "a valid prefix and/or suffix";

/// What is said about a field that breaks its format.
struct Format {
    rule: &'static str,
    expectation: &'static str,
}

const API_VERSION: Format = Format { rule: "field-format/apiVersion", expectation: PREFIX_SUFFIX };
const KIND: Format = Format {
    rule: "field-format/kind",
    expectation: "a string that is a sequence of [a-zA-Z][a-z0-9A-Z], at most 63 characters in total",
};
const ENTITY_NAME: Format = Format { rule: "field-format/metadata.name", expectation: NAME };
const NAMESPACE: Format = Format {
    rule: "field-format/metadata.namespace",
    expectation: "a string that is sequences of [a-z0-9] separated by [-], at most 63 characters in total",
};
const LABEL_KEY: Format = Format { rule: "field-format/labels.key", expectation: PREFIX_SUFFIX };
const LABEL_VALUE: Format = Format { rule: "field-format/labels.value", expectation: NAME };
const ANNOTATION_KEY: Format = Format { rule: "field-format/annotations.key", expectation: PREFIX_SUFFIX };
const ANNOTATION_VALUE: Format = Format { rule: "field-format/annotations.value", expectation: "a string" };
const TAG: Format = Format {
    rule: "field-format/tags",
    expectation: "a string that is sequences of [a-z0-9+#] separated by [-], at most 63 characters in total",
};
const LINK_URL: Format =
    Format { rule: "field-format/links.url", expectation: "a string that is a valid url" };
const LINK_TITLE: Format = Format { rule: "field-format/links.title", expectation: "a non empty string" };
const LINK_ICON: Format = Format { rule: "field-format/links.icon", expectation: "a non empty string" };

/// Fields must be formed as their validators want them.
#[derive(Debug, Clone, Default)]
pub struct FieldFormat {
    validators: Validators,
}

impl FieldFormat {
    /// The policy with other validators than the standard ones.
    pub fn new(validators: Validators) -> Self {
        Self { validators }
    }

    /// Checks all fields, and reports the first one that is not formed well.
    pub fn check(&self, entity: &Entity) -> Result<(), ModelError> {
        let v = &self.validators;
        let root = entity.as_map();
        let metadata = entity.metadata();
        let of_metadata = |key| metadata.and_then(|metadata| metadata.get(key));

        field(root.get("apiVersion"), v.api_version, &API_VERSION, || At::new("apiVersion", "/apiVersion"))?;
        field(root.get("kind"), v.kind, &KIND, || At::new("kind", "/kind"))?;
        let at = || At::new("metadata.name", "/metadata/name");
        field(of_metadata("name"), v.entity_name, &ENTITY_NAME, at)?;
        let at = || At::new("metadata.namespace", "/metadata/namespace");
        optional(of_metadata("namespace"), v.namespace, &NAMESPACE, at)?;

        pairs(of_metadata("labels"), "labels", (v.label_key, &LABEL_KEY), (v.label_value, &LABEL_VALUE))?;
        let (key, value) = ((v.annotation_key, &ANNOTATION_KEY), (v.annotation_value, &ANNOTATION_VALUE));
        pairs(of_metadata("annotations"), "annotations", key, value)?;
        for (index, tag) in items(of_metadata("tags")).enumerate() {
            field(Some(tag), v.tag, &TAG, || {
                At::new(format!("tags.{index}"), format!("/metadata/tags/{index}"))
            })?;
        }
        items(of_metadata("links")).enumerate().try_for_each(|(index, link)| check_link(index, link))
    }
}

impl EntityPolicy for FieldFormat {
    fn name(&self) -> &'static str {
        "FieldFormatEntityPolicy"
    }

    fn enforce(&self, entity: Entity) -> Result<Option<Entity>, ModelError> {
        self.check(&entity)?;
        Ok(Some(entity))
    }

    fn fingerprint(&self) -> String {
        self.validators.fingerprint.clone()
    }
}

/// How errors name a field, and where it is.
struct At {
    name: String,
    pointer: String,
}

impl At {
    fn new(name: impl Into<String>, pointer: impl Into<String>) -> Self {
        Self { name: name.into(), pointer: pointer.into() }
    }
}

fn check_link(index: usize, link: &Value) -> Result<(), ModelError> {
    let at = |key: &str| At::new(format!("links.{index}.{key}"), format!("/metadata/links/{index}/{key}"));
    field(link.get("url"), is_valid_url, &LINK_URL, || at("url"))?;
    optional(link.get("title"), is_non_blank, &LINK_TITLE, || at("title"))?;
    optional(link.get("icon"), is_non_blank, &LINK_ICON, || at("icon"))
}

fn pairs(
    map: Option<&Value>,
    what: &str,
    key_format: (Validator, &Format),
    value_format: (Validator, &Format),
) -> Result<(), ModelError> {
    for (key, value) in map.and_then(Value::as_object).into_iter().flat_map(Map::iter) {
        let at = || At::new(format!("{what}.{key}"), format!("/metadata/{what}/{}", pointer_segment(key)));
        if !key_format.0(key) {
            return Err(malformed(at(), key_format.1, key));
        }
        field(Some(value), value_format.0, value_format.1, at)?;
    }
    Ok(())
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

fn optional(
    value: Option<&Value>,
    is_valid: Validator,
    format: &Format,
    at: impl Fn() -> At,
) -> Result<(), ModelError> {
    if value.is_none() { Ok(()) } else { field(value, is_valid, format, at) }
}

fn field(
    value: Option<&Value>,
    is_valid: Validator,
    format: &Format,
    at: impl Fn() -> At,
) -> Result<(), ModelError> {
    match value {
        Some(Value::String(text)) if is_valid(text) => Ok(()),
        Some(Value::String(text)) => Err(malformed(at(), format, text)),
        None | Some(Value::Null) => {
            let At { name, pointer } = at();
            let message = format!("{name} must have a value");
            Err(ModelError::new(ErrorKind::Error, format.rule, message).at(pointer))
        }
        Some(other) => Err(malformed(at(), format, &other.to_string())),
    }
}

fn malformed(at: At, format: &Format, found: &str) -> ModelError {
    let At { name, pointer } = at;
    let expectation = format.expectation;
    let message =
        format!("\"{name}\" is not valid; expected {expectation} but found \"{found}\". {LEARN_MORE}");
    ModelError::new(ErrorKind::Error, format.rule, message).at(pointer)
}
