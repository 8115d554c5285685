//! The merged view that the rest of the program reads; `reads` has the typed reads.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::error::ConfigError;
use crate::key::{join, parts};
use crate::load::load;
use crate::node::{Content, Node, Origin, Place};
use crate::secret::Secrets;
use crate::sources::Sources;

/// An immutable snapshot of a configuration, or of a part of one. Cloning is cheap.
///
/// Keys are paths of parts joined by dots, relative to this part; error messages have the full path. A null counts as
/// absent. `get_opt_*` yields None where nothing is, `get_*` an error.
#[derive(Clone)]
pub struct Config {
    pub(crate) node: Arc<Node>,
    /// Path from the root to this part.
    pub(crate) prefix: Arc<str>,
    /// The highest layer with something in this part: where a missing value is missed.
    pub(crate) context: Arc<str>,
    secrets: Secrets,
}

/// Shows what it is about, not what is in it.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("prefix", &self.prefix)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::empty()
    }
}

impl Config {
    /// Reads, resolves and merges all layers.
    ///
    /// # Errors
    /// The first file, include or variable that cannot be used.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        load(sources).0.map(Self::from_root)
    }

    /// A configuration that is not from files, for tests and for programs that embed this one. `name` stands where
    /// messages have the file name.
    #[must_use]
    pub fn from_value(name: &str, value: Value) -> Self {
        Self::from_root(Node::from_value(value, &Place::named(name)))
    }

    /// A configuration with nothing in it.
    #[must_use]
    pub fn empty() -> Self {
        Self::from_root(Node::empty("app-config.yaml"))
    }

    pub(crate) fn from_root(node: Arc<Node>) -> Self {
        let secrets = Secrets::of(&node);
        let context = Arc::clone(&node.place.context);
        Self { node, prefix: "".into(), context, secrets }
    }

    pub(crate) fn part(&self, node: &Arc<Node>, prefix: String, context: &Arc<str>) -> Self {
        Self {
            node: Arc::clone(node),
            prefix: prefix.into(),
            context: Arc::clone(context),
            secrets: self.secrets.clone(),
        }
    }

    /// The secrets of the whole configuration.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The path of `key` from the root, as messages have it.
    #[must_use]
    pub fn full_key(&self, key: &str) -> String {
        join(&self.prefix, key)
    }

    pub(crate) fn find(&self, key: &str) -> Result<Option<&Arc<Node>>, ConfigError> {
        let mut node = &self.node;
        let mut passed = String::new();
        for part in parts(key)? {
            if !matches!(node.content, Content::Object(_)) {
                return Err(self.type_error(&passed, node, "object"));
            }
            let Some(child) = node.child(part) else {
                return Ok(None);
            };
            passed = join(&passed, part);
            node = child;
        }
        Ok(Some(node).filter(|node| !node.is_null()))
    }

    pub(crate) fn type_error(&self, key: &str, node: &Node, wanted: &'static str) -> ConfigError {
        ConfigError::Type {
            key: self.full_key(key),
            context: node.place.context.to_string(),
            got: node.kind(),
            wanted,
            origin: Some(Box::new(node.origin())),
        }
    }

    pub(crate) fn convert_error(&self, key: &str, node: &Node, wanted: &'static str) -> ConfigError {
        ConfigError::Convert {
            key: self.full_key(key),
            context: self.context.to_string(),
            wanted,
            origin: Some(Box::new(node.origin())),
        }
    }

    pub(crate) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, ConfigError> {
        value.ok_or_else(|| ConfigError::Missing {
            key: self.full_key(key),
            context: self.context.to_string(),
        })
    }

    /// Whether there is a value that is not null.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        matches!(self.find(key), Ok(Some(_)))
    }

    /// The keys of this part, those with a null left out.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.node.children().map(|(key, _)| key.clone()).collect()
    }

    /// The members of an object, whatever their keys look like: the only way to what is below a key such as `/route`. Each
    /// is a part of its own; one that is no object is read with the empty key.
    ///
    /// # Errors
    /// If there is something else than an object.
    pub fn entries(&self, key: &str) -> Result<Vec<(String, Self)>, ConfigError> {
        let Some(config) = self.get_opt_config(key)? else {
            return Ok(Vec::new());
        };
        let entry = |(name, node): (&String, &Arc<Node>)| {
            (name.clone(), config.part(node, join(&config.prefix, name), &node.place.context))
        };
        Ok(config.node.children().map(entry).collect())
    }

    /// The value as plain JSON, without nulls; the empty key is this whole part.
    ///
    /// # Errors
    /// Something on the way to it is no object: a section that is written wrong is not an absent one.
    pub fn get_opt_value(&self, key: &str) -> Result<Option<Value>, ConfigError> {
        Ok(self.find(key)?.map(|node| node.to_value()))
    }

    /// Where the value stands; for a merged object, where the highest layer has it.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<Origin> {
        self.find(key).ok().flatten().map(|node| node.origin())
    }

    /// Masks every secret of the whole configuration in a text: for log lines and error messages.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.secrets.redact(text)
    }
}
