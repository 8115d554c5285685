//! The cursor of `GET /entities`, which is an offset in disguise.

use serde::Serialize;
use serde_json::{Number, Value};

use crate::base64_json;
use crate::error::QueryError;
use crate::limits::CURSOR_BYTES_MAX;

/// Which page comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct After {
    /// How many entities at most. Without one, all the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How many to pass over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
}

impl After {
    /// The text for the `after` parameter, before it is encoded for a URL.
    pub fn encode(&self) -> String {
        base64_json::encode(self)
    }

    /// Reads the `after` parameter.
    pub fn decode(text: &str) -> Result<Self, QueryError> {
        if text.len() > CURSOR_BYTES_MAX {
            return Err(QueryError::After);
        }
        let Some(Value::Object(members)) = base64_json::decode(text) else { return Err(QueryError::After) };
        let number = |name: &str, error: QueryError| match members.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => whole(number).map(Some).ok_or(error),
            Some(_) => Err(error),
        };
        let after = Self {
            limit: number("limit", QueryError::AfterLimit)?,
            offset: number("offset", QueryError::AfterOffset)?,
        };
        check_limit(after.limit)?;
        Ok(after)
    }
}

/// Refuses a page of nothing.
pub(crate) fn check_limit(limit: Option<usize>) -> Result<(), QueryError> {
    if limit == Some(0) { Err(QueryError::Limit) } else { Ok(()) }
}

/// A number that is an integer in JavaScript, and not negative.
pub(crate) fn whole(number: &Number) -> Option<usize> {
    if let Some(number) = number.as_u64() {
        return Some(usize::try_from(number).unwrap_or(usize::MAX));
    }
    let number = number.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0)?;
    // The largest that JavaScript counts exactly. Nobody has as many entities.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    Some(number.min(9_007_199_254_740_991.0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c029_c030_the_text_is_that_of_the_reference() {
        let after = After { limit: Some(2), offset: Some(2) };
        assert_eq!(after.encode(), "eyJsaW1pdCI6Miwib2Zmc2V0IjoyfQ==");
        assert_eq!(After::decode("eyJsaW1pdCI6Miwib2Zmc2V0IjoyfQ=="), Ok(after));
    }

    #[test]
    fn c035_what_is_malformed_is_refused() {
        let encoded = |json: &str| base64_json::encode(&serde_json::from_str::<Value>(json).unwrap());
        let cases = [
            ("zzz".to_owned(), "Malformed after cursor, could not be parsed"),
            (String::new(), "Malformed after cursor, could not be parsed"),
            (encoded("[]"), "Malformed after cursor, could not be parsed"),
            (encoded(r#"{"limit":"2"}"#), "Malformed after cursor, limit was not an number"),
            (encoded(r#"{"limit":1.5}"#), "Malformed after cursor, limit was not an number"),
            (encoded(r#"{"limit":0}"#), "Invalid limit, must be greater than zero"),
            (encoded(r#"{"limit":1,"offset":null}"#), "Malformed after cursor, offset was not a number"),
            (encoded(r#"{"offset":-1}"#), "Malformed after cursor, offset was not a number"),
        ];
        for (text, message) in cases {
            assert_eq!(After::decode(&text).unwrap_err().to_string(), message, "{text}");
        }
        assert_eq!(
            After::decode(&encoded(r#"{"limit":2.0,"offset":1e300,"x":1}"#)).unwrap(),
            After { limit: Some(2), offset: Some(9_007_199_254_740_991) }
        );
    }
}
