//! The filter trees that cursors of older versions hold, still in the browsers of those who had a page open.
//!
//! They also carry what a predicate's JSON cannot say: a `filter` parameter may ask for a key `$all`.

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

    /// A predicate as a filter tree. `None` if it has tests that filter trees have not.
    pub(crate) fn of(predicate: &Predicate) -> Option<Self> {
        let all = |children: &[Predicate]| children.iter().map(Self::of).collect::<Option<Vec<_>>>();
        match predicate {
            Predicate::All(children) => all(children).map(Self::AllOf),
            Predicate::Any(children) => all(children).map(Self::AnyOf),
            Predicate::Not(child) => Some(Self::Not(Box::new(Self::of(child)?))),
            Predicate::Fields(fields) => {
                let keys = fields.iter().map(|(key, test)| {
                    let values = match test {
                        Test::Exists(true) => None,
                        Test::Equals(value) => Some(vec![value.text()]),
                        Test::In(values) => Some(values.iter().map(Primitive::text).collect()),
                        Test::Exists(false) | Test::HasPrefix(_) | Test::Contains(_) => return None,
                    };
                    Some(Self::Key { key: key.clone(), values })
                });
                let mut keys = keys.collect::<Option<Vec<_>>>()?;
                if keys.len() == 1 { keys.pop() } else { Some(Self::AllOf(keys)) }
            }
            Predicate::Value(_) => None,
        }
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
