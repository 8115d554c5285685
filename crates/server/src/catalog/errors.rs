//! `GET /errors`: why entities are not there, or not as their owners wrote them. Callboard's own endpoint.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_model::{EntityRef, SerializedError};
use callboard_store::{CatalogError, ErrorCategory, ErrorFilter, Timestamp};
use chrono::SecondsFormat;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api_error::ApiError;
use crate::openapi::schemas;
use crate::reply;
use crate::request::query::Query;
use crate::request::{Operation, Param};
use crate::state::AppState;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: i64 = 1000;

pub(crate) const OPERATION: Operation = Operation {
    query: &[
        Param::text("location"),
        Param::text("entity"),
        Param::text("rule"),
        Param::integer("after", 0),
        Param::integer_between("limit", 1, LIMIT_MAX),
    ],
    body: None,
};

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CatalogErrorsResponse", deny_unknown_fields)]
pub(crate) struct Page<'a> {
    items: Vec<Item<'a>>,
    page_info: PageInfo,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline, deny_unknown_fields)]
struct PageInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// An error. Members that it knows nothing about are absent.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CatalogError", deny_unknown_fields)]
struct Item<'a> {
    id: i64,
    category: Category,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    name: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schemas::SerializedError>")]
    cause: Option<&'a SerializedError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    digest: String,
    #[schemars(extend("format" = "date-time"))]
    first_seen_at: String,
    #[schemars(extend("format" = "date-time"))]
    last_seen_at: String,
    count: i64,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Category {
    Processing,
    Conflict,
    Stitching,
    Warning,
}

pub(crate) async fn list(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let accepted = OPERATION.accept(&state, request).await?;
    let (filter, limit) = filter(&accepted.query)?;
    let errors = state.store()?.errors_list(&filter).await?;
    reply::json(StatusCode::OK, &page(&errors, limit))
}

/// What to ask the store for, and how many of it to show: one more is asked for, to know whether there is more.
fn filter(query: &Query) -> Result<(ErrorFilter, usize), ApiError> {
    let limit = query.integer("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(LIMIT_DEFAULT);
    let entity_ref = match query.text("entity") {
        Some(text) => {
            let parsed = EntityRef::parse(text, None, None);
            Some(parsed.map_err(|error| ApiError::input(error.message))?.to_canonical())
        }
        None => None,
    };
    let filter = ErrorFilter {
        entity_ref,
        location: query.text("location").map(str::to_owned),
        rule: query.text("rule").map(str::to_owned),
        after: query.integer("after"),
        limit: limit + 1,
    };
    Ok((filter, limit))
}

fn page(errors: &[CatalogError], limit: usize) -> Page<'_> {
    let shown = errors.get(..limit).unwrap_or(errors);
    let has_more = shown.len() < errors.len();
    let next_cursor = shown.last().filter(|_| has_more).map(|last| last.id.to_string());
    Page { items: shown.iter().map(Item::from).collect(), page_info: PageInfo { next_cursor } }
}

impl<'a> From<&'a CatalogError> for Item<'a> {
    fn from(row: &'a CatalogError) -> Self {
        let provider = row.subject.strip_prefix("provider:").filter(|name| !name.contains('/'));
        let details = &row.error;
        Self {
            id: row.id,
            category: row.category.into(),
            entity_ref: provider.is_none().then_some(row.subject.as_str()),
            provider,
            name: &details.error.name,
            message: &details.error.message,
            cause: details.error.cause.as_deref(),
            location: details.location.as_deref(),
            document: details.document,
            line: details.line,
            column: details.column,
            pointer: details.pointer.as_deref(),
            rule: details.rule.as_deref(),
            digest: details.digest.to_string(),
            first_seen_at: iso(row.first_seen_at),
            last_seen_at: iso(row.last_seen_at),
            count: row.count,
        }
    }
}

impl From<ErrorCategory> for Category {
    fn from(category: ErrorCategory) -> Self {
        match category {
            ErrorCategory::Processing => Self::Processing,
            ErrorCategory::Conflict => Self::Conflict,
            ErrorCategory::Stitching => Self::Stitching,
            ErrorCategory::Warning => Self::Warning,
        }
    }
}

fn iso(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use callboard_model::Digest;
    use callboard_store::NewError;
    use serde_json::json;

    use super::*;

    fn error(id: i64, subject: &str) -> CatalogError {
        CatalogError {
            id,
            category: ErrorCategory::Processing,
            subject: subject.into(),
            error: NewError {
                error: SerializedError::new("InputError", "bad"),
                location: Some("url:https://example.com/a.yaml".into()),
                document: Some(0),
                line: Some(3),
                column: None,
                pointer: Some("/metadata/name".into()),
                rule: None,
                digest: Digest::of(""),
            },
            first_seen_at: Timestamp::UNIX_EPOCH,
            last_seen_at: Timestamp::UNIX_EPOCH,
            count: 2,
        }
    }

    #[test]
    fn items_tell_what_is_known() {
        let errors = [error(1, "component:default/a"), error(2, "provider:github")];
        let body = serde_json::to_value(page(&errors, 2)).unwrap();
        assert_eq!(
            body["items"][0],
            json!({
                "id": 1,
                "category": "processing",
                "entityRef": "component:default/a",
                "name": "InputError",
                "message": "bad",
                "location": "url:https://example.com/a.yaml",
                "document": 0,
                "line": 3,
                "pointer": "/metadata/name",
                "digest": "af1349b9f5f9a1a6a0404dea36dcc949",
                "firstSeenAt": "1970-01-01T00:00:00.000Z",
                "lastSeenAt": "1970-01-01T00:00:00.000Z",
                "count": 2,
            })
        );
        assert_eq!(body["items"][1]["provider"], "github");
        assert!(body["items"][1].get("entityRef").is_none());
        assert_eq!(body["pageInfo"], json!({}));
    }

    #[test]
    fn a_cursor_leads_to_what_is_left() {
        let errors = [error(4, "a:b/c"), error(7, "a:b/c"), error(9, "a:b/c")];
        let body = serde_json::to_value(page(&errors, 2)).unwrap();
        assert_eq!(body["items"].as_array().unwrap().len(), 2);
        assert_eq!(body["pageInfo"], json!({"nextCursor": "7"}));
    }

    #[test]
    fn queries_become_filters() {
        let query =
            Query::parse(Some("entity=Component:Alpha&rule=r&location=url:x&after=7"), OPERATION.query);
        let (filter, limit) = filter(&query.unwrap()).unwrap();
        assert_eq!(filter.entity_ref.as_deref(), Some("component:default/alpha"));
        assert_eq!((filter.rule.as_deref(), filter.location.as_deref()), (Some("r"), Some("url:x")));
        assert_eq!((filter.after, filter.limit, limit), (Some(7), 101, 100));
    }
}
