//! The change log: what readers follow to know what changed, in the order in which it did.

/// What happened to a final entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new or has other content.
    Upserted,
    /// It is gone.
    Deleted,
}

/// One row of the change log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Grows with every change; positions may be skipped, and are never reused.
    pub position: i64,
    /// Whose final entity changed, as a canonical ref.
    pub entity_ref: String,
    /// What happened.
    pub kind: ChangeKind,
}
