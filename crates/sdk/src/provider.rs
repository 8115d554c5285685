//! The provider: a source that owns a bucket of entities and says itself when they change.

use std::sync::Arc;

use async_trait::async_trait;
use callboard_model::Entity;

/// An entity that is handed over to be processed.
#[derive(Debug, Clone, PartialEq)]
pub struct DeferredEntity {
    /// At least apiVersion, kind, metadata.name and the two location annotations.
    pub entity: Entity,
    /// Who may write it; sources with different keys cannot share an entity.
    pub location_key: Option<String>,
}

/// An entity that a provider takes out of its bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedEntity {
    /// Its canonical ref, `kind:namespace/name`.
    pub entity_ref: String,
}

/// A change of a provider's bucket; applied as a whole or not at all.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EntityProviderMutation {
    /// The bucket holds these entities and no others. Only a complete enumeration of the source may send it: what
    /// is missing is deleted.
    Full {
        /// The whole bucket.
        entities: Vec<DeferredEntity>,
    },
    /// These come and go; the rest of the bucket stays.
    Delta {
        /// New or changed.
        added: Vec<DeferredEntity>,
        /// Gone.
        removed: Vec<RemovedEntity>,
    },
}

/// Why a mutation was not applied, or a provider not connected.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// An entity lacks what every entity has; nothing was applied.
    #[error("Malformed entity envelope, TypeError: {0}")]
    MalformedEntity(String),
    /// The store could not do it now; try again later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The provider's own problem.
    #[error("{0}")]
    Failed(String),
}

/// The way from a provider into the catalog.
#[async_trait]
pub trait EntityProviderConnection: Send + Sync + std::fmt::Debug {
    /// Changes the provider's bucket, in one transaction.
    async fn apply_mutation(&self, mutation: EntityProviderMutation) -> Result<(), ProviderError>;

    /// Has every entity that carries one of these refresh keys processed soon.
    async fn refresh(&self, keys: &[String]) -> Result<(), ProviderError>;
}

/// A source of entities that keeps a bucket in the catalog up to date.
///
/// The daemon calls `connect` once, at start, before the loop runs; the provider keeps the connection and uses it
/// whenever it learns of a change. An `Err` from `connect` fails the start. Calls through one connection may
/// overlap; each is atomic.
#[async_trait]
pub trait EntityProvider: Send + Sync + std::fmt::Debug + 'static {
    /// Unique and stable: the bucket is kept under this name.
    fn name(&self) -> &str;

    /// Hands over the connection. A provider usually sends its first full mutation here.
    async fn connect(&self, connection: Arc<dyn EntityProviderConnection>) -> Result<(), ProviderError>;
}
