//! One run of one entity through the processors. No store here, and no state but what goes in.
//!
//! Whatever happens, a run has an outcome: a panic, a call that does not come back and an error of any processor are
//! errors of this entity and of nothing else.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard_model::{Entity, check_entity_schema, enforce_all};
use callboard_sdk::{
    CacheState, CancellationToken, CatalogProcessor, ContextParts, LocationSpec, ProcessorContext,
    ProcessorError, Recognized,
};
use callboard_store::{NewEntity, RelationKey};
use futures::FutureExt;
use serde_json::{Map, Value};

use crate::Pipeline;
use crate::collector::{Collector, Parent, RULE_EMITTED, parent_of};
use crate::location_step::forget_targets;

const RULE_PANIC: &str = "processor/panic";
const RULE_TIMEOUT: &str = "processor/timeout";

/// Which processor is at work, for those who wait for a run that does not come back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<Steps>);

#[derive(Debug, Default)]
struct Steps {
    processor: AtomicUsize,
    count: AtomicUsize,
}

impl Progress {
    pub(crate) fn enter(&self, processor: usize) {
        self.0.processor.store(processor, Ordering::Relaxed);
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Index of the processor that was called last.
    pub(crate) fn processor(&self) -> usize {
        self.0.processor.load(Ordering::Relaxed)
    }

    /// How many calls there were.
    pub(crate) fn steps(&self) -> usize {
        self.0.count.load(Ordering::Relaxed)
    }
}

/// What goes into a run.
#[derive(Debug)]
pub(crate) struct RunInput {
    pub(crate) entity: Entity,
    pub(crate) cache: CacheState,
    /// Whether the children of the last good run are known, so that a processor may say that they stand.
    pub(crate) may_keep: bool,
    pub(crate) cancellation: CancellationToken,
    pub(crate) progress: Progress,
}

/// What a good run gave.
#[derive(Debug)]
pub(crate) struct Good {
    pub(crate) entity: Entity,
    pub(crate) children: Vec<NewEntity>,
    /// Refs that were emitted more than once, each with what to say about it.
    pub(crate) duplicates: Vec<(Arc<str>, ProcessorError)>,
    pub(crate) kept_groups: Vec<i64>,
    /// Whether everything that was read from targets is in `kept_groups`.
    pub(crate) is_all_kept: bool,
    pub(crate) relations: Vec<RelationKey>,
    pub(crate) refresh_keys: Vec<String>,
    pub(crate) cache: Map<String, Value>,
}

/// How a run ended: well, or with at least one error.
#[derive(Debug)]
pub(crate) struct RunOutput {
    pub(crate) result: Result<Good, Vec<ProcessorError>>,
    /// Whether the same input gives the same output again.
    pub(crate) is_pure: bool,
}

/// What the stages of a run share.
#[derive(Debug)]
pub(crate) struct RunState<'a> {
    pub(crate) collector: Collector<'a>,
    pub(crate) cache: CacheState,
    pub(crate) parent: &'a Parent,
    pub(crate) location: &'a LocationSpec,
    pub(crate) cancellation: &'a CancellationToken,
    pub(crate) progress: &'a Progress,
}

impl Pipeline {
    pub(crate) async fn run(&self, input: RunInput) -> RunOutput {
        let is_pure = self.is_pure(&input.entity);
        let (parent, location) = match Self::identify(&input.entity) {
            Ok(identified) => identified,
            Err(error) => {
                return RunOutput { result: Err(vec![error]), is_pure };
            }
        };
        let rules = self.rules();
        let mut state = RunState {
            collector: Collector::new(&parent, rules.as_ref(), self.limits()),
            cache: input.cache,
            parent: &parent,
            location: &location,
            cancellation: &input.cancellation,
            progress: &input.progress,
        };
        let stages = self.stages(input.entity, &mut state).await;
        let result = self.conclude(stages, state, input.may_keep);
        let was_cut_short = result.as_ref().is_err_and(|errors| errors.iter().any(is_cut_short));
        RunOutput { result, is_pure: is_pure && !was_cut_short }
    }

