//! The cursor of by-query: the whole query, and the place in it.
//!
//! The place is the order value and the uid of a row, not a number, so a walk sees every entity that does not change
//! exactly once, whatever happens to the others meanwhile. Nothing in a cursor is trusted: it is read like a request.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::after::whole;
use crate::base64_json;
use crate::by_query::scans_values;
use crate::error::QueryError;
use crate::full_text::FullText;
use crate::legacy_filter::LegacyFilter;
use crate::limits::{CURSOR_BYTES_MAX, ORDER_FIELDS_MAX};
use crate::order::{Direction, OrderField};
use crate::predicate::{Origin, Predicate};

/// Where a row stands: its order value, if there is an order, and its uid. Without any, before all rows.
pub(crate) type RowValues = Vec<Option<String>>;

/// A place in the answer to a query.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// The order. Only the first field counts.
    pub order_fields: Vec<OrderField>,
    /// Whether the page before the row is asked for, rather than the one after it.
    pub is_previous: bool,
    /// The text that is looked for.
    #[serde(rename = "fullTextFilter", skip_serializing_if = "Option::is_none")]
    pub full_text: Option<FullText>,
    /// What is asked for, if anything was. The client goes on with POST if this is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<Predicate>,
    /// What an older version's cursor asked for, and what a predicate's JSON cannot say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<LegacyFilter>,
    pub(crate) order_field_values: RowValues,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_sort_field_values: Option<RowValues>,
    /// How many entities there were when the walk began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_items: Option<u64>,
}

impl Cursor {
    /// The text of the cursor: standard base64 of its JSON.
    pub fn encode(&self) -> String {
        base64_json::encode(self)
    }

    /// Whether the answer may take a look at every value of some field.
    pub fn scans_values(&self) -> bool {
        scans_values(self.query.as_ref(), self.full_text.as_ref())
    }

    /// Reads a cursor.
    pub fn decode(text: &str) -> Result<Self, QueryError> {
        if text.is_empty() {
            return Err(QueryError::CursorEmpty);
        }
        if text.len() > CURSOR_BYTES_MAX * 4 / 3 {
            return Err(QueryError::CursorTooLong);
        }
        match base64_json::decode(text) {
            Some(Value::Object(members)) => Self::of_members(&members),
            _ => Err(malformed("could not be parsed")),
        }
    }

    fn of_members(members: &Map<String, Value>) -> Result<Self, QueryError> {
        Ok(Self {
            order_fields: order_fields(members.get("orderFields"))?,
            is_previous: members
                .get("isPrevious")
                .and_then(Value::as_bool)
                .ok_or_else(|| malformed("isPrevious was not a boolean"))?,
            full_text: members.get("fullTextFilter").map(full_text).transpose()?,
            query: members.get("query").map(query).transpose()?,
            filter: members
                .get("filter")
                .map(|filter| LegacyFilter::parse(filter).ok_or_else(|| malformed("filter was not a filter")))
                .transpose()?,
            order_field_values: members
                .get("orderFieldValues")
                .and_then(row_values)
                .ok_or_else(|| malformed("orderFieldValues were not texts"))?,
            first_sort_field_values: members
                .get("firstSortFieldValues")
                .map(|values| {
                    row_values(values).ok_or_else(|| malformed("firstSortFieldValues were not texts"))
                })
                .transpose()?,
            total_items: members
                .get("totalItems")
                .map(|total| match total {
                    Value::Number(number) => whole(number)
                        .map(|total| total as u64)
                        .ok_or_else(|| malformed("totalItems made no sense")),
                    _ => Err(malformed("totalItems was not a number")),
                })
                .transpose()?,
        })
    }
}

fn malformed(what: &str) -> QueryError {
    QueryError::Cursor(what.to_owned())
}

fn order_fields(value: Option<&Value>) -> Result<Vec<OrderField>, QueryError> {
    let refused = || malformed("orderFields were not a list of fields and orders");
    let items = value.and_then(Value::as_array).ok_or_else(refused)?;
    if items.len() > ORDER_FIELDS_MAX {
        return Err(malformed("too many orderFields"));
    }
    let field = |item: &Value| {
        let order = match item.get("order")?.as_str()? {
            "asc" => Direction::Asc,
            "desc" => Direction::Desc,
            _ => return None,
        };
        Some(OrderField { field: item.get("field")?.as_str()?.to_owned(), order })
    };
    items.iter().map(|item| field(item).ok_or_else(refused)).collect()
}

fn row_values(value: &Value) -> Option<RowValues> {
    let text = |value: &Value| match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.clone())),
        _ => None,
    };
    value.as_array()?.iter().map(text).collect()
}

fn query(value: &Value) -> Result<Predicate, QueryError> {
    Predicate::of_entities(value, Origin::Query).map_err(|error| malformed(&error.to_string()))
}

fn full_text(value: &Value) -> Result<FullText, QueryError> {
    let refused = || malformed("fullTextFilter was not a term and fields");
    let term = match value.get("term") {
        None if value.is_object() => None,
        Some(Value::String(term)) => Some(term.clone()),
        _ => return Err(refused()),
    };
    let text = |item: &Value| item.as_str().map(str::to_owned);
    let fields = match value.get("fields") {
        None => None,
        Some(Value::Array(items)) => Some(items.iter().map(text).collect::<Option<_>>().ok_or_else(refused)?),
        Some(_) => return Err(refused()),
    };
    FullText::new(term, fields).map_err(|error| malformed(&error.to_string()))
}

#[cfg(test)]
mod tests;
