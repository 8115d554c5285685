//! Request bodies: reading within limits, and validation.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use crate::api_error::ApiError;

/// Longest body in bytes; the limit of Backstage.
pub(crate) const BODY_BYTES_MAX: usize = 100 * 1024;

/// What the body of an operation must be: an object with these members.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodySchema {
    /// The members that are described; the required ones first.
    pub(crate) fields: &'static [Field],
    /// Whether other members are refused.
    pub(crate) closed: bool,
    /// Whether there must be one. Otherwise its absence reads as `{}`, of which nothing is required.
    pub(crate) required: bool,
}

/// A member of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// What a value of a body must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Text,
    /// A number that is at least this, fractions included.
    Number {
        min: i64,
    },
    OneOf(&'static [&'static str]),
    ListOf(&'static Self),
    /// An object whose members the handler looks at.
    AnyObject,
    Object {
        fields: &'static [Field],
        closed: bool,
    },
}

impl Field {
    /// A value that must be there.
    pub(crate) const fn required(name: &'static str, shape: Shape) -> Self {
        Self { name, required: true, shape }
    }

    /// A value that may be there.
    pub(crate) const fn optional(name: &'static str, shape: Shape) -> Self {
        Self { name, required: false, shape }
    }

    /// A text that must be there.
    pub(crate) const fn text(name: &'static str) -> Self {
        Self::required(name, Shape::Text)
    }

    /// A text that may be there.
    pub(crate) const fn optional_text(name: &'static str) -> Self {
        Self::optional(name, Shape::Text)
    }
}

impl BodySchema {
    /// Checks a body and takes it apart. The first complaint wins, in the order of the validator: missing members,
    /// unknown members, types.
    pub(crate) fn check(&self, body: Value) -> Result<Map<String, Value>, ApiError> {
        let Value::Object(members) = body else {
            return Err(ApiError::input("request/body must be object"));
        };
        match complaint_of_members(&members, self.fields, self.closed) {
            Some(complaint) => Err(ApiError::input(format!("request/body{complaint}"))),
            None => Ok(members),
        }
    }
}

/// What is wrong with an object, after the path to it.
fn complaint_of_members(members: &Map<String, Value>, fields: &[Field], closed: bool) -> Option<String> {
    if let Some(missing) = fields.iter().find(|field| field.required && !members.contains_key(field.name)) {
        return Some(format!(" must have required property '{}'", missing.name));
    }
    if closed && members.keys().any(|key| fields.iter().all(|field| field.name != key)) {
        return Some(" must NOT have additional properties".to_owned());
    }
    fields.iter().find_map(|field| {
        let complaint = field.shape.complaint(members.get(field.name)?)?;
        Some(format!("/{}{complaint}", field.name))
    })
}

impl Shape {
    /// What is wrong with a value, after the path to it.
    fn complaint(&self, value: &Value) -> Option<String> {
        let must_be = |what: &str| Some(format!(" must be {what}"));
        match (self, value) {
            (Self::Text, Value::String(_)) | (Self::AnyObject, Value::Object(_)) => None,
            (Self::Text, _) => must_be("string"),
            (Self::OneOf(_), value) if !value.is_string() => must_be("string"),
            (Self::Object { fields, closed }, Value::Object(members)) => {
                complaint_of_members(members, fields, *closed)
            }
            (Self::AnyObject | Self::Object { .. }, _) => must_be("object"),
            (Self::Number { min }, Value::Number(number)) => {
                #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
                let is_less = number.as_f64().is_some_and(|number| number < *min as f64);
                is_less.then(|| format!(" must be >= {min}"))
            }
            (Self::Number { .. }, _) => must_be("number"),
            (Self::OneOf(words), value) if value.as_str().is_none_or(|text| !words.contains(&text)) => {
                must_be(&format!("equal to one of the allowed values: {}", words.join(", ")))
            }
            (Self::OneOf(_), _) => None,
            (Self::ListOf(shape), Value::Array(items)) => {
                items.iter().enumerate().find_map(|(index, item)| {
                    let complaint = shape.complaint(item)?;
                    Some(format!("/{index}{complaint}"))
                })
            }
            (Self::ListOf(_), _) => must_be("array"),
        }
    }
}

/// Whether a request comes without a body.
pub(crate) fn is_absent(headers: &HeaderMap, body: &Body) -> bool {
    !headers.contains_key(CONTENT_TYPE) && body.is_end_stream()
}

/// Reads a body as JSON. One that is empty reads as `{}`: as it does for Express.
pub(crate) async fn read_json(
    headers: &HeaderMap,
    body: Body,
    timeout: Option<Duration>,
) -> Result<Value, ApiError> {
    let content_type = headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let is_json = content_type.as_deref().is_some_and(|given| {
        given.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
    });
    if !is_json {
        let given = content_type.as_deref().unwrap_or("undefined");
        return Err(ApiError::input(format!("unsupported media type {given}")));
    }
    if let Some(coding) =
        headers.get(CONTENT_ENCODING).filter(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        let coding = String::from_utf8_lossy(coding.as_bytes());
        return Err(ApiError::input(format!("unsupported content encoding \"{coding}\"")));
    }
    let bytes = read(body, timeout).await?;
    if bytes.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    // Some tools begin each text with a mark of its encoding.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let value = serde_json::from_slice(bytes).map_err(|error| ApiError::input(error.to_string()))?;
    match value {
        Value::Object(_) | Value::Array(_) => Ok(value),
        // The body parser of Backstage is strict: only objects and arrays count as JSON.
        other => Err(ApiError::input(format!("Unexpected token in JSON at position 0: {other}"))),
    }
}

