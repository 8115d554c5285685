//! Mutations of a provider's bucket.

use crate::{Conflict, NewEntity};

/// A change of a provider's bucket.
#[derive(Debug, Clone)]
pub enum ProviderMutation {
    /// The bucket holds these and no others.
    Full(Vec<NewEntity>),
    /// These come and go.
    Delta {
        /// New or changed.
        added: Vec<NewEntity>,
        /// Canonical refs of those that go.
        removed: Vec<String>,
    },
}

/// What a mutation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MutationReport {
    /// Entities that are new.
    pub added: usize,
    /// Entities with other content or another key than before.
    pub updated: usize,
    /// Entities that are gone, with all that only they had brought in.
    pub removed: usize,
    /// Entities that were refused.
    pub conflicts: Vec<Conflict>,
    /// Whether there is stitch work.
    pub needs_stitching: bool,
}
