//! Running entities in memory, without storing anything.

use std::collections::HashSet;

use callboard_model::annotations::{MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION};
use callboard_model::{Entity, SerializedError, location_entity};
use callboard_sdk::{CacheState, CancellationToken, LocationSpec, ProcessorError};
use callboard_store::NewEntity;

use crate::Pipeline;
use crate::run::{Good, Progress, RunInput};

/// Entities that a dry run may bring in: what a person can look at, and far below what memory holds.
const DRY_RUN_ENTITIES_MAX: usize = 10_000;

/// An entity to be run in memory.
#[derive(Debug, Clone)]
pub struct DryRunEntity {
    /// The entity, with its location annotations.
    pub entity: Entity,
    /// Index of the document in its file and the line on which it starts, if it came from a file.
    pub position: Option<(u32, u32)>,
}

/// What a dry run met, entity by entity.
#[derive(Debug, Clone)]
pub struct DryRunItem {
    /// Canonical ref of the entity.
    pub entity_ref: String,
    /// Where it was read from, as `type:target`.
    pub location: Option<String>,
    /// Index of the document in its file and the line on which it starts, if it came from a file.
    pub position: Option<(u32, u32)>,
    /// The processed entity, or why there is none.
    pub result: Result<Entity, Vec<ProcessorError>>,
}

impl Pipeline {
    /// Processes a location and everything below it. The message of the first failure is the `Err`.
    pub async fn dry_run(&self, spec: &LocationSpec) -> Result<Vec<Entity>, String> {
        let location_ref = spec.location_ref().map_err(|error| error.message)?.to_string();
        let entity = location_entity(spec, &location_ref, &location_ref);
        let mut entities = Vec::new();
        let mut failure = None;
        self.walk(vec![DryRunEntity { entity, position: None }], |item| {
            match item.result {
                Ok(entity) => entities.push(entity),
                Err(errors) => failure = Some(joined(&errors)),
            }
            failure.is_none()
        })
        .await?;
        failure.map_or(Ok(entities), Err)
    }

    /// Processes entities and everything below them, depth first, and shows each to `visit` until it answers `false`.
    /// An `Err` says why the walk cannot go on.
    pub async fn walk(
        &self,
        mut stack: Vec<DryRunEntity>,
        mut visit: impl FnMut(DryRunItem) -> bool + Send,
    ) -> Result<(), String> {
        let mut seen = HashSet::new();
        stack.reverse();
        while let Some(DryRunEntity { entity, position }) = stack.pop() {
            let entity_ref = entity.entity_ref().to_canonical();
            let location = entity.annotation(MANAGED_BY_LOCATION).map(str::to_owned);
            let result = self.run_once(entity).await;
            if result.is_ok() && !seen.insert(entity_ref.clone()) {
                return Err(format!("Duplicate nested entity: {entity_ref}"));
            }
            if seen.len() > DRY_RUN_ENTITIES_MAX {
                return Err(format!("the location brings in more than {DRY_RUN_ENTITIES_MAX} entities"));
            }
            if let Some((duplicate, _)) = result.as_ref().ok().and_then(|good| good.duplicates.first()) {
                return Err(format!("Duplicate nested entity: {duplicate}"));
            }
            let result = result.map(|good| {
                stack.extend(good.children.iter().filter_map(child));
                good.entity
            });
            if !visit(DryRunItem { entity_ref, location, position, result }) {
                break;
            }
        }
        Ok(())
    }

    /// Runs one entity as if it had been read from `location`; no errors means valid.
    pub async fn validate(&self, mut entity: Entity, location: &LocationSpec) -> Vec<SerializedError> {
        if let Err(error) = entity.check_envelope() {
            return vec![error.into()];
        }
        let location_ref = match location.location_ref() {
            Ok(location_ref) => location_ref.to_string(),
            Err(error) => return vec![error.into()],
        };
        for annotation in [MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION] {
            // An entity that claims to be from another kind of location might be let nearer to this machine.
            let is_kept = entity.annotation(annotation).is_some_and(|text| {
                text.split_once(':').is_some_and(|(kind, _)| kind.trim() == location.kind)
            });
            if !is_kept {
                entity.set_annotation(annotation, &location_ref);
            }
        }
        match self.run_once(entity).await {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(ProcessorError::to_serialized).collect(),
        }
    }

    async fn run_once(&self, entity: Entity) -> Result<Good, Vec<ProcessorError>> {
        let input = RunInput {
            entity,
            cache: CacheState::default(),
            may_keep: false,
            cancellation: CancellationToken::new(),
            progress: Progress::default(),
        };
        self.run(input).await.result
    }
}

fn child(child: &NewEntity) -> Option<DryRunEntity> {
    Some(DryRunEntity { entity: serde_json::from_str(&child.json).ok()?, position: child.position })
}

fn joined(errors: &[ProcessorError]) -> String {
    let texts: Vec<_> = errors.iter().map(|error| format!("{}: {}", error.name, error.message)).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests;
