//! What the API and the command line ask of the engine, beside reading the store.

use std::sync::Arc;

use callboard_model::{Entity, SerializedError, location_entity_name};
use callboard_sdk::{Clock, LocationSpec, ScmLocationAnalyzer};
use callboard_store::{Hint, LocationConflict, Store, StoreError, StoredLocation};
use uuid::Uuid;

use crate::locations::{LOCATION_STORE, free_location_entity, location_name, registered_location_entity};
use crate::standing::Standing;
use crate::wake::Wake;
use crate::{Pipeline, Randomness};

mod analysis;
mod descriptor;

pub use analysis::{ExistingFile, LocationAnalysis};

/// How often a name is looked for that no other location's entity has, as somebody else may take it meanwhile.
const NAME_TRIES_MAX: u32 = 5;

/// Why the catalog refused something; the name of each is what Backstage's clients know.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogOpError {
    /// `InputError`
    #[error("{0}")]
    Input(String),
    /// `NotFoundError`
    #[error("{0}")]
    NotFound(String),
    /// `ConflictError`
    #[error("{0}")]
    Conflict(String),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// `Error`: the provider of registered locations is disabled.
    #[error("location store is not initialized")]
    NoLocationStore,
}

impl From<StoreError> for CatalogOpError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(message) => Self::NotFound(message),
            StoreError::Conflict(message) => Self::Conflict(message),
            other => Self::Store(other),
        }
    }
}

/// What registering a location would bring in.
#[derive(Debug, Clone)]
pub struct DryRun {
    /// The location; its id is `type:target`.
    pub location: StoredLocation,
    /// The processed entities that it and everything below it emit.
    pub entities: Vec<Entity>,
    /// Whether the location is registered already.
    pub exists: bool,
}

/// A processor in the effective order.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessorInfo {
    /// Its name.
    pub name: String,
    /// Its effective priority.
    pub priority: f64,
}

/// The catalog, as the API sees it.
#[derive(Debug, Clone)]
pub struct Catalog {
    store: Arc<dyn Store>,
    pipeline: Arc<Pipeline>,
    clock: Arc<dyn Clock>,
    wake: Wake,
    has_location_store: bool,
    randomness: Randomness,
    standing: Standing,
    analyzers: Vec<Arc<dyn ScmLocationAnalyzer>>,
}

impl Catalog {
    /// A catalog over this store; `wake` reaches the engine that works on it, if one does.
    pub fn new(store: Arc<dyn Store>, pipeline: Arc<Pipeline>, clock: Arc<dyn Clock>, wake: Wake) -> Self {
        Self {
            store,
            pipeline,
            clock,
            wake,
            has_location_store: true,
            randomness: Randomness::default(),
            standing: Standing::default(),
            analyzers: Vec::new(),
        }
    }

    pub(crate) fn with_location_store(self, has_location_store: bool) -> Self {
        Self { has_location_store, ..self }
    }

    pub(crate) fn with_randomness(self, randomness: Randomness) -> Self {
        Self { randomness, ..self }
    }

