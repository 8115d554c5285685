//! The effective configuration, for people: every value, where it is from, and no secrets.

use serde_json::Value;

use crate::config::Config;
use crate::key::join;
use crate::node::{Content, Node, Origin};
use crate::schema::{Schema, backstage};
use crate::secret::{MASK, hide_embedded, is_secret};

/// One value of the effective configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// The full path, with `[0]` for elements of lists.
    pub key: String,
    /// A scalar, or an empty list or object; secrets masked.
    pub value: Value,
    /// Where it was written.
    pub origin: Origin,
}

impl Config {
    /// Every value with its origin, in the order of the merged files; secrets masked.
    #[must_use]
    pub fn effective(&self) -> Vec<Effective> {
        let mut leaves = Vec::new();
        self.leaves(&self.node, &self.prefix, "", self.schema(), &mut leaves);
        leaves
    }

    /// The whole as plain JSON, without nulls, secrets masked.
    #[must_use]
    pub fn redacted_value(&self) -> Value {
        self.masked(&self.node, "", self.schema())
    }

    fn schema(&self) -> Option<&'static Schema> {
        self.prefix.split('.').filter(|part| !part.is_empty()).try_fold(backstage(), |schema, part| {
            let name = part.split('[').next().unwrap_or(part);
            let member = schema.member(name)?;
            if part.contains('[') { member.element() } else { Some(member) }
        })
    }

    fn leaves(
        &self,
        node: &Node,
        key: &str,
        name: &str,
        schema: Option<&Schema>,
        leaves: &mut Vec<Effective>,
    ) {
        let mut is_empty = true;
        match &node.content {
            Content::Object(_) => {
                for (member, child) in node.children() {
                    is_empty = false;
                    let schema = schema.and_then(|schema| schema.member(member));
                    self.leaves(child, &join(key, member), member, schema, leaves);
                }
            }
            Content::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    is_empty = false;
                    let schema = schema.and_then(Schema::element);
                    self.leaves(item, &format!("{key}[{index}]"), name, schema, leaves);
                }
            }
            Content::Scalar(_) => {}
        }
        if is_empty {
            let value = self.masked(node, name, schema);
            leaves.push(Effective { key: key.to_owned(), value, origin: node.origin() });
        }
    }

    fn masked(&self, node: &Node, name: &str, schema: Option<&Schema>) -> Value {
        match &node.content {
            Content::Object(_) => {
                let member = |(key, child): (&String, &std::sync::Arc<Node>)| {
                    (key.clone(), self.masked(child, key, schema.and_then(|schema| schema.member(key))))
                };
                Value::Object(node.children().map(member).collect())
            }
            Content::Array(items) => {
                let schema = schema.and_then(Schema::element);
                Value::Array(items.iter().map(|item| self.masked(item, name, schema)).collect())
            }
            Content::Scalar(value) if is_secret(name, value, schema) => Value::String(MASK.to_owned()),
            Content::Scalar(Value::String(text)) => {
                Value::String(self.secrets().redact(&hide_embedded(text)))
            }
            Content::Scalar(value) => value.clone(),
        }
    }
}
