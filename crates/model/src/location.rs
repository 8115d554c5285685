//! Locations: where entities are read from, as `<type>:<target>`, and the entities that stand for them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha1::{Digest as _, Sha1};

use crate::annotations::{MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION};
use crate::entity::Entity;
use crate::error::{ErrorKind, ModelError};
use crate::script_url::is_script_url;
use crate::text::js_trim;

const RULE: &str = "location-ref";

/// Whether it is a fault when there is nothing at a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Nothing there is an error.
    Required,
    /// Nothing there is fine.
    Optional,
}

impl Presence {
    /// The word in `spec.presence` of a Location entity.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
    }
}

/// A location to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LocationSpec {
    /// The location's type, such as `url` or `file`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What to read, in the terms of the type.
    pub target: String,
    /// Whether it must be there; absent means that it must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<Presence>,
}

impl LocationSpec {
    /// A location without an opinion on presence.
    pub fn new(kind: impl Into<String>, target: impl Into<String>) -> Self {
        Self { kind: kind.into(), target: target.into(), presence: None }
    }

    /// The checked ref of the location; see [`LocationRef::new`].
    pub fn location_ref(&self) -> Result<LocationRef, ModelError> {
        LocationRef::new(&self.kind, &self.target)
    }
}

/// Type and target of a location. Its text form is `<type>:<target>`, case preserved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocationRef {
    /// The location's type, such as `url` or `file`.
    pub type_: String,
    /// What to read, in the terms of the type.
    pub target: String,
}

impl LocationRef {
    /// Puts a ref together. Both parts are needed, and targets that browsers would run are refused.
    pub fn new(type_: impl Into<String>, target: impl Into<String>) -> Result<Self, ModelError> {
        let (type_, target) = (type_.into(), target.into());
        for (part, what) in [(&type_, "type"), (&target, "target")] {
            if part.is_empty() {
                return Err(type_error(format!("Unable to stringify location ref, empty {what}")));
            }
        }
        refuse_script(&format!("{type_}:{target}"), &target)?;
        Ok(Self { type_, target })
    }

    /// Parses `<type>:<target>`. Both halves are trimmed and needed. A bare web address is refused with a hint, since
    /// `https` would pass for a type.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let (type_, target) = text
            .split_once(':')
            .map(|(type_, target)| (js_trim(type_), js_trim(target)))
            .filter(|(type_, target)| !type_.is_empty() && !target.is_empty())
            .ok_or_else(|| {
                type_error(format!(
                    "Unable to parse location ref '{text}', expected '<type>:<target>', e.g. 'url:https://host/path'"
                ))
            })?;
        if type_ == "http" || type_ == "https" {
            return Err(type_error(format!(
                "Invalid location ref '{text}', please prefix it with 'url:', e.g. 'url:{text}'"
            )));
        }
        refuse_script(text, target)?;
        Ok(Self { type_: type_.to_owned(), target: target.to_owned() })
    }
}

impl fmt::Display for LocationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.type_, self.target)
    }
}

/// The name of the entity that stands for a location: `generated-` and the SHA-1 of `<type>:<target>` in hex.
pub fn location_entity_name(type_: &str, target: &str) -> String {
    let mut hasher = Sha1::new();
    hasher.update(type_);
    hasher.update(":");
    hasher.update(target);
    format!("generated-{}", hex::encode(hasher.finalize()))
}

/// The entity that stands for a location. It names no namespace.
///
/// The two annotations say where the location itself was found; for a registered location both are its own ref.
pub fn location_entity(spec: &LocationSpec, location_annotation: &str, origin_annotation: &str) -> Entity {
    let mut entity = Entity::default();
    let root = entity.as_map_mut();
    root.insert("apiVersion".to_owned(), json!("backstage.io/v1alpha1"));
    root.insert("kind".to_owned(), json!("Location"));
    root.insert("metadata".to_owned(), json!({ "name": location_entity_name(&spec.kind, &spec.target) }));
    root.insert("spec".to_owned(), json!({ "type": spec.kind, "target": spec.target }));
    if let (Some(presence), Some(entity_spec)) = (spec.presence, entity.spec_mut()) {
        entity_spec.insert("presence".to_owned(), json!(presence.as_str()));
    }
    entity.set_annotation(MANAGED_BY_LOCATION, location_annotation);
    entity.set_annotation(MANAGED_BY_ORIGIN_LOCATION, origin_annotation);
    entity
}

