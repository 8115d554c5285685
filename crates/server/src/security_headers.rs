//! Security headers: those that Backstage sends by default, with `backend.csp` and `backend.referrer` to change them.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::state::AppState;

const CONTENT_SECURITY: &[(&str, &str)] = &[
    ("default-src", "'self'"),
    ("base-uri", "'self'"),
    ("font-src", "'self' https: data:"),
    ("frame-ancestors", "'self'"),
    ("img-src", "'self' data:"),
    ("object-src", "'none'"),
    ("script-src", "'self' 'unsafe-eval'"),
    ("script-src-attr", "'none'"),
    ("style-src", "'self' https: 'unsafe-inline'"),
    ("upgrade-insecure-requests", ""),
];

const REFERRER: &str = "no-referrer";

const OTHERS: [(HeaderName, HeaderValue); 7] = [
    (
        http::header::STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=15552000; includeSubDomains"),
    ),
    (http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (http::header::X_DNS_PREFETCH_CONTROL, HeaderValue::from_static("off")),
    (HeaderName::from_static("x-download-options"), HeaderValue::from_static("noopen")),
    (http::header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
    (HeaderName::from_static("x-permitted-cross-domain-policies"), HeaderValue::from_static("none")),
    (http::header::X_XSS_PROTECTION, HeaderValue::from_static("0")),
];

/// A change of one directive: its new sources, or `None` to leave it out.
pub(crate) type Directive = (String, Option<Vec<String>>);

/// The headers, after these changes. `None` if a value cannot stand in a header.
pub(crate) fn headers(csp: &[Directive], referrer: Option<&str>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::from_iter(OTHERS);
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&content_security_policy(csp)).ok()?);
    headers.insert(REFERRER_POLICY, HeaderValue::from_str(referrer.unwrap_or(REFERRER)).ok()?);
    Some(headers)
}

/// Adds the headers to every response.
pub(crate) async fn add(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in &state.options.security_headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

fn content_security_policy(changes: &[Directive]) -> String {
    let mut directives: Vec<(String, String)> =
        CONTENT_SECURITY.iter().map(|(name, sources)| ((*name).to_owned(), (*sources).to_owned())).collect();
    for (name, sources) in changes {
        let name = kebab_case(name);
        let place = directives.iter().position(|(known, _)| *known == name);
        match (place.and_then(|place| directives.get_mut(place)), sources) {
            (Some((_, old)), Some(sources)) => *old = sources.join(" "),
            (Some(_), None) => directives.retain(|(known, _)| *known != name),
            (None, Some(sources)) => directives.push((name, sources.join(" "))),
            (None, None) => {}
        }
    }
    let texts: Vec<String> =
        directives.iter().map(|(name, sources)| format!("{name} {sources}").trim_end().to_owned()).collect();
    texts.join(";")
}

/// `connectSrc` is another spelling of `connect-src`.
fn kebab_case(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = "default-src 'self';base-uri 'self';font-src 'self' https: data:;frame-ancestors 'self';\
        img-src 'self' data:;object-src 'none';script-src 'self' 'unsafe-eval';script-src-attr 'none';\
        style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests";

    #[test]
    fn the_default_policy_is_that_of_backstage() {
        assert_eq!(content_security_policy(&[]), DEFAULT);
        let headers = headers(&[], None).unwrap();
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["x-xss-protection"], "0");
        assert_eq!(headers.len(), 9);
    }

    #[test]
    fn directives_can_be_changed_removed_and_added() {
        let sources = |list: &[&str]| Some(list.iter().map(|&source| source.to_owned()).collect());
        let policy = content_security_policy(&[
            ("img-src".into(), sources(&["'self'", "data:", "https://img.example.com"])),
            ("upgrade-insecure-requests".into(), None),
            ("connectSrc".into(), sources(&["'self'"])),
            ("form-action".into(), None),
        ]);
        let expected = DEFAULT
            .replace("img-src 'self' data:", "img-src 'self' data: https://img.example.com")
            .replace("upgrade-insecure-requests", "connect-src 'self'");
        assert_eq!(policy, expected);
    }

    #[test]
    fn values_that_cannot_stand_in_a_header_are_refused() {
        assert!(headers(&[], Some("a\r\nx: y")).is_none());
    }
}
