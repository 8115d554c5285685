//! One run of one entity through the processors. No store here, and no state but what goes in.
//!
//! Whatever happens, a run has an outcome: a panic, a call that does not come back and an error of any processor are
//! errors of this entity and of nothing else.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use callboard_model::{Entity, check_entity_schema, enforce_all};
use callboard_sdk::{
    CacheState, CancellationToken, CatalogProcessor, ContextParts, LocationSpec, ProcessorContext,
    ProcessorError, Progress, Recognized,
};
use callboard_store::{NewEntity, RelationKey};
use futures::FutureExt;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::collector::{Collector, Parent, RULE_EMITTED, parent_of, target_group};
use crate::{Pipeline, spans};

const RULE_PANIC: &str = "processor/panic";
const RULE_TIMEOUT: &str = "processor/timeout";

/// A call that always gets on, and never to its end, may take this many times what one in which nothing happens may.
pub(crate) const LIMITS_IN_ALL: u32 = 30;

/// Which processor is at work, and how it gets on, for those who wait for a run that does not come back.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunProgress(Arc<Steps>);

#[derive(Debug, Default)]
struct Steps {
    processor: AtomicUsize,
    calls: AtomicUsize,
    of_call: Arc<Progress>,
}

impl RunProgress {
    pub(crate) fn enter(&self, processor: usize) {
        self.0.processor.store(processor, Ordering::Relaxed);
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        self.0.of_call.step();
    }

    /// Index of the processor that was called last.
    pub(crate) fn processor(&self) -> usize {
        self.0.processor.load(Ordering::Relaxed)
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn of_call(&self) -> &Arc<Progress> {
        &self.0.of_call
    }
}

/// The stages at which processors change an entity.
#[derive(Debug, Clone, Copy)]
enum Stage {
    PreProcess,
    PostProcess,
}

/// What goes into a run.
#[derive(Debug)]
pub(crate) struct RunInput {
    pub(crate) entity: Entity,
    pub(crate) cache: CacheState,
    /// Whether the children of the last good run are known, so that a processor may say that they stand.
    pub(crate) may_keep: bool,
    pub(crate) cancellation: CancellationToken,
    pub(crate) progress: RunProgress,
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
pub(crate) struct RunState {
    pub(crate) collector: Collector,
    pub(crate) cache: CacheState,
    pub(crate) parent: Arc<Parent>,
    pub(crate) location: Arc<LocationSpec>,
    pub(crate) cancellation: CancellationToken,
    pub(crate) progress: RunProgress,
}

impl RunState {
    /// The state for reading one target while others are read; `None` if that is not possible.
    pub(crate) fn branch(&self, target: &str) -> Option<Self> {
        Some(Self {
            collector: self.collector.begin_branch()?,
            cache: self.cache.branch(target),
            parent: Arc::clone(&self.parent),
            location: Arc::clone(&self.location),
            cancellation: self.cancellation.clone(),
            progress: self.progress.clone(),
        })
    }

    /// Takes over what became of a branch.
    pub(crate) fn join(&mut self, branch: Self) -> Result<(), ProcessorError> {
        self.cache.join(branch.cache);
        self.collector.end_branch(branch.collector)
    }
}

impl Pipeline {
    pub(crate) async fn run(self: &Arc<Self>, input: RunInput) -> RunOutput {
        let is_pure = self.is_pure(&input.entity);
        let (parent, location) = match Self::identify(&input.entity) {
            Ok(identified) => identified,
            Err(error) => {
                return RunOutput { result: Err(vec![error]), is_pure };
            }
        };
        let parent = Arc::new(parent);
        let collector = Collector::new(Arc::clone(&parent), self.rules(), self.limits());
        // What blocks its thread must not get to any other.
        let is_contained = self.run_threads().is_some();
        let mut state = RunState {
            collector: if is_contained { collector.without_branches() } else { collector },
            cache: input.cache,
            parent,
            location: Arc::new(location),
            cancellation: input.cancellation,
            progress: input.progress,
        };
        let span = spans::run(&input.entity);
        let stages = self.stages(input.entity, &mut state).instrument(span).await;
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

    async fn stages(
        self: &Arc<Self>,
        entity: Entity,
        state: &mut RunState,
    ) -> Result<Entity, ProcessorError> {
        let within = spans::stage;
        let entity = self.change(Stage::PreProcess, entity, state).instrument(within("preProcess")).await?;
        let entity = within("enforcePolicy").in_scope(|| self.enforce_policies(entity, state))?;
        self.validate_kind(&entity, state).instrument(within("validate")).await?;
        if entity.kind() == "Location" {
            self.read_targets(&entity, state).instrument(within("readLocation")).await?;
        }
        self.change(Stage::PostProcess, entity, state).instrument(within("postProcessEntity")).await
    }

    /// Has each processor change the entity, one after the other.
    async fn change(
        &self,
        at: Stage,
        mut entity: Entity,
        state: &mut RunState,
    ) -> Result<Entity, ProcessorError> {
        for (index, ordered) in self.ordered().iter().enumerate() {
            let processor = ordered.processor.as_ref();
            let progress = state.progress.clone();
            progress.enter(index);
            let mut cx = self.context(processor, None, state);
            let (call, doing) = match at {
                Stage::PreProcess => (processor.pre_process_entity(entity, &mut cx), "while preprocessing"),
                Stage::PostProcess => {
                    (processor.post_process_entity(entity, &mut cx), "while postprocessing")
                }
            };
            let result = self.guarded(&progress, call).await;
            entity = result.map_err(|cause| threw(processor, doing, cause))?;
        }
        Ok(entity)
    }

    fn enforce_policies(&self, entity: Entity, state: &RunState) -> Result<Entity, ProcessorError> {
        let entity_ref = &state.parent.entity_ref;
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| enforce_all(self.policies(), entity)));
        let cause = match result {
            Ok(Ok(entity)) => return Ok(entity),
            Ok(Err(error)) => error.into(),
            Err(panic) => panicked("policy", panic.as_ref()),
        };
        Err(ProcessorError::caused_by("InputError", &format!("Policy check failed for {entity_ref}"), cause))
    }

