//! `POST /locations/by-query`: the registered locations that a query asks for, page by page, ordered by id.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_index::{Origin, Predicate, base64_json};
use callboard_store::{Store, StoreError, StoredLocation};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::api_error::ApiError;
use crate::catalog::location::LocationBody;
use crate::catalog::location_filter::LocationFilter;
use crate::catalog::{locations, malformed};
use crate::reply;
use crate::request::{BodySchema, Field, Operation, Shape};
use crate::state::AppState;

const LIMIT_DEFAULT: usize = 1000;

pub(crate) const OPERATION: Operation = Operation {
    query: &[],
    body: Some(BodySchema {
        fields: &[
            Field::optional_text("cursor"),
            Field::optional("limit", Shape::Number { min: i64::MIN }),
            Field::optional("query", Shape::AnyObject),
        ],
        closed: false,
        required: false,
    }),
};

/// A place in the answer to a query.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cursor {
    limit: usize,
    /// Before all locations if absent, which it is in no cursor that was handed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    after_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<Predicate>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LocationsQueryResponse", deny_unknown_fields)]
pub(crate) struct Answer<'a> {
    items: Vec<LocationBody<'a>>,
    total_items: usize,
    page_info: PageInfo,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline, deny_unknown_fields)]
struct PageInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What was found.
struct Found {
    items: Vec<StoredLocation>,
    has_more: bool,
    /// From the first page on to the last.
    total: usize,
}

pub(crate) async fn post(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let accepted = OPERATION.accept(&state, request).await?;
    let cursor = Cursor::of_request(&accepted.body)?;
    let filter = cursor.query.as_ref().map(LocationFilter::new).transpose()?.unwrap_or_default();
    let Found { items, has_more, total } = cursor.find(state.store()?.as_ref(), &filter).await?;
    let next = items.last().filter(|_| has_more).map(|last| {
        let after_id = Some(last.id.clone());
        base64_json::encode(&Cursor { after_id, ..cursor })
    });
    let answer = Answer {
        items: items.iter().map(LocationBody::from).collect(),
        total_items: total,
        page_info: PageInfo { next_cursor: next },
    };
    reply::json(StatusCode::OK, &answer)
}

impl Cursor {
    /// With a cursor, nothing else of the request counts.
    fn of_request(body: &Map<String, Value>) -> Result<Self, ApiError> {
        if let Some(cursor) = body.get("cursor").and_then(Value::as_str) {
            return Self::decode(cursor);
        }
        let limit = match body.get("limit") {
            Some(Value::Number(number)) => limit(number)?,
            _ => LIMIT_DEFAULT,
        };
        let query = body.get("query").map(|query| Predicate::parse(query, Origin::Query)).transpose()?;
        Ok(Self { limit, after_id: None, query })
    }

    fn decode(text: &str) -> Result<Self, ApiError> {
        if text.is_empty() {
            return Err(ApiError::input("Cursor cannot be empty"));
        }
        let json =
            base64_json::decode(text).ok_or_else(|| ApiError::input("Malformed cursor, unknown encoding"))?;
        let Value::Object(members) = json else {
            return Err(invalid(&malformed::unexpected("object", Some(&json))));
        };
        let (given_limit, given_id) = (members.get("limit"), members.get("afterId"));
        if let (Some(Value::Number(number)), Some(Value::String(id))) = (given_limit, given_id) {
            let query = members.get("query").map(query_of_cursor).transpose()?;
            return Ok(Self { limit: limit(number)?, after_id: Some(id.clone()), query });
        }
        let mut issues = Vec::new();
        if given_limit.is_none_or(|limit| !limit.is_number()) {
            issues.push(format!("{} at \"limit\"", malformed::unexpected("number", given_limit)));
        }
        if given_id.is_none_or(|id| !id.is_string()) {
            issues.push(format!("{} at \"afterId\"", malformed::unexpected("string", given_id)));
        }
        Err(invalid(&issues.join("; ")))
    }

    async fn find(&self, store: &dyn Store, filter: &LocationFilter) -> Result<Found, StoreError> {
        let mut found = Found { items: Vec::new(), has_more: false, total: 0 };
        locations::each(store, |location| {
            if !filter.is_match(&location) {
                return;
            }
            found.total += 1;
            if self.after_id.as_ref().is_some_and(|after_id| location.id <= *after_id) {
                return;
            }
            if found.items.len() < self.limit {
                found.items.push(location);
            } else {
                found.has_more = true;
            }
        })
        .await?;
        Ok(found)
    }
}

fn query_of_cursor(query: &Value) -> Result<Predicate, ApiError> {
    if !query.is_object() {
        return Err(invalid(&format!("{} at \"query\"", malformed::unexpected("object", Some(query)))));
    }
    Predicate::parse(query, Origin::Query)
        .map_err(|error| ApiError::input(format!("Malformed cursor: {error}")))
}

fn invalid(issues: &str) -> ApiError {
    ApiError::input(format!("Malformed cursor: Validation error: {issues}"))
}

/// A number without a fraction may be written with one: `1.0`.
fn limit(number: &Number) -> Result<usize, ApiError> {
    let float = number.as_f64().filter(|number| *number >= 1.0 && number.fract() == 0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a larger one is no limit either"
    )]
    let limit = float.map(|float| float as usize);
    limit.ok_or_else(|| ApiError::input("Limit must be a positive integer >= 1"))
}

#[cfg(test)]
mod tests;
