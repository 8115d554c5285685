//! CORS, for frontends on another origin than the API; off unless `backend.cors` is there.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use globset::{GlobBuilder, GlobMatcher};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_LENGTH, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::state::AppState;

/// `backend.cors`, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Cors {
    /// Patterns of allowed origins; `None` allows every one.
    pub(crate) origins: Option<Vec<GlobMatcher>>,
    pub(crate) methods: HeaderValue,
    /// `None` allows the headers that the browser asks for.
    pub(crate) allowed_headers: Option<HeaderValue>,
    pub(crate) exposed_headers: Option<HeaderValue>,
    pub(crate) credentials: bool,
    pub(crate) max_age: Option<HeaderValue>,
    pub(crate) preflight_continue: bool,
    pub(crate) preflight_status: StatusCode,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            origins: None,
            methods: HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
            allowed_headers: None,
            exposed_headers: None,
            credentials: false,
            max_age: None,
            preflight_continue: false,
            preflight_status: StatusCode::NO_CONTENT,
        }
    }
}

/// A pattern of origins: any letter case; `*` and `**` stand for anything but a slash.
pub(crate) fn origin_pattern(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    let mut single = String::with_capacity(pattern.len());
    for letter in pattern.chars() {
        if !(letter == '*' && single.ends_with('*')) {
            single.push(letter);
        }
    }
    let glob = GlobBuilder::new(&single).case_insensitive(true).literal_separator(true).build()?;
    Ok(glob.compile_matcher())
}

/// Answers preflights and adds the headers for allowed origins. Requests of others are served as well: it is the
/// browser that keeps the answer from the page.
pub(crate) async fn apply(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Some(cors) = &state.options.cors else {
        return next.run(request).await;
    };
    let Some(mut headers) = cors.origin_headers(request.headers()) else {
        return next.run(request).await;
    };
    if request.method() == Method::OPTIONS {
        cors.add_preflight_headers(request.headers(), &mut headers);
        if !cors.preflight_continue {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
            return (cors.preflight_status, headers).into_response();
        }
    }
    if let Some(exposed) = &cors.exposed_headers {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
    }
    let mut response = next.run(request).await;
    for (name, value) in &headers {
        response.headers_mut().append(name, value.clone());
    }
    response
}

impl Cors {
    /// The headers about the origin; `None` if it is not allowed.
    fn origin_headers(&self, request: &HeaderMap) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        match &self.origins {
            None => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Some(patterns) => {
                let origin = request.get(ORIGIN);
                let text = origin.and_then(|origin| origin.to_str().ok()).unwrap_or_default();
                if !patterns.iter().any(|pattern| pattern.is_match(text)) {
                    return None;
                }
                if let Some(origin) = origin {
                    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                }
                headers.insert(VARY, HeaderValue::from_static("Origin"));
            }
        }
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        Some(headers)
    }

    fn add_preflight_headers(&self, request: &HeaderMap, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        if self.allowed_headers.is_none() {
            let vary = if headers.contains_key(VARY) {
                "Origin, Access-Control-Request-Headers"
            } else {
                "Access-Control-Request-Headers"
            };
            headers.insert(VARY, HeaderValue::from_static(vary));
        }
        let asked_for = || request.get(ACCESS_CONTROL_REQUEST_HEADERS);
        if let Some(allowed) = self.allowed_headers.as_ref().or_else(asked_for) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
        }
        if let Some(max_age) = &self.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
        if let Some(exposed) = &self.exposed_headers {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_patterns() {
        let rows = [
            ("http://localhost:3000", "http://localhost:3000", true),
            ("http://localhost:3000", "http://LOCALHOST:3000", true),
            ("http://localhost:3000", "http://localhost:3001", false),
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://evil.com/.example.com", false),
            ("**", "https://a.example.com", false),
            ("*", "", true),
        ];
        for (pattern, origin, allowed) in rows {
            assert_eq!(origin_pattern(pattern).unwrap().is_match(origin), allowed, "{pattern} {origin}");
        }
    }
}
