//! The language that queries are written in: conditions on keys and values, combined.
//!
//! A [`Predicate`] is what a client sent, as checked as the grammar allows, and prints as the JSON that it came from:
//! cursors carry it. What it means is decided where it is evaluated; entities and locations differ in places.

use serde_json::{Number, Value};

use crate::error::QueryError;

mod json;
mod parse;
mod relations;

pub use parse::Origin;
pub(crate) use relations::RelationTest;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// All of them hold; so it does for none.
    All(Vec<Predicate>),
    /// One of them holds; so it does not for none.
    Any(Vec<Predicate>),
    /// It does not hold.
    Not(Box<Predicate>),
    /// All fields pass their tests; so they do for none. Keys are as the client spelled them.
    Fields(Vec<(String, Test)>),
    /// A bare value, which only makes sense within [`Test::Contains`].
    Value(Primitive),
}

/// A condition on the values of one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// One of the values is this one.
    Equals(Primitive),
    /// There is a value, or null (`true`), or not even that (`false`).
    Exists(bool),
    /// One of the values is one of these.
    In(Vec<Primitive>),
    /// One of the items fulfils this.
    Contains(Box<Predicate>),
    /// One of the values begins like this.
    HasPrefix(String),
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum Primitive {
    /// A text.
    Text(String),
    /// A number, compared by its text.
    Number(Number),
    /// A boolean, compared by its text.
    Bool(bool),
}

impl Predicate {
    /// Reads a predicate on entities.
    pub fn of_entities(query: &Value, origin: Origin) -> Result<Self, QueryError> {
        let predicate = Self::parse(query, origin)?;
        predicate.check_on_entities()?;
        Ok(predicate)
    }

    /// Whether `key` has one of these values.
    pub fn one_of<T: Into<String>>(key: &str, values: impl IntoIterator<Item = T>) -> Self {
        let mut values: Vec<Primitive> =
            values.into_iter().map(|value| Primitive::Text(value.into())).collect();
        let test = match values.pop() {
            Some(value) if values.is_empty() => Test::Equals(value),
            Some(last) => {
                values.push(last);
                Test::In(values)
            }
            None => Test::In(values),
        };
        Self::Fields(vec![(key.to_owned(), test)])
    }

    /// Whether there is anything under `key`.
    pub fn exists(key: &str) -> Self {
        Self::Fields(vec![(key.to_owned(), Test::Exists(true))])
    }

    /// Whether a test may have to look at every value of its field.
    pub(crate) fn scans_values(&self) -> bool {
        match self {
            Self::All(children) | Self::Any(children) => children.iter().any(Self::scans_values),
            Self::Not(child) => child.scans_values(),
            Self::Fields(fields) => fields.iter().any(|(_, test)| matches!(test, Test::HasPrefix(_))),
            Self::Value(_) => false,
        }
    }

    /// Whether a field looks like an operator, so that the JSON of the predicate would be read as something else.
    pub(crate) fn has_operator_names(&self) -> bool {
        match self {
            Self::All(children) | Self::Any(children) => children.iter().any(Self::has_operator_names),
            Self::Not(child) => child.has_operator_names(),
            Self::Fields(fields) => fields.iter().any(|(field, _)| field.starts_with('$')),
            Self::Value(_) => false,
        }
    }

    /// Refuses what the grammar allows and the flattened rows of entities cannot answer.
    fn check_on_entities(&self) -> Result<(), QueryError> {
        match self {
            Self::All(children) | Self::Any(children) => {
                children.iter().try_for_each(Self::check_on_entities)
            }
            Self::Not(child) => child.check_on_entities(),
            Self::Value(_) => Err(QueryError::TopLevelPrimitive),
            Self::Fields(fields) => fields.iter().try_for_each(|(field, test)| match test {
                Test::Contains(inner) => RelationTest::check(field, inner),
                _ => Ok(()),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
