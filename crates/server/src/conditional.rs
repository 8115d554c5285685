//! `If-None-Match`: a client that has the body already gets 304.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};

/// Answers 304 if the ETag of a good response is one of those that the client names.
pub(crate) async fn not_modified(request: Request, next: Next) -> Response {
    let asked = matches!(*request.method(), Method::GET | Method::HEAD) && !wants_fresh(request.headers());
    let known = request.headers().get(IF_NONE_MATCH).filter(|_| asked).cloned();
    let mut response = next.run(request).await;
    let matches = |known: &str| {
        response
            .headers()
            .get(ETAG)
            .and_then(|etag| etag.to_str().ok())
            .is_some_and(|etag| is_listed(known, etag))
    };
    if response.status().is_success()
        && known.as_ref().and_then(|known| known.to_str().ok()).is_some_and(matches)
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

/// A reload by hand asks for the body even if it is the same.
fn wants_fresh(headers: &HeaderMap) -> bool {
    headers.get(CACHE_CONTROL).is_some_and(|value| value.to_str().is_ok_and(|text| text.contains("no-cache")))
}

/// Compares weakly: as if no ETag had `W/` in front.
fn is_listed(list: &str, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    list.trim() == "*" || list.split(',').any(|one| bare(one) == bare(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_compared_weakly() {
        let rows = [
            ("W/\"a\"", true),
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("", false),
            ("a", false),
        ];
        for (list, listed) in rows {
            assert_eq!(is_listed(list, "W/\"a\""), listed, "{list}");
        }
    }
}
