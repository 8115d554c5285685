//! An answer of the API, and how it is judged.

use std::collections::BTreeSet;

use callboard_tests::RawReply;
use serde_json::{Value, json};

const JSON: &str = "application/json; charset=utf-8";

/// An answer, and what was asked.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) method: String,
    /// Relative to the mount of the API.
    pub(crate) url: String,
    /// The body of the request.
    pub(crate) sent: String,
    pub(crate) reply: RawReply,
}

impl Answer {
    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.reply.status, status, "{self}");
        assert_eq!(self.reply.header("content-type"), Some(JSON), "{self}");
        self.reply.json()
    }

    /// The body of an answer of success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        self.json(200)
    }

    /// The answer has this status and nothing else.
    #[track_caller]
    pub(crate) fn is_empty(&self, status: u16) {
        assert_eq!(self.reply.status, status, "{self}");
        assert_eq!(self.reply.text(), "", "{self}");
    }

    /// Empty as [`Self::is_empty`], and nothing is said about what is not there either.
    #[track_caller]
    pub(crate) fn is_nothing(&self) {
        self.is_empty(404);
        assert_eq!(self.reply.header("content-type"), None, "{self}");
    }

    /// The names of the entities in the order of the answer, which is an array or a page.
    #[track_caller]
    pub(crate) fn names(&self) -> Vec<String> {
        let body = self.ok();
        names(body.get("items").unwrap_or(&body))
    }

    /// These entities are there, in this order.
    #[track_caller]
    pub(crate) fn lists(&self, expected: &[impl AsRef<str>]) {
        let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        assert_eq!(self.names(), expected, "{self}");
    }

    /// These entities are there, in whatever order.
    #[track_caller]
    pub(crate) fn finds(&self, expected: &[&str]) {
        let names = self.names();
        let found: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(found, expected.iter().copied().collect(), "{self}");
        assert_eq!(names.len(), expected.len(), "{self}");
    }

    /// The request is refused in these words.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, name: &str, message: &str) {
        let body = self.json(status);
        let expected = json!({
            "error": { "name": name, "message": message },
            "request": { "method": self.method, "url": self.url },
            "response": { "statusCode": status },
        });
        assert_eq!(body, expected, "{self}");
    }

    /// The request is refused as wrong input, in these words.
    #[track_caller]
    pub(crate) fn refuses_input(&self, message: &str) {
        self.refuses(400, "InputError", message);
    }

    /// The request is refused; answers in which words.
    #[track_caller]
    pub(crate) fn refusal(&self, status: u16, name: &str) -> String {
        let message = self.json(status)["error"]["message"].as_str().unwrap_or_default().to_owned();
        self.refuses(status, name, &message);
        message
    }

    /// The request is refused as wrong input, in words that begin so.
    #[track_caller]
    pub(crate) fn refuses_input_with(&self, start: &str) {
        let message = self.refusal(400, "InputError");
        assert!(message.starts_with(start), "{message:?} does not begin with {start:?}: {self}");
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, url, sent, reply } = self;
        write!(f, "{method} {url} {sent}\n{} {:?}\n{}", reply.status, reply.headers, reply.text())
    }
}

/// The names of entities. That of a location of the configuration is a hash, and told as `loc`.
pub(crate) fn names(entities: &Value) -> Vec<String> {
    let name = |entity: &Value| {
        let name = entity["metadata"]["name"].as_str().unwrap_or_else(|| panic!("{entity} has no name"));
        if name.starts_with("generated-") { "loc".to_owned() } else { name.to_owned() }
    };
    entities.as_array().unwrap_or_else(|| panic!("{entities} is no list")).iter().map(name).collect()
}