    /// Locations are read again and again. A processor that panics over the question is asked again, too.
    fn is_pure(&self, entity: &Entity) -> bool {
        let says_so = |processor: &dyn CatalogProcessor| {
            std::panic::catch_unwind(AssertUnwindSafe(|| processor.is_pure(entity))).unwrap_or(false)
        };
        entity.kind() != "Location"
            && self.ordered().iter().all(|ordered| says_so(ordered.processor.as_ref()))
    }

    fn identify(entity: &Entity) -> Result<(Parent, LocationSpec), ProcessorError> {
        entity.check_envelope().map_err(|error| {
            let message = "Entity envelope failed validation before processing";
            ProcessorError::caused_by("InputError", message, error.into())
        })?;
        parent_of(entity, &entity.entity_ref().to_canonical())
    }

    async fn stages(&self, entity: Entity, state: &mut RunState<'_>) -> Result<Entity, ProcessorError> {
        let entity = self.pre_process(entity, state).await?;
        let entity = self.enforce_policies(entity, state)?;
        self.validate_kind(&entity, state).await?;
        if entity.kind() == "Location" {
            self.read_targets(&entity, state).await?;
        }
        self.post_process(entity, state).await
    }

    async fn pre_process(
        &self,
        mut entity: Entity,
        state: &mut RunState<'_>,
    ) -> Result<Entity, ProcessorError> {
        for (index, ordered) in self.ordered().iter().enumerate() {
            let processor = ordered.processor.as_ref();
            state.progress.enter(index);
            let mut cx = self.context(processor, None, state);
            let result = self.guarded(processor.pre_process_entity(entity, &mut cx)).await;
            entity = result.map_err(|cause| threw(processor, "while preprocessing", cause))?;
        }
        Ok(entity)
    }

