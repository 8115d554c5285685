//! Which values are secret, and keeping them out of what people see.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::node::{Content, Node};
use crate::schema::{Schema, backstage};

/// What stands where a secret was.
pub(crate) const MASK: &str = "***";

/// A shorter value is no secret, and cutting every `1` out of a log would leave nothing.
const SECRET_LEN_MIN: usize = 2;

/// Shorter numbers are ports, years and counts as well.
const NUMBER_LEN_MIN: usize = 6;

/// What only may be a secret, such as the user of a URL, is masked where it stands; texts from this length on are
/// tokens rather than names, and are cut out everywhere.
const DOUBTFUL_LEN_MIN: usize = 16;

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

/// The secrets of a whole configuration, to be cut out of texts. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Secrets {
    /// In every form in which they may be written, the longest first, so that a secret within another does not leave
    /// half of it behind.
    forms: Arc<[String]>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.forms.len())
    }
}

impl Secrets {
    pub(crate) fn of(root: &Node) -> Self {
        let mut found = Vec::new();
        walk(root, "", Some(backstage()), &mut found);
        Self::from_forms(found.iter().flat_map(|secret| forms(secret)).collect())
    }

    fn from_forms(mut forms: Vec<String>) -> Self {
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms: forms.into() }
    }

    /// Those of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self::from_forms(self.forms.iter().chain(other.forms.iter()).cloned().collect())
    }

    /// The text with every secret in it masked, also within JSON and Rust's debug output, and such output within JSON.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.forms.iter() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }
}

/// Logs and bodies escape quotes, backslashes and line breaks, so that a PEM key looks different there.
fn forms(secret: &str) -> [String; 5] {
    let inner = |quoted: String| quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned();
    let json = |text: &str| inner(Value::from(text).to_string());
    let debug = inner(format!("{secret:?}"));
    [secret.to_owned(), json(secret), json(&json(secret)), json(&debug), debug]
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
        Content::Scalar(value) if is_secret(name, value, schema) => match value {
            Value::String(text) => push(text, SECRET_LEN_MIN, secrets),
            Value::Number(number) => push(&number.to_string(), NUMBER_LEN_MIN, secrets),
            _ => {}
        },
        Content::Scalar(Value::String(text)) => {
            for part in embedded(text) {
                push(part.text, if part.is_certain { SECRET_LEN_MIN } else { DOUBTFUL_LEN_MIN }, secrets);
            }
        }
        Content::Scalar(_) => {}
    }
}

fn push(text: &str, len_min: usize, secrets: &mut Vec<String>) {
    let text = text.trim();
    if text.chars().count() >= len_min {
        secrets.push(text.to_owned());
    }
}

/// Whether a scalar is secret as a whole: by its place, or, where the place is not ours, by its name.
pub(crate) fn is_secret(name: &str, value: &Value, schema: Option<&Schema>) -> bool {
    let may_be = match value {
        Value::String(text) => !is_credentials_mode(text),
        Value::Number(_) => true,
        // A choice, such as `credentials: true`.
        _ => false,
    };
    schema.is_some_and(Schema::is_secret) || (may_be && is_secret_name(name))
}

/// `credentials: require` of a proxy endpoint is a choice, no secret.
fn is_credentials_mode(text: &str) -> bool {
    matches!(
        text,
        "require" | "forward" | "dangerously-allow-unauthenticated" | "include" | "same-origin" | "omit"
    )
}

fn is_secret_name(name: &str) -> bool {
    let contains = [
        "password",
        "passwd",
        "passphrase",
        "passcode",
        "secret",
        "privatekey",
        "apikey",
        "signingkey",
        "connectionstring",
    ];
    let ends = [
        "token",
        "tokens",
        "credential",
        "credentials",
        "authorization",
        "accountkey",
        "accesskey",
        "cookie",
        "signature",
        "pwd",
    ];
    // `secretName` or `passwordFile` say where a secret is, not what it is.
    let places = ["name", "file", "path", "url", "ref", "id", "type", "enabled"];
    let plain = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    (contains.iter().any(|part| plain.contains(part)) && !places.iter().any(|place| plain.ends_with(place)))
        || ends.iter().any(|part| plain.ends_with(part))
        || is_pass(name)
}

/// `pass`, `dbPass` and `DB_PASS`, but not `bypass`.
fn is_pass(name: &str) -> bool {
    let is_end = |before: &str| before.is_empty() || before.ends_with(['_', '-', '.']);
    let lower = name.to_ascii_lowercase();
    name.ends_with("Pass") || lower.strip_suffix("pass").is_some_and(is_end)
}

/// Part of a text that is public otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    text: &'a str,
    is_certain: bool,
}

/// The text with its secret parts masked, whatever they are elsewhere.
pub(crate) fn hide_embedded(text: &str) -> String {
    let start = |part: &Part<'_>| part.text.as_ptr().addr() - text.as_ptr().addr();
    let mut parts = embedded(text);
    parts.sort_by_key(start);
    let (mut hidden, mut end) = (String::with_capacity(text.len()), 0);
    for part in parts {
        // Two rules may find the same part.
        if let Some(before) = text.get(end..start(&part)) {
            hidden.push_str(before);
            hidden.push_str(MASK);
            end = start(&part) + part.text.len();
        }
    }
    hidden.push_str(text.get(end..).unwrap_or_default());
    hidden
}

/// The credentials within URLs, and the secret fields of URLs and connection strings.
fn embedded(text: &str) -> Vec<Part<'_>> {
    let urls = text.match_indices("//").flat_map(|(at, _)| url_credentials(text, at));
    let fields = fields(text).filter_map(|field| {
        let (name, value) = field.split_once('=')?;
        let name = name.trim();
        let is_certain = is_secret_name(name) || name.eq_ignore_ascii_case("sig");
        let is_doubtful = ["key", "auth", "code", "jwt"].iter().any(|it| name.eq_ignore_ascii_case(it));
        (is_certain || is_doubtful).then_some(Part { text: value.trim(), is_certain })
    });
    urls.chain(fields).filter(|part| !part.text.is_empty()).collect()
}

/// The fields of a query, of a fragment, or of a connection string, whose values may hold all but `;`.
fn fields(text: &str) -> impl Iterator<Item = &str> {
    let separators: &[char] = match text {
        url if url.contains("://") => &[';', '&', '?', '#', ' '],
        connection if connection.contains(';') => &[';'],
        _ => &[' ', '&', '?', '#'],
    };
    text.split(separators)
}

/// What stands before the `@` of the URL with its `//` at `at`. One that begins so lacks a scheme by mistake.
fn url_credentials(text: &str, at: usize) -> Vec<Part<'_>> {
    let (before, rest) = text.split_at(at);
    if !before.is_empty() && !before.ends_with(':') {
        return Vec::new();
    }
    let is_web = before.is_empty() || before.ends_with("http:") || before.ends_with("https:");
    let authority = rest.get(2..).unwrap_or_default().split(['/', '?', '#', ' ']).next().unwrap_or_default();
    let Some((user_info, _)) = authority.rsplit_once('@') else { return Vec::new() };
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    // Forges take a token for the user, with any password or none. Databases and SSH have names there.
    let is_token = is_web && ["", "x-oauth-basic"].contains(&password);
    let user = is_token.then_some(Part { text: user, is_certain: false });
    user.into_iter().chain([Part { text: password, is_certain: true }]).collect()
}
