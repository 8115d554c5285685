//! `GET /entities`: the whole catalog as one array, streamed as the store has it.

use std::fmt::Display;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use callboard_store::{EntityPage, FinalEntity, Store, StoreError};
use futures::Stream;
use futures::stream::try_unfold;
use http::StatusCode;

use crate::api_error::{ApiError, chain};
use crate::reply;
use crate::request::{Operation, Param};
use crate::state::AppState;

const OPERATION: Operation = Operation {
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

/// Entities that are in memory at a time, per request.
const PAGE_LEN: usize = 500;

/// Bytes of one chunk of the body. It is written as a whole, whatever the client's pace.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

pub(crate) async fn list(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let accepted = OPERATION.accept(&state, request).await?;
    if let Some(name) = accepted.query.first() {
        return Err(ApiError::not_implemented(format!("query parameter '{name}' is not supported yet")));
    }
    let store = Arc::clone(state.store()?);
    // Asked for before anything is sent, so that a store in trouble is told by a status.
    let first = store.entities_page(None, PAGE_LEN).await?;
    if first.entities.is_empty() && first.next_after.is_none() {
        return Ok(reply::buffered(StatusCode::OK, "[]"));
    }
    let rest = move |after: String| {
        let store = Arc::clone(&store);
        async move { next_page(store.as_ref(), &after).await }
    };
    Ok(reply::stored(Body::from_stream(array(first, rest))))
}

/// A failure in here cuts the connection: the client sees an array that does not end, not one that seems complete.
async fn next_page(store: &dyn Store, after: &str) -> Result<EntityPage, StoreError> {
    let page = store.entities_page(Some(after), PAGE_LEN).await;
    if let Err(error) = &page {
        tracing::error!(error = chain(error), after, "listing all entities broke off");
    }
    page
}

/// What of the array is still to be sent.
struct Rest {
    page: std::vec::IntoIter<FinalEntity>,
    next_after: Option<String>,
    separator: char,
    /// Of an entity that is longer than a chunk.
    unsent: Bytes,
}

impl Rest {
    fn of(page: EntityPage, separator: char) -> Self {
        let EntityPage { entities, next_after } = page;
        Self { page: entities.into_iter(), next_after, separator, unsent: Bytes::new() }
    }

    /// The next chunk of this page; `None` at its end.
    fn chunk(&mut self) -> Option<Bytes> {
        if self.unsent.is_empty() {
            self.unsent = self.gather().into();
        }
        let length = self.unsent.len().min(CHUNK_BYTES_MAX);
        Some(self.unsent.split_to(length)).filter(|chunk| !chunk.is_empty())
    }

    fn gather(&mut self) -> String {
        let mut text = String::new();
        while let Some(entity) = self.page.as_slice().first() {
            if !text.is_empty() && text.len() + 1 + entity.json.len() > CHUNK_BYTES_MAX {
                break;
            }
            text.push(self.separator);
            text.push_str(&entity.json);
            self.separator = ',';
            self.page.next();
        }
        text
    }
}

/// The pages as the chunks of a JSON array. A page is fetched when the chunks before it have been taken.
fn array<F, R, E>(first: EntityPage, fetch: F) -> impl Stream<Item = Result<Bytes, E>>
where
    F: Fn(String) -> R,
    R: Future<Output = Result<EntityPage, E>>,
    E: Display,
{
    try_unfold((Some(Rest::of(first, '[')), fetch), |(rest, fetch)| async move {
        let Some(mut rest) = rest else { return Ok(None) };
        loop {
            if let Some(chunk) = rest.chunk() {
                return Ok(Some((chunk, (Some(rest), fetch))));
            }
            let Some(after) = rest.next_after else {
                let end = if rest.separator == '[' { "[]" } else { "]" };
                return Ok(Some((Bytes::from_static(end.as_bytes()), (None, fetch))));
            };
            rest = Rest::of(fetch(after).await?, rest.separator);
        }
    })
}

#[cfg(test)]
mod tests {
    use callboard_store::EntityId;
    use futures::{StreamExt, TryStreamExt};

    use super::*;

    fn page(jsons: &[&str], next_after: Option<&str>) -> EntityPage {
        let entity = |json: &&str| FinalEntity {
            id: EntityId(1),
            entity_ref: "component:default/a".into(),
            uid: uuid::Uuid::nil(),
            json: (*json).to_owned(),
        };
        EntityPage { entities: jsons.iter().map(entity).collect(), next_after: next_after.map(str::to_owned) }
    }

    async fn text_of(pages: Vec<EntityPage>) -> String {
        let mut pages = pages.into_iter();
        let first = pages.next().unwrap();
        let rest = std::sync::Mutex::new(pages);
        let fetch = |_| std::future::ready(Ok::<_, String>(rest.lock().unwrap().next().unwrap()));
        let chunks: Vec<Bytes> = array(first, fetch).try_collect().await.unwrap();
        String::from_utf8(chunks.concat()).unwrap()
    }

    #[tokio::test]
    async fn pages_become_one_array() {
        assert_eq!(text_of(vec![page(&["1"], None)]).await, "[1]");
        assert_eq!(text_of(vec![page(&["1", "2"], Some("b")), page(&["3"], None)]).await, "[1,2,3]");
        // The last page is empty if entities vanished in between.
        assert_eq!(text_of(vec![page(&["1"], Some("b")), page(&[], None)]).await, "[1]");
        assert_eq!(
            text_of(vec![page(&["1"], Some("b")), page(&[], Some("c")), page(&["2"], None)]).await,
            "[1,2]"
        );
        assert_eq!(text_of(vec![page(&[], Some("a")), page(&[], None)]).await, "[]");
    }

    #[tokio::test]
    async fn a_failing_page_ends_the_stream_with_an_error() {
        let fetch = |_| std::future::ready(Err("broken"));
        let chunks: Vec<_> = array(page(&["1"], Some("a")), fetch).collect().await;
        assert_eq!(chunks, [Ok(Bytes::from("[1")), Err("broken")]);
    }

    #[tokio::test]
    async fn chunks_are_bounded_whatever_the_entities_are() {
        let sizes = [10, CHUNK_BYTES_MAX - 1, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + 1, 20 * CHUNK_BYTES_MAX, 1];
        let texts: Vec<String> =
            (0..5_000).map(|_| 1_000).chain(sizes).map(|size| "1".repeat(size)).collect();
        let jsons: Vec<&str> = texts.iter().map(String::as_str).collect();
        let fetch = |_| std::future::ready(Err("there is one page"));
        let chunks: Vec<Bytes> = array(page(&jsons, None), fetch).try_collect().await.unwrap();
        assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK_BYTES_MAX));
        assert_eq!(chunks.concat(), format!("[{}]", jsons.join(",")).as_bytes());
        let least = chunks.concat().len().div_ceil(CHUNK_BYTES_MAX);
        assert!(chunks.len() <= 2 * least, "{} chunks for {least}", chunks.len());
    }

    #[tokio::test]
    async fn pages_are_fetched_only_when_wanted() {
        let fetches = std::cell::Cell::new(0);
        let fetch = |_| {
            fetches.set(fetches.get() + 1);
            std::future::ready(Ok::<_, String>(page(&["2"], None)))
        };
        let mut stream = Box::pin(array(page(&["1"], Some("a")), fetch));
        stream.next().await.unwrap().unwrap();
        assert_eq!(fetches.get(), 0);
    }
}