fn refuse_script(text: &str, target: &str) -> Result<(), ModelError> {
    if is_script_url(target) {
        return Err(type_error(format!("Invalid location ref '{text}', target is a javascript: URL")));
    }
    Ok(())
}

fn type_error(message: String) -> ModelError {
    ModelError::new(ErrorKind::TypeError, RULE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_displays() {
        for (text, type_, target) in [
            ("url:https://a/b:c", "url", "https://a/b:c"),
            (" URL : ./x ", "URL", "./x"),
            ("file:/a", "file", "/a"),
        ] {
            let parsed = LocationRef::parse(text).unwrap();
            assert_eq!((parsed.type_.as_str(), parsed.target.as_str()), (type_, target));
            assert_eq!(parsed.to_string(), format!("{type_}:{target}"));
        }
    }

    #[test]
    fn refuses_what_is_no_location() {
        for text in ["", "hello", ":hello", "hello:", " :x", "x: "] {
            assert_eq!(
                LocationRef::parse(text).unwrap_err().message,
                format!(
                    "Unable to parse location ref '{text}', expected '<type>:<target>', e.g. 'url:https://host/path'"
                )
            );
        }
        let rows = [
            (
                "http://blah",
                "Invalid location ref 'http://blah', please prefix it with 'url:', e.g. 'url:http://blah'",
            ),
            (
                "https://x",
                "Invalid location ref 'https://x', please prefix it with 'url:', e.g. 'url:https://x'",
            ),
            (
                "url:javascript:bad()",
                "Invalid location ref 'url:javascript:bad()', target is a javascript: URL",
            ),
        ];
        for (text, message) in rows {
            let error = LocationRef::parse(text).unwrap_err();
            assert_eq!((error.name(), error.message.as_str()), ("TypeError", message));
        }
    }

    #[test]
    fn refs_from_parts_are_checked_too() {
        let rows = [
            ("", "x", "Unable to stringify location ref, empty type"),
            ("x", "", "Unable to stringify location ref, empty target"),
            (
                "url",
                "\tJAVASCRIPT:x",
                "Invalid location ref 'url:\tJAVASCRIPT:x', target is a javascript: URL",
            ),
        ];
        for (type_, target, message) in rows {
            assert_eq!(LocationRef::new(type_, target).unwrap_err().message, message);
        }
        assert_eq!(LocationSpec::new("url", "a").location_ref().unwrap().to_string(), "url:a");
    }

    #[test]
    fn names_are_stable() {
        assert_eq!(
            location_entity_name("url", "https://backstage.io/catalog-info.yaml"),
            "generated-bbad4f61e08f24e25d5c5e68e13e164f760aff06"
        );
    }

    #[test]
    fn makes_the_entity_of_a_location() {
        let mut spec = LocationSpec::new("url", "https://example.com/a.yaml");
        let plain = location_entity(&spec, "url:l", "url:o");
        assert_eq!(
            plain.to_value(),
            json!({
                "apiVersion": "backstage.io/v1alpha1",
                "kind": "Location",
                "metadata": {
                    "name": location_entity_name("url", "https://example.com/a.yaml"),
                    "annotations": {
                        "backstage.io/managed-by-location": "url:l",
                        "backstage.io/managed-by-origin-location": "url:o",
                    },
                },
                "spec": { "type": "url", "target": "https://example.com/a.yaml" },
            })
        );
        plain.check_envelope().unwrap();
        spec.presence = Some(Presence::Optional);
        assert_eq!(location_entity(&spec, "url:l", "url:o").spec_str("presence"), Some("optional"));
    }

    #[test]
    fn specs_travel_as_json() {
        let spec: LocationSpec = serde_json::from_value(json!({"type": "url", "target": "t"})).unwrap();
        assert_eq!(spec, LocationSpec::new("url", "t"));
        assert_eq!(serde_json::to_value(&spec).unwrap(), json!({"type": "url", "target": "t"}));
        let spec = LocationSpec { presence: Some(Presence::Required), ..spec };
        assert_eq!(serde_json::to_value(&spec).unwrap()["presence"], "required");
    }
}
