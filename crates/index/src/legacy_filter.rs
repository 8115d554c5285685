//! The filter trees that cursors of older versions hold, still in the browsers of those who had a page open.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::limits::{PREDICATE_DEPTH_MAX, QUERY_TERMS_MAX};
use crate::predicate::{Predicate, Primitive, Test};

/// A filter tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegacyFilter {
    /// `{key, values?}`: one of the values, or any.
    Key {
        /// As it was sent.
        key: String,
        /// None of which is another thing than no list.
        values: Option<Vec<String>>,
    },
    /// `{not}`.
    Not(Box<LegacyFilter>),
    /// `{anyOf}`.
    AnyOf(Vec<LegacyFilter>),
    /// `{allOf}`.
    AllOf(Vec<LegacyFilter>),
}

impl LegacyFilter {
    /// `None` if it is no filter, or too deep or long for one.
    pub(crate) fn parse(value: &Value) -> Option<Self> {
        parse(value, PREDICATE_DEPTH_MAX, &mut 0)
    }

    /// What it asks for.
    pub(crate) fn to_predicate(&self) -> Predicate {
        match self {
            Self::Key { key, values: None } => Predicate::exists(key),
            Self::Key { key, values: Some(values) } => {
                let values = values.iter().map(|value| Primitive::Text(value.clone()));
                Predicate::Fields(vec![(key.clone(), Test::In(values.collect()))])
            }
            Self::Not(inner) => Predicate::Not(Box::new(inner.to_predicate())),
            Self::AnyOf(inner) => Predicate::Any(inner.iter().map(Self::to_predicate).collect()),
            Self::AllOf(inner) => Predicate::All(inner.iter().map(Self::to_predicate).collect()),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Key { key, values: None } => json!({"key": key}),
            Self::Key { key, values: Some(values) } => json!({"key": key, "values": values}),
            Self::Not(inner) => json!({"not": inner.to_json()}),
            Self::AnyOf(inner) => json!({"anyOf": inner.iter().map(Self::to_json).collect::<Value>()}),
            Self::AllOf(inner) => json!({"allOf": inner.iter().map(Self::to_json).collect::<Value>()}),
        }
    }
}

impl Serialize for LegacyFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

fn parse(value: &Value, depth: usize, terms: &mut usize) -> Option<LegacyFilter> {
    let depth = depth.checked_sub(1)?;
    *terms += 1;
    let members: &Map<String, Value> = value.as_object()?;
    let list = |items: &Value, terms: &mut usize| -> Option<Vec<LegacyFilter>> {
        items.as_array()?.iter().map(|item| parse(item, depth, terms)).collect()
    };
    let filter = if let Some(inner) = members.get("not") {
        LegacyFilter::Not(Box::new(parse(inner, depth, terms)?))
    } else if let Some(items) = members.get("anyOf") {
        LegacyFilter::AnyOf(list(items, terms)?)
    } else if let Some(items) = members.get("allOf") {
        LegacyFilter::AllOf(list(items, terms)?)
    } else {
        let key = members.get("key")?.as_str()?.to_owned();
        let values = match members.get("values") {
            None => None,
            Some(values) => {
                let values = values.as_array()?;
                *terms += values.len();
                Some(values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<_>>()?)
            }
        };
        LegacyFilter::Key { key, values }
    };
    (*terms <= QUERY_TERMS_MAX).then_some(filter)
}