    pub(crate) fn with_standing(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    /// The same, with what knows which descriptor files repositories have; the first that supports a URL is asked.
    #[must_use]
    pub fn with_analyzers(self, analyzers: Vec<Arc<dyn ScmLocationAnalyzer>>) -> Self {
        Self { analyzers, ..self }
    }

    /// The store, to read from.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Comes back when the change log grew since the last time, here or in another process. For one follower of the log.
    pub async fn change(&self) {
        tokio::select! {
            biased;
            () = self.wake.change() => {}
            () = self.store.hinted(Hint::Changed) => {}
        }
    }

    /// The processors in their effective order.
    pub fn processors(&self) -> Vec<ProcessorInfo> {
        self.pipeline.processors()
    }

    /// Has everything processed afresh that was last processed in another way than the pipeline does it now. Answers
    /// how much that is. If another process with other processors started meanwhile, theirs stay in force.
    pub async fn pipeline_changed(&self) -> Result<u64, StoreError> {
        let fingerprint = self.pipeline.fingerprint();
        let due = self.store.fingerprint_apply(fingerprint, self.standing.given(), self.clock.now()).await?;
        self.standing.set_given(fingerprint);
        self.wake.claim();
        Ok(due)
    }

    /// Has an entity, and the Locations it came through, processed at once. `entity_ref` in any case.
    pub async fn refresh(&self, entity_ref: &str) -> Result<(), CatalogOpError> {
        self.store.entity_refresh(&entity_ref.to_lowercase(), self.clock.now()).await?;
        self.wake.claim();
        Ok(())
    }

    /// Deletes an entity; whoever still emits it brings it back. An unknown uid is no error.
    pub async fn delete_entity(&self, uid: Uuid) -> Result<(), CatalogOpError> {
        self.store.entity_delete(uid, self.clock.now()).await?;
        self.wake.changed();
        self.wake.claim();
        self.wake.stitch_at_once();
        Ok(())
    }

    /// Runs an entity through the pipeline as if it had been read from `location`; no errors means valid.
    pub async fn validate_entity(&self, entity: Entity, location: &LocationSpec) -> Vec<SerializedError> {
        self.pipeline.validate(entity, location).await
    }

    /// Processes a location and everything below it in memory.
    pub async fn location_dry_run(&self, spec: &LocationSpec) -> Result<DryRun, CatalogOpError> {
        self.check_type(spec)?;
        let exists = self.store.location_find(spec).await?.is_some();
        let entities = self.pipeline.dry_run(spec).await.map_err(CatalogOpError::Input)?;
        let name = location_entity_name(&spec.kind, &spec.target);
        let entity_ref = registered_location_entity(spec, &name).map_err(CatalogOpError::Input)?.entity_ref;
        let location = StoredLocation {
            id: format!("{}:{}", spec.kind, spec.target),
            spec: spec.clone(),
            entity_ref: entity_ref.to_string(),
        };
        Ok(DryRun { location, entities, exists })
    }

    /// Registers a location.
    pub async fn location_register(
        &self,
        spec: &LocationSpec,
        on_conflict: LocationConflict,
    ) -> Result<StoredLocation, CatalogOpError> {
        self.check_location_store()?;
        self.check_type(spec)?;
        let mut tries = 1;
        let location = loop {
            let entity = free_location_entity(self.store.as_ref(), spec, &self.randomness)
                .await?
                .map_err(CatalogOpError::Input)?;
            let now = self.clock.now();
            match self.store.location_create(LOCATION_STORE, spec, entity, on_conflict, now).await {
                Err(StoreError::Conflict(_))
                    if tries < NAME_TRIES_MAX && self.has_lost_name(spec, on_conflict).await? =>
                {
                    tries += 1;
                }
                created => break created?,
            }
        };
        self.wake.claim();
        Ok(location)
    }

    /// Points a registered location elsewhere. Its id and the ref of its entity stay.
    pub async fn location_update(
        &self,
        id: &str,
        spec: &LocationSpec,
    ) -> Result<StoredLocation, CatalogOpError> {
        self.check_location_store()?;
        self.check_type(spec)?;
        let before = self.store.location_get(id).await?;
        let before =
            before.ok_or_else(|| CatalogOpError::NotFound(format!("Found no location with ID {id}")))?;
        let entity =
            registered_location_entity(spec, location_name(&before)).map_err(CatalogOpError::Input)?;
        let location = self.store.location_update(LOCATION_STORE, id, spec, entity, self.clock.now()).await?;
        self.wake.changed();
        self.wake.claim();
        self.wake.stitch_at_once();
        Ok(location)
    }

    /// Unregisters a location.
    pub async fn location_delete(&self, id: &str) -> Result<(), CatalogOpError> {
        self.check_location_store()?;
        self.store.location_delete(LOCATION_STORE, id, self.clock.now()).await?;
        self.wake.changed();
        self.wake.claim();
        self.wake.stitch_at_once();
        Ok(())
    }

    /// Whether a location was refused because its entity's name became another one's since it was looked up.
    async fn has_lost_name(
        &self,
        spec: &LocationSpec,
        on_conflict: LocationConflict,
    ) -> Result<bool, StoreError> {
        Ok(on_conflict == LocationConflict::Refresh || self.store.location_find(spec).await?.is_none())
    }

    fn check_location_store(&self) -> Result<(), CatalogOpError> {
        if self.has_location_store { Ok(()) } else { Err(CatalogOpError::NoLocationStore) }
    }

    fn check_type(&self, spec: &LocationSpec) -> Result<(), CatalogOpError> {
        let allowed = self.pipeline.allowed_location_types();
        if allowed.contains(&spec.kind) {
            return Ok(());
        }
        Err(CatalogOpError::Input(crate::location_step::not_allowed_message(allowed)))
    }
}
