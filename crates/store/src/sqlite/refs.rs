//! Interning texts: finding and giving the numbers under which rows mention them.

use std::sync::Arc;

use super::codec::{RowExt as _, ids_json, texts_json};
use super::session::Args;
use super::statement::bulk_statements;
use super::writer::Writer;
use crate::StoreError;
use crate::rules::names::relation_type_text;
use crate::rules::statement::statements;
use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

statements! {
    SELECT_REF_IDS = "SELECT r.id, r.entity_ref FROM json_each(?1) j CROSS JOIN refs r ON r.entity_ref = j.value";
    SELECT_REF_TEXTS = "SELECT r.id, r.entity_ref FROM json_each(?1) j CROSS JOIN refs r ON r.id = j.value";
}

bulk_statements! {
    INSERT_REFS("refs", 2) = "INSERT INTO refs (id, entity_ref) VALUES {rows}";
}

impl Writer<'_> {
    /// Finds the numbers of texts; those that have none get one. They are in `names` then.
    pub(super) async fn intern<'a>(
        &mut self,
        texts: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> Result<(), StoreError> {
        let missing = self.look_up(texts).await?;
        let mut rows = Vec::with_capacity(missing.len());
        for text in missing {
            let id = self.state.next_ref;
            self.state.next_ref += 1;
            self.names.insert(Arc::clone(&text), id);
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
            if self.names.find(text).is_some() || seen.contains(text) {
                continue;
            }
            if let Some(id) = self.state.refs.id(text) {
                self.looked_up(id);
                self.names.insert(Arc::clone(text), id);
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
            self.names.insert(Arc::from(row.text(1)?), row.int(0)?);
        }
        unknown.retain(|text| self.names.find(text).is_none());
        Ok(unknown)
    }

    /// Finds the numbers of types of relations, in the same way.
    pub(super) async fn intern_relation_types<'a>(
        &mut self,
        types: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> Result<(), StoreError> {
        let types: HashMap<&Arc<str>, Arc<str>> = types
            .into_iter()
            .collect::<HashSet<_>>()
            .into_iter()
            .map(|kind| (kind, relation_type_text(kind)))
            .collect();
        self.intern(types.values()).await?;
        for (kind, text) in types {
            let id = self.names.id(&text)?;
            self.names.insert_type(Arc::clone(kind), id);
        }
        Ok(())
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
                // A number found in the database may still belong to this transaction alone, so it is not for the cache
                // before the commit.
                self.names.insert(Arc::clone(&text), id);
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
}
