//! The shapes of answers that are put together as text, of values that other crates have the types of, and of queries.
#![expect(dead_code, reason = "nothing is made of these types but schemas")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::catalog::entities_by_query::PageInfo;
use crate::openapi::requests::reference;

/// Something that the catalog knows: a component, an API, a team and so on. What `fields` leaves out is absent.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(crate) struct Entity {
    /// The version of the format of this kind.
    api_version: String,
    /// The kind, such as `Component`.
    kind: String,
    metadata: EntityMeta,
    /// What entities of this kind say of themselves.
    #[schemars(skip_serializing_if = "Option::is_none")]
    spec: Option<Map<String, Value>>,
    /// What the entity has to do with others; always there, except in what is not stored.
    #[schemars(skip_serializing_if = "Option::is_none")]
    relations: Option<Vec<EntityRelation>>,
    /// There while something is wrong with the entity.
    #[schemars(skip_serializing_if = "Option::is_none")]
    status: Option<EntityStatus>,
}

/// What all kinds of entities have; there may be more members.
#[derive(Debug, JsonSchema)]
struct EntityMeta {
    /// Stays the same as long as the catalog keeps the entity; absent in what is not stored.
    #[schemars(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// Changes with the entity; absent in what is not stored.
    #[schemars(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    name: String,
    /// `default` if it is absent.
    #[schemars(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<String, String>>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    links: Option<Vec<EntityLink>>,
}

#[derive(Debug, JsonSchema)]
struct EntityLink {
    url: String,
    #[schemars(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    icon: Option<String>,
    #[schemars(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct EntityRelation {
    /// Such as `ownedBy`.
    #[schemars(rename = "type")]
    kind: String,
    /// The ref of the other entity, which need not be there.
    target_ref: String,
}

#[derive(Debug, JsonSchema)]
struct EntityStatus {
    #[schemars(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<EntityStatusItem>>,
}

#[derive(Debug, JsonSchema)]
struct EntityStatusItem {
    #[schemars(rename = "type")]
    kind: String,
    level: String,
    message: String,
    #[schemars(skip_serializing_if = "Option::is_none")]
    error: Option<SerializedError>,
}

/// A page of entities.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EntitiesQueryResponse {
    items: Vec<Entity>,
    /// How many entities the query found when the walk began; 0 if that was not wanted.
    total_items: u64,
    page_info: PageInfo,
}

/// For each ref of the request the entity that has it, or null.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct EntitiesBatchResponse {
    items: Vec<Option<Entity>>,
}

#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EntityAncestryResponse {
    root_entity_ref: String,
    /// The entity itself, then all that led to it.
    items: Vec<EntityAncestor>,
}

#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct EntityAncestor {
    entity: Entity,
    parent_entity_refs: Vec<String>,
}

/// A value of a field, and how many entities have it.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct EntityFacet {
    value: String,
    count: u64,
}

/// Where something is read from.
#[derive(Debug, JsonSchema)]
pub(crate) struct LocationSpec {
    /// Such as `url`.
    #[schemars(rename = "type")]
    kind: String,
    target: String,
}

/// An error. It may have more members, such as `code`.
#[derive(Debug, JsonSchema)]
pub(crate) struct SerializedError {
    /// Such as `InputError`.
    name: String,
    message: String,
    /// The error that led to this one.
    #[schemars(skip_serializing_if = "Option::is_none")]
    cause: Option<Box<SerializedError>>,
}

/// Why there is no other answer.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Error")]
pub(crate) struct ErrorBody {
    error: SerializedError,
    request: ErrorRequest,
    response: ErrorResponse,
}

/// The request that met the error.
#[derive(Debug, JsonSchema)]
struct ErrorRequest {
    method: String,
    /// As it was written, below `/api/catalog`.
    url: String,
}

#[derive(Debug, JsonSchema)]
struct ErrorResponse {
    #[schemars(rename = "statusCode")]
    status: u16,
}

/// What an entity or a location has to fulfil.
pub(super) struct Predicate;

impl Predicate {
    pub(super) const NAME: &str = "Predicate";
}

impl JsonSchema for Predicate {
    fn schema_name() -> Cow<'static, str> {
        Self::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let predicate = reference("schemas", Self::NAME);
        let of = |operator: &str, operand: Value| {
            json!({
                "type": "object",
                "properties": { operator: operand },
                "required": [operator],
                "additionalProperties": false,
            })
        };
        let primitive = json!({ "type": ["string", "number", "boolean"] });
        let predicates = json!({ "type": "array", "items": predicate });
        let text = json!({ "type": "string" });
        let texts = json!({ "type": "array", "items": text, "minItems": 1 });
        let relation = json!({
            "description": "A relation; only of the field `relations`.",
            "type": "object",
            "properties": { "type": text, "targetRef": { "anyOf": [text, of("$in", texts)] } },
            "required": ["type"],
            "additionalProperties": false,
        });
        let fields = json!({
            "type": "object",
            "propertyNames": { "pattern": "^[^$]|^$" },
            "additionalProperties": {
                "anyOf": [
                    primitive,
                    of("$exists", json!({ "type": "boolean" })),
                    of("$in", json!({ "type": "array", "items": primitive })),
                    of("$hasPrefix", text),
                    of("$contains", json!({ "anyOf": [primitive, relation] })),
                ],
            },
        });
        json_schema!({
            "description": "All of some predicates, one of them at least, not one, or fields and what is true of each.",
            "anyOf": [of("$all", predicates.clone()), of("$any", predicates), of("$not", predicate), fields],
        })
    }
}

/// Says of members that may be absent that they are not null, which nothing here ever is; and nothing of how numbers
/// are kept in memory.
pub(crate) fn without_nulls(schema: &mut Schema) {
    transform_subschemas(&mut without_nulls, schema);
    let has_format = schema.get("format").and_then(Value::as_str);
    if has_format.is_some_and(|format| format.starts_with("int") || format.starts_with("uint")) {
        schema.remove("format");
        schema.remove("maximum");
    }
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (name, property) in properties {
        if !required.iter().any(|required| required == name) {
            remove_null(property);
        }
    }
}

fn remove_null(property: &mut Value) {
    let Value::Object(members) = property else { return };
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            members.insert("type".to_owned(), one);
        }
    }
    let Some(Value::Array(choices)) = members.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        members.shift_remove("anyOf");
        members.extend(only);
    }
}
