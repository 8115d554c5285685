//! Building blocks of the hand-written schema checks.
//!
//! The texts, the pointers and the order of evaluation are those of the ajv validator (draft-07): in an object first
//! its type, then `required`, then foreign keys, then the properties in the order of the schema. Only the first
//! complaint is ever reported, so a check stops there. Nothing is allocated unless there is something to complain.

use serde_json::{Map, Value};

use crate::error::{ErrorKind, ModelError};
use crate::text::pointer_segment;

/// The outcome of a check.
pub(crate) type Checked = Result<(), Complaint>;

/// A check of one property's value.
pub(crate) type Check<'a> = &'a dyn Fn(&Value) -> Checked;

/// The first thing found to be wrong.
#[derive(Debug)]
pub(crate) struct Complaint {
    /// Pointer to the value, relative to the one that was checked.
    pub(crate) pointer: String,
    message: String,
    params: String,
}

impl Complaint {
    fn new(message: impl Into<String>, params: impl Into<String>) -> Self {
        Self { pointer: String::new(), message: message.into(), params: params.into() }
    }

    fn wrong_type(expected: &str) -> Self {
        Self::new(format!("must be {expected}"), format!("type: {expected}"))
    }

    fn under(mut self, segment: &str) -> Self {
        self.pointer = format!("/{}{}", pointer_segment(segment), self.pointer);
        self
    }

    /// The short text `<place> <message>`.
    pub(crate) fn summary(&self) -> String {
        let place = if self.pointer.is_empty() { "<root>" } else { &self.pointer };
        format!("{place} {}", self.message)
    }

    /// The error with the long text `<place> <message> - <param>: <value>`.
    pub(crate) fn into_type_error(self, rule: &'static str) -> ModelError {
        let message = format!("{} - {}", self.summary(), self.params);
        ModelError::new(ErrorKind::TypeError, rule, message).at(self.pointer)
    }
}

/// The value must be an object.
pub(crate) fn object(value: &Value) -> Result<&Map<String, Value>, Complaint> {
    value.as_object().ok_or_else(|| Complaint::wrong_type("object"))
}

/// The value must be a string, which may be empty.
pub(crate) fn text(value: &Value) -> Checked {
    if value.is_string() { Ok(()) } else { Err(Complaint::wrong_type("string")) }
}

/// The value must be a string that is not empty.
pub(crate) fn filled(value: &Value) -> Checked {
    match value {
        Value::String(text) if text.is_empty() => {
            Err(Complaint::new("must NOT have fewer than 1 characters", "limit: 1"))
        }
        other => text(other),
    }
}

/// The value must be a non-empty string of `[A-Za-z0-9_]`.
pub(crate) fn word(value: &Value) -> Checked {
    filled(value)?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if value.as_str().is_some_and(|text| text.chars().all(is_word)) {
        Ok(())
    } else {
        Err(Complaint::new(r#"must match pattern "^\w+$""#, r"pattern: ^\w+$"))
    }
}

/// The value must be one of the given strings.
pub(crate) fn one_of(value: &Value, allowed: &[&str]) -> Checked {
    text(value)?;
    if value.as_str().is_some_and(|text| allowed.contains(&text)) {
        Ok(())
    } else {
        let params = format!("allowedValues: {}", allowed.join(","));
        Err(Complaint::new("must be equal to one of the allowed values", params))
    }
}

/// The value must be an array, and all its items must pass.
pub(crate) fn each(value: &Value, check: Check<'_>) -> Checked {
    let items = value.as_array().ok_or_else(|| Complaint::wrong_type("array"))?;
    for (index, item) in items.iter().enumerate() {
        check(item).map_err(|complaint| complaint.under(&index.to_string()))?;
    }
    Ok(())
}

/// The value must be an object in which every value under a "visible" key passes. Keys that are empty or that hold
/// line breaks escape the pattern `^.+$` and are let through, as they always were.
pub(crate) fn values(value: &Value, check: Check<'_>) -> Checked {
    for (key, value) in object(value)? {
        let is_one_line = !key.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
        if !key.is_empty() && is_one_line {
            check(value).map_err(|complaint| complaint.under(key))?;
        }
    }
    Ok(())
}

/// The object must have all these keys; null is a value.
pub(crate) fn required(map: &Map<String, Value>, keys: &[&str]) -> Checked {
    match keys.iter().find(|key| !map.contains_key(**key)) {
        None => Ok(()),
        Some(key) => Err(Complaint::new(
            format!("must have required property '{key}'"),
            format!("missingProperty: {key}"),
        )),
    }
}

/// The object must have no keys but these.
pub(crate) fn only(map: &Map<String, Value>, keys: &[&str]) -> Checked {
    match map.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            Err(Complaint::new("must NOT have additional properties", format!("additionalProperty: {key}")))
        }
    }
}

/// The properties that are there must pass, in the given order.
pub(crate) fn properties(map: &Map<String, Value>, checks: &[(&str, Check<'_>)]) -> Checked {
    for (key, check) in checks {
        property(map, key, *check)?;
    }
    Ok(())
}

/// One property must pass, if it is there.
pub(crate) fn property(map: &Map<String, Value>, key: &str, check: Check<'_>) -> Checked {
    match map.get(key) {
        None => Ok(()),
        Some(value) => check(value).map_err(|complaint| complaint.under(key)),
    }
}
