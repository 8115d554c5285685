//! A predicate as JSON, which is what it was read from.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Predicate, Primitive, Test};
use crate::text::{js_number, lowercase};

impl Predicate {
    /// The JSON of the predicate.
    pub fn to_json(&self) -> Value {
        match self {
            Self::All(children) => member("$all", children.iter().map(Self::to_json).collect()),
            Self::Any(children) => member("$any", children.iter().map(Self::to_json).collect()),
            Self::Not(child) => member("$not", child.to_json()),
            Self::Fields(fields) => {
                fields.iter().map(|(field, test)| (field.clone(), test.to_json())).collect()
            }
            Self::Value(value) => value.to_json(),
        }
    }
}

impl Test {
    fn to_json(&self) -> Value {
        match self {
            Self::Equals(value) => value.to_json(),
            Self::Exists(exists) => member("$exists", Value::Bool(*exists)),
            Self::In(values) => member("$in", values.iter().map(Primitive::to_json).collect()),
            Self::Contains(inner) => member("$contains", inner.to_json()),
            Self::HasPrefix(prefix) => member("$hasPrefix", Value::String(prefix.clone())),
        }
    }
}

impl Primitive {
    fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Bool(bool) => Value::Bool(*bool),
        }
    }

    /// The value as a text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => js_number(number),
            Self::Bool(bool) => bool.to_string(),
        }
    }

    /// The value as rows have it: text in lower case.
    pub(crate) fn lower(&self) -> String {
        match self {
            Self::Text(text) => lowercase(text),
            Self::Number(_) | Self::Bool(_) => self.text(),
        }
    }
}

fn member(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

impl Serialize for Predicate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}
