//! Where the catalog is kept.
//!
//! [`Store`] speaks of the catalog (claims, outcomes, mutations, errors), never of rows. Each method is one atomic
//! unit of work: either all that it says happened, or nothing. What is advanced (a due time, a digest, an item of
//! the stitch queue) is advanced in the transaction that writes what it stands for, so that a crash at any point
//! loses nothing.
//!
//! A store keeps, for each entity that somebody handed over: the unprocessed entity; who handed it over (all
//! sources, not just the last one); when it is due and who leases it; and, from its last good run, the processed
//! entity, the relations it emitted, its refresh keys and its processors' caches. From these rows, and nothing
//! else, stitching makes the final entity that the API serves, and appends to the change log.
#![warn(missing_docs)]

mod change;
mod claim;
mod doctor;
mod error;
mod errors;
mod hint;
mod location;
#[cfg(feature = "testsuite")]
pub mod memory;
mod outcome;
mod packed;
pub mod postgres;
mod provider;
mod read;
mod rules;
mod schema;
mod sql;
pub mod sqlite;
mod store;
#[cfg(feature = "testsuite")]
pub mod suite;
#[cfg(test)]
#[cfg(feature = "testsuite")]
mod tables;

pub use change::{Change, ChangeKind};
pub use claim::{Claim, ClaimRequest, Claimed, Lane, LeaseToken};
pub use doctor::{InspectCursor, Inspection, Invariant, Mended, Violation};
pub use error::{Refusal, StoreError, error_chain};
pub use errors::{CatalogError, ErrorCategory, ErrorFilter, NewError};
pub use hint::Hint;
pub use location::{LocationConflict, StoredLocation};
pub use outcome::{
    CacheWrite, CommitReport, Conflict, NewEntity, Outcome, OutcomeKind, Processed, RelationKey,
};
pub use packed::PackedBody;
pub use provider::{MutationReport, ProviderMutation};
pub use read::{Ancestor, Counts, EntityPage, FinalEntity, FoundEntities, StitchFailure, StitchReport};
pub use schema::{Migrated, Schema};
pub use store::Store;

/// A moment in UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// Number of an entity within one store; never reused for another ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityId(pub i64);
