//! Running entities in memory, without storing anything.

use std::collections::HashSet;
use std::sync::Arc;

use callboard_model::annotations::{MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION};
use callboard_model::{Entity, SerializedError, location_entity};
use callboard_sdk::{Address, CacheState, CancellationToken, LocationSpec, ProcessorError};
use callboard_store::NewEntity;

use crate::Pipeline;
use crate::run::{Good, RunInput, RunProgress};

/// Entities that a dry run may bring in: what a person can look at, and far below what memory holds.
const DRY_RUN_ENTITIES_MAX: usize = 10_000;

/// Bytes of JSON that a dry run may bring in, and that may come of it.
const DRY_RUN_BYTES_MAX: usize = 64 << 20;

/// Stable id of the rule that an entity breaks which comes in twice.
const RULE_DUPLICATE: &str = "conflict/duplicate";

/// Dry runs under way at once, each of which holds what the limits above allow; further ones wait.
pub(crate) const PARALLEL_WALKS_MAX: usize = 8;

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

impl DryRunItem {
    /// Of an entity that one run describes again.
    fn of_duplicate((entity_ref, warning): &(Arc<str>, ProcessorError)) -> Self {
        let Address { location, document, line, .. } = &*warning.address;
        Self {
            entity_ref: entity_ref.to_string(),
            location: location.clone(),
            position: document.zip(*line),
            result: Err(vec![duplicate(entity_ref, Address::clone(&warning.address))]),
        }
    }
}

impl Pipeline {
    /// Processes a location and everything below it. The message of the first failure is the `Err`.
    pub async fn dry_run(self: &Arc<Self>, spec: &LocationSpec) -> Result<Vec<Entity>, String> {
        let location_ref = spec.location_ref().map_err(|error| error.message)?.to_string();
        let entity = location_entity(spec, &location_ref, &location_ref);
        let mut entities = Vec::new();
        let mut bytes = 0;
        let mut failure = None;
        self.walk(vec![DryRunEntity { entity, position: None }], |item| {
            match item.result {
                Ok(entity) => {
                    // Placeholders make large entities of small ones.
                    bytes += serde_json::to_vec(&entity).map_or(0, |json| json.len());
                    entities.push(entity);
                    failure = check_size(entities.len(), bytes).err().map(|error| error.message);
                }
                Err(errors) => failure = Some(told(&errors)),
            }
            failure.is_none()
        })
        .await
        .map_err(|error| error.message)?;
        failure.map_or(Ok(entities), Err)
    }

    /// Processes entities and everything below them, depth first, and shows each to `visit` until it answers `false`.
    /// One that comes in a second time is shown as an error, and what is below it is not walked again. An `Err` says why
    /// the walk cannot go on.
    pub async fn walk(
        self: &Arc<Self>,
        entities: Vec<DryRunEntity>,
        mut visit: impl FnMut(DryRunItem) -> bool + Send,
    ) -> Result<(), ProcessorError> {
        // Nobody closes the semaphore, so this does not fail.
        let _slot = self.walk_slots().acquire().await.ok();
        let mut seen = HashSet::new();
        let mut bytes = 0;
        let mut stack: Vec<_> = entities.into_iter().rev().map(Next::Root).collect();
        while let Some(next) = stack.pop() {
            let Step { entity_ref, location, position, entity } = next.step();
            let result = match entity {
                Ok(entity) => self.run_once(entity).await,
                Err(error) => Err(vec![error]),
            };
            let mut items = Vec::new();
            let result = match result {
                Ok(_) if !seen.insert(entity_ref.clone()) => {
                    let (document, line) = position.unzip();
                    let address =
                        Address { location: location.clone(), document, line, ..Address::default() };
                    Err(vec![duplicate(&entity_ref, address)])
                }
                Ok(good) => {
                    bytes += good.children.iter().map(|child| child.json.len()).sum::<usize>();
                    stack.extend(good.children.into_iter().map(Next::Child));
                    items.extend(good.duplicates.iter().map(DryRunItem::of_duplicate));
                    Ok(good.entity)
                }
                Err(errors) => Err(errors),
            };
            check_size(seen.len() + stack.len(), bytes)?;
            items.push(DryRunItem { entity_ref, location, position, result });
            if !items.into_iter().all(&mut visit) {
                break;
            }
        }
        Ok(())
    }

    /// Runs one entity as if it had been read from `location`; no errors means valid.
    pub async fn validate(
        self: &Arc<Self>,
        mut entity: Entity,
        location: &LocationSpec,
    ) -> Vec<SerializedError> {
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

    async fn run_once(self: &Arc<Self>, entity: Entity) -> Result<Good, Vec<ProcessorError>> {
        let cancellation = CancellationToken::new();
        // Whoever asked may have gone by then, and a run on a thread of its own hears of that in no other way.
        let _on_drop = cancellation.clone().drop_guard();
        let input = RunInput {
            entity,
            cache: CacheState::default(),
            may_keep: false,
            cancellation,
            progress: RunProgress::default(),
        };
        self.run_contained(input).await.result
    }
}

/// What a walk has before it. Children stay the text that they are, which is smaller than an entity, until it is their
/// turn.
enum Next {
    Root(DryRunEntity),
    Child(NewEntity),
}

struct Step {
    entity_ref: String,
    location: Option<String>,
    position: Option<(u32, u32)>,
    entity: Result<Entity, ProcessorError>,
}

impl Next {
    fn step(self) -> Step {
        let (entity_ref, position, entity) = match self {
            Self::Root(DryRunEntity { entity, position }) => {
                (entity.entity_ref().to_canonical(), position, Ok(entity))
            }
            Self::Child(child) => {
                let entity = serde_json::from_str::<Entity>(&child.json).map_err(ProcessorError::from);
                (child.entity_ref.to_string(), child.position, entity)
            }
        };
        let location =
            entity.as_ref().ok().and_then(|it| it.annotation(MANAGED_BY_LOCATION)).map(str::to_owned);
        Step { entity_ref, location, position, entity }
    }
}

pub(crate) fn check_size(entities: usize, bytes: usize) -> Result<(), ProcessorError> {
    let limit = if entities > DRY_RUN_ENTITIES_MAX {
        format!("{DRY_RUN_ENTITIES_MAX} entities")
    } else if bytes > DRY_RUN_BYTES_MAX {
        format!("{DRY_RUN_BYTES_MAX} bytes of entities")
    } else {
        return Ok(());
    };
    Err(ProcessorError::general(format!("the location brings in more than {limit}")))
}

fn duplicate(entity_ref: &str, address: Address) -> ProcessorError {
    let message = format!("Duplicate nested entity: {entity_ref}");
    ProcessorError::general(message).at(address).with_rule(RULE_DUPLICATE)
}

/// A duplicate stands without the name of its class.
fn told(errors: &[ProcessorError]) -> String {
    match errors {
        [error] if error.rule.as_deref() == Some(RULE_DUPLICATE) => error.message.clone(),
        errors => joined(errors),
    }
}

fn joined(errors: &[ProcessorError]) -> String {
    let texts: Vec<_> = errors.iter().map(|error| format!("{}: {}", error.name, error.message)).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests;