async fn read(body: Body, timeout: Option<Duration>) -> Result<bytes::Bytes, ApiError> {
    let collecting = Limited::new(body, BODY_BYTES_MAX).collect();
    let collected = match timeout {
        Some(timeout) => tokio::time::timeout(timeout, collecting).await,
        None => Ok(collecting.await),
    };
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::input("request entity too large")),
        Ok(Err(_)) => Err(ApiError::input("request aborted")),
        Err(_) => Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "Error", "request timeout")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCHEMA: BodySchema = BodySchema {
        fields: &[Field::text("entityRef"), Field::optional_text("token")],
        closed: true,
        required: true,
    };

    async fn message_of(content_type: Option<&'static str>, body: impl Into<Body>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        let read = read_json(&headers, body.into(), Some(Duration::from_secs(1))).await;
        match read.and_then(|value| SCHEMA.check(value)) {
            Ok(_) => "fine".to_owned(),
            Err(error) => error.message().to_owned(),
        }
    }

    #[tokio::test]
    async fn refuses_in_the_words_of_the_validator() {
        let json = Some("application/json");
        let rows = [
            (json, r#"{"entityRef":"a"}"#, "fine"),
            (Some("Application/JSON; charset=utf-8"), r#"{"entityRef":"a","token":"b"}"#, "fine"),
            (None, r#"{"entityRef":"a"}"#, "unsupported media type undefined"),
            (Some("text/plain"), "{}", "unsupported media type text/plain"),
            (json, "", "request/body must have required property 'entityRef'"),
            (json, "{}", "request/body must have required property 'entityRef'"),
            (json, "[]", "request/body must be object"),
            (json, r#"{"entityRef":7}"#, "request/body/entityRef must be string"),
            (json, r#"{"entityRef":null}"#, "request/body/entityRef must be string"),
            (json, r#"{"entityRef":"a","token":7}"#, "request/body/token must be string"),
            (json, r#"{"entityRef":7,"x":1}"#, "request/body must NOT have additional properties"),
        ];
        for (content_type, body, message) in rows {
            assert_eq!(message_of(content_type, body).await, message, "{body}");
        }
    }

    #[tokio::test]
    async fn broken_json_is_refused() {
        for body in ["{not}", "7", "\"x\"", "null", "[", "{\"a\":1}}"] {
            assert_ne!(message_of(Some("application/json"), body).await, "fine", "{body}");
        }
        let deep = "[".repeat(50_000);
        assert!(message_of(Some("application/json"), deep).await.contains("recursion limit"));
    }

    #[tokio::test]
    async fn bodies_have_a_limit() {
        let body =
            |len: usize| format!(r#"{{"entityRef":"{}"}}"#, "a".repeat(len - r#"{"entityRef":""}"#.len()));
        assert_eq!(message_of(Some("application/json"), body(BODY_BYTES_MAX)).await, "fine");
        let too_long = body(BODY_BYTES_MAX + 1);
        assert_eq!(message_of(Some("application/json"), too_long).await, "request entity too large");
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_never_end_time_out() {
        let body = Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        assert_eq!(message_of(Some("application/json"), body).await, "request timeout");
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_may_take_for_ever_if_that_is_wanted() {
        let late = futures::stream::once(async {
            tokio::time::sleep(Duration::from_hours(24)).await;
            Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"{}"))
        });
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse().unwrap())]);
        assert_eq!(read_json(&headers, Body::from_stream(late), None).await, Ok(json!({})));
    }

    #[test]
    fn values_have_shapes() {
        const ORDER: Shape = Shape::Object {
            fields: &[Field::text("field"), Field::required("order", Shape::OneOf(&["asc", "desc"]))],
            closed: false,
        };
        const SCHEMA: BodySchema = BodySchema {
            fields: &[
                Field::optional("limit", Shape::Number { min: 0 }),
                Field::optional("query", Shape::AnyObject),
                Field::optional("fields", Shape::ListOf(&Shape::Text)),
                Field::optional("orderBy", Shape::ListOf(&ORDER)),
            ],
            closed: false,
            required: false,
        };
        let rows = [
            (json!({"limit": 1.5, "query": {}, "fields": ["a"], "other": 1}), ""),
            (json!({"orderBy": [{"field": "a", "order": "asc", "more": 1}]}), ""),
            (json!({"limit": "1"}), "request/body/limit must be number"),
            (json!({"limit": -1}), "request/body/limit must be >= 0"),
            (json!({"query": []}), "request/body/query must be object"),
            (json!({"fields": 7}), "request/body/fields must be array"),
            (json!({"fields": ["a", 7]}), "request/body/fields/1 must be string"),
            (json!({"orderBy": [7]}), "request/body/orderBy/0 must be object"),
            (
                json!({"orderBy": [{"field": "a"}]}),
                "request/body/orderBy/0 must have required property 'order'",
            ),
            (
                json!({"orderBy": [{"field": "a", "order": "up"}]}),
                "request/body/orderBy/0/order must be equal to one of the allowed values: asc, desc",
            ),
        ];
        for (body, message) in rows {
            let complaint = SCHEMA.check(body.clone()).err().map(|error| error.message().to_owned());
            assert_eq!(complaint.unwrap_or_default(), message, "{body}");
        }
    }

    #[test]
    fn open_bodies_may_have_more_members() {
        let open = BodySchema { closed: false, ..SCHEMA };
        assert_eq!(open.check(json!({"entityRef": "a", "x": 1})).unwrap().len(), 2);
    }
}
