//! Runs a processor in memory, without a daemon, and checks that it keeps the contract.
//!
//! ```
//! # use callboard_sdk::{CatalogProcessor, LocationSpec};
//! # use callboard_sdk::testkit::{FakeReader, TestKit, conformance};
//! # async fn example<P: CatalogProcessor>(processor: impl Fn(FakeReader) -> P) {
//! let reader = FakeReader::default();
//! reader.put("https://example.com/api", "{\"kind\": \"Component\"}", Some("\"v1\""));
//! let location = LocationSpec::new("my-system", "https://example.com/api");
//!
//! let mut kit = TestKit::new(processor(reader.clone()));
//! let run = kit.read_location(&location).await;
//! assert_eq!(run.entities().len(), 1);
//!
//! conformance(processor(reader), &location).await.unwrap();
//! # }
//! ```

mod conformance;
mod fake_clock;
mod fake_reader;

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_model::{Entity, LocationRef, LocationSpec, Presence, Relation, annotations};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::conformance::{Violation, conformance, entity_conformance};
pub use self::fake_clock::FakeClock;
pub use self::fake_reader::{FakeReader, Request};
use crate::{
    CacheState, CatalogProcessor, ContextParts, Emit, EmitSink, EntityDataParser, Handled, ProcessorContext,
    ProcessorError, Progress, Recognized, YamlParser,
};

/// What a call gave back, and what it emitted on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Run<T> {
    /// What the call gave back.
    pub result: Result<T, ProcessorError>,
    /// What it emitted, in order.
    pub emitted: Vec<Emit>,
}

impl<T> Run<T> {
    /// The entities among what was emitted.
    pub fn entities(&self) -> Vec<&Entity> {
        self.emitted
            .iter()
            .filter_map(|item| if let Emit::Entity { entity, .. } = item { Some(entity) } else { None })
            .collect()
    }

    /// The errors among what was emitted.
    pub fn errors(&self) -> Vec<&ProcessorError> {
        self.emitted
            .iter()
            .filter_map(|item| if let Emit::Error { error, .. } = item { Some(error) } else { None })
            .collect()
    }

    /// The relations among what was emitted.
    pub fn relations(&self) -> Vec<&Relation> {
        self.emitted
            .iter()
            .filter_map(|item| if let Emit::Relation(relation) = item { Some(relation) } else { None })
            .collect()
    }

    /// The refresh keys among what was emitted.
    pub fn refresh_keys(&self) -> Vec<&str> {
        self.emitted
            .iter()
            .filter_map(|item| if let Emit::Refresh { key } = item { Some(key.as_str()) } else { None })
            .collect()
    }

    /// Whether the daemon would count this run as a good one.
    pub fn is_ok(&self) -> bool {
        self.result.is_ok() && self.errors().is_empty()
    }
}

#[derive(Debug, Default)]
struct Recorder(Vec<Emit>);

impl EmitSink for Recorder {
    fn emit(&mut self, item: Emit) -> Result<(), ProcessorError> {
        self.0.push(item);
        Ok(())
    }
}

/// A host for one processor, which remembers caches from run to run as the daemon does.
#[derive(Debug)]
pub struct TestKit {
    processor: Arc<dyn CatalogProcessor>,
    parser: Arc<dyn EntityDataParser>,
    clock: FakeClock,
    cancellation: CancellationToken,
    cache: Value,
    emitted_before: BTreeMap<String, Vec<Emit>>,
}

impl TestKit {
    /// A host with an empty memory.
    pub fn new(processor: impl CatalogProcessor) -> Self {
        Self::shared(Arc::new(processor))
    }

    /// A host for a shared processor.
    pub fn shared(processor: Arc<dyn CatalogProcessor>) -> Self {
        Self {
            processor,
            parser: Arc::new(YamlParser::default()),
            clock: FakeClock::default(),
            cancellation: CancellationToken::new(),
            cache: Value::Null,
            emitted_before: BTreeMap::new(),
        }
    }

    /// The clock, to move it.
    pub fn clock(&self) -> &FakeClock {
        &self.clock
    }

    /// Ends the runs that come.
    pub fn cancel(&self) {
        self.cancellation.cancel();
    }

    /// What the processor remembers.
    pub fn cache(&self) -> &Value {
        &self.cache
    }

    /// Makes the processor remember something.
    pub fn set_cache(&mut self, cache: Value) {
        self.cache = cache;
    }

