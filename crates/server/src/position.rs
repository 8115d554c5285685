//! Reading what was written: positions in the change log.
//!
//! What a client changes is visible to the next request to the same daemon: an answer to a change waits for the query
//! index. It also tells the position in the change log that holds the change; a client that may reach another replica
//! sends it along with its reads, which then wait until that replica has come so far.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use callboard_store::error_chain;
use http::{HeaderName, HeaderValue};

use crate::api_error::ApiError;
use crate::state::AppState;

/// Of answers: the position that holds what the request changed.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("callboard-position");

/// Of requests: the position that the answer must have come to.
pub(crate) const MIN_POSITION: HeaderName = HeaderName::from_static("callboard-min-position");

/// The change itself was made; if the index needs longer, it can be read a little later.
const WRITE_WAIT: Duration = Duration::from_secs(1);

/// How long a read waits for its position.
const READ_WAIT: Duration = Duration::from_secs(5);

/// Lets reads wait.
pub(crate) async fn await_wanted(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Some(position) = request.headers().get(MIN_POSITION) {
        let position = position.to_str().ok().and_then(|text| text.parse().ok());
        let position = position
            .ok_or_else(|| ApiError::input(format!("Invalid {MIN_POSITION} header, expected a number")))?;
        if !state.view()?.wait_for(position, READ_WAIT).await {
            return Err(ApiError::unavailable(format!("Position {position} is not reached yet")));
        }
    }
    Ok(next.run(request).await)
}

/// The answer to a change that was made: it waits until reads see the change, and tells where that is.
pub(crate) async fn changed(state: &AppState, mut response: Response) -> Result<Response, ApiError> {
    let view = state.view()?;
    match view.newest_position().await {
        Ok(position) => {
            view.wait_for(position, WRITE_WAIT).await;
            response.headers_mut().insert(POSITION, HeaderValue::from(position));
        }
        // The change was made all the same.
        Err(error) => tracing::warn!(error = error_chain(&error), "cannot tell the position of a change"),
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use http::{Method, Request, StatusCode};

    use super::*;
    use crate::options::ServerOptions;
    use crate::testing::{Fixture, component};

    #[tokio::test]
    async fn what_was_deleted_is_gone_at_once_and_the_answer_tells_where() {
        let fixture = Fixture::new(ServerOptions::default()).await;
        fixture.ingest(&[component("a")], &[]).await;
        let by_name = "/api/catalog/entities/by-name/component/default/a";
        let uid = fixture.get(by_name).await.json()["metadata"]["uid"].as_str().unwrap().to_owned();
        let answer = fixture.send(Method::DELETE, &format!("/api/catalog/entities/by-uid/{uid}"), "").await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(fixture.get(by_name).await.status, StatusCode::NOT_FOUND);
        let position: i64 = answer.headers[POSITION].to_str().unwrap().parse().unwrap();
        assert_eq!(position, fixture.catalog.store().position().await.unwrap());
    }

    #[tokio::test]
    async fn reads_wait_for_their_position() {
        let fixture = Fixture::new(ServerOptions::default()).await;
        fixture.ingest(&[component("a")], &[]).await;
        let position = fixture.catalog.store().position().await.unwrap();
        let get = |position: String| {
            let request = Request::get("/api/catalog/entities").header(MIN_POSITION, position);
            fixture.call(request.body(axum::body::Body::empty()).unwrap())
        };
        assert_eq!(get(position.to_string()).await.status, StatusCode::OK);
        let (status, message) = get("x".to_owned()).await.error();
        assert_eq!((status, &*message), (400, "Invalid callboard-min-position header, expected a number"));
        tokio::time::pause();
        assert_eq!(get((position + 1).to_string()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
