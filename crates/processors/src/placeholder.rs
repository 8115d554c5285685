//! Replaces placeholders: an object with the single key `$text`, `$json`, `$yaml` or another known one stands for
//! what its resolver makes of the value.
//!
//! Objects with a `$` key beside other keys, and keys that nobody resolves, are left as they are and not looked
//! into: they belong to somebody else, such as the `$ref` of a JSON schema.

mod builtin;
mod local_files;
mod same_repository;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_sdk::{
    CatalogProcessor, Entity, PlaceholderParams, PlaceholderResolver, ProcessorContext, ProcessorError,
    ScmResolver, UrlReader, async_trait,
};
use serde_json::{Map, Value};

pub use self::builtin::{JsonResolver, TextResolver, YamlResolver};
pub use self::local_files::LocalFiles;
use self::same_repository::SameRepository;
pub(crate) use self::source::{Source, Sources, read_source};

/// A resolver for this key was added before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("A placeholder resolver for '{0}' has already been set up, please check your config.")]
pub struct ResolverConflict(pub String);

/// The resolvers of an installation, by key without the dollar sign.
#[derive(Debug, Default)]
pub struct PlaceholderResolvers {
    builtin: BTreeMap<String, Arc<dyn PlaceholderResolver>>,
    added: BTreeMap<String, Arc<dyn PlaceholderResolver>>,
}

impl PlaceholderResolvers {
    /// The built-in ones: `text`, `json` and `yaml`, which read `local` files beside URLs.
    pub fn builtin(local: &LocalFiles) -> Self {
        let text: Arc<dyn PlaceholderResolver> = Arc::new(TextResolver::new(local.clone()));
        let json: Arc<dyn PlaceholderResolver> = Arc::new(JsonResolver::new(local.clone()));
        let yaml: Arc<dyn PlaceholderResolver> = Arc::new(YamlResolver::new(local.clone()));
        let builtin = [("text", text), ("json", json), ("yaml", yaml)];
        Self {
            builtin: builtin.into_iter().map(|(key, resolver)| (key.to_owned(), resolver)).collect(),
            added: BTreeMap::new(),
        }
    }

    /// Adds one more. It may take the place of a built-in one, but not of another that was added.
    pub fn add(
        &mut self,
        key: impl Into<String>,
        resolver: Arc<dyn PlaceholderResolver>,
    ) -> Result<(), ResolverConflict> {
        let key = key.into();
        if self.added.contains_key(&key) {
            return Err(ResolverConflict(key));
        }
        self.added.insert(key, resolver);
        Ok(())
    }

    /// All of them, for [`PlaceholderProcessor::new`].
    pub fn into_map(self) -> BTreeMap<String, Arc<dyn PlaceholderResolver>> {
        let mut map = self.builtin;
        map.extend(self.added);
        map
    }
}

/// `PlaceholderProcessor`: replaces placeholders before an entity is checked.
///
/// Resolvers get a resolver of URLs that refuses to leave the repository of the entity. A failed one fails the
/// entity, which so keeps its last good state.
#[derive(Debug)]
pub struct PlaceholderProcessor {
    reader: Arc<dyn UrlReader>,
    scm: SameRepository,
    resolvers: BTreeMap<String, Arc<dyn PlaceholderResolver>>,
}

impl PlaceholderProcessor {
    /// A processor with these resolvers and no others; [`PlaceholderResolvers`] has the built-in ones.
    pub fn new(
        reader: Arc<dyn UrlReader>,
        scm: Arc<dyn ScmResolver>,
        resolvers: BTreeMap<String, Arc<dyn PlaceholderResolver>>,
    ) -> Self {
        Self { reader, scm: SameRepository::new(scm), resolvers }
    }

    fn find(&self, value: &Value, pointer: &mut String, found: &mut Vec<Placeholder>) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.find_below(item, &index.to_string(), pointer, found);
                }
            }
            Value::Object(object) => self.find_in_object(object, pointer, found),
            _ => {}
        }
    }

    fn find_in_object(
        &self,
        object: &Map<String, Value>,
        pointer: &mut String,
        found: &mut Vec<Placeholder>,
    ) {
        if !object.keys().any(|key| key.starts_with('$')) {
            for (key, value) in object {
                self.find_below(value, key, pointer, found);
            }
            return;
        }
        let mut entries = object.iter();
        if let (Some((key, value)), None) = (entries.next(), entries.next())
            && let Some(key) = key.strip_prefix('$').filter(|key| self.resolvers.contains_key(*key))
        {
            found.push(Placeholder { pointer: pointer.clone(), key: key.to_owned(), value: value.clone() });
        }
    }

    fn find_below(&self, value: &Value, token: &str, pointer: &mut String, found: &mut Vec<Placeholder>) {
        if !value.is_array() && !value.is_object() {
            return;
        }
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&escape(token));
        self.find(value, pointer, found);
        pointer.truncate(length);
    }

    async fn resolve(
        &self,
        placeholder: &Placeholder,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Value, ProcessorError> {
        let Some(found) = self.resolvers.get(&placeholder.key) else {
            return Ok(placeholder.value.clone());
        };
        let mut resolved = found
            .resolve(PlaceholderParams {
                key: &placeholder.key,
                value: &placeholder.value,
                base_url: &cx.location().target,
                reader: &*self.reader,
                scm: &self.scm,
                cx,
            })
            .await;
        if let Err(error) = &mut resolved {
            error.address.pointer.get_or_insert_with(|| placeholder.pointer.clone());
        }
        resolved
    }
}

/// A place in an entity that waits for its value.
#[derive(Debug)]
struct Placeholder {
    pointer: String,
    key: String,
    value: Value,
}

/// A part of a JSON pointer.
pub(crate) fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

#[async_trait]
impl CatalogProcessor for PlaceholderProcessor {
    fn name(&self) -> &'static str {
        "PlaceholderProcessor"
    }

    fn is_pure(&self, entity: &Entity) -> bool {
        let mut found = Vec::new();
        self.find_in_object(entity.as_map(), &mut String::new(), &mut found);
        found.is_empty()
    }

    fn fingerprint(&self) -> String {
        let keys: Vec<_> = self.resolvers.keys().map(String::as_str).collect();
        format!("1 {} {}", keys.join(","), self.scm.fingerprint())
    }

    async fn pre_process_entity(
        &self,
        entity: Entity,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        let mut found = Vec::new();
        self.find_in_object(entity.as_map(), &mut String::new(), &mut found);
        if found.is_empty() {
            return Ok(entity);
        }
        let mut value = entity.into_value();
        for placeholder in found {
            let resolved = self.resolve(&placeholder, cx).await?;
            if let Some(place) = value.pointer_mut(&placeholder.pointer) {
                *place = resolved;
            }
        }
        Ok(Entity::from_value(value)?)
    }
}
