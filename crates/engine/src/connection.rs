//! The way from a provider into the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use callboard_model::{Digest, Entity};
use callboard_sdk::{Clock, DeferredEntity, EntityProviderConnection, EntityProviderMutation, ProviderError};
use callboard_store::{Lane, MutationReport, NewEntity, ProviderMutation, Store, StoreError, error_chain};

use crate::Wake;
use crate::engine::Shared;
use crate::outage::Outage;

/// The connection of one provider.
#[derive(Debug)]
pub(crate) struct Connection {
    provider: String,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    wake: Wake,
    outage: Arc<Outage>,
    /// Whether an outage is ridden through: a provider that cannot be connected ends the process, which would not help.
    is_connecting: AtomicBool,
}

impl Connection {
    pub(crate) fn new(provider: &str, shared: &Shared) -> Self {
        Self {
            provider: provider.to_owned(),
            store: Arc::clone(&shared.store),
            clock: Arc::clone(&shared.clock),
            wake: shared.wake.clone(),
            outage: Arc::clone(&shared.outage),
            is_connecting: AtomicBool::new(true),
        }
    }

    /// From now on the provider hears of outages, and tries again at its own pace.
    pub(crate) fn connected(&self) {
        self.is_connecting.store(false, Ordering::Relaxed);
    }

    fn is_connecting(&self) -> bool {
        self.is_connecting.load(Ordering::Relaxed)
    }

    async fn mutate(&self, mutation: ProviderMutation, lane: Lane) -> Result<MutationReport, StoreError> {
        let Self { provider, store, clock, .. } = self;
        if self.is_connecting() {
            let mutate = || store.provider_mutate(provider, mutation.clone(), lane, clock.now());
            self.outage.ride_through("cannot take what a provider hands over", mutate).await
        } else {
            store.provider_mutate(provider, mutation, lane, clock.now()).await
        }
    }
}

#[async_trait]
impl EntityProviderConnection for Connection {
    async fn apply_mutation(&self, mutation: EntityProviderMutation) -> Result<(), ProviderError> {
        let (mutation, lane) = match mutation {
            EntityProviderMutation::Full { entities } => {
                (ProviderMutation::Full(new_entities(entities)?), Lane::New)
            }
            EntityProviderMutation::Delta { added, removed } => {
                let removed = removed.into_iter().map(|it| it.entity_ref.to_lowercase()).collect();
                (ProviderMutation::Delta { added: new_entities(added)?, removed }, Lane::Event)
            }
            other => {
                return Err(ProviderError::Failed(format!("this version cannot take {other:?}")));
            }
        };
        let report = self.mutate(mutation, lane).await.map_err(|error| unavailable(&error))?;
        for conflict in &report.conflicts {
            tracing::warn!(
                "Source {} detected conflicting entityRef {} already referenced by {} and now also {}",
                conflict.source,
                conflict.entity_ref,
                conflict.existing_key,
                conflict.new_key.as_deref().unwrap_or("undefined"),
            );
        }
        self.wake.claim();
        self.wake.changed();
        if report.needs_stitching {
            self.wake.stitch();
        }
        Ok(())
    }

    async fn refresh(&self, keys: &[String]) -> Result<(), ProviderError> {
        let refresh = || self.store.refresh_by_keys(keys, self.clock.now());
        let refreshed = if self.is_connecting() {
            self.outage.ride_through("cannot take what a provider wants refreshed", refresh).await
        } else {
            refresh().await
        };
        refreshed.map_err(|error| unavailable(&error))?;
        self.wake.claim();
        Ok(())
    }
}

fn unavailable(error: &StoreError) -> ProviderError {
    ProviderError::Unavailable(error_chain(error))
}

/// Of two entities of one ref the later one counts, in the place of the earlier one.
fn new_entities(entities: Vec<DeferredEntity>) -> Result<Vec<NewEntity>, ProviderError> {
    let mut rows: Vec<NewEntity> = Vec::with_capacity(entities.len());
    let mut indexes = HashMap::with_capacity(entities.len());
    for DeferredEntity { entity, location_key } in entities {
        let row = new_entity(&entity, location_key)?;
        if let Some(earlier) = indexes.get(&row.entity_ref).and_then(|index: &usize| rows.get_mut(*index)) {
            *earlier = row;
        } else {
            indexes.insert(Arc::clone(&row.entity_ref), rows.len());
            rows.push(row);
        }
    }
    Ok(rows)
}

fn new_entity(entity: &Entity, location_key: Option<String>) -> Result<NewEntity, ProviderError> {
    entity.check_envelope().map_err(|error| ProviderError::MalformedEntity(error.message))?;
    let json = serde_json::to_string(entity).map_err(|error| ProviderError::Failed(error.to_string()))?;
    Ok(NewEntity {
        entity_ref: entity.entity_ref().to_canonical().into(),
        digest: Digest::of(&json),
        json: json.into(),
        location_key: location_key.map(Arc::from),
        position: None,
        group: 0,
    })
}

#[cfg(test)]
mod tests;
