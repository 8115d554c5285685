//! Entities on their way to a client: as the store has them, or parts of them, between a head and a tail.
//!
//! What is short is sent as a whole, so that a failure is told by a status. What is long is read from the store in
//! pieces as the client takes them, whatever its pace; a failure then cuts the connection, so that the client sees an
//! answer that does not end, not one that seems complete.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use callboard_index::{ByQuery, Cursor, Fields, Hit, Predicate};
use futures::TryStreamExt as _;
use futures::stream::try_unfold;
use http::StatusCode;

use crate::api_error::ApiError;
use crate::reply;
use crate::view::{Keep, View};

/// Entities whose texts are asked for at once.
const BATCH_LEN: usize = 64;

/// Lists with more entities than this leave the cache alone.
const KEPT_LEN_MAX: usize = 1_000;

/// Entities of one page of a walk over very many.
const WALK_PAGE_LEN: usize = 2_000;

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
    /// The page after this one, if it is a walk.
    next: Option<Cursor>,
    fields: Option<Fields>,
    keep: Keep,
    is_null_sent: bool,
    tail: String,
    /// Written and not yet taken.
    text: Vec<u8>,
    is_first: bool,
    is_ended: bool,
}

impl EntityStream {
    /// These entities, without those that are gone meanwhile.
    pub(crate) fn of(view: &View, hits: Vec<Hit>, head: &str, tail: String) -> Self {
        Self::new(view, hits.into_iter().map(Some).collect(), head, tail)
    }

    /// An entity, or null, for each of these.
    pub(crate) fn of_each(view: &View, hits: Vec<Option<Hit>>, head: &str, tail: String) -> Self {
        Self { is_null_sent: true, ..Self::new(view, hits, head, tail) }
    }

    /// All that a query finds, as an array.
    pub(crate) fn of_all(
        view: &View,
        query: Option<Predicate>,
        order: Vec<callboard_index::OrderField>,
    ) -> Self {
        let query = ByQuery { query, order, exclude_total: true, ..ByQuery::default() };
        let page = view.query(|index| index.first_page(&query, &[], WALK_PAGE_LEN));
        Self { next: page.next, ..Self::of(view, page.hits, "[", "]".to_owned()) }
    }

    fn new(view: &View, items: Vec<Option<Hit>>, head: &str, tail: String) -> Self {
        let keep = if items.len() > KEPT_LEN_MAX { Keep::No } else { Keep::Yes };
        Self {
            view: view.clone(),
            items,
            at: 0,
            next: None,
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
        let is_empty_list = self.is_first && self.tail == "]";
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
            self.next_page();
            return Ok(());
        }
        let hits: Vec<&Hit> = batch.iter().flatten().collect();
        let texts =
            if hits.is_empty() { Vec::new() } else { self.view.first_texts(&hits, self.keep).await? };
        let mut texts = texts.into_iter();
        let mut written = 0;
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
        Ok(())
    }

    fn next_page(&mut self) {
        let Some(cursor) = self.next.take() else {
            self.text.extend_from_slice(self.tail.as_bytes());
            self.is_ended = true;
            return;
        };
        let page = self.view.query(|index| index.next_page(&cursor, &[], WALK_PAGE_LEN));
        self.items = page.hits.into_iter().map(Some).collect();
        self.at = 0;
        self.next = page.next;
        self.keep = Keep::No;
    }
}

fn projected(text: &[u8], fields: &Fields) -> Result<String, ApiError> {
    let text = std::str::from_utf8(text).map_err(|error| ApiError::masked(&error))?;
    fields.project(text).map_err(|error| ApiError::masked(&error))
}
