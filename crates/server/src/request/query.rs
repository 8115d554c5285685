//! Queries: parsing as the `qs` library does it, as far as the API has a use for it, and validation.

use crate::api_error::ApiError;
use crate::request::percent::decode_query;

/// A documented query parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Texts,
    Integer { min: i64, max: i64 },
    OneOf(&'static [&'static str]),
}

impl Param {
    /// One text.
    pub(crate) const fn text(name: &'static str) -> Self {
        Self { name, kind: Kind::Text, required: false }
    }

    /// Any number of texts.
    pub(crate) const fn texts(name: &'static str) -> Self {
        Self { name, kind: Kind::Texts, required: false }
    }

    /// An integer that is at least `min`.
    pub(crate) const fn integer(name: &'static str, min: i64) -> Self {
        Self { name, kind: Kind::Integer { min, max: i64::MAX }, required: false }
    }

    /// An integer between two bounds, both included.
    pub(crate) const fn integer_between(name: &'static str, min: i64, max: i64) -> Self {
        Self { name, kind: Kind::Integer { min, max }, required: false }
    }

    /// One of these words.
    pub(crate) const fn one_of(name: &'static str, words: &'static [&'static str]) -> Self {
        Self { name, kind: Kind::OneOf(words), required: false }
    }

    /// One that must be there.
    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    fn check(&self, given: &Given) -> Result<(), ApiError> {
        let name = self.name;
        if let Kind::Texts = self.kind {
            return match given.values.iter().position(|value| value.nested) {
                Some(index) => Err(ApiError::input(format!("request/query/{name}/{index} must be string"))),
                None => Ok(()),
            };
        }
        let single = match given.values.as_slice() {
            [value] if !value.nested => Some(value.text.as_str()),
            _ => None,
        };
        let complaint = match (self.kind, single) {
            (Kind::Integer { min, max }, Some(text)) => match integer(text) {
                Some(number) if number < min => format!("must be >= {min}"),
                Some(number) if number > max => format!("must be <= {max}"),
                Some(_) => return Ok(()),
                None => "must be integer".to_owned(),
            },
            (Kind::Integer { .. }, None) => "must be integer".to_owned(),
            (Kind::OneOf(words), Some(text)) if !words.contains(&text) => {
                format!("must be equal to one of the allowed values: {}", words.join(", "))
            }
            (_, Some(_)) => return Ok(()),
            (_, None) => "must be string".to_owned(),
        };
        Err(ApiError::input(format!("request/query/{name} {complaint}")))
    }
}

/// A query that has passed validation.
#[derive(Debug, Default)]
pub(crate) struct Query {
    given: Vec<Given>,
}

#[derive(Debug)]
struct Given {
    name: String,
    values: Vec<GivenValue>,
}

#[derive(Debug)]
struct GivenValue {
    text: String,
    /// The key named a member (`filter[a]=b`), so that the value is an object.
    nested: bool,
}

impl Query {
    /// Parses a query and checks it: first that every key is documented and has a value, then the values.
    pub(crate) fn parse(query: Option<&str>, params: &[Param]) -> Result<Self, ApiError> {
        let given = split(query.unwrap_or_default(), params)?;
        for one in &given {
            let name = &one.name;
            if matches!(one.values.as_slice(), [only] if only.text.is_empty() && !only.nested) {
                return Err(ApiError::input(format!("Empty value found for query parameter '{name}'")));
            }
        }
        let is_given = |param: &Param| given.iter().any(|one| one.name == param.name);
        if let Some(missing) = params.iter().find(|param| param.required && !is_given(param)) {
            let message = format!("request/query must have required property '{}'", missing.name);
            return Err(ApiError::input(message));
        }
        for param in params {
            if let Some(one) = given.iter().find(|one| one.name == param.name) {
                param.check(one)?;
            }
        }
        Ok(Self { given })
    }

    /// The value of a parameter that has one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let given = self.given.iter().find(|given| given.name == name)?;
        given.values.first().map(|value| value.text.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        let given = self.given.iter().find(|given| given.name == name);
        given.map_or_else(Vec::new, |given| given.values.iter().map(|value| value.text.as_str()).collect())
    }

    /// The value of a count.
    pub(crate) fn count(&self, name: &str) -> Option<usize> {
        let count = self.integer(name)?;
        Some(usize::try_from(count).unwrap_or(0))
    }

    /// All names and values, in the order in which the names came.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.given
            .iter()
            .flat_map(|given| given.values.iter().map(|value| (given.name.as_str(), value.text.as_str())))
    }

    /// The value of an integer parameter.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        integer(self.text(name)?)
    }
}

