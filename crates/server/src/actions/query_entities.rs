//! `catalog:query-catalog-entities`: the entities that a query finds, page by page.

use std::borrow::Cow;
use std::fmt;

use axum::response::Response;
use callboard_index::{ByQuery, Cursor, Direction, Fields, FullText, OrderField, Origin, Predicate};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::actions::action::{Action, Attributes};
use crate::actions::input::{Count, Object, given};
use crate::actions::schema::AnyEntity;
use crate::api_error::ApiError;
use crate::catalog::entities_by_query::{self, Asked, LIMIT_DEFAULT, find};
use crate::catalog::entity_stream::EntityStream;
use crate::state::AppState;

pub(super) struct QueryEntities;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "given")]
    query: Option<Query>,
    /// The parts of each entity that are wanted, as paths such as `kind` and `metadata.name`; letter case matters. All
    /// of it comes without them, which may be much.
    #[serde(default, deserialize_with = "given")]
    fields: Option<Vec<String>>,
    /// How many entities a page has at most; 200 unless it is given. With 0 there is the total alone.
    #[serde(default, deserialize_with = "given")]
    limit: Option<Count>,
    /// How many entities to pass over at the beginning.
    #[serde(default, deserialize_with = "given")]
    offset: Option<Count>,
    /// What to order by. Of several the first one counts. Entities without the field are left out, also of the total.
    #[serde(default, deserialize_with = "given")]
    order_fields: Option<OrderFields>,
    /// Only entities that have a piece of text somewhere in one of some fields, in any letter case.
    #[serde(default, deserialize_with = "given")]
    full_text_filter: Option<Object<TextFilter>>,
    /// Where to go on: `nextPageCursor` of the page before. Nothing but `limit` and `fields` counts beside it.
    #[serde(default, deserialize_with = "given")]
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TextFilter {
    /// The piece of text.
    term: String,
    /// The fields to look into, such as `metadata.name` and `metadata.description`. Name them: without any, only the
    /// field that is ordered by is looked into, or else the uid.
    #[serde(default, deserialize_with = "given")]
    fields: Option<Vec<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// A path, such as `metadata.name`.
    field: String,
    order: UpOrDown,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum UpOrDown {
    Asc,
    Desc,
}

#[expect(dead_code, reason = "it is written as text; the type gives the schema")]
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Found {
    items: Vec<AnyEntity>,
    /// How many entities the query finds on all pages together.
    total_items: u64,
    /// Whether there is a page after this one.
    has_more_entities: bool,
    /// The `cursor` for the page after this one.
    #[schemars(skip_serializing_if = "Option::is_none")]
    next_page_cursor: Option<String>,
}

impl Action for QueryEntities {
    const NAME: &'static str = "query-catalog-entities";
    const TITLE: &'static str = "Search the Catalog";
    const DESCRIPTION: &'static str = r#"Searches the software catalog for entities by their fields, and answers them
page by page with the total. Use it to find out which components, APIs, teams and so on there are, how many, who owns
what, and what depends on what.

`query` is an object of fields and conditions, all of which have to hold:
- `{"kind": "Component", "spec.type": "service"}`: fields are paths with dots; the case of values does not matter.
- `{"kind": {"$in": ["API", "Component"]}}`: one of these values.
- `{"metadata.annotations.github.com/project-slug": {"$exists": true}}`: has any value, or with `false` none.
- `{"metadata.name": {"$hasPrefix": "shop-"}}`: the value begins like this.
- `{"metadata.tags": {"$contains": "java"}}`: the list has this item.
- `{"relations.ownedBy": "group:default/team-people"}`: has this relation; the target is a ref `kind:namespace/name`.
- `{"$all": [...]}`, `{"$any": [...]}`, `{"$not": {...}}` combine queries. An operator stands alone in its object.

Without `query` all entities are found. Answers are much shorter with `fields`, such as
`["kind", "metadata.name", "metadata.namespace"]`. While `hasMoreEntities` is true, call again with `nextPageCursor` as
`cursor`."#;
    const ATTRIBUTES: Attributes = Attributes { destructive: false, idempotent: true, read_only: true };

    type Input = Wanted;
    type Output = Found;

    async fn invoke(state: &AppState, input: Wanted) -> Result<Response, ApiError> {
        find(state, asked(input)?, EntityStream::of_output).await?.into_response().await
    }
}

/// As the endpoint by-query is asked.
fn asked(wanted: Wanted) -> Result<Asked, ApiError> {
    let Wanted { query, fields, limit, offset, order_fields, full_text_filter, cursor } = wanted;
    let from = match cursor {
        Some(cursor) => entities_by_query::From::Cursor(Box::new(Cursor::decode(&cursor)?)),
        None => entities_by_query::From::Start(ByQuery {
            query: query.map(|Query(predicate)| predicate),
            full_text: full_text_filter
                .map(|Object(TextFilter { term, fields })| FullText::new(Some(term), fields))
                .transpose()?,
            order: order_fields.map(|OrderFields(fields)| fields).unwrap_or_default(),
            offset: offset.map_or(0, |Count(offset)| offset),
            exclude_total: false,
        }),
    };
    let fields = Fields::of_lists(&fields.unwrap_or_default())?;
    Ok(Asked { from, limit: limit.map_or(LIMIT_DEFAULT, |Count(limit)| limit), fields })
}

/// A predicate on entities.
#[derive(Debug)]
struct Query(Predicate);

impl<'de> Deserialize<'de> for Query {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if !value.is_object() {
            return Err(D::Error::custom(format!("invalid type: {value}, expected an object")));
        }
        Predicate::of_entities(&value, Origin::Query).map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for Query {
    fn schema_name() -> Cow<'static, str> {
        "Query".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "What has to be true of the entities. Fields with values or with one of `$in`, `$exists`, \
                `$hasPrefix` and `$contains`, or one of `$all`, `$any` and `$not` over queries.",
            "additionalProperties": true,
        })
    }
}

/// One order, or a list of them.
#[derive(Debug)]
struct OrderFields(Vec<OrderField>);

impl<'de> Deserialize<'de> for OrderFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrderVisitor)
    }
}

impl JsonSchema for OrderFields {
    fn schema_name() -> Cow<'static, str> {
        "OrderFields".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (one, many) = (generator.subschema_for::<Order>(), generator.subschema_for::<Vec<Order>>());
        json_schema!({ "anyOf": [one, many] })
    }
}

struct OrderVisitor;

impl<'de> Visitor<'de> for OrderVisitor {
    type Value = OrderFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with field and order, or a list of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OrderFields, A::Error> {
        let order = Order::deserialize(MapAccessDeserializer::new(map))?;
        Ok(OrderFields(vec![order.into()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OrderFields, A::Error> {
        let orders = Vec::<Object<Order>>::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(OrderFields(orders.into_iter().map(|Object(order)| order.into()).collect()))
    }
}

impl From<Order> for OrderField {
    fn from(order: Order) -> Self {
        let direction = match order.order {
            UpOrDown::Asc => Direction::Asc,
            UpOrDown::Desc => Direction::Desc,
        };
        Self { field: order.field, order: direction }
    }
}
