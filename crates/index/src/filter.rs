//! The `filter` parameter, and its translation into a predicate, which is what cursors carry.

use foldhash::{HashMap, HashMapExt};

use crate::error::QueryError;
use crate::limits::QUERY_TERMS_MAX;
use crate::predicate::{Predicate, Primitive, Test};
use crate::text::js_trim;

/// Reads repeated `filter` parameters: sets of statements, one of which has to hold. `None` if nothing is asked.
///
/// Keys within a set are told apart by case here, though they mean the same: `Kind=a,kind=b` asks for both.
pub fn parse_filters<T: AsRef<str>>(filters: &[T]) -> Result<Option<Predicate>, QueryError> {
    let mut terms = 0;
    let mut sets = Vec::new();
    for filter in filters {
        sets.extend(parse_set(filter.as_ref(), &mut terms)?);
    }
    Ok(match sets.len() {
        0 | 1 => sets.pop(),
        _ => Some(Predicate::Any(sets)),
    })
}

fn parse_set<'a>(filter: &'a str, terms: &mut usize) -> Result<Option<Predicate>, QueryError> {
    let mut keys: Vec<(&'a str, Vec<&'a str>)> = Vec::new();
    let mut places: HashMap<&'a str, usize> = HashMap::new();
    for statement in filter.split(',').map(js_trim).filter(|statement| !statement.is_empty()) {
        *terms += 1;
        if *terms > QUERY_TERMS_MAX {
            return Err(QueryError::TooManyTerms);
        }
        let (key, value) = match statement.split_once('=') {
            Some((key, value)) => (js_trim(key), Some(js_trim(value))),
            None => (statement, None),
        };
        if key.is_empty() {
            return Err(QueryError::FilterStatement(statement.to_owned()));
        }
        let place = *places.entry(key).or_insert_with(|| {
            keys.push((key, Vec::new()));
            keys.len() - 1
        });
        if let Some((_, values)) = keys.get_mut(place) {
            values.extend(value);
        }
    }
    let mut tests: Vec<Predicate> = keys.into_iter().map(|(key, values)| test(key, &values)).collect();
    Ok(match tests.len() {
        0 | 1 => tests.pop(),
        _ => Some(Predicate::All(tests)),
    })
}

fn test(key: &str, values: &[&str]) -> Predicate {
    let primitive = |value: &&str| Primitive::Text((*value).to_owned());
    let test = match values {
        [] => Test::Exists(true),
        [value] => Test::Equals(primitive(value)),
        _ => Test::In(values.iter().map(primitive).collect()),
    };
    Predicate::Fields(vec![(key.to_owned(), test)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_become_predicates() {
        let cases = [
            ("C001 one value", vec!["kind=component"], json!({"kind": "component"})),
            ("C003 the same key twice", vec!["kind=a,kind=b"], json!({"kind": {"$in": ["a", "b"]}})),
            ("C004 two keys", vec!["a=1,b=2"], json!({"$all": [{"a": "1"}, {"b": "2"}]})),
            ("C005 two sets", vec!["a=1", "b=2"], json!({"$any": [{"a": "1"}, {"b": "2"}]})),
            ("C007 a key alone", vec!["metadata.tags"], json!({"metadata.tags": {"$exists": true}})),
            (
                "C017 blanks",
                vec![" kind = component , spec.type = library "],
                json!({"$all": [{"kind": "component"}, {"spec.type": "library"}]}),
            ),
            ("C018 an empty set beside another", vec!["kind=api", ","], json!({"kind": "api"})),
            (
                "C021 values count more than existence",
                vec!["kind,kind=component"],
                json!({"kind": "component"}),
            ),
            ("C022 an empty value", vec!["metadata.name="], json!({"metadata.name": ""})),
            (
                "C026 a value with a blank",
                vec!["spec.definition=openapi: 3.0.0"],
                json!({"spec.definition": "openapi: 3.0.0"}),
            ),
            (
                "C027 sets of several keys",
                vec!["a=1,a=2,b=3", "c=4"],
                json!({"$any": [{"$all": [{"a": {"$in": ["1", "2"]}}, {"b": "3"}]}, {"c": "4"}]}),
            ),
            ("values may have equals signs", vec!["a=b=c"], json!({"a": "b=c"})),
            (
                "keys are merged by case",
                vec!["Kind=a,kind=b"],
                json!({"$all": [{"Kind": "a"}, {"kind": "b"}]}),
            ),
        ];
        for (name, filters, query) in cases {
            let predicate = parse_filters(&filters).unwrap().unwrap();
            assert_eq!(predicate.to_json(), query, "{name}");
        }
    }

    #[test]
    fn c018_empty_sets_are_no_filter() {
        assert_eq!(parse_filters(&[",", " , ,"]), Ok(None));
        assert_eq!(parse_filters::<&str>(&[]), Ok(None));
    }

    #[test]
    fn c019_a_statement_needs_a_key() {
        let error = parse_filters(&["kind=a, =foo"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid filter, '=foo' is not a valid statement (expected a string on the form a=b or a= or a)"
        );
    }

    #[test]
    fn c025_five_hundred_sets_are_fine_and_a_hundred_thousand_are_refused() {
        assert!(parse_filters(&vec!["metadata.name=a"; 501]).is_ok());
        let many = vec!["metadata.name=a"; 100_000];
        assert_eq!(parse_filters(&many), Err(QueryError::TooManyTerms));
        assert_eq!(parse_filters(&[many.join(",")]), Err(QueryError::TooManyTerms));
        assert_eq!(
            parse_filters(&[many.join(",")]).unwrap_err().to_string(),
            "Invalid query, more than 50000 terms"
        );
    }
}
