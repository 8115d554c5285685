//! The catalog's entities, refs, locations, relations, kinds, field formats and policies.
//!
//! Everything here is pure: no I/O, no clock, no async. The rules are those of the Backstage catalog, down to the
//! wording of the errors, because clients show these texts to people and scripts match on them.
//!
//! The way of an entity through this crate:
//! 1. [`Entity::from_value`] takes a parsed document, [`Entity::check_envelope`] makes sure that it has a ref.
//! 2. [`enforce_default`] (or single [`EntityPolicy`] values) checks and completes it.
//! 3. [`check_entity_schema`] and [`check_builtin_kind`] validate the processed result.
//! 4. [`builtin_relations`] tells what the entity says about others.
//! 5. [`Body`] and [`FinalParts`] turn it into the JSON text that is served.

#![warn(missing_docs)]

pub mod annotations;
mod emitted;
mod entity;
mod entity_ref;
mod error;
mod final_entity;
pub mod format;
mod hash;
mod json_text;
mod kinds;
mod location;
mod policy;
mod relation;
mod schema;
mod schema_check;
mod script_url;
mod serialized_error;
mod text;

pub use emitted::{Emitted, EmittingParent, accept_emitted};
pub use entity::{DEFAULT_NAMESPACE, Entity};
pub use entity_ref::EntityRef;
pub use error::{ErrorKind, ModelError};
pub use final_entity::{
    Body, BodyRef, FinalEntity, FinalParts, PROCESSING_STATUS_TYPE, assemble, etag, relations_json,
    status_json,
};
pub use hash::{Digest, DigestLengthError};
pub use json_text::stable_json;
pub use kinds::{
    API_VERSIONS as BUILTIN_API_VERSIONS, KINDS as BUILTIN_KINDS, Kind as BuiltinKind, KindCheck,
    RelationField, Shape as SpecShape, builtin_relations, check_builtin_kind, sort_builtin_arrays,
};
pub use location::{LocationRef, LocationSpec, Presence, location_entity, location_entity_name};
pub use policy::{
    DefaultNamespace, EntityPolicy, FieldFormat, GroupDefaultParent, NoForeignRootFields, SchemaValid,
    default_policies, enforce_all, enforce_default,
};
pub use relation::{Relation, relation_type};
pub use schema_check::check_entity_schema;
pub use script_url::is_script_url;
pub use serialized_error::{SerializedError, caused_by};