    /// Reads a location. [`Emit::Unchanged`] is replaced by what the last good run of this target emitted.
    pub async fn read_location(&mut self, location: &LocationSpec) -> Run<Handled> {
        let processor = Arc::clone(&self.processor);
        let presence = location.presence.unwrap_or(Presence::Required);
        let mut host = Host::new(self, location.clone(), location.clone());
        let mut cx = host.context(processor.name(), Some(&location.target));
        let result = processor.read_location(location, presence, &mut cx).await;
        let (emitted, cache) = host.finish();
        let target = format!("{}:{}", location.kind, location.target);
        let run = Run { result, emitted: self.expand(&target, emitted) };
        if run.is_ok() {
            self.cache = cache;
            self.emitted_before.insert(target, run.emitted.clone());
        }
        run
    }

    /// Runs the step before validation.
    pub async fn pre_process(&mut self, entity: Entity) -> Run<Entity> {
        let processor = Arc::clone(&self.processor);
        let (location, origin) = locations_of(&entity);
        let mut host = Host::new(self, location, origin);
        let mut cx = host.context(processor.name(), None);
        let result = processor.pre_process_entity(entity, &mut cx).await;
        let (emitted, cache) = host.finish();
        self.remember(Run { result, emitted }, cache)
    }

    /// Asks whether the processor knows the entity's kind.
    pub async fn validate(&self, entity: &Entity) -> Result<Recognized, ProcessorError> {
        self.processor.validate_entity_kind(entity).await
    }

    /// Runs the step after validation.
    pub async fn post_process(&mut self, entity: Entity) -> Run<Entity> {
        let processor = Arc::clone(&self.processor);
        let (location, origin) = locations_of(&entity);
        let mut host = Host::new(self, location, origin);
        let mut cx = host.context(processor.name(), None);
        let result = processor.post_process_entity(entity, &mut cx).await;
        let (emitted, cache) = host.finish();
        self.remember(Run { result, emitted }, cache)
    }

    fn remember<T>(&mut self, run: Run<T>, cache: Value) -> Run<T> {
        if run.is_ok() {
            self.cache = cache;
        }
        run
    }

    fn expand(&self, target: &str, emitted: Vec<Emit>) -> Vec<Emit> {
        let before = self.emitted_before.get(target).map(Vec::as_slice).unwrap_or_default();
        let mut expanded = Vec::with_capacity(emitted.len());
        for item in emitted {
            match item {
                Emit::Unchanged => {
                    expanded.extend(before.iter().filter(|item| stands_for_children(item)).cloned());
                }
                other => expanded.push(other),
            }
        }
        expanded
    }
}

fn stands_for_children(item: &Emit) -> bool {
    matches!(item, Emit::Entity { .. } | Emit::Location(_))
}

fn locations_of(entity: &Entity) -> (LocationSpec, LocationSpec) {
    let parse = |annotation| {
        entity.annotation(annotation).and_then(|text| LocationRef::parse(text).ok()).map_or_else(
            || LocationSpec::new("url", "https://example.com/catalog-info.yaml"),
            |it| LocationSpec::new(it.type_, it.target),
        )
    };
    (parse(annotations::MANAGED_BY_LOCATION), parse(annotations::MANAGED_BY_ORIGIN_LOCATION))
}

/// What a context borrows during one call.
struct Host {
    location: LocationSpec,
    origin: LocationSpec,
    recorder: Recorder,
    cache: CacheState,
    parser: Arc<dyn EntityDataParser>,
    clock: FakeClock,
    cancellation: CancellationToken,
    parse_slots: Arc<Semaphore>,
    progress: Arc<Progress>,
}

impl Host {
    fn new(kit: &TestKit, location: LocationSpec, origin: LocationSpec) -> Self {
        Self {
            location,
            origin,
            recorder: Recorder::default(),
            cache: CacheState::from_stored(kit.cache.clone()),
            parser: Arc::clone(&kit.parser),
            clock: kit.clock.clone(),
            cancellation: kit.cancellation.clone(),
            parse_slots: Arc::new(Semaphore::new(1)),
            progress: Arc::default(),
        }
    }

    fn context<'a>(&'a mut self, processor: &'a str, target: Option<&'a str>) -> ProcessorContext<'a> {
        ProcessorContext::new(ContextParts {
            processor,
            target,
            location: &self.location,
            origin_location: &self.origin,
            sink: &mut self.recorder,
            cache: &mut self.cache,
            parser: &self.parser,
            parse_slots: &self.parse_slots,
            progress: &self.progress,
            cancellation: &self.cancellation,
            clock: &self.clock,
        })
    }

    fn finish(self) -> (Vec<Emit>, Value) {
        (self.recorder.0, Value::Object(self.cache.collect(|_| true, |_| true)))
    }
}
