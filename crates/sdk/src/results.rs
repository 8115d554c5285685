//! What a processor emits, and short ways to build it.

use callboard_model::{Entity, LocationSpec, Relation};

use crate::ProcessorError;

/// Where in its file a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DocumentPosition {
    /// Index of the document in the file, from 0.
    pub document: u32,
    /// Line on which the document starts, from 1.
    pub line: u32,
}

/// Who may write an entity: two sources may share one ref only under the same key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LocationKey {
    /// The string form of the location that the entity was read from.
    #[default]
    Location,
    /// No key: whoever comes later with a key takes the entity over.
    None,
    /// This key.
    Key(String),
}

/// One thing that a processor says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Emit {
    /// An entity that will be processed on its own, as a child of the one in hand.
    Entity {
        /// The entity as read, at least with apiVersion, kind and metadata.name.
        entity: Entity,
        /// The file or endpoint that it was read from.
        location: LocationSpec,
        /// Who may write it.
        location_key: LocationKey,
        /// Where in the file it stands, if it is a file.
        position: Option<DocumentPosition>,
    },
    /// A further location to read, as a generated Location entity.
    Location(LocationSpec),
    /// A directed edge; the inverse is an edge of its own.
    Relation(Relation),
    /// A problem. The run goes on, counts as failed, and nothing of it is stored but the errors.
    Error {
        /// What went wrong.
        error: ProcessorError,
        /// Where.
        location: LocationSpec,
    },
    /// A name for something that the output depends on, such as `url:https://…`: whoever learns that it changed
    /// asks for a refresh by this key.
    Refresh {
        /// The key; compared exactly.
        key: String,
    },
    /// The entities and locations that the last good run emitted for this target stand; refresh keys are emitted
    /// anew. Only for `read_location`, and only after the cache gave back a validator (an ETag, a version) that the
    /// upstream confirmed.
    Unchanged,
}

/// An entity that was read from `location`.
pub fn entity(location: &LocationSpec, entity: Entity) -> Emit {
    Emit::Entity { entity, location: location.clone(), location_key: LocationKey::Location, position: None }
}

/// A further location to read.
pub fn location(location: LocationSpec) -> Emit {
    Emit::Location(location)
}

/// An edge between two entities.
pub fn relation(relation: Relation) -> Emit {
    Emit::Relation(relation)
}

/// A refresh key for the entity in hand.
pub fn refresh(key: impl Into<String>) -> Emit {
    Emit::Refresh { key: key.into() }
}

/// Nothing changed upstream since the run that wrote the cache.
pub fn unchanged() -> Emit {
    Emit::Unchanged
}

/// An error that is none of the more special ones below.
pub fn general_error(location: &LocationSpec, message: impl Into<String>) -> Emit {
    error(location, ProcessorError::general(message))
}

/// The input is wrong: somebody has to change a file.
pub fn input_error(location: &LocationSpec, message: impl Into<String>) -> Emit {
    error(location, ProcessorError::input(message))
}

/// The upstream said that there is nothing at this location.
pub fn not_found_error(location: &LocationSpec, message: impl Into<String>) -> Emit {
    error(location, ProcessorError::not_found(message))
}

/// Any error.
pub fn error(location: &LocationSpec, error: ProcessorError) -> Emit {
    Emit::Error { error, location: location.clone() }
}
