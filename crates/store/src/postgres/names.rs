//! Interning texts: finding and giving the numbers under which rows mention them.
//!
//! Numbers are found before the transaction that mentions them begins, in statements of their own: a text that two
//! processes bring in at once then makes neither of them wait for the other's transaction.
//!
//! A number may be forgotten in between. That takes two halves (see `forget.rs`): the first one dooms it and begins a new
//! epoch, with the graph to itself; the second one deletes what is still doomed. So a number found under an epoch is good
//! for every transaction that holds the graph in that epoch, unless it was doomed already: then it is rescued here.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::PostgresStore;
use super::locks::Graph;
use super::row::RowExt as _;
use super::session::Args;
use super::texts::{beyond_key, key};
use super::writer::Writer;
use crate::StoreError;
use crate::rules::names::{Interned, RefCache, relation_type_text};
use crate::rules::statement::statements;

/// How often it is tried to get all numbers, or to begin a transaction in the epoch of its numbers.
const TRIES_MAX: usize = 10;

statements! {
    SELECT_EPOCH = "SELECT value FROM meta WHERE key = 'refs_epoch'";
    // Answers by place and not by text, so that nothing depends on what became of NUL on the way.
    SELECT_REF_IDS =
        "SELECT j.n, r.id, r.doomed FROM unnest($1) WITH ORDINALITY j(t, n) JOIN refs r ON r.entity_ref = j.t";
    // A default is drawn only for rows that pass the condition, so few numbers are burnt.
    INSERT_REFS =
        "INSERT INTO refs (entity_ref, long_ref) SELECT t, l FROM unnest($1, $2) j(t, l) \
         WHERE NOT EXISTS (SELECT 1 FROM refs r WHERE r.entity_ref = j.t) ORDER BY t COLLATE \"C\" \
         ON CONFLICT (entity_ref) DO NOTHING";
    RESCUE_REFS =
        "WITH l AS MATERIALIZED (SELECT id FROM refs WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE) \
         UPDATE refs r SET doomed = false FROM l WHERE r.id = l.id RETURNING r.id";
    SELECT_REF_TEXTS = "SELECT id, coalesce(long_ref, entity_ref) FROM refs WHERE id = ANY($1)";
}

/// The texts whose numbers a transaction needs.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    texts: HashSet<Arc<str>>,
    /// Types of relations, with the texts under which they are interned.
    types: HashMap<Arc<str>, Arc<str>>,
}

impl Wanted {
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// Refs, or texts of providers.
    pub(super) fn texts<'a>(mut self, texts: impl IntoIterator<Item = &'a Arc<str>>) -> Self {
        for text in texts {
            if !self.texts.contains(text) {
                self.texts.insert(Arc::clone(text));
            }
        }
        self
    }

    pub(super) fn types<'a>(mut self, types: impl IntoIterator<Item = &'a Arc<str>>) -> Self {
        for kind in types {
            if !self.types.contains_key(kind) {
                self.types.insert(Arc::clone(kind), relation_type_text(kind));
            }
        }
        self
    }

    fn all(&self) -> impl Iterator<Item = &Arc<str>> {
        self.texts.iter().chain(self.types.values())
    }
}

/// Numbers that were found lately.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Cache>);

#[derive(Debug, Default)]
struct Cache {
    /// The epoch in which all of these were good; 0 before the first.
    epoch: i64,
    refs: RefCache,
}

impl Names {
    fn with<T>(&self, work: impl FnOnce(&mut Cache) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin_epoch(&self, epoch: i64) {
        self.with(|cache| {
            if cache.epoch != epoch {
                cache.epoch = epoch;
                cache.refs.clear();
            }
        });
    }
}

impl PostgresStore {
    /// Begins a transaction that holds the graph and has the numbers of all texts that it wants; those that had none have
    /// one now.
    pub(super) async fn writer(&self, graph: Graph, wanted: &Wanted) -> Result<Writer<'_>, StoreError> {
        for _ in 0..TRIES_MAX {
            let (epoch, names) = self.resolve(wanted).await?;
            let mut db = self.connections.begin().await?;
            db.lock_graph(graph).await?;
            let now = db.row(SELECT_EPOCH, Args::new()).await?.map_or(Ok(0), |row| row.int(0))?;
            if now == epoch {
                return Ok(Writer::new(self, db, graph, names));
            }
            db.rollback().await?;
            self.names.begin_epoch(now);
        }
        Err(StoreError::Unavailable("refs were forgotten at each try to use them".into()))
    }

