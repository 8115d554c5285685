//! What the client asked for, in its own spelling, while routing sees a normal form of it.
//!
//! Backstage matches paths in any letter case and with or without one trailing slash, yet hands path parameters over
//! as they were written. So [`normalize`] gives the router a lower-case path, and keeps the original as a [`Target`].

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::header::ALLOW;
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};

use crate::api_error::ApiError;
use crate::reply;
use crate::request::percent;

/// Where the catalog's API is mounted.
pub(crate) const MOUNT: &str = "/api/catalog";

/// The request's URI as the client wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Target(Uri);

impl Target {
    pub(crate) fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(|| Self(request.uri().clone()))
    }

    /// Path and query below the mount of the API, verbatim; all of them outside of it.
    pub(crate) fn relative_url(&self) -> String {
        let full = self.0.path_and_query().map_or("/", PathAndQuery::as_str);
        let below = full.split_at_checked(MOUNT.len()).filter(|(mount, rest)| {
            mount.eq_ignore_ascii_case(MOUNT) && !rest.starts_with(|c| c != '/' && c != '?')
        });
        match below {
            Some((_, rest)) if rest.starts_with('/') => rest.to_owned(),
            Some((_, rest)) => format!("/{rest}"),
            None => full.to_owned(),
        }
    }

    /// The value of a path parameter: the segment that stands where the route has `{name}`, decoded once.
    pub(crate) fn param(&self, route: &MatchedPath, name: &str) -> Result<String, ApiError> {
        let place = route
            .as_str()
            .split('/')
            .position(|segment| segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) == Some(name));
        let raw = place.and_then(|place| self.0.path().split('/').nth(place)).unwrap_or_default();
        percent::decode(raw).ok_or_else(|| ApiError::input(format!("Failed to decode param '{raw}'")))
    }
}

/// Gives the router the path in its normal form.
pub(crate) async fn normalize(mut request: Request, next: Next) -> Response {
    let original = request.uri().clone();
    if let Some(uri) = normal_form(&original) {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(Target(original));
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        // axum names the methods that a path has, also where our answer to another one is that there is nothing.
        response.headers_mut().remove(ALLOW);
    }
    response
}

/// Path parameters are never empty, yet the router would let `//` pass for one that is.
pub(crate) async fn refuse_empty_segments(request: Request, next: Next) -> Response {
    if request.uri().path().contains("//") {
        return reply::empty(StatusCode::NOT_FOUND);
    }
    next.run(request).await
}

/// The URI with a lower-case path without a trailing slash; `None` if it is so already.
fn normal_form(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let trimmed = path.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(path);
    if trimmed.len() == path.len() && !path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut text = trimmed.to_ascii_lowercase();
    if let Some(query) = uri.query() {
        text.push('?');
        text.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(text.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_sees_one_form_of_a_path() {
        let rows = [
            ("/api/catalog/entities", None),
            ("/API/Catalog/ENTITIES", Some("/api/catalog/entities")),
            ("/api/catalog/entities/?Limit=1", Some("/api/catalog/entities?Limit=1")),
            ("/", None),
            ("/a/b%2FC", Some("/a/b%2fc")),
        ];
        for (uri, expected) in rows {
            let normal = normal_form(&uri.parse().unwrap());
            assert_eq!(normal.map(|uri| uri.to_string()).as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn urls_are_told_relative_to_the_mount() {
        let rows = [
            ("/api/catalog/entities?limit=%30", "/entities?limit=%30"),
            ("/API/catalog/Entities/", "/Entities/"),
            ("/api/catalog", "/"),
            ("/api/catalog?a=b", "/?a=b"),
            ("/api/catalogue", "/api/catalogue"),
            ("/metrics", "/metrics"),
            ("http://catalog.example.com/api/catalog/x", "/x"),
        ];
        for (uri, expected) in rows {
            assert_eq!(Target(uri.parse().unwrap()).relative_url(), expected, "{uri}");
        }
    }
}
