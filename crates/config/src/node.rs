//! The tree that layers are merged in: JSON whose every value remembers where it came from.

use std::fmt;
use std::sync::Arc;

use callboard_yaml::Position;
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Path of the file (the included one, for a value from an include), or the name of the environment variable.
    pub file: String,
    /// 1-based; absent for environment variables and embedded configurations.
    pub line: Option<u32>,
    /// 1-based.
    pub column: Option<u32>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        Ok(())
    }
}

/// Names of the place that values come from.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// What messages call the layer: the name of the file that was asked for.
    pub(crate) context: Arc<str>,
    /// What origins say.
    pub(crate) file: Arc<str>,
    pub(crate) position: Option<Position>,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// Null, a boolean, a number or a text. A null hides what lower layers have and counts as absent.
    Scalar(Value),
    Array(Vec<Arc<Node>>),
    Object(IndexMap<String, Arc<Node>>),
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) place: Place,
}

impl Node {
    pub(crate) fn empty(context: &str) -> Arc<Self> {
        Self::from_value(Value::Object(Map::new()), &Place::named(context))
    }

    /// A tree whose values all come from the same place.
    pub(crate) fn from_value(value: Value, place: &Place) -> Arc<Self> {
        let content = match value {
            Value::Array(items) => {
                Content::Array(items.into_iter().map(|item| Self::from_value(item, place)).collect())
            }
            Value::Object(map) => Content::Object(
                map.into_iter().map(|(key, value)| (key, Self::from_value(value, place))).collect(),
            ),
            scalar => Content::Scalar(scalar),
        };
        Arc::new(Self { content, place: place.clone() })
    }

    /// Lays `upper` over `lower`: objects merge deeply, everything else replaces.
    pub(crate) fn merge(lower: &Arc<Self>, upper: &Arc<Self>) -> Arc<Self> {
        let (Content::Object(below), Content::Object(above)) = (&lower.content, &upper.content) else {
            return Arc::clone(upper);
        };
        let mut merged = below.clone();
        for (key, value) in above {
            let value = match below.get(key) {
                Some(hidden) => Self::merge(hidden, value),
                None => Arc::clone(value),
            };
            merged.insert(key.clone(), value);
        }
        Arc::new(Self { content: Content::Object(merged), place: upper.place.clone() })
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(Value::Null))
    }

    /// A member of an object; nulls count as absent.
    pub(crate) fn child(&self, key: &str) -> Option<&Arc<Self>> {
        let Content::Object(entries) = &self.content else {
            return None;
        };
        entries.get(key).filter(|node| !node.is_null())
    }

    /// The members of an object that are not null.
    pub(crate) fn children(&self) -> impl Iterator<Item = (&String, &Arc<Self>)> {
        let entries = match &self.content {
            Content::Object(entries) => Some(entries),
            Content::Scalar(_) | Content::Array(_) => None,
        };
        entries.into_iter().flatten().filter(|(_, node)| !node.is_null())
    }

    /// Plain JSON, without the nulls of objects.
    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::Array(items) => Value::Array(items.iter().map(|item| item.to_value()).collect()),
            Content::Object(_) => {
                Value::Object(self.children().map(|(key, node)| (key.clone(), node.to_value())).collect())
            }
        }
    }

    /// What type messages say that a value has.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.content {
            Content::Array(_) => "array",
            Content::Object(_) | Content::Scalar(Value::Object(_) | Value::Array(_)) => "object",
            Content::Scalar(Value::Null) => "null",
            Content::Scalar(Value::Bool(_)) => "boolean",
            Content::Scalar(Value::Number(_)) => "number",
            Content::Scalar(Value::String(text)) if text.is_empty() => "empty-string",
            Content::Scalar(Value::String(_)) => "string",
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        let Place { file, position, .. } = &self.place;
        Origin {
            file: file.to_string(),
            line: position.map(|position| position.line),
            column: position.map(|position| position.column),
        }
    }
}

impl Place {
    pub(crate) fn named(name: &str) -> Self {
        Self { context: name.into(), file: name.into(), position: None }
    }
}