    async fn validate_kind(&self, entity: &Entity, state: &mut RunState) -> Result<(), ProcessorError> {
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
            let result = self.guarded(&state.progress, processor.validate_entity_kind(entity)).await;
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

    fn conclude(
        &self,
        stages: Result<Entity, ProcessorError>,
        state: RunState,
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
        let cache = cache.collect(
            |name| self.ordered().iter().any(|it| it.processor.name() == name),
            |target| !collector.unkeepable_groups.contains(&target_group(target)),
        );
        Ok(Good {
            entity,
            is_all_kept: !kept_groups.is_empty()
                && read_groups.is_subset(&kept_groups)
                && children.iter().all(|child| child.group == 0),
            children,
            duplicates,
            kept_groups: kept_groups.into_iter().collect(),
            relations: relations.into_iter().collect(),
            refresh_keys: refresh_keys.into_iter().collect(),
            cache,
        })
    }

    pub(crate) fn context<'s>(
        &'s self,
        processor: &'s dyn CatalogProcessor,
        target: Option<&'s str>,
        state: &'s mut RunState,
    ) -> ProcessorContext<'s> {
        ProcessorContext::new(ContextParts {
            processor: processor.name(),
            target,
            location: &state.location,
            origin_location: &state.parent.origin,
            sink: &mut state.collector,
            cache: &mut state.cache,
            parser: self.parser(),
            parse_slots: self.parse_slots(),
            progress: state.progress.of_call(),
            cancellation: &state.cancellation,
            clock: self.clock(),
        })
    }

    /// Calls a processor so that nothing it does reaches further than this run.
    pub(crate) async fn guarded<T>(
        &self,
        progress: &RunProgress,
        call: impl Future<Output = Result<T, ProcessorError>>,
    ) -> Result<T, ProcessorError> {
        let limit = self.limits().processor_timeout;
        let call = patiently(limit, progress.of_call(), AssertUnwindSafe(call).catch_unwind());
        match tokio::time::timeout(limit.saturating_mul(LIMITS_IN_ALL), call).await {
            Ok(Some(Ok(result))) => result,
            Ok(Some(Err(panic))) => Err(panicked("processor", panic.as_ref())),
            Ok(None) => Err(timed_out(limit)),
            Err(_) => Err(took_too_long(limit)),
        }
    }
}

/// Waits for a call as long as it gets on; `None` once nothing happened in it for as long as `limit`.
async fn patiently<T>(limit: Duration, progress: &Progress, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut silence = pin!(tokio::time::sleep(limit));
    let mut steps = progress.steps();
    std::future::poll_fn(|cx| {
        if let Poll::Ready(result) = call.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        let before = std::mem::replace(&mut steps, progress.steps());
        if steps != before || progress.is_waiting() {
            silence.as_mut().reset(Instant::now() + limit);
        }
        silence.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// The error of a run that a processor ended.
pub(crate) fn threw(processor: &dyn CatalogProcessor, doing: &str, cause: ProcessorError) -> ProcessorError {
    let message = format!("Processor {} threw an error {doing}", processor.name());
    ProcessorError::caused_by("InputError", &message, cause)
}

/// The error of a processor in which nothing happened for as long as `limit`.
pub(crate) fn timed_out(limit: Duration) -> ProcessorError {
    let message = format!(
        "nothing came of the processor for {} s (callboard.limits.processorTimeout)",
        limit.as_secs()
    );
    ProcessorError::general(message).with_rule(RULE_TIMEOUT)
}

/// The error of a processor that got on, but not to its end.
pub(crate) fn took_too_long(limit: Duration) -> ProcessorError {
    let message = format!(
        "the processor did not come back within {} s ({LIMITS_IN_ALL} times callboard.limits.processorTimeout)",
        limit.saturating_mul(LIMITS_IN_ALL).as_secs()
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
