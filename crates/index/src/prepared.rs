//! An entity on its way into the index: all that can be done without the index is done here.

use crate::flatten::{FlattenError, Rows};

/// An entity that is ready to be put into an index. Making one is the larger part of the work, and needs no lock.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(crate) id: i64,
    pub(crate) entity_ref: Box<str>,
    pub(crate) uid: Box<str>,
    pub(crate) rows: Rows,
}

impl Prepared {
    /// Flattens an entity; if that fails, there is [`Self::bare`]. `id` is the caller's own number for it, given back
    /// with each hit; `entity_ref` is canonical; `uid` is what orders entities that nothing else orders.
    pub fn new(id: i64, entity_ref: &str, uid: &str, json: &str) -> Result<Self, FlattenError> {
        Ok(Self { id, entity_ref: entity_ref.into(), uid: uid.into(), rows: Rows::of_json(json)? })
    }

    /// An entity of which nothing is known but its names, for one that cannot be flattened: it is found by its ref, its
    /// uid, and filters for its kind, name and namespace, in lower case as the ref has them.
    pub fn bare(id: i64, entity_ref: &str, uid: &str) -> Self {
        Self { id, entity_ref: entity_ref.into(), uid: uid.into(), rows: Rows::of_names(entity_ref, uid) }
    }

    /// The entity's canonical ref.
    pub fn entity_ref(&self) -> &str {
        &self.entity_ref
    }

    /// The rows that queries will see.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }
}

/// What happened to an entity.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is new or has other content.
    Put(Prepared),
    /// It is gone. Its canonical ref.
    Remove(Box<str>),
}
