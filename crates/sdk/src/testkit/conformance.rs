//! The contract of a processor, as checks that any processor can be put through.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use callboard_model::{Entity, LocationSpec};
use futures::FutureExt;
use serde_json::json;

use super::{Run, TestKit};
use crate::{CatalogProcessor, Handled, ProcessorError};

/// How long a call may take before it counts as one that does not come back.
const PATIENCE: Duration = Duration::from_secs(30);

/// A rule that a processor broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("processor {processor}: {rule}: {detail}")]
pub struct Violation {
    /// The processor.
    pub processor: String,
    /// The rule.
    pub rule: &'static str,
    /// What was seen.
    pub detail: String,
}

/// Checks a processor that reads locations: `location` is one that it can read at the moment.
///
/// It must give the same output twice; give the same output from its cache as afresh; answer [`Handled::No`] and
/// emit nothing for types that are not its own; come back soon once it is cancelled; and survive odd targets.
pub async fn conformance(processor: impl CatalogProcessor, location: &LocationSpec) -> Result<(), Violation> {
    let check = Check { processor: Arc::new(processor) };
    check.name()?;
    let fresh = check.read(&mut check.kit(), location).await?;
    check.that(fresh.result == Ok(Handled::Yes) && fresh.is_ok(), "reads the given location", || {
        format!("{fresh:?}")
    })?;
    check.repeats(location, &fresh).await?;
    check.refuses_foreign(location).await?;
    check.stops_when_cancelled(location).await?;
    for target in ["", ":", "no-such-host.invalid", "http://[", "\u{0}", &"x".repeat(10_000)] {
        let odd = LocationSpec::new(&location.kind, target);
        check.read(&mut check.kit(), &odd).await?;
    }
    check.odd_entities().await
}

/// Checks a processor that changes, checks or annotates entities: it must give the same output twice for `entity`,
/// and survive entities of odd shape.
pub async fn entity_conformance(processor: impl CatalogProcessor, entity: &Entity) -> Result<(), Violation> {
    let check = Check { processor: Arc::new(processor) };
    check.name()?;
    let first = check.process(entity).await?;
    let second = check.process(entity).await?;
    check.that(first == second, "gives the same output for the same entity", || {
        format!("{first:?} {second:?}")
    })?;
    check.odd_entities().await
}

struct Check {
    processor: Arc<dyn CatalogProcessor>,
}

impl Check {
    fn kit(&self) -> TestKit {
        TestKit::shared(Arc::clone(&self.processor))
    }

    fn that(
        &self,
        holds: bool,
        rule: &'static str,
        detail: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        if holds { Ok(()) } else { Err(self.violation(rule, detail())) }
    }

    fn violation(&self, rule: &'static str, detail: String) -> Violation {
        Violation { processor: self.processor.name().to_owned(), rule, detail }
    }

    fn name(&self) -> Result<(), Violation> {
        let name = self.processor.name().to_owned();
        self.that(!name.is_empty(), "has a name", || "the name is empty".to_owned())?;
        self.that(name == self.processor.name(), "keeps its name", || self.processor.name().to_owned())
    }

    async fn guarded<T>(&self, call: impl Future<Output = T>) -> Result<T, Violation> {
        let guarded = tokio::time::timeout(PATIENCE, AssertUnwindSafe(call).catch_unwind());
        match guarded.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err(self.violation("does not panic", "a call panicked".to_owned())),
            Err(_) => Err(self.violation("comes back", format!("not within {PATIENCE:?}"))),
        }
    }

    async fn read(&self, kit: &mut TestKit, location: &LocationSpec) -> Result<Run<Handled>, Violation> {
        self.guarded(kit.read_location(location)).await
    }

    async fn repeats(&self, location: &LocationSpec, fresh: &Run<Handled>) -> Result<(), Violation> {
        let mut kit = self.kit();
        let again = self.read(&mut kit, location).await?;
        self.that(again == *fresh, "gives the same output twice", || format!("{fresh:?} then {again:?}"))?;
        let cached = self.read(&mut kit, location).await?;
        self.that(cached == *fresh, "gives the same output from its cache", || {
            format!("{fresh:?} then {cached:?}")
        })?;
        let third = self.read(&mut kit, location).await?;
        self.that(third == *fresh, "keeps its cache when it used it", || format!("{fresh:?} then {third:?}"))
    }

    async fn refuses_foreign(&self, location: &LocationSpec) -> Result<(), Violation> {
        let foreign = LocationSpec::new("callboard-conformance-unknown", &location.target);
        let run = self.read(&mut self.kit(), &foreign).await?;
        let holds = run.result == Ok(Handled::No) && run.emitted.is_empty();
        self.that(holds, "leaves foreign location types alone", || format!("{run:?}"))
    }

    async fn stops_when_cancelled(&self, location: &LocationSpec) -> Result<(), Violation> {
        let mut kit = self.kit();
        kit.cancel();
        self.read(&mut kit, location).await.map(drop)
    }

    async fn process(&self, entity: &Entity) -> Result<Vec<Run<Entity>>, Violation> {
        let mut kit = self.kit();
        let before = self.guarded(kit.pre_process(entity.clone())).await?;
        let validated: Result<_, ProcessorError> = self.guarded(kit.validate(entity)).await?;
        let after = self.guarded(kit.post_process(entity.clone())).await?;
        let validated = Run { result: validated.map(|_| entity.clone()), emitted: Vec::new() };
        Ok(vec![before, validated, after])
    }

    async fn odd_entities(&self) -> Result<(), Violation> {
        let odd = [
            json!({}),
            json!({"apiVersion": 1, "kind": [], "metadata": null, "spec": "x"}),
            json!({"apiVersion": "", "kind": "", "metadata": {"name": "", "annotations": []}}),
            json!({"kind": "Location", "metadata": {"name": "x", "annotations": {"a": 1}}, "spec": {"targets": {}}}),
        ];
        for value in odd {
            if let Ok(entity) = Entity::from_value(value) {
                self.process(&entity).await?;
            }
        }
        Ok(())
    }
}
