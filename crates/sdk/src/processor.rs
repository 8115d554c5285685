//! The processor: what the ingestion loop calls for every location and every entity.

use async_trait::async_trait;
use callboard_model::{Entity, LocationSpec, Presence};

use crate::{ProcessorContext, ProcessorError};

/// The priority of a processor that names none; lower runs earlier.
pub const DEFAULT_PRIORITY: i32 = 20;

/// Whether a processor took care of a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// The location is this processor's; no other one is asked.
    Yes,
    /// The location is of a type that this processor does not know; the next one is asked.
    No,
}

/// Whether a processor knows the kind of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognized {
    /// The kind is this processor's, and the entity is valid.
    Yes,
    /// The kind belongs to somebody else.
    No,
}

/// A step of the pipeline that every location and entity passes.
///
/// All methods but [`name`](Self::name) have a default that does nothing. For one entity the loop calls, through
/// all processors in order, `pre_process_entity`; then checks the policies; then `validate_entity_kind`; for an
/// entity of kind Location `read_location` for each target, until one processor answers [`Handled::Yes`]; and
/// last `post_process_entity`.
///
/// **Concurrency.** Many entities are processed at the same time through one shared processor, and so are a few targets
/// of one Location. What they emit counts in the order of the targets.
///
/// **Cancellation.** A call in which nothing happens for too long is given up (see [`ProcessorContext::progress`]), and
/// a shutdown ends it. The future may be dropped at any await; long loops without an await look at
/// [`ProcessorContext::cancellation`].
///
/// **Determinism.** The same arguments, cache and upstream answer give the same output: the loop compares
/// outputs to find out what changed.
///
/// **Errors.** An `Err` ends the run of this entity at once and keeps its last good state in the catalog.
/// [`results::general_error`](crate::results::general_error) and its siblings report a problem and let the run go
/// on to report further ones; the run still counts as failed and stores nothing new. So a processor that could
/// not find out whether something exists says so with an error, and never by emitting less.
#[async_trait]
pub trait CatalogProcessor: Send + Sync + std::fmt::Debug + 'static {
    /// Unique and stable: keys the cache, the configuration (`catalog.processorOptions.<name>`) and the traces.
    fn name(&self) -> &str;

    /// Lower runs earlier; the configuration can override it.
    fn priority(&self) -> i32 {
        DEFAULT_PRIORITY
    }

    /// Whether the output for this (unprocessed) entity depends on nothing but the arguments. An entity for
    /// which every processor says so is not processed again until it changes.
    fn is_pure(&self, entity: &Entity) -> bool {
        let _ = entity;
        false
    }

    /// Changes whenever the same input may give another output: a version, a digest of the configuration.
    /// All entities are processed afresh, without caches, after a change.
    fn fingerprint(&self) -> String {
        String::new()
    }

    /// Reads a location and emits what it holds. `location` has an absolute target.
    async fn read_location(
        &self,
        location: &LocationSpec,
        presence: Presence,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Handled, ProcessorError> {
        let _ = (location, presence, cx);
        Ok(Handled::No)
    }

    /// Changes an entity before it is checked. The entity may still be incomplete.
    async fn pre_process_entity(
        &self,
        entity: Entity,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        let _ = cx;
        Ok(entity)
    }

    /// Checks an entity of a kind that this processor knows. An `Err` means: mine, and invalid.
    async fn validate_entity_kind(&self, entity: &Entity) -> Result<Recognized, ProcessorError> {
        let _ = entity;
        Ok(Recognized::No)
    }

    /// Changes a checked entity, and emits its relations.
    async fn post_process_entity(
        &self,
        entity: Entity,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        let _ = cx;
        Ok(entity)
    }
}
