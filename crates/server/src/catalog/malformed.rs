//! Complaints about bodies that Backstage makes behind its OpenAPI validator, in the form of the library it uses there
//! (zod): a list of issues, as indented JSON.

use serde_json::{Value, json};

use crate::api_error::ApiError;

/// There are members that nobody knows.
pub(crate) fn unknown_members(names: &[&str]) -> ApiError {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    malformed(&json!({
        "code": "unrecognized_keys",
        "keys": names,
        "path": [],
        "message": format!("Unrecognized key(s) in object: {}", quoted.join(", ")),
    }))
}

/// A member is not one of a few words.
pub(crate) fn not_one_of(name: &str, words: &[&str]) -> ApiError {
    malformed(&json!({
        "code": "invalid_enum_value",
        "options": words,
        "path": [name],
        "message": format!("Invalid enum value. Expected one of {}", words.join(", ")),
    }))
}

/// A member is no text.
pub(crate) fn not_a_text(name: &str, given: Option<&Value>) -> ApiError {
    malformed(&json!({
        "code": "invalid_type",
        "expected": "string",
        "received": type_name(given),
        "path": [name],
        "message": unexpected("string", given),
    }))
}

/// What is wrong with a value that has another type than `expected`.
pub(crate) fn unexpected(expected: &str, given: Option<&Value>) -> String {
    match given {
        None => "Required".to_owned(),
        Some(_) => format!("Expected {expected}, received {}", type_name(given)),
    }
}

fn type_name(given: Option<&Value>) -> &'static str {
    match given {
        None => "undefined",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    }
}

fn malformed(issue: &Value) -> ApiError {
    ApiError::input(format!("Malformed request: {:#}", json!([issue])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_members_are_listed() {
        let expected = r#"Malformed request: [
  {
    "code": "unrecognized_keys",
    "keys": [
      "a",
      "b"
    ],
    "path": [],
    "message": "Unrecognized key(s) in object: 'a', 'b'"
  }
]"#;
        assert_eq!(unknown_members(&["a", "b"]).message(), expected);
    }

    #[test]
    fn missing_and_wrong_members_differ() {
        assert!(not_a_text("location", None).message().contains(r#""message": "Required""#));
        assert!(
            not_a_text("location", Some(&Value::Null)).message().contains("Expected string, received null")
        );
    }
}
