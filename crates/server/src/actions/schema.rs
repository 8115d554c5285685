//! The schemas of inputs and outputs, in the draft that Backstage's actions have theirs in.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::openapi::schemas::without_nulls;

/// The schema of what is read.
pub(super) fn of_input<T: JsonSchema>() -> Schema {
    of::<T>(SchemaSettings::draft07().for_deserialize())
}

/// The schema of what is written.
pub(super) fn of_output<T: JsonSchema>() -> Schema {
    of::<T>(SchemaSettings::draft07().for_serialize())
}

fn of<T: JsonSchema>(settings: SchemaSettings) -> Schema {
    // Not all that show actions to a language model follow references.
    let settings = settings
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(without_nulls)
        .with_transform(without_null_defaults);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    // The name of a type of this program.
    schema.remove("title");
    // Some clients insist on it.
    schema.ensure_object().entry("properties").or_insert_with(|| json!({}));
    schema
}

/// Says nothing of what an absent member is taken for.
fn without_null_defaults(schema: &mut Schema) {
    transform_subschemas(&mut without_null_defaults, schema);
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

/// An entity, or the parts of it that were asked for.
#[derive(Debug)]
pub(super) struct AnyEntity;

impl JsonSchema for AnyEntity {
    fn schema_name() -> Cow<'static, str> {
        "Entity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "An entity, with the members `apiVersion`, `kind`, `metadata`, `spec`, `relations` and, \
                while something is wrong with it, `status`.",
            "additionalProperties": true,
        })
    }
}

#[cfg(test)]
mod tests;
