//! Reading inputs: as strictly as their schemas say.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads the input of an action; the error says what is wrong, and where.
pub(super) fn read<T: DeserializeOwned>(input: Value) -> Result<T, String> {
    let read: Result<Object<T>, _> = serde_path_to_error::deserialize(input);
    read.map(|Object(input)| input).map_err(|error| {
        let path = error.path().to_string();
        let complaint = error.into_inner();
        if path == "." { complaint.to_string() } else { format!("{path}: {complaint}") }
    })
}

/// For fields that may be absent, and are not null if they are there.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An object and nothing else: what serde derives takes a list of the fields' values as well.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Object<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// A whole number from zero on. Language models like to write one as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let count = match &value {
            Value::Number(number) => number.as_f64().and_then(whole),
            Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        let wanted =
            || D::Error::custom(format!("invalid value: {value}, expected a whole number from zero on"));
        count.map(Self).ok_or_else(wanted)
    }
}

/// A number without a fraction may be written with one: `1.0`.
fn whole(number: f64) -> Option<usize> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked, and saturates")]
    (number >= 0.0 && number.fract() == 0.0).then_some(number as usize)
}

impl JsonSchema for Count {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default, deserialize_with = "given")]
        inner: Option<Object<Inner>>,
        #[serde(default, deserialize_with = "given")]
        limit: Option<Count>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        words: Vec<String>,
    }

    #[test]
    fn complaints_say_where() {
        let rows = [
            (json!({"inner": {}}), "inner: missing field `words`"),
            (json!({"name": 7}), "name: invalid type: integer `7`, expected a string"),
            (json!({"name": null}), "name: invalid type: null, expected a string"),
            (json!({}), "missing field `name`"),
            (json!(["a"]), "invalid type: sequence, expected an object"),
            (json!("a"), "invalid type: string \"a\", expected an object"),
            (json!(null), "invalid type: null, expected an object"),
            (
                json!({"name": "a", "inner": {"words": ["b", 7]}}),
                "inner.words[1]: invalid type: integer `7`, expected a string",
            ),
            (json!({"name": "a", "inner": [["b"]]}), "inner: invalid type: sequence, expected an object"),
            (json!({"name": "a", "inner": null}), "inner: invalid type: null, expected an object"),
            (
                json!({"name": "a", "limit": null}),
                "limit: invalid value: null, expected a whole number from zero on",
            ),
            (json!({"name": "a", "x": 1}), "x: unknown field `x`, expected one of `name`, `inner`, `limit`"),
        ];
        for (input, complaint) in rows {
            assert_eq!(read::<Outer>(input.clone()).unwrap_err(), complaint, "{input}");
        }
        let outer: Outer = read(json!({"name": "a", "inner": {"words": ["b"]}, "limit": "3"})).unwrap();
        assert_eq!((outer.name.as_str(), outer.limit), ("a", Some(Count(3))));
        assert_eq!(outer.inner.unwrap().0.words, ["b"]);
    }

    #[test]
    fn counts_are_numbers_or_texts() {
        let count = |value: Value| serde_json::from_value::<Count>(value).ok().map(|Count(count)| count);
        for (value, expected) in [(json!(0), 0), (json!(20), 20), (json!(2.0), 2), (json!("20"), 20)] {
            assert_eq!(count(value.clone()), Some(expected), "{value}");
        }
        for value in [
            json!(-1),
            json!(1.5),
            json!(""),
            json!("-1"),
            json!("1.5"),
            json!(" 1"),
            json!([1]),
            json!(true),
        ] {
            assert_eq!(count(value.clone()), None, "{value}");
        }
    }
}
