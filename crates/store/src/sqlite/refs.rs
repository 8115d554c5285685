//! Interned texts: canonical refs, names of providers and types of relations, each under a number.

use std::sync::Arc;

use super::codec::{RowExt as _, ids_json, texts_json};
use super::session::Args;
use super::statement::{bulk_statements, statements};
use super::writer::Writer;
use crate::StoreError;
use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

/// How many texts one generation of the cache holds. Two generations are some 6 MB; what does not fit is looked up.
const GENERATION_SIZE: usize = 20_000;

/// Goes before a provider's name. Canonical refs never start with a colon, as their kind is not empty.
const PROVIDER: &str = "::provider:";
/// Goes before a relation's type.
const RELATION_TYPE: &str = "::type:";

statements! {
    SELECT_REF_IDS = "SELECT r.id, r.entity_ref FROM json_each(?1) j CROSS JOIN refs r ON r.entity_ref = j.value";
    SELECT_REF_TEXTS = "SELECT r.id, r.entity_ref FROM json_each(?1) j CROSS JOIN refs r ON r.id = j.value";
}

bulk_statements! {
    INSERT_REFS("refs", 2) = "INSERT INTO refs (id, entity_ref) VALUES {rows}";
}

/// The texts of all providers are in this half-open range.
pub(super) const PROVIDERS_FROM: &str = PROVIDER;
pub(super) const PROVIDERS_TO: &str = "::provider;";

/// The text under which a provider is interned.
pub(super) fn provider_text(name: &str) -> Arc<str> {
    Arc::from(format!("{PROVIDER}{name}"))
}

/// The name of a provider, if this is the text of one.
pub(super) fn provider_name(text: &str) -> Option<&str> {
    text.strip_prefix(PROVIDER)
}

/// The type of a relation, from the text under which it is interned.
pub(super) fn relation_type(text: &str) -> &str {
    text.strip_prefix(RELATION_TYPE).unwrap_or(text)
}

/// Numbers and texts seen lately. When the young generation is full, the old one is dropped: what is in use moves
/// over to the young one before that.
#[derive(Debug, Default)]
pub(super) struct RefCache {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    ids: HashMap<Arc<str>, i64>,
    texts: HashMap<i64, Arc<str>>,
}

impl RefCache {
    fn id(&mut self, text: &str) -> Option<i64> {
        if let Some(id) = self.young.ids.get(text) {
            return Some(*id);
        }
        let (text, id) = self.old.ids.get_key_value(text).map(|(text, id)| (Arc::clone(text), *id))?;
        self.insert(text, id);
        Some(id)
    }

    fn text(&mut self, id: i64) -> Option<Arc<str>> {
        if let Some(text) = self.young.texts.get(&id) {
            return Some(Arc::clone(text));
        }
        let text = Arc::clone(self.old.texts.get(&id)?);
        self.insert(Arc::clone(&text), id);
        Some(text)
    }

    pub(super) fn insert(&mut self, text: Arc<str>, id: i64) {
        if self.young.ids.len() >= GENERATION_SIZE {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.texts.insert(id, Arc::clone(&text));
        self.young.ids.insert(text, id);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Writer<'_> {
    /// Finds the numbers of texts; those that have none get one. [`ref_id`](Self::ref_id) gives them.
    pub(super) async fn intern<'a>(
        &mut self,
        texts: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> Result<(), StoreError> {
        let missing = self.look_up(texts).await?;
        let mut rows = Vec::with_capacity(missing.len());
        for text in missing {
            let id = self.state.next_ref;
            self.state.next_ref += 1;
            self.remember(Arc::clone(&text), id);
            rows.push((id, text));
        }
        self.db
            .bulk(&INSERT_REFS, rows, |args, (id, text)| {
                args.push(id);
                args.push(text);
            })
            .await?;
        Ok(())
    }

    /// Finds the numbers of texts; answers those that have none.
    pub(super) async fn look_up<'a>(
        &mut self,
        texts: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> Result<Vec<Arc<str>>, StoreError> {
        let mut unknown = Vec::new();
        let mut seen = HashSet::new();
        for text in texts {
            if self.known.contains_key(text) || seen.contains(text) {
                continue;
            }
            if let Some(id) = self.state.refs.id(text) {
                self.looked_up(id);
                self.known.insert(Arc::clone(text), id);
            } else {
                seen.insert(text);
                unknown.push(Arc::clone(text));
            }
        }
        if unknown.is_empty() {
            return Ok(unknown);
        }
        let args = Args::new().with(texts_json(unknown.iter().map(AsRef::as_ref)));
        for row in self.db.rows(SELECT_REF_IDS, args).await? {
            self.looked_up(row.int(0)?);
            self.remember(Arc::from(row.text(1)?), row.int(0)?);
        }
        unknown.retain(|text| !self.known.contains_key(text));
        Ok(unknown)
    }

    /// The number of a text that was looked up before; `None` if it has none.
    pub(super) fn ref_id(&self, text: &str) -> Option<i64> {
        self.known.get(text).copied()
    }

    /// The number of a text that was interned before.
    pub(super) fn interned(&self, text: &str) -> Result<i64, StoreError> {
        self.ref_id(text).ok_or_else(|| StoreError::Internal(format!("{text} was not interned").into()))
    }

    /// Interns the types of relations. [`relation_type_id`](Self::relation_type_id) gives their numbers.
    pub(super) async fn intern_relation_types<'a>(
        &mut self,
        types: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> Result<(), StoreError> {
        let types: HashMap<&Arc<str>, Arc<str>> = types
            .into_iter()
            .collect::<HashSet<_>>()
            .into_iter()
            .map(|kind| (kind, Arc::from(format!("{RELATION_TYPE}{kind}"))))
            .collect();
        self.intern(types.values()).await?;
        for (kind, text) in types {
            let id = self.interned(&text)?;
            self.known_types.insert(Arc::clone(kind), id);
        }
        Ok(())
    }

    pub(super) fn relation_type_id(&self, kind: &str) -> Result<i64, StoreError> {
        self.known_types
            .get(kind)
            .copied()
            .ok_or_else(|| StoreError::Internal(format!("relation type {kind} was not interned").into()))
    }

    /// The texts of numbers. Numbers without a text that can be read are left out.
    pub(super) async fn ref_texts(
        &mut self,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<HashMap<i64, Arc<str>>, StoreError> {
        let mut texts = HashMap::new();
        let mut unknown = HashSet::new();
        for id in ids {
            if texts.contains_key(&id) {
                continue;
            }
            match self.state.refs.text(id) {
                Some(text) => drop(texts.insert(id, text)),
                None => drop(unknown.insert(id)),
            }
        }
        if !unknown.is_empty() {
            let args = Args::new().with(ids_json(unknown));
            for row in self.db.rows(SELECT_REF_TEXTS, args).await? {
                let id = row.int(0)?;
                let Ok(text) = row.text(1).map(Arc::<str>::from) else { continue };
                // A number found in the database may still belong to this transaction alone.
                self.remember(Arc::clone(&text), id);
                texts.insert(id, text);
            }
        }
        Ok(texts)
    }

    /// Tells a search for unused refs that this one may come into use.
    fn looked_up(&mut self, id: i64) {
        if let Some(looked_up) = &mut self.state.looked_up {
            looked_up.insert(id);
        }
    }

    /// Keeps a number for the rest of this transaction, and in the cache once it is committed.
    fn remember(&mut self, text: Arc<str>, id: i64) {
        self.known.insert(text, id);
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
        assert_eq!(relation_type("::type:ownedBy"), "ownedBy");
    }
}
