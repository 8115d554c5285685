//! URLs as they may appear in messages and logs: without passwords and tokens.

use std::borrow::Cow;

use url::Url;

const HIDDEN: &str = "***";

/// Query parameters with one of these in their name carry credentials.
const SECRET_NAME_PARTS: &[&str] = &[
    "token",
    "secret",
    "passw",
    "signature",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "accesskey",
    "credential",
];
/// Query parameters that carry credentials, too short to look for inside other names.
const SECRET_NAMES: &[&str] = &["sig", "key", "auth", "code", "jwt"];

/// The URL with user info and the values of token-like query parameters hidden. Without any, it stays as
/// written, so that people find it again in their files.
pub(crate) fn shown(url: &str) -> Cow<'_, str> {
    let Ok(mut parsed) = Url::parse(url) else {
        return Cow::Borrowed("(an invalid URL)");
    };
    let query = parsed.query().map(hide_in_query);
    let is_query_changed = query.as_deref() != parsed.query();
    let has_userinfo = !parsed.username().is_empty() || parsed.password().is_some();
    let fragment = parsed.fragment().map(hide_in_query);
    let is_fragment_changed = fragment.as_deref() != parsed.fragment();
    if !is_query_changed && !has_userinfo && !is_fragment_changed {
        return Cow::Borrowed(url);
    }
    parsed.set_query(query.as_deref());
    parsed.set_fragment(fragment.as_deref());
    if has_userinfo && (parsed.set_username(HIDDEN).is_err() || parsed.set_password(None).is_err()) {
        return Cow::Borrowed("(a URL with credentials)");
    }
    Cow::Owned(parsed.into())
}

fn hide_in_query(query: &str) -> String {
    let parts = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if is_secret_name(name) && !value.is_empty() => {
            Cow::Owned(format!("{name}={HIDDEN}"))
        }
        _ => Cow::Borrowed(pair),
    });
    parts.collect::<Vec<_>>().join("&")
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.contains(&name.as_str()) || SECRET_NAME_PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_credentials_and_leaves_all_else_as_written() {
        let table = [
            ("https://e.com/a%20b?x=1&y=2", "https://e.com/a%20b?x=1&y=2"),
            ("https://E.com", "https://E.com"),
            ("https://u:p@e.com/a", "https://***@e.com/a"),
            ("https://ghp_abc@e.com/a", "https://***@e.com/a"),
            ("https://e.com/a?token=abc&ref=main", "https://e.com/a?token=***&ref=main"),
            (
                "https://e.com/a?X-Amz-Signature=abc&X-Amz-Credential=q",
                "https://e.com/a?X-Amz-Signature=***&X-Amz-Credential=***",
            ),
            ("https://e.com/a?sv=1&sig=abc", "https://e.com/a?sv=1&sig=***"),
            ("https://e.com/a#access_token=abc", "https://e.com/a#access_token=***"),
            ("https://e.com/a?keyboard=us", "https://e.com/a?keyboard=us"),
            ("not a url with:pw@", "(an invalid URL)"),
        ];
        for (url, expected) in table {
            assert_eq!(shown(url), expected);
        }
    }
}
