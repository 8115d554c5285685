//! Entities on their way to a client: as the store has them, or parts of them, between a head and a tail.
//!
//! What is short is sent as a whole, so that a failure is told by a status. What is long is read from the store in
//! pieces as the client takes them, whatever its pace; a failure then cuts the connection, so that the client sees an
//! answer that does not end, not one that seems complete.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use callboard_index::limits::LIST_HITS_MAX;
use callboard_index::{Cursor, Fields, Hit, Page, Predicate};
use futures::TryStreamExt as _;
use futures::stream::try_unfold;
use http::StatusCode;
use serde::Serialize;

use crate::api_error::ApiError;
use crate::catalog::entities_by_query::PageInfo;
use crate::reply;
use crate::view::{Effort, Keep, View};

/// Entities whose texts are asked for at once.
const BATCH_LEN: usize = 64;

/// Lists with more entities than this leave the cache alone.
const KEPT_LEN_MAX: usize = 1_000;

/// Bytes of one chunk of a streamed body. It is written as a whole, whatever the client's pace.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// A longer body is streamed.
const WHOLE_BYTES_MAX: usize = 256 * 1024;

/// A longer body with parts of entities is streamed, and then has no ETag.
const WHOLE_PARTS_BYTES_MAX: usize = 512 * 1024;

/// What is sent.
#[derive(Debug)]
pub(crate) struct EntityStream {
    view: View,
    /// Of the page at hand. `None` is an entity that there is none of, which is sent as null.
    items: Vec<Option<Hit>>,
    /// How many of them are written.
    at: usize,
    /// What comes after them.
    rest: Rest,
    fields: Option<Fields>,
    keep: Keep,
    is_null_sent: bool,
    tail: Tail,
    /// How many entities were found so far.
    found: usize,
    /// Written and not yet taken.
    text: Vec<u8>,
    is_first: bool,
    is_ended: bool,
}

/// Entities that are found when it is their turn, so that a long list is not held as a whole.
#[derive(Debug)]
enum Rest {
    Nothing {
        /// Where the next request goes on.
        next: Option<Cursor>,
    },
    /// So many of those that a cursor leads to; also where the next request goes on.
    Walk { next: Option<Cursor>, left: usize },
    /// So many of those that fulfil a filter, by ref, after the ones at hand.
    ByRef { filter: Option<Predicate>, left: usize },
}

impl Rest {
    fn of_page(next: Option<Cursor>, left: Option<usize>) -> Self {
        match left {
            Some(left) => Self::Walk { next, left },
            None => Self::Nothing { next },
        }
    }

    /// Where the next request goes on.
    fn next_cursor(&self) -> Option<String> {
        match self {
            Self::Nothing { next } | Self::Walk { next, .. } => next.as_ref().map(Cursor::encode),
            Self::ByRef { .. } => None,
        }
    }

    /// So many more, in place of those that are gone meanwhile.
    fn make_up_for(&mut self, gone: usize) {
        match self {
            Self::Nothing { .. } => {}
            Self::Walk { left, .. } | Self::ByRef { left, .. } => *left = left.saturating_add(gone),
        }
    }
}

/// What is sent after the entities.
#[derive(Debug)]
enum Tail {
    /// That of an array.
    Array,
    /// That of an object with all entities as its items.
    Items,
    /// That of a page of a query.
    Page { total_items: u64, previous: Option<Box<Cursor>> },
    /// That of such a page as the output of an action.
    Output { total_items: u64 },
}

/// The members of the output of an action that come after the items.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputTail {
    total_items: u64,
    has_more_entities: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_cursor: Option<String>,
}

