//! Registered locations: those that came through the API.

use callboard_model::LocationSpec;

/// A registered location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLocation {
    /// UUID.
    pub id: String,
    /// Type and target; no presence.
    pub spec: LocationSpec,
    /// Canonical ref of its Location entity.
    pub entity_ref: String,
}

/// What to do when a location that is to be registered is registered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocationConflict {
    /// Refuse.
    Reject,
    /// Have it processed afresh.
    Refresh,
}
