//! What operations answer.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::openapi::requests::reference;
use crate::openapi::schemas;
use crate::position::POSITION;

pub(super) const ETAG: &str = "ETag";
pub(super) const LINK: &str = "Link";

/// The answers that operations share, by the names under which the document has them.
pub(super) const BAD_REQUEST: &str = "BadRequest";
pub(super) const REQUEST_TIMEOUT: &str = "RequestTimeout";
pub(super) const HEAD_TOO_LARGE: &str = "HeadTooLarge";
pub(super) const INTERNAL_ERROR: &str = "InternalError";
pub(super) const UNAVAILABLE: &str = "Unavailable";
pub(super) const NOT_MODIFIED: &str = "NotModified";
pub(super) const ERROR: &str = "Error";

/// One answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) status: u16,
    meaning: &'static str,
    body: Option<fn(&mut SchemaGenerator) -> Schema>,
    headers: &'static [&'static str],
}

impl Answer {
    /// An answer without a body.
    pub(super) const fn empty(status: u16, meaning: &'static str) -> Self {
        Self { status, meaning, body: None, headers: &[] }
    }

    /// An answer with a body of this type.
    pub(super) const fn of<T: JsonSchema>(status: u16, meaning: &'static str) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<T>), ..Self::empty(status, meaning) }
    }

    /// A refusal with the usual body.
    pub(super) const fn error(status: u16, meaning: &'static str) -> Self {
        Self::of::<schemas::ErrorBody>(status, meaning)
    }

    pub(super) const fn with_headers(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }

    pub(super) fn has_etag(&self) -> bool {
        self.headers.contains(&ETAG)
    }

    /// The answer as the document has it, of a request that changes something or of another one.
    pub(super) fn describe(&self, generator: &mut SchemaGenerator, is_change: bool) -> Value {
        let mut answer = Map::from_iter([("description".to_owned(), Value::from(self.meaning))]);
        let position = POSITION;
        let position = (is_change && self.status < 300).then_some(position.as_str());
        let headers: Map<String, Value> = self
            .headers
            .iter()
            .copied()
            .chain(position)
            .map(|name| (name.to_owned(), reference("headers", name)))
            .collect();
        if !headers.is_empty() {
            answer.insert("headers".to_owned(), Value::Object(headers));
        }
        if let Some(body) = self.body {
            let content = json!({ "application/json": { "schema": body(generator) } });
            answer.insert("content".to_owned(), content);
        }
        Value::Object(answer)
    }
}

pub(super) fn shared(generator: &mut SchemaGenerator) -> Value {
    let answers = [
        (
            BAD_REQUEST,
            Answer::error(400, "The request is wrong; the message says what. Most are called `InputError`."),
        ),
        (REQUEST_TIMEOUT, Answer::error(408, "The body of the request did not arrive in time.")),
        (HEAD_TOO_LARGE, Answer::empty(431, "The head of the request has more than 64 KiB.")),
        (
            INTERNAL_ERROR,
            Answer::error(500, "A defect. The message has an id under which the log says more."),
        ),
        (
            UNAVAILABLE,
            Answer::error(
                503,
                "The daemon starts or stops, or has not come to `callboard-min-position` yet.",
            ),
        ),
        (
            NOT_MODIFIED,
            Answer::empty(304, "The client has this answer, as `If-None-Match` says.").with_headers(&[ETAG]),
        ),
        (ERROR, Answer::error(0, "Any other error.")),
    ];
    let answers = answers.map(|(name, answer)| (name.to_owned(), answer.describe(generator, false)));
    Value::Object(answers.into_iter().collect())
}

pub(super) fn headers() -> Value {
    json!({
        ETAG: {
            "description": "Of answers that are sent as a whole: to be sent back as `If-None-Match`.",
            "schema": { "type": "string" },
        },
        LINK: {
            "description": "`<...>; rel=\"next\"` with the request for the next entities, if there are more. The path \
                is without `/api/catalog`.",
            "schema": { "type": "string" },
        },
        POSITION.as_str(): {
            "description": "The position in the change log that holds the change. A read that has to see it at \
                another replica sends it as `callboard-min-position`.",
            "schema": { "type": "integer", "minimum": 0 },
        },
    })
}
