//! Errors as data: what is stored for an entity that failed, and shown to clients.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ModelError;

/// An error in the form `{name, message, cause?, ...}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SerializedError {
    /// The error class, such as `InputError`.
    #[serde(default = "unknown_name")]
    pub name: String,
    /// What went wrong. If there is a cause, its text is part of this.
    #[serde(default = "no_message")]
    pub message: String,
    /// The error that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Box<SerializedError>>,
    /// Further fields of the error, such as `code`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn unknown_name() -> String {
    "Unknown".to_owned()
}

fn no_message() -> String {
    "<no reason given>".to_owned()
}

impl SerializedError {
    /// An error without a cause.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into(), cause: None, extra: Map::new() }
    }

    /// The one-line form `<name>: <message>`.
    pub fn summary(&self) -> String {
        format!("{}: {}", self.name, self.message)
    }
}

/// Wraps an error in another. The message becomes `<outer>; caused by <name>: <message>`.
pub fn caused_by(
    outer_name: impl Into<String>,
    outer_message: impl AsRef<str>,
    cause: impl Into<SerializedError>,
) -> SerializedError {
    let cause = cause.into();
    let message = format!("{}; caused by {}", outer_message.as_ref(), cause.summary());
    SerializedError { cause: Some(Box::new(cause)), ..SerializedError::new(outer_name, message) }
}

impl From<&ModelError> for SerializedError {
    fn from(error: &ModelError) -> Self {
        Self::new(error.name(), &error.message)
    }
}

impl From<ModelError> for SerializedError {
    fn from(error: ModelError) -> Self {
        Self::new(error.name(), error.message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn wrapping_nests_both_the_text_and_the_cause() {
        let inner = ModelError::new(ErrorKind::TypeError, "rule", "bad type");
        let error = caused_by("InputError", "outer", caused_by("ConflictError", "middle", inner));
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            concat!(
                r#"{"name":"InputError","message":"outer; caused by ConflictError: middle; caused by TypeError: bad type","#,
                r#""cause":{"name":"ConflictError","message":"middle; caused by TypeError: bad type","#,
                r#""cause":{"name":"TypeError","message":"bad type"}}}"#
            )
        );
    }

    #[test]
    fn keeps_what_it_does_not_know() {
        let value = json!({"name": "N", "message": "m", "code": "E1", "errno": -2});
        let error: SerializedError = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(error.extra.get("code"), Some(&json!("E1")));
        assert_eq!(serde_json::to_value(error).unwrap(), value);
    }

    #[test]
    fn fills_in_what_is_missing() {
        let error: SerializedError = serde_json::from_value(json!({})).unwrap();
        assert_eq!(error.summary(), "Unknown: <no reason given>");
    }
}
