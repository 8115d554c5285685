//! `GET` and `POST /entities/by-query`: a page of what a query finds, with the way to the next and the previous one.
//!
//! Both take every cursor, whichever of them gave it: clients decide by what they find in it.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_index::limits::LIST_HITS_MAX;
use callboard_index::{
    ByQuery, Cursor, Direction, Fields, FullText, OrderField, Origin, Page, Predicate, parse_filters,
    parse_order_fields,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::api_error::ApiError;
use crate::catalog::entity_stream::EntityStream;
use crate::request::{BodySchema, Field, Operation, Param, Shape};
use crate::state::AppState;
use crate::view::{Effort, View};

const TOTAL_ITEMS: [&str; 2] = ["include", "exclude"];

/// Entities of a page unless the request says it.
pub(crate) const LIMIT_DEFAULT: usize = 200;

pub(crate) const GET: Operation = Operation {
    query: &[
        Param::texts("filter"),
        Param::texts("fields"),
        Param::integer("limit", 0),
        Param::integer("offset", 0),
        Param::texts("orderField"),
        Param::text("cursor"),
        Param::one_of("totalItems", &TOTAL_ITEMS),
        Param::text("fullTextFilterTerm"),
        Param::texts("fullTextFilterFields"),
    ],
    body: None,
};

const ORDER_FIELD: Shape = Shape::Object {
    fields: &[Field::text("field"), Field::required("order", Shape::OneOf(&["asc", "desc"]))],
    closed: false,
};

pub(crate) const POST: Operation = Operation {
    query: &[],
    body: Some(BodySchema {
        fields: &[
            Field::optional_text("cursor"),
            Field::optional("limit", Shape::Number { min: 0 }),
            Field::optional("offset", Shape::Number { min: 0 }),
            Field::optional("orderBy", Shape::ListOf(&ORDER_FIELD)),
            Field::optional(
                "fullTextFilter",
                Shape::Object {
                    fields: &[
                        Field::optional_text("term"),
                        Field::optional("fields", Shape::ListOf(&Shape::Text)),
                    ],
                    closed: false,
                },
            ),
            Field::optional("fields", Shape::ListOf(&Shape::Text)),
            Field::optional("totalItems", Shape::OneOf(&TOTAL_ITEMS)),
            Field::optional("query", Shape::AnyObject),
        ],
        closed: false,
        required: false,
    }),
};

/// A page that is asked for.
pub(crate) struct Asked {
    pub(crate) from: From,
    pub(crate) limit: usize,
    pub(crate) fields: Option<Fields>,
}

/// Where it begins.
pub(crate) enum From {
    Start(ByQuery),
    Cursor(Box<Cursor>),
}

impl From {
    fn effort(&self) -> Effort {
        Effort::of(match self {
            Self::Start(query) => query.scans_values(),
            Self::Cursor(cursor) => cursor.scans_values(),
        })
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline, deny_unknown_fields)]
pub(crate) struct PageInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prev_cursor: Option<String>,
}

pub(crate) async fn get(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let query = GET.accept(&state, request).await?.query;
    let from = match query.text("cursor") {
        Some(cursor) => From::Cursor(Box::new(Cursor::decode(cursor)?)),
        None => From::Start(ByQuery {
            query: parse_filters(&query.texts("filter"))?,
            full_text: Some(FullText::of_params(
                query.text("fullTextFilterTerm"),
                &query.texts("fullTextFilterFields"),
            )?),
            order: parse_order_fields(&query.texts("orderField"))?,
            offset: query.count("offset").unwrap_or(0),
            exclude_total: query.text("totalItems") == Some("exclude"),
        }),
    };
    let fields = Fields::of_lists(&query.texts("fields"))?;
    let limit = query.count("limit").unwrap_or(LIMIT_DEFAULT);
    find(&state, Asked { from, limit, fields }, EntityStream::of_page).await?.into_response().await
}

pub(crate) async fn post(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let body = POST.accept(&state, request).await?.body;
    let from = match body.get("cursor").and_then(Value::as_str) {
        Some(cursor) => From::Cursor(Box::new(Cursor::decode(cursor)?)),
        None => From::Start(ByQuery {
            query: body.get("query").map(|query| Predicate::of_entities(query, Origin::Query)).transpose()?,
            full_text: body.get("fullTextFilter").map(full_text).transpose()?,
            order: order(&body),
            offset: count(&body, "offset").unwrap_or(0),
            exclude_total: body.get("totalItems").and_then(Value::as_str) == Some("exclude"),
        }),
    };
    let fields = Fields::of_lists(&texts(body.get("fields")))?;
    let limit = count(&body, "limit").unwrap_or(LIMIT_DEFAULT);
    find(&state, Asked { from, limit, fields }, EntityStream::of_page).await?.into_response().await
}

/// The page, to be sent in this form: made of its first part, and of how many entities come after that, if it goes
/// onward.
pub(crate) async fn find(
    state: &AppState,
    asked: Asked,
    form: impl FnOnce(&View, Page, Option<usize>) -> EntityStream,
) -> Result<EntityStream, ApiError> {
    let Asked { from, limit, fields } = asked;
    let view = state.view()?;
    let is_backwards = matches!(&from, From::Cursor(cursor) if cursor.is_previous);
    // What comes before a cursor is found from its end, so not in pieces.
    let first = if is_backwards { limit } else { limit.min(LIST_HITS_MAX) };
    let page = view
        .search(from.effort(), |index| match &from {
            From::Start(query) => index.first_page(query, &[], first),
            From::Cursor(cursor) => index.next_page(cursor, &[], first),
        })
        .await;
    let left = (!is_backwards).then_some(limit - first);
    Ok(form(view, page, left).with_fields(fields))
}

fn full_text(filter: &Value) -> Result<FullText, ApiError> {
    let term = filter.get("term").and_then(Value::as_str).map(str::to_owned);
    let fields =
        filter.get("fields").map(|fields| texts(Some(fields)).into_iter().map(str::to_owned).collect());
    Ok(FullText::new(term, fields)?)
}

fn order(body: &Map<String, Value>) -> Vec<OrderField> {
    let fields = body.get("orderBy").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let field = |order: &Value| {
        let text = |name: &str| order.get(name).and_then(Value::as_str).unwrap_or_default();
        let direction = if text("order") == "desc" { Direction::Desc } else { Direction::Asc };
        OrderField { field: text("field").to_owned(), order: direction }
    };
    fields.iter().map(field).collect()
}

pub(crate) fn texts(list: Option<&Value>) -> Vec<&str> {
    let items = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).collect()
}

/// A count of a body, where numbers may have fractions; they do not count.
fn count(body: &Map<String, Value>, name: &str) -> Option<usize> {
    let number = body.get(name)?.as_f64()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is not negative"
    )]
    Some(number as usize)
}
