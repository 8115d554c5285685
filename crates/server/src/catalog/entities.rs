//! `GET /entities`: all entities that a filter finds, or a part of them by offset.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_index::limits::LIST_HITS_MAX;
use callboard_index::{After, ByQuery, Fields, Predicate, parse_filters, parse_order};
use form_urlencoded::Serializer;
use http::HeaderValue;
use http::header::LINK;

use crate::api_error::ApiError;
use crate::catalog::entity_stream::EntityStream;
use crate::request::query::Query;
use crate::request::{Operation, Param};
use crate::state::AppState;
use crate::view::Effort;

pub(crate) const LIST: Operation = Operation {
    query: &[
        Param::texts("filter"),
        Param::texts("fields"),
        Param::texts("order"),
        Param::integer("limit", 0),
        Param::integer("offset", 0),
        Param::text("after"),
    ],
    body: None,
};

pub(crate) async fn list(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let query = LIST.accept(&state, request).await?.query;
    let filter = parse_filters(&query.texts("filter"))?;
    let fields = Fields::of_lists(&query.texts("fields"))?;
    let order = parse_order(&query.texts("order"))?;
    let view = state.view()?;
    let Some(part) = part(&query)? else {
        // Only the first field counts here.
        let order = order.into_iter().take(1).collect();
        let all = ByQuery { query: filter, order, exclude_total: true, ..ByQuery::default() };
        let first = view.search(Effort::Usual, |index| index.first_page(&all, &[], LIST_HITS_MAX)).await;
        return EntityStream::of_walk(view, first).with_fields(fields).into_response().await;
    };
    let filters: Vec<&Predicate> = filter.iter().collect();
    let effort = Effort::of(!order.is_empty());
    let page = view.search(effort, |index| index.list_page(&filters, &order, part)).await?;
    let stream = EntityStream::of_list(view, page.hits, page.left, filter).with_fields(fields);
    let mut response = stream.into_response().await?;
    if let Some(link) = page.next.and_then(|next| next_link(&query, &next)) {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// The part that is asked for, if not everything is.
fn part(query: &Query) -> Result<Option<After>, ApiError> {
    let asked = After { limit: query.count("limit"), offset: query.count("offset") };
    match query.text("after") {
        Some(after) => Ok(Some(After::decode(after)?)),
        None if asked.limit.is_none() && asked.offset.is_none() => Ok(None),
        None => Ok(Some(asked)),
    }
}

/// Where the next part is. As in Backstage, the path is below the mount of the API.
fn next_link(query: &Query, next: &After) -> Option<HeaderValue> {
    let mut next_query = Serializer::new(String::new());
    for (name, value) in query.pairs().filter(|(name, _)| !["offset", "after"].contains(name)) {
        next_query.append_pair(name, value);
    }
    next_query.append_pair("after", &next.encode());
    HeaderValue::from_str(&format!("</entities?{}>; rel=\"next\"", next_query.finish())).ok()
}
