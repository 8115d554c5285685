//! Running entities in memory, without storing anything.

use std::collections::HashSet;

use callboard_model::annotations::{MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION};
use callboard_model::{Entity, SerializedError, location_entity};
use callboard_sdk::{CacheState, CancellationToken, LocationSpec, ProcessorError};

use crate::Pipeline;
use crate::run::{Good, Progress, RunInput};

/// Entities that a dry run may bring in: what a person can look at, and far below what memory holds.
const DRY_RUN_ENTITIES_MAX: usize = 10_000;

/// What a dry run met, entity by entity.
#[derive(Debug, Clone)]
pub struct DryRunItem {
    /// Canonical ref of the entity.
    pub entity_ref: String,
    /// The processed entity, or why there is none.
    pub result: Result<Entity, Vec<ProcessorError>>,
}

impl Pipeline {
    /// Processes a location and everything below it. The message of the first failure is the `Err`.
    pub async fn dry_run(&self, spec: &LocationSpec) -> Result<Vec<Entity>, String> {
        let mut entities = Vec::new();
        let mut failure = None;
        self.walk(spec, |item| {
            match item.result {
                Ok(entity) => entities.push(entity),
                Err(errors) => failure = Some(joined(&errors)),
            }
            failure.is_none()
        })
        .await?;
        failure.map_or(Ok(entities), Err)
    }

    /// Processes a location and everything below it, depth first, and shows each entity to `visit` until it answers
    /// `false`. An `Err` says why the walk cannot go on.
    pub async fn walk(
        &self,
        spec: &LocationSpec,
        mut visit: impl FnMut(DryRunItem) -> bool + Send,
    ) -> Result<(), String> {
        let location_ref = spec.location_ref().map_err(|error| error.message)?.to_string();
        let mut stack = vec![location_entity(spec, &location_ref, &location_ref)];
        let mut seen = HashSet::new();
        while let Some(entity) = stack.pop() {
            let entity_ref = entity.entity_ref().to_canonical();
            let result = self.run_once(entity).await;
            if result.is_ok() && !seen.insert(entity_ref.clone()) {
                return Err(format!("Duplicate nested entity: {entity_ref}"));
            }
            if seen.len() > DRY_RUN_ENTITIES_MAX {
                return Err(format!(
                    "the location brings in more than {DRY_RUN_ENTITIES_MAX} entities"
                ));
            }
            let result = result.map(|good| {
                stack.extend(
                    good.children
                        .iter()
                        .filter_map(|child| serde_json::from_str(&child.json).ok()),
                );
                good.entity
            });
            if !visit(DryRunItem { entity_ref, result }) {
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
            if entity.annotation(annotation).is_none() {
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

fn joined(errors: &[ProcessorError]) -> String {
    let texts: Vec<_> = errors
        .iter()
        .map(|error| format!("{}: {}", error.name, error.message))
        .collect();
    texts.join(", ")
}