    /// The numbers of all texts, and the epoch in which they are good.
    async fn resolve(&self, wanted: &Wanted) -> Result<(i64, Interned), StoreError> {
        if self.names.with(|cache| cache.epoch) == 0 {
            let rows = self.connections.writer_rows(SELECT_EPOCH, Args::new()).await?;
            self.names.begin_epoch(rows.first().map_or(Ok(0), |row| row.int(0))?);
        }
        let mut names = Interned::default();
        let mut missing = Vec::new();
        let epoch = self.names.with(|cache| {
            for text in wanted.all() {
                match cache.refs.id(text) {
                    Some(id) => names.insert(Arc::clone(text), id),
                    None => missing.push(Arc::clone(text)),
                }
            }
            cache.epoch
        });
        if !missing.is_empty() {
            // In the order in which the database sorts them, each page of the index is visited once.
            missing.sort_unstable();
            let found = self.intern(missing).await?;
            self.names.with(|cache| {
                for (text, id) in found {
                    if cache.epoch == epoch {
                        cache.refs.insert(Arc::clone(&text), id);
                    }
                    names.insert(text, id);
                }
            });
        }
        for (kind, text) in &wanted.types {
            let id = names.id(text)?;
            names.insert_type(Arc::clone(kind), id);
        }
        Ok((epoch, names))
    }

    async fn intern(&self, mut missing: Vec<Arc<str>>) -> Result<Vec<(Arc<str>, i64)>, StoreError> {
        let mut found = Vec::with_capacity(missing.len());
        for attempt in 0..TRIES_MAX {
            if attempt > 0 {
                let args = Args::new()
                    .list(missing.iter().map(|text| key(text)))
                    .list(missing.iter().map(|text| beyond_key(text)));
                self.connections.writer_rows(INSERT_REFS, args).await?;
            }
            let args = Args::new().list(missing.iter().map(|text| key(text)));
            let rows = self.connections.writer_rows(SELECT_REF_IDS, args).await?;
            let mut ids: HashMap<usize, i64> = HashMap::with_capacity(rows.len());
            let mut doomed = HashSet::new();
            for row in rows {
                let place = usize::try_from(row.int(0)? - 1).unwrap_or(usize::MAX);
                ids.insert(place, row.int(1)?);
                if row.flag(2)? {
                    doomed.insert(row.int(1)?);
                }
            }
            if !doomed.is_empty() {
                let args = Args::new().list(doomed.iter().copied());
                for row in self.connections.writer_rows(RESCUE_REFS, args).await? {
                    doomed.remove(&row.int(0)?);
                }
            }
            let texts = std::mem::take(&mut missing);
            for (place, text) in texts.into_iter().enumerate() {
                // Whatever could not be rescued is gone, and gets another number.
                match ids.get(&place).filter(|id| !doomed.contains(id)) {
                    Some(id) => found.push((text, *id)),
                    None => missing.push(text),
                }
            }
            if missing.is_empty() {
                return Ok(found);
            }
        }
        Err(StoreError::Unavailable("refs were forgotten at each try to find them".into()))
    }
}

impl Writer<'_> {
    /// Finds the numbers of texts, as far as they have one. These are for finding rows that mention them, not for new
    /// mentions.
    pub(super) async fn look_up(&mut self, texts: &[Arc<str>]) -> Result<(), StoreError> {
        if texts.is_empty() {
            return Ok(());
        }
        let args = Args::new().list(texts.iter().map(|text| key(text)));
        for row in self.db.rows(SELECT_REF_IDS, args).await? {
            let place = usize::try_from(row.int(0)? - 1).unwrap_or(usize::MAX);
            if let Some(text) = texts.get(place) {
                self.names.insert(Arc::clone(text), row.int(1)?);
            }
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
        self.store.names.with(|cache| {
            for id in ids {
                match cache.refs.text(id) {
                    Some(text) => drop(texts.insert(id, text)),
                    None => drop(unknown.insert(id)),
                }
            }
        });
        if !unknown.is_empty() {
            for row in self.db.rows(SELECT_REF_TEXTS, Args::new().list(unknown)).await? {
                let Ok(text) = row.text(1).map(Arc::<str>::from) else { continue };
                texts.insert(row.int(0)?, text);
            }
        }
        Ok(texts)
    }
}
