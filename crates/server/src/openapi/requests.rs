//! What operations take, from what they check.

use serde_json::{Map, Value, json};

use crate::openapi::meanings::{PATH_PARAMETERS, meaning};
use crate::openapi::schemas::Predicate;
use crate::position::MIN_POSITION;
use crate::request::query::Kind;
use crate::request::{BodySchema, Field, Param, Shape};

pub(super) const IF_NONE_MATCH: &str = "If-None-Match";

/// Lists that are one parameter with commas in it; the others are repeated. The server takes either of these.
const COMMA_SEPARATED: [&str; 2] = ["fields", "fullTextFilterFields"];

/// The member of bodies that is a predicate, wherever there is one.
const QUERY: &str = "query";

pub(super) fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// Headers of requests.
pub(super) fn shared_parameters() -> Value {
    json!({
        MIN_POSITION.as_str(): {
            "name": MIN_POSITION.as_str(),
            "in": "header",
            "description": "The answer must have come to this position in the change log, which an answer to a \
                change told as `callboard-position`. It is waited for, for five seconds at most.",
            "schema": { "type": "integer", "minimum": 0 },
        },
        IF_NONE_MATCH: {
            "name": IF_NONE_MATCH,
            "in": "header",
            "description": "The `ETag` of an answer that the client has.",
            "schema": { "type": "string" },
        },
    })
}

/// The parameters in the template of a path.
pub(super) fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let known = PATH_PARAMETERS.iter().find(|(known, ..)| *known == name);
        let (description, example) = known.map_or(("", None), |(_, text, example)| (*text, *example));
        let mut parameter = Map::new();
        parameter.insert("name".to_owned(), Value::from(name));
        parameter.insert("in".to_owned(), Value::from("path"));
        parameter.insert("description".to_owned(), Value::from(description));
        parameter.insert("required".to_owned(), Value::from(true));
        parameter.insert("schema".to_owned(), json!({ "type": "string", "minLength": 1 }));
        if let Some(example) = example {
            parameter.insert("example".to_owned(), Value::from(example));
        }
        Value::Object(parameter)
    })
}

/// A parameter of the query.
pub(super) fn query_parameter(operation: &str, param: &Param) -> Value {
    let (description, example) = meaning(operation, param.name);
    let is_list = matches!(param.kind, Kind::Texts);
    let mut parameter = Map::new();
    parameter.insert("name".to_owned(), Value::from(param.name));
    parameter.insert("in".to_owned(), Value::from("query"));
    parameter.insert("description".to_owned(), Value::from(description));
    if param.required {
        parameter.insert("required".to_owned(), Value::from(true));
    }
    if is_list {
        parameter.insert("explode".to_owned(), Value::from(!COMMA_SEPARATED.contains(&param.name)));
    }
    parameter.insert("schema".to_owned(), schema_of_param(param));
    if let Some(example) = example {
        let example = if is_list { json!([example]) } else { Value::from(example) };
        parameter.insert("example".to_owned(), example);
    }
    Value::Object(parameter)
}

/// Values are never empty: the validator refuses them.
fn schema_of_param(param: &Param) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    match param.kind {
        Kind::Text => text,
        Kind::Texts if param.required => json!({ "type": "array", "items": text, "minItems": 1 }),
        Kind::Texts => json!({ "type": "array", "items": text }),
        Kind::Integer { min, max: i64::MAX } => json!({ "type": "integer", "minimum": min }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
    }
}

/// A body: what the validator checks, and what the handler insists on beyond that.
pub(super) fn body(
    operation: &str,
    checked: &BodySchema,
    insists: Option<&BodySchema>,
    example: Option<Value>,
) -> Value {
    let insisted = insists.map_or(&[] as &[Field], |insists| insists.fields);
    let fields: Vec<Field> = checked
        .fields
        .iter()
        .filter(|field| insisted.iter().all(|insisted| insisted.name != field.name))
        .chain(insisted)
        .copied()
        .collect();
    let is_closed = checked.closed || insists.is_some_and(|insists| insists.closed);
    let is_required = checked.required || fields.iter().any(|field| field.required);
    let mut content = json!({ "schema": object(operation, "", &fields, is_closed) });
    if let (Some(example), Value::Object(members)) = (example, &mut content) {
        members.insert("example".to_owned(), example);
    }
    json!({ "required": is_required, "content": { "application/json": content } })
}

/// `path` is where the object is in the body, with a dot at its end.
fn object(operation: &str, path: &str, fields: &[Field], is_closed: bool) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let path = format!("{path}{}", field.name);
            let mut schema = match field.shape {
                Shape::AnyObject if path == QUERY => reference("schemas", Predicate::NAME),
                shape => schema_of_shape(operation, &path, &shape),
            };
            let (description, _) = meaning(operation, &path);
            if let (Value::Object(members), false) = (&mut schema, description.is_empty()) {
                members.insert("description".to_owned(), Value::from(description));
            }
            (field.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut object = Map::from_iter([("type".to_owned(), Value::from("object"))]);
    if !properties.is_empty() {
        object.insert("properties".to_owned(), Value::Object(properties));
    }
    if !required.is_empty() {
        object.insert("required".to_owned(), Value::from(required));
    }
    if is_closed {
        object.insert("additionalProperties".to_owned(), Value::from(false));
    }
    Value::Object(object)
}

fn schema_of_shape(operation: &str, path: &str, shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Number { min: i64::MIN } => json!({ "type": "number" }),
        Shape::Number { min } => json!({ "type": "number", "minimum": min }),
        Shape::OneOf(words) => json!({ "type": "string", "enum": words }),
        Shape::ListOf(item) => json!({ "type": "array", "items": schema_of_shape(operation, path, item) }),
        Shape::AnyObject => json!({ "type": "object" }),
        Shape::Object { fields, closed } => object(operation, &format!("{path}."), fields, *closed),
    }
}