/// An integer as JavaScript reads it: also `1e2` and `2.0`. What is larger than any count counts as the largest.
fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    if !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    (number.fract() == 0.0).then_some(number as i64)
}

/// The values by key, both in the order in which they came. `a[]` and `a[0]` are further values of `a`. A key that no
/// parameter has is an error.
fn split(query: &str, params: &[Param]) -> Result<Vec<Given>, ApiError> {
    let mut all: Vec<Given> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, text) = part.split_once('=').unwrap_or((part, ""));
        let key = decode_query(key);
        let (name, member) = key.split_once('[').unwrap_or((&key, ""));
        let nested = !member.trim_end_matches(']').bytes().all(|byte| byte.is_ascii_digit());
        let value = GivenValue { text: decode_query(text), nested };
        match all.iter_mut().find(|given| given.name == name) {
            Some(given) => given.values.push(value),
            None if params.iter().any(|param| param.name == name) => {
                all.push(Given { name: name.to_owned(), values: vec![value] });
            }
            None => return Err(ApiError::input(format!("Unknown query parameter '{name}'"))),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: &[Param] = &[
        Param::texts("filter"),
        Param::text("after"),
        Param::integer("offset", 0),
        Param::integer_between("limit", 1, 1000),
        Param::one_of("onConflict", &["refresh", "reject"]),
    ];

    #[test]
    fn required_parameters_are_missed() {
        let params = [Param::texts("facet").required(), Param::texts("filter")];
        let rows = [
            ("filter=a", "request/query must have required property 'facet'"),
            ("facet=", "Empty value found for query parameter 'facet'"),
            ("x=1", "Unknown query parameter 'x'"),
        ];
        for (query, message) in rows {
            assert_eq!(Query::parse(Some(query), &params).unwrap_err(), ApiError::input(message), "{query}");
        }
        assert!(Query::parse(Some("facet=a&facet=b"), &params).is_ok());
    }

    #[test]
    fn refuses_in_the_words_of_the_validator() {
        let rows = [
            ("foo=bar", "Unknown query parameter 'foo'"),
            ("Filter=x", "Unknown query parameter 'Filter'"),
            ("foo[a]=b", "Unknown query parameter 'foo'"),
            ("offset=", "Empty value found for query parameter 'offset'"),
            ("filter", "Empty value found for query parameter 'filter'"),
            ("offset=abc", "request/query/offset must be integer"),
            ("offset=1.5", "request/query/offset must be integer"),
            ("offset=1&offset=2", "request/query/offset must be integer"),
            ("offset=-1", "request/query/offset must be >= 0"),
            ("limit=0", "request/query/limit must be >= 1"),
            ("limit=1001", "request/query/limit must be <= 1000"),
            ("limit=Infinity", "request/query/limit must be integer"),
            ("limit=0x10", "request/query/limit must be integer"),
            ("limit=&foo=1", "Unknown query parameter 'foo'"),
            ("limit=-1&offset=-1", "request/query/offset must be >= 0"),
            ("after=a&after=b", "request/query/after must be string"),
            (
                "onConflict=bogus",
                "request/query/onConflict must be equal to one of the allowed values: refresh, reject",
            ),
            ("filter[a]=b", "request/query/filter/0 must be string"),
            // An unknown key is found before a wrong value.
            ("offset=abc&foo=1", "Unknown query parameter 'foo'"),
        ];
        for (query, message) in rows {
            assert_eq!(Query::parse(Some(query), PARAMS).unwrap_err(), ApiError::input(message), "{query}");
        }
    }

    #[test]
    fn accepts_what_is_documented() {
        for query in [
            "",
            "filter=a&filter=b",
            "filter[]=a&filter[0]=b&filter%5B1%5D=c",
            "after=x%ZZ",
            "onConflict=refresh",
            "offset=99999999999&limit=1000&",
            "offset=99999999999999999999&limit=1e2",
            "offset=1.0&limit=+5",
        ] {
            assert!(Query::parse(Some(query), PARAMS).is_ok(), "{query}");
        }
        let query = Query::parse(Some("after=a+%26&limit=7"), PARAMS).unwrap();
        assert_eq!(query.text("after"), Some("a &"));
        assert_eq!((query.integer("limit"), query.integer("offset")), (Some(7), None));
        assert_eq!((query.texts("after"), query.texts("filter")), (vec!["a &"], vec![]));
    }

    #[test]
    fn hundreds_of_values_are_no_problem() {
        let query = vec!["filter=kind%3Da"; 550].join("&");
        assert_eq!(Query::parse(Some(&query), PARAMS).unwrap().given[0].values.len(), 550);
    }
}
