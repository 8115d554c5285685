//! Which values are secret, and keeping them out of what people see.

use std::fmt;

use serde_json::Value;

use crate::node::{Content, Node};
use crate::schema::{Schema, backstage};

/// What stands where a secret was.
pub(crate) const MASK: &str = "***";

/// A shorter value is no secret, and cutting every `1` out of a log would leave nothing.
const SECRET_LEN_MIN: usize = 2;

/// A text that shows itself only where asked to.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes care of a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the request it is needed in, and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// All secrets of a tree, the longest first, so that a secret within another does not leave half of it behind.
pub(crate) fn collect(root: &Node) -> Vec<String> {
    let mut secrets = Vec::new();
    walk(root, "", Some(backstage()), &mut secrets);
    secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    secrets.dedup();
    secrets
}

fn walk(node: &Node, name: &str, schema: Option<&Schema>, secrets: &mut Vec<String>) {
    match &node.content {
        Content::Object(_) => {
            for (key, child) in node.children() {
                walk(child, key, schema.and_then(|schema| schema.member(key)), secrets);
            }
        }
        Content::Array(items) => {
            let schema = schema.and_then(Schema::element);
            for item in items {
                walk(item, name, schema, secrets);
            }
        }
        Content::Scalar(Value::String(text)) => {
            if is_secret(name, text, schema) {
                push(text, secrets);
            } else {
                for part in embedded(text) {
                    push(part, secrets);
                }
            }
        }
        Content::Scalar(_) => {}
    }
}

fn push(text: &str, secrets: &mut Vec<String>) {
    let text = text.trim();
    if text.chars().count() >= SECRET_LEN_MIN {
        secrets.push(text.to_owned());
    }
}

/// Whether a text is secret as a whole: by its place, or, where the place is not ours, by its name.
pub(crate) fn is_secret(name: &str, text: &str, schema: Option<&Schema>) -> bool {
    schema.is_some_and(Schema::is_secret) || (is_secret_name(name) && !is_credentials_mode(text))
}

/// `credentials: require` of a proxy endpoint is a choice, no secret.
fn is_credentials_mode(text: &str) -> bool {
    matches!(
        text,
        "require" | "forward" | "dangerously-allow-unauthenticated" | "include" | "same-origin" | "omit"
    )
}

fn is_secret_name(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let contains =
        ["password", "passphrase", "secret", "privatekey", "apikey", "signingkey", "connectionstring"];
    let ends = ["token", "tokens", "credentials", "authorization", "accountkey", "accesskey", "cookie"];
    // `secretName` or `passwordFile` say where a secret is, not what it is.
    let places = ["name", "file", "path", "url", "ref", "id", "type", "enabled"];
    (contains.iter().any(|part| name.contains(part)) && !places.iter().any(|place| name.ends_with(place)))
        || ends.iter().any(|part| name.ends_with(part))
}

/// The secret parts of a text that is public otherwise: the password of a URL, and those of a connection string.
pub(crate) fn embedded(text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = url_password(text).into_iter().collect();
    for field in text.split([';', ' ', '&', '?']) {
        if let Some((name, value)) = field.split_once('=') {
            let name = name.trim().to_ascii_lowercase();
            if matches!(name.as_str(), "password" | "pwd" | "accountkey" | "sharedaccesskey" | "sig") {
                parts.push(value.trim());
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn url_password(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user_info, _) = authority.rsplit_once('@')?;
    let (_, password) = user_info.split_once(':')?;
    Some(password)
}

/// `text` with every secret in it masked.
pub(crate) fn redact(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        if text.contains(secret.as_str()) {
            text = text.replace(secret.as_str(), MASK);
        }
    }
    text
}
