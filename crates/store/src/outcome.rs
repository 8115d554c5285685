//! Outcomes: what came out of processing, and what committing it did.

use std::sync::Arc;

use callboard_model::Digest;

use crate::{Claim, EntityId, Lane, LeaseToken, NewError, PackedBody, Timestamp};

/// An unprocessed entity that a provider or a parent hands over.
#[derive(Debug, Clone)]
pub struct NewEntity {
    /// Canonical ref.
    pub entity_ref: Arc<str>,
    /// The entity, as JSON.
    pub json: Arc<str>,
    /// Digest of `json`.
    pub digest: Digest,
    /// Who may write it.
    pub location_key: Option<Arc<str>>,
    /// Index of the document in its file and the line on which it starts, if it came from a file.
    pub position: Option<(u32, u32)>,
    /// Of which of the parent's targets it came: an opaque number; 0 where there are no targets.
    pub group: i64,
}

/// A directed edge, by canonical refs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationKey {
    /// Where it starts.
    pub source: Arc<str>,
    /// Its type, such as `ownedBy`.
    pub kind: Arc<str>,
    /// Where it ends.
    pub target: Arc<str>,
}

/// What to do with the processors' memories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheWrite {
    /// Leave them as they are.
    Keep,
    /// Store this JSON, good for so many failures; `None` drops them.
    Put(Option<(String, i64)>),
}

/// The result of a good run.
#[derive(Debug, Clone)]
pub struct Processed {
    /// The processed entity.
    pub body: PackedBody,
    /// The edges that the run emitted; without duplicates.
    pub relations: Vec<RelationKey>,
    /// The entities that the run emitted; without duplicates.
    pub children: Vec<NewEntity>,
    /// Children of these groups that the store has from before stay, although they are not in `children`.
    pub kept_groups: Vec<i64>,
    /// The refresh keys that the run emitted; without duplicates.
    pub refresh_keys: Vec<String>,
    /// What somebody should look at although the run went well; replaces what the last good run said.
    pub warnings: Vec<NewError>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub enum OutcomeKind {
    /// As the last time: nothing is written but the schedule.
    Unchanged,
    /// Well: everything it emitted replaces what the last good run emitted.
    Processed(Box<Processed>),
    /// With errors: they replace the last run's errors, and everything else stays.
    Failed(Vec<NewError>),
    /// It did not run to its end (shutdown): the lease is given back and the entity is due at once.
    Abandoned,
}

/// What came out of processing one claim.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Whose.
    pub id: EntityId,
    /// The lease; an outcome of a lost lease is refused.
    pub token: LeaseToken,
    /// The conflict key at the time of the claim.
    pub location_key: Option<Arc<str>>,
    /// Children that need processing get this lane.
    pub lane: Lane,
    /// When the entity is due next; `None` if only a change can make it due.
    pub next_update_at: Option<Timestamp>,
    /// The processors' memories.
    pub cache: CacheWrite,
    /// Digest of the result, to compare the next one with.
    pub result_digest: Digest,
    /// Fingerprint of the processors.
    pub fingerprint: Digest,
    /// How it ended.
    pub kind: OutcomeKind,
}

/// A source that may not write an entity, because another one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The entity.
    pub entity_ref: String,
    /// Who wanted to write it: the canonical ref of a parent, or the name of a provider.
    pub source: String,
    /// The key under which it is written.
    pub existing_key: String,
    /// The key that was refused.
    pub new_key: Option<String>,
}

/// What a commit did.
#[derive(Debug, Default)]
pub struct CommitReport {
    /// Outcomes that were refused, as indexes into the batch: the lease was lost, or the entity is gone or was
    /// taken over by another source.
    pub refused: Vec<usize>,
    /// Children that need processing, leased already for the caller: at most as many as were asked for.
    pub handed: Vec<Claim>,
    /// Entities that need processing and were not handed out: children, and those of the batch that were asked for
    /// again while they were processed.
    pub left_due: usize,
    /// Children that were refused.
    pub conflicts: Vec<Conflict>,
    /// Whether there is stitch work.
    pub needs_stitching: bool,
}
