//! What reads give.

use uuid::Uuid;

use crate::EntityId;

/// A final entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalEntity {
    /// Its number.
    pub id: EntityId,
    /// Its canonical ref.
    pub entity_ref: String,
    /// `metadata.uid`.
    pub uid: Uuid,
    /// The whole entity as JSON, as the API serves it.
    pub json: String,
}

/// A page of final entities, ordered by canonical ref (bytewise).
#[derive(Debug, Clone, Default)]
pub struct EntityPage {
    /// The entities.
    pub entities: Vec<FinalEntity>,
    /// Ask for the page after this ref; `None` if this was the last one.
    pub next_after: Option<String>,
}

/// What was found of a list of refs.
#[derive(Debug, Clone, Default)]
pub struct FoundEntities {
    /// The entities, in the order of their refs; those that there are none of are left out.
    pub entities: Vec<FinalEntity>,
    /// How many refs from the front on were looked at: all, or at least one.
    pub looked_at: usize,
}

/// An entity on the way from a ref up to its roots.
#[derive(Debug, Clone)]
pub struct Ancestor {
    /// The entity.
    pub entity: FinalEntity,
    /// Canonical refs of those that emitted it; empty for what only providers hand over.
    pub parent_refs: Vec<String>,
}

/// What a round of stitching did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StitchReport {
    /// Final entities written.
    pub changed: usize,
    /// Final entities that came out as they were.
    pub unchanged: usize,
    /// Refs without an entity, or with one that was never processed well.
    pub abandoned: usize,
    /// Entities of which none could be made: what is stored of them makes no sense. What was served of them stays.
    pub failed: Vec<StitchFailure>,
    /// Whether more work was due than the limit let through.
    pub has_more: bool,
}

/// An entity whose final entity could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StitchFailure {
    /// Its canonical ref.
    pub entity_ref: String,
    /// What is wrong, as `<name>: <message>`.
    pub error: String,
}

/// Sizes, for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Registered locations.
    pub locations: i64,
    /// Edges.
    pub relations: i64,
    /// Refs that wait for stitching.
    pub stitch_queue: i64,
    /// Entities that are due.
    pub due: i64,
    /// Errors; warnings are none.
    pub errors: i64,
}
