//! `$contains` on entities: their rows are flat, so only relations, which have a key of their own for each type, can be
//! asked for as objects.

use super::{Predicate, Primitive, Test};
use crate::error::QueryError;

/// A relation that is looked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RelationTest<'a> {
    /// As the client spelled it.
    pub(crate) kind: &'a str,
    /// Any target will do if there are none.
    pub(crate) targets: Option<Vec<&'a str>>,
}

impl<'a> RelationTest<'a> {
    /// Whether `$contains` with this can be asked of a field.
    pub(crate) fn check(field: &str, inner: &'a Predicate) -> Result<(), QueryError> {
        match inner {
            Predicate::Value(_) => Ok(()),
            _ if is_relations(field) => Self::of(inner).map(|_| ()),
            _ => Err(QueryError::ContainsObject(field.to_owned())),
        }
    }

    /// Reads the object form.
    pub(crate) fn of(inner: &'a Predicate) -> Result<Self, QueryError> {
        let fields = match inner {
            Predicate::Fields(fields) => fields,
            Predicate::All(_) => return Err(QueryError::ContainsKey("$all".to_owned())),
            Predicate::Any(_) => return Err(QueryError::ContainsKey("$any".to_owned())),
            Predicate::Not(_) => return Err(QueryError::ContainsKey("$not".to_owned())),
            Predicate::Value(_) => return Err(QueryError::ContainsNoType),
        };
        let (mut kind, mut target) = (None, None);
        for (name, test) in fields {
            let place = match name.to_lowercase().as_str() {
                "type" => &mut kind,
                "targetref" => &mut target,
                _ => return Err(QueryError::ContainsKey(name.clone())),
            };
            if place.replace(test).is_some() {
                return Err(QueryError::ContainsDuplicate(name.clone()));
            }
        }
        let Some(Test::Equals(Primitive::Text(kind))) = kind else { return Err(QueryError::ContainsNoType) };
        Ok(Self { kind, targets: target.map(targets).transpose()? })
    }
}

pub(super) fn is_relations(field: &str) -> bool {
    field.eq_ignore_ascii_case("relations")
}

fn targets(test: &Test) -> Result<Vec<&str>, QueryError> {
    match test {
        Test::Equals(Primitive::Text(target)) => Ok(vec![target]),
        Test::In(choice) if choice.is_empty() => Err(QueryError::ContainsEmptyIn),
        Test::In(choice) => choice
            .iter()
            .map(|target| match target {
                Primitive::Text(target) => Ok(target.as_str()),
                _ => Err(QueryError::ContainsTarget),
            })
            .collect(),
        _ => Err(QueryError::ContainsTarget),
    }
}
