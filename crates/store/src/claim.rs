//! Claims: the lease of an entity to the one worker that processes it.

use std::sync::Arc;
use std::time::Duration;

use callboard_model::Digest;
use uuid::Uuid;

use crate::{EntityId, Timestamp};

/// Why an entity is due; lower is served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    /// Somebody waits: just registered, or a refresh was asked for.
    Interactive = 0,
    /// An event said that it changed.
    Event = 1,
    /// Not processed yet, or its content changed.
    New = 2,
    /// Its interval is over.
    Periodic = 3,
}

/// Tells one lease from every other one, also of the same entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseToken(pub i64);

/// Which due entities to lease.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// How many at most.
    pub limit: usize,
    /// Only lanes up to this one.
    pub lane_max: Lane,
    /// The time.
    pub now: Timestamp,
    /// How long the lease lasts; afterwards others may claim the entity.
    pub lease: Duration,
    /// Fingerprint of the processors of whoever asks.
    pub fingerprint: Digest,
}

/// What a claim came to.
#[derive(Debug)]
pub enum Claimed {
    /// These are leased: none if nothing is due.
    Leased(Vec<Claim>),
    /// Nothing is leased, whatever is due: other processors were applied last.
    Superseded,
}

/// A leased entity, with all that processing it needs.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its number.
    pub id: EntityId,
    /// Its canonical ref.
    pub entity_ref: Arc<str>,
    /// Becomes `metadata.uid`.
    pub uid: Uuid,
    /// The lease.
    pub token: LeaseToken,
    /// The lane that it was claimed from.
    pub lane: Lane,
    /// When it became due.
    pub due_at: Timestamp,
    /// The unprocessed entity, as JSON.
    pub unprocessed: Arc<str>,
    /// Digest of `unprocessed`.
    pub unprocessed_digest: Digest,
    /// The conflict key that the row has now.
    pub location_key: Option<Arc<str>>,
    /// What the processors remember, as JSON; and how many more failures it survives.
    pub cache: Option<(String, i64)>,
    /// Digest of the last run's result.
    pub result_digest: Option<Digest>,
    /// Fingerprint of the processors of the last good run; `None` if a full run is needed whatever the result is.
    pub fingerprint: Option<Digest>,
}
