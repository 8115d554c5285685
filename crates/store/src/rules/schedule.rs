//! When entities are due: rows of `schedule`, and how much of an entity's work a due time asks for.

use callboard_model::Digest;

use crate::Lane;

/// A row of `schedule`, without what tells whether the entity became due again while it was processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) id: i64,
    /// In microseconds; `None` if only a change makes the entity due.
    pub(crate) next_update_at: Option<i64>,
    pub(crate) lane: i64,
    pub(crate) result_digest: Option<Digest>,
    /// `None` if a full run is needed.
    pub(crate) fingerprint: Option<Digest>,
}

impl Schedule {
    /// A new entity, due now.
    pub(crate) fn new(id: i64, lane: Lane, now: i64) -> Self {
        Self { id, next_update_at: Some(now), lane: lane as i64, result_digest: None, fingerprint: None }
    }
}

/// How thoroughly an entity is to be processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// If the result is that of the last run, nothing needs to be written.
    IfChanged,
    /// All of it anew, without caches, and the result must be written whatever it is: something that the last run
    /// wrote is gone. Holds until a run succeeds.
    InFull,
}
