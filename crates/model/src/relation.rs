//! Relations: directed, typed edges between entities.

use serde::{Deserialize, Serialize};

use crate::entity_ref::EntityRef;

/// One edge. Edges of the built-in kinds come in pairs, one in each direction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Relation {
    /// The entity that gets the relation in its `relations`.
    pub source: EntityRef,
    /// The relation's type, such as `ownedBy`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The entity that the relation leads to. It need not exist.
    pub target: EntityRef,
}

/// The types of the well-known relations, in pairs of a direction and its opposite.
pub mod relation_type {
    /// To the owner.
    pub const OWNED_BY: &str = "ownedBy";
    /// From the owner.
    pub const OWNER_OF: &str = "ownerOf";
    /// To an API that is used.
    pub const CONSUMES_API: &str = "consumesApi";
    /// From an API to its user.
    pub const API_CONSUMED_BY: &str = "apiConsumedBy";
    /// To an API that is offered.
    pub const PROVIDES_API: &str = "providesApi";
    /// From an API to what offers it.
    pub const API_PROVIDED_BY: &str = "apiProvidedBy";
    /// To what is needed to work.
    pub const DEPENDS_ON: &str = "dependsOn";
    /// To what needs this to work.
    pub const DEPENDENCY_OF: &str = "dependencyOf";
    /// From a group to a group below it.
    pub const PARENT_OF: &str = "parentOf";
    /// From a group to the group above it.
    pub const CHILD_OF: &str = "childOf";
    /// From a user to a group.
    pub const MEMBER_OF: &str = "memberOf";
    /// From a group to a user.
    pub const HAS_MEMBER: &str = "hasMember";
    /// To the whole that this is part of.
    pub const PART_OF: &str = "partOf";
    /// From the whole to a part.
    pub const HAS_PART: &str = "hasPart";
}
