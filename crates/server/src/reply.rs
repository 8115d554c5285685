//! Responses: buffered JSON with an ETag, JSON text from the store, and nothing at all.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use sha1::{Digest as _, Sha1};

use crate::api_error::ApiError;

/// The content type of every JSON body.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A value as JSON, with an ETag.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, ApiError> {
    let text = serde_json::to_string(value).map_err(|error| ApiError::masked(&error))?;
    Ok(buffered(status, text))
}

/// JSON text that is complete, with an ETag.
pub(crate) fn buffered(status: StatusCode, text: impl Into<Bytes>) -> Response {
    let text = text.into();
    let etag = weak_etag(&text);
    let mut response = with_json(status, Body::from(text));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

/// JSON text as the store has it. As in Backstage it carries no ETag: entities have their own in `metadata.etag`.
pub(crate) fn stored(body: impl Into<Body>) -> Response {
    with_json(StatusCode::OK, body.into())
}

/// A status without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    status.into_response()
}

fn with_json(status: StatusCode, body: Body) -> Response {
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}

/// The ETag that Express gives: the length in hex and the SHA-1 in Base64, without padding.
fn weak_etag(body: &[u8]) -> String {
    format!("W/\"{:x}-{}\"", body.len(), STANDARD_NO_PAD.encode(Sha1::digest(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_those_of_express() {
        // Known from any Express server: the ETags of an empty array and of an empty object.
        assert_eq!(weak_etag(b"[]"), "W/\"2-l9Fw4VUO7kr8CvBlt4zaMCqXZ0w\"");
        assert_eq!(weak_etag(b"{}"), "W/\"2-vyGp6PvFo4RvsFtPoIWeCReyIC8\"");
    }

    #[test]
    fn only_buffered_bodies_carry_an_etag() {
        assert!(buffered(StatusCode::OK, "[]").headers().contains_key(ETAG));
        assert!(!stored("{}").headers().contains_key(ETAG));
        assert!(!empty(StatusCode::NO_CONTENT).headers().contains_key(CONTENT_TYPE));
    }
}