impl EntityStream {
    /// An entity, or null, for each of these.
    pub(crate) fn of_each(view: &View, hits: Vec<Option<Hit>>) -> Self {
        let stream = Self::new(view, hits, r#"{"items":["#, Tail::Items, Rest::Nothing { next: None });
        Self { is_null_sent: true, ..stream }
    }

    /// These entities, without those that are gone meanwhile, as an array; and so many more of those that fulfil the
    /// filter, if they are by ref.
    pub(crate) fn of_list(
        view: &View,
        hits: Vec<Hit>,
        left: Option<usize>,
        filter: Option<Predicate>,
    ) -> Self {
        let rest = left.map_or(Rest::Nothing { next: None }, |left| Rest::ByRef { filter, left });
        Self::new(view, some(hits), "[", Tail::Array, rest)
    }

    /// All entities that a walk comes to, as an array.
    pub(crate) fn of_walk(view: &View, first: Page) -> Self {
        let rest = Rest::Walk { next: first.next, left: usize::MAX };
        Self::new(view, some(first.hits), "[", Tail::Array, rest)
    }

    /// A page of a query, of which the first part is at hand and so many entities are still to come, if it goes
    /// onward.
    pub(crate) fn of_page(view: &View, page: Page, left: Option<usize>) -> Self {
        let Page { hits, total_items, next, previous } = page;
        let tail = Tail::Page { total_items, previous: previous.map(Box::new) };
        Self::new(view, some(hits), r#"{"items":["#, tail, Rest::of_page(next, left))
    }

    /// Such a page as the output of an action.
    pub(crate) fn of_output(view: &View, page: Page, left: Option<usize>) -> Self {
        let Page { hits, total_items, next, .. } = page;
        let (tail, rest) = (Tail::Output { total_items }, Rest::of_page(next, left));
        Self::new(view, some(hits), r#"{"output":{"items":["#, tail, rest)
    }

    fn new(view: &View, items: Vec<Option<Hit>>, head: &str, tail: Tail, rest: Rest) -> Self {
        let keep = if items.len() > KEPT_LEN_MAX { Keep::No } else { Keep::Yes };
        Self {
            view: view.clone(),
            found: items.len(),
            items,
            at: 0,
            rest,
            fields: None,
            keep,
            is_null_sent: false,
            tail,
            text: head.as_bytes().to_vec(),
            is_first: true,
            is_ended: false,
        }
    }

    /// Sends parts of the entities.
    pub(crate) fn with_fields(self, fields: Option<Fields>) -> Self {
        Self { fields, ..self }
    }

    /// Answers with it.
    pub(crate) async fn into_response(mut self) -> Result<Response, ApiError> {
        let whole_max = if self.fields.is_some() { WHOLE_PARTS_BYTES_MAX } else { WHOLE_BYTES_MAX };
        while !self.is_ended && self.text.len() <= whole_max {
            self.write_more().await?;
        }
        self.text.shrink_to_fit();
        if !self.is_ended {
            return Ok(reply::stored(self.into_body()));
        }
        let is_empty_list = self.is_first && matches!(self.tail, Tail::Array);
        Ok(if self.fields.is_some() || is_empty_list {
            reply::buffered(StatusCode::OK, self.text)
        } else {
            reply::stored(self.text)
        })
    }

    fn into_body(self) -> Body {
        let chunks = try_unfold((self, Bytes::new()), |(mut stream, mut unsent)| async move {
            while unsent.is_empty() {
                if stream.text.is_empty() && stream.is_ended {
                    return Ok::<_, ApiError>(None);
                }
                if stream.text.is_empty() {
                    stream.write_more().await?;
                }
                unsent = std::mem::take(&mut stream.text).into();
            }
            let length = unsent.len().min(CHUNK_BYTES_MAX);
            Ok(Some((unsent.split_to(length), (stream, unsent))))
        });
        Body::from_stream(chunks.map_err(|error| {
            tracing::error!(%error, "a list of entities broke off");
            std::io::Error::other(error.to_string())
        }))
    }

    /// Writes some more entities, or the end.
    async fn write_more(&mut self) -> Result<(), ApiError> {
        // If all is in the cache, nothing else here would ever let others have a turn.
        tokio::task::consume_budget().await;
        let batch = self.items.get(self.at..).unwrap_or_default();
        let batch = batch.get(..BATCH_LEN).unwrap_or(batch);
        if batch.is_empty() {
            return self.go_on().await;
        }
        let hits: Vec<&Hit> = batch.iter().flatten().collect();
        let texts =
            if hits.is_empty() { Vec::new() } else { self.view.first_texts(&hits, self.keep).await? };
        let mut texts = texts.into_iter();
        let (mut written, mut gone) = (0, 0);
        for item in batch {
            let text = match item {
                None => None,
                Some(_) => match texts.next() {
                    Some(text) => text,
                    // The next time.
                    None => break,
                },
            };
            written += 1;
            if text.is_none() && !self.is_null_sent {
                gone += 1;
                continue;
            }
            if !std::mem::take(&mut self.is_first) {
                self.text.push(b',');
            }
            match (text, &self.fields) {
                (None, _) => self.text.extend_from_slice(b"null"),
                (Some(text), None) => self.text.extend_from_slice(&text),
                (Some(text), Some(fields)) => {
                    self.text.extend_from_slice(projected(&text, fields)?.as_bytes());
                }
            }
        }
        self.at += written;
        self.rest.make_up_for(gone);
        Ok(())
    }

    /// Finds the next entities, or ends.
    async fn go_on(&mut self) -> Result<(), ApiError> {
        // Pieces grow: each one costs as much as the whole if the query is a full text search.
        let at_once = LIST_HITS_MAX.max(self.found / 8);
        let hits = match &mut self.rest {
            Rest::Walk { next: Some(cursor), left } if *left > 0 => {
                let limit = at_once.min(*left);
                let page = self
                    .view
                    .search(Effort::of(cursor.scans_values()), |index| index.next_page(cursor, &[], limit))
                    .await;
                *left -= limit;
                self.rest = Rest::Walk { next: page.next, left: *left };
                page.hits
            }
            Rest::ByRef { filter, left } if *left > 0 => {
                let Some(Some(last)) = self.items.last() else { return self.end() };
                let limit = at_once.min(*left);
                let filters: Vec<&Predicate> = filter.iter().collect();
                let hits = self
                    .view
                    .search(Effort::Usual, |index| index.list_after(&filters, &last.entity_ref, limit))
                    .await;
                *left = if hits.len() < limit { 0 } else { *left - limit };
                hits
            }
            Rest::Nothing { .. } | Rest::Walk { .. } | Rest::ByRef { .. } => return self.end(),
        };
        self.found += hits.len();
        self.items = some(hits);
        self.at = 0;
        self.keep = Keep::No;
        Ok(())
    }

    fn end(&mut self) -> Result<(), ApiError> {
        self.is_ended = true;
        match &mut self.tail {
            Tail::Array => self.text.push(b']'),
            Tail::Items => self.text.extend_from_slice(b"]}"),
            Tail::Page { total_items, previous } => {
                let page_info = PageInfo {
                    next_cursor: self.rest.next_cursor(),
                    prev_cursor: previous.take().map(|cursor| cursor.encode()),
                };
                let page_info =
                    serde_json::to_string(&page_info).map_err(|error| ApiError::masked(&error))?;
                let tail = format!(r#"],"totalItems":{total_items},"pageInfo":{page_info}}}"#);
                self.text.extend_from_slice(tail.as_bytes());
            }
            Tail::Output { total_items } => {
                let next_page_cursor = self.rest.next_cursor();
                let tail = OutputTail {
                    total_items: *total_items,
                    has_more_entities: next_page_cursor.is_some(),
                    next_page_cursor,
                };
                let tail = serde_json::to_string(&tail).map_err(|error| ApiError::masked(&error))?;
                self.text.extend_from_slice(b"],");
                self.text.extend_from_slice(tail.strip_prefix('{').unwrap_or(&tail).as_bytes());
                self.text.push(b'}');
            }
        }
        Ok(())
    }
}

fn some(hits: Vec<Hit>) -> Vec<Option<Hit>> {
    hits.into_iter().map(Some).collect()
}

fn projected(text: &[u8], fields: &Fields) -> Result<String, ApiError> {
    let text = std::str::from_utf8(text).map_err(|error| ApiError::masked(&error))?;
    fields.project(text).map_err(|error| ApiError::masked(&error))
}