    fn enforce_policies(&self, entity: Entity, state: &RunState<'_>) -> Result<Entity, ProcessorError> {
        let entity_ref = &state.parent.entity_ref;
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| enforce_all(self.policies(), entity)));
        let cause = match result {
            Ok(Ok(entity)) => return Ok(entity),
            Ok(Err(error)) => error.into(),
            Err(panic) => panicked("policy", panic.as_ref()),
        };
        Err(ProcessorError::caused_by("InputError", &format!("Policy check failed for {entity_ref}"), cause))
    }

    async fn validate_kind(&self, entity: &Entity, state: &mut RunState<'_>) -> Result<(), ProcessorError> {
        let entity_ref = &state.parent.entity_ref;
        if entity.entity_ref().to_canonical() != *entity_ref {
            let message = "Fatal: The entity kind, namespace, or name changed during processing";
            return Err(ProcessorError::new("ConflictError", message).with_rule("entity-ref/changed"));
        }
        check_entity_schema(entity).map_err(|error| {
            let message = format!("Entity envelope for {entity_ref} failed validation after preprocessing");
            ProcessorError::caused_by("ConflictError", &message, error.into())
        })?;
        let mut is_recognized = false;
        for (index, ordered) in self.ordered().iter().enumerate() {
            let processor = ordered.processor.as_ref();
            state.progress.enter(index);
            let result = self.guarded(processor.validate_entity_kind(entity)).await;
            let doing = format!("while validating the entity {entity_ref}");
            is_recognized |= result.map_err(|cause| threw(processor, &doing, cause))? == Recognized::Yes;
        }
        if is_recognized {
            return Ok(());
        }
        let message = format!(
            "No processor recognized the entity {entity_ref} as valid, possibly caused by a foreign kind or apiVersion"
        );
        Err(ProcessorError::input(message).with_rule("kind/recognized"))
    }

    async fn post_process(
        &self,
        mut entity: Entity,
        state: &mut RunState<'_>,
    ) -> Result<Entity, ProcessorError> {
        for (index, ordered) in self.ordered().iter().enumerate() {
            let processor = ordered.processor.as_ref();
            state.progress.enter(index);
            let mut cx = self.context(processor, None, state);
            let result = self.guarded(processor.post_process_entity(entity, &mut cx)).await;
            entity = result.map_err(|cause| threw(processor, "while postprocessing", cause))?;
        }
        Ok(entity)
    }

    fn conclude(
        &self,
        stages: Result<Entity, ProcessorError>,
        state: RunState<'_>,
        may_keep: bool,
    ) -> Result<Good, Vec<ProcessorError>> {
        let RunState { collector, cache, .. } = state;
        let Collector {
            children,
            duplicates,
            relations,
            refresh_keys,
            mut errors,
            errors_dropped,
            kept_groups,
            read_groups,
            ..
        } = collector;
        if errors_dropped > 0 {
            let message = format!("{errors_dropped} more errors are not shown (callboard.limits.errors)");
            errors.push(ProcessorError::general(message).with_rule("limit/errors"));
        }
        if !kept_groups.is_empty() && !may_keep {
            let message = "a processor said that a target is unchanged, but nothing is known of the target";
            errors.push(ProcessorError::general(message).with_rule("processor/unchanged"));
        }
        let entity = match (stages, collector.refused) {
            (Ok(entity), None) if errors.is_empty() => entity,
            (Ok(_), refused) => {
                errors.extend(refused);
                return Err(errors);
            }
            (Err(error), _) => {
                errors.push(error);
                return Err(errors);
            }
        };
        let mut cache = cache.collect(|name| self.ordered().iter().any(|it| it.processor.name() == name));
        forget_targets(&mut cache, &collector.unkeepable_groups);
        Ok(Good {
            entity,
            is_all_kept: !kept_groups.is_empty()
                && read_groups.iter().all(|group| kept_groups.contains(group))
                && children.iter().all(|child| child.group == 0),
            children,
            duplicates,
            kept_groups,
            relations: relations.into_iter().collect(),
            refresh_keys: refresh_keys.into_iter().collect(),
            cache,
        })
    }

    pub(crate) fn context<'s>(
        &'s self,
        processor: &'s dyn CatalogProcessor,
        target: Option<&'s str>,
        state: &'s mut RunState<'_>,
    ) -> ProcessorContext<'s> {
        ProcessorContext::new(ContextParts {
            processor: processor.name(),
            target,
            location: state.location,
            origin_location: &state.parent.origin,
            sink: &mut state.collector,
            cache: &mut state.cache,
            parser: self.parser(),
            parse_slots: self.parse_slots(),
            cancellation: state.cancellation,
            clock: self.clock(),
        })
    }

    /// Calls a processor so that nothing it does reaches further than this run.
    pub(crate) async fn guarded<T>(
        &self,
        call: impl Future<Output = Result<T, ProcessorError>>,
    ) -> Result<T, ProcessorError> {
        let limit = self.limits().processor_timeout;
        match tokio::time::timeout(limit, AssertUnwindSafe(call).catch_unwind()).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(panicked("processor", panic.as_ref())),
            Err(_) => Err(timed_out(limit)),
        }
    }
}

/// The error of a run that a processor ended.
pub(crate) fn threw(processor: &dyn CatalogProcessor, doing: &str, cause: ProcessorError) -> ProcessorError {
    let message = format!("Processor {} threw an error {doing}", processor.name());
    ProcessorError::caused_by("InputError", &message, cause)
}

/// The error of a processor that did not come back in time.
pub(crate) fn timed_out(limit: Duration) -> ProcessorError {
    let message = format!(
        "the processor did not come back within {} s (callboard.limits.processorTimeout)",
        limit.as_secs()
    );
    ProcessorError::general(message).with_rule(RULE_TIMEOUT)
}

/// The error of a plugin that panicked; `plugin` says what it is.
pub(crate) fn panicked(plugin: &str, panic: &(dyn Any + Send)) -> ProcessorError {
    let message = format!("the {plugin} panicked: {}", panic_text(panic));
    ProcessorError::general(message).with_rule(RULE_PANIC)
}

/// Whether the error says nothing about the input, so that the same input may do better the next time, or under
/// other limits.
fn is_cut_short(error: &ProcessorError) -> bool {
    matches!(error.rule.as_deref(), Some(RULE_PANIC | RULE_TIMEOUT | RULE_EMITTED))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests;
