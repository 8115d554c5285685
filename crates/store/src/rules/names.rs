//! Texts that rows point at by number: canonical refs, names of providers and types of relations.
//!
//! All three share one table. Names and types go into it behind a prefix with which no ref begins.

use std::sync::Arc;

use foldhash::HashMap;

use crate::StoreError;

/// How many texts one generation of the cache holds. Two generations are some 6 MB; what does not fit is looked up.
const GENERATION_SIZE: usize = 20_000;

/// Goes before a provider's name. Canonical refs never start with a colon, as their kind is not empty.
const PROVIDER: &str = "::provider:";
/// Goes before a relation's type.
const RELATION_TYPE: &str = "::type:";

/// The texts of all providers are in this half-open range.
pub(crate) const PROVIDERS_FROM: &str = PROVIDER;
pub(crate) const PROVIDERS_TO: &str = "::provider;";

/// The text under which a provider is interned.
pub(crate) fn provider_text(name: &str) -> Arc<str> {
    Arc::from(format!("{PROVIDER}{name}"))
}

/// The name of a provider, if this is the text of one.
pub(crate) fn provider_name(text: &str) -> Option<&str> {
    text.strip_prefix(PROVIDER)
}

/// The text under which a type of relations is interned.
pub(crate) fn relation_type_text(kind: &str) -> Arc<str> {
    Arc::from(format!("{RELATION_TYPE}{kind}"))
}

/// The type of a relation, from the text under which it is interned.
pub(crate) fn relation_type(text: &str) -> &str {
    text.strip_prefix(RELATION_TYPE).unwrap_or(text)
}

/// The numbers that one transaction came across.
#[derive(Debug, Default)]
pub(crate) struct Interned {
    texts: HashMap<Arc<str>, i64>,
    /// The same for types of relations, without the prefix.
    types: HashMap<Arc<str>, i64>,
}

impl Interned {
    pub(crate) fn insert(&mut self, text: Arc<str>, id: i64) {
        self.texts.insert(text, id);
    }

    pub(crate) fn insert_type(&mut self, kind: Arc<str>, id: i64) {
        self.types.insert(kind, id);
    }

    /// The number of a text that was looked up before; `None` if it has none.
    pub(crate) fn find(&self, text: &str) -> Option<i64> {
        self.texts.get(text).copied()
    }

    /// The number of a text that was interned before.
    pub(crate) fn id(&self, text: &str) -> Result<i64, StoreError> {
        self.find(text).ok_or_else(|| StoreError::Internal(format!("{text} was not interned").into()))
    }

    /// The number of a type that was interned before.
    pub(crate) fn type_id(&self, kind: &str) -> Result<i64, StoreError> {
        let id = self.types.get(kind).copied();
        id.ok_or_else(|| StoreError::Internal(format!("relation type {kind} was not interned").into()))
    }

    /// All of them, for the cache.
    pub(crate) fn into_texts(self) -> impl Iterator<Item = (Arc<str>, i64)> {
        self.texts.into_iter()
    }
}

/// Numbers and texts seen lately. When the young generation is full, the old one is dropped: what is in use moves
/// over to the young one before that.
#[derive(Debug, Default)]
pub(crate) struct RefCache {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    ids: HashMap<Arc<str>, i64>,
    texts: HashMap<i64, Arc<str>>,
}

impl RefCache {
    pub(crate) fn id(&mut self, text: &str) -> Option<i64> {
        if let Some(id) = self.young.ids.get(text) {
            return Some(*id);
        }
        let (text, id) = self.old.ids.get_key_value(text).map(|(text, id)| (Arc::clone(text), *id))?;
        self.insert(text, id);
        Some(id)
    }

    pub(crate) fn text(&mut self, id: i64) -> Option<Arc<str>> {
        if let Some(text) = self.young.texts.get(&id) {
            return Some(Arc::clone(text));
        }
        let text = Arc::clone(self.old.texts.get(&id)?);
        self.insert(Arc::clone(&text), id);
        Some(text)
    }

    pub(crate) fn insert(&mut self, text: Arc<str>, id: i64) {
        if self.young.ids.len() >= GENERATION_SIZE {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.texts.insert(id, Arc::clone(&text));
        self.young.ids.insert(text, id);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_survives_the_change_of_generations() {
        let mut cache = RefCache::default();
        cache.insert(Arc::from("group:default/hot"), -1);
        for id in 0..3 * i64::try_from(GENERATION_SIZE).unwrap() {
            cache.insert(Arc::from(format!("component:default/c{id}")), id);
            assert_eq!(cache.id("group:default/hot"), Some(-1));
        }
        assert_eq!(cache.id("component:default/c0"), None);
        assert_eq!(cache.text(-1).as_deref(), Some("group:default/hot"));
        assert!(cache.young.ids.len() + cache.old.ids.len() <= 2 * GENERATION_SIZE);
    }

    #[test]
    fn providers_and_types_are_told_from_refs() {
        assert_eq!(provider_name(&provider_text("a/b:c")), Some("a/b:c"));
        assert_eq!(provider_name("provider:default/a"), None);
        assert_eq!(relation_type(&relation_type_text("ownedBy")), "ownedBy");
        assert!((PROVIDERS_FROM..PROVIDERS_TO).contains(&provider_text("\u{10ffff}").as_ref()));
        assert!(!(PROVIDERS_FROM..PROVIDERS_TO).contains(&relation_type_text("ownedBy").as_ref()));
    }

    #[test]
    fn a_text_that_was_not_interned_is_a_defect() {
        let mut names = Interned::default();
        names.insert(Arc::from("component:default/a"), 1);
        names.insert_type(Arc::from("ownedBy"), 2);
        assert_eq!((names.id("component:default/a").unwrap(), names.type_id("ownedBy").unwrap()), (1, 2));
        for unknown in [names.id("ownedBy"), names.type_id("component:default/a")] {
            assert!(matches!(unknown, Err(StoreError::Internal(_))));
        }
    }
}
