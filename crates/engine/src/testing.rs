//! What the tests share: processors that do as they are told, and pipelines made of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_model::Entity;
use callboard_sdk::{
    CacheState, CancellationToken, CatalogProcessor, Emit, FileContent, Handled, LocationSpec, Presence,
    ProcessorContext, ProcessorError, Recognized, ScmFile, ScmResolver, async_trait, results,
};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Recorder, SharedString, Unit,
};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, span};

mod cluster;

pub(crate) use cluster::cluster;

use crate::run::{Good, RunInput, RunOutput, RunProgress};
use crate::{Pipeline, PipelineParts, RulesEnforcer};

/// The location of [`component`], and the origin of everything.
pub(crate) const HERE: &str = "url:https://example.com/here.yaml";

/// One thing that a [`Fake`] does when it is called.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Emit(Emit),
    /// Emits, and does not look whether that was taken.
    EmitCarelessly(Emit),
    /// Emits what a file with this content holds; in `read_location` only.
    Parse(&'static str),
    /// Emits what files with these contents hold; in `read_location` only.
    ParseAll(Vec<String>),
    Remember(&'static str, i64),
    /// Writes what the cache has under the key into the list of calls.
    Recall(&'static str),
    Rename(&'static str),
    SetSpec(Value),
    Fail(ProcessorError),
    /// Does nothing for so long.
    Rest(Duration),
    /// Says that it gets on.
    Step,
    Panic(&'static str),
    PanicInWords(String),
    Hang,
}

/// What was called, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn push(&self, call: String) {
        self.0.lock().unwrap().push(call);
    }
}

/// A processor that does as it is told.
#[derive(Debug, Clone)]
pub(crate) struct Fake {
    name: &'static str,
    recognized: Recognized,
    is_pure: bool,
    fingerprint: String,
    pre: Vec<Act>,
    validate: Vec<Act>,
    read: BTreeMap<String, Vec<Act>>,
    post: Vec<Act>,
    calls: Calls,
}

impl Fake {
    /// Recognizes every kind, and does nothing.
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            recognized: Recognized::Yes,
            is_pure: true,
            fingerprint: String::new(),
            pre: Vec::new(),
            validate: Vec::new(),
            read: BTreeMap::new(),
            post: Vec::new(),
            calls: Calls::default(),
        }
    }

    pub(crate) fn recognizing_nothing(self) -> Self {
        Self { recognized: Recognized::No, ..self }
    }

    pub(crate) fn impure(self) -> Self {
        Self { is_pure: false, ..self }
    }

    pub(crate) fn with_fingerprint(self, fingerprint: &str) -> Self {
        Self { fingerprint: fingerprint.to_owned(), ..self }
    }

    pub(crate) fn pre(self, acts: impl Into<Vec<Act>>) -> Self {
        Self { pre: acts.into(), ..self }
    }

    pub(crate) fn validate(self, acts: impl Into<Vec<Act>>) -> Self {
        Self { validate: acts.into(), ..self }
    }

    /// Handles the location `type:target`.
    pub(crate) fn read(mut self, location: &str, acts: impl Into<Vec<Act>>) -> Self {
        self.read.insert(location.to_owned(), acts.into());
        self
    }

    pub(crate) fn post(self, acts: impl Into<Vec<Act>>) -> Self {
        Self { post: acts.into(), ..self }
    }

    pub(crate) fn log(self, calls: &Calls) -> Self {
        Self { calls: calls.clone(), ..self }
    }

    async fn act(
        &self,
        acts: &[Act],
        location: &LocationSpec,
        mut entity: Entity,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        for act in acts {
            match act.clone() {
                Act::Emit(item) => cx.emit(item)?,
                Act::EmitCarelessly(item) => drop(cx.emit(item)),
                Act::Parse(text) => drop(cx.emit_parsed(text.as_bytes(), location).await?),
                Act::ParseAll(texts) => {
                    let file = |text: String| FileContent { data: text.into(), location: location.clone() };
                    cx.emit_parsed_files(texts.into_iter().map(file).collect()).await?;
                }
                Act::Rest(time) => tokio::time::sleep(time).await,
                Act::Step => cx.progress().step(),
                Act::Remember(key, value) => cx.cache().set(key, &value)?,
                Act::Recall(key) => {
                    let value = cx.cache().get::<i64>(key);
                    self.calls.push(format!("{} recalls {key} {value:?}", self.name));
                }
                Act::Rename(name) => {
                    entity.metadata_mut().insert("name".to_owned(), json!(name));
                }
                Act::SetSpec(spec) => {
                    entity.as_map_mut().insert("spec".to_owned(), spec);
                }
                other => misbehave(other).await?,
            }
        }
        Ok(entity)
    }
}

async fn misbehave(act: Act) -> Result<(), ProcessorError> {
    match act {
        Act::Fail(error) => Err(error),
        Act::Panic(text) => std::panic::panic_any(text),
        Act::PanicInWords(text) => std::panic::panic_any(text),
        Act::Hang => std::future::pending().await,
        other => panic!("{other:?} cannot be done here"),
    }
}

#[async_trait]
impl CatalogProcessor for Fake {
    fn name(&self) -> &str {
        self.name
    }

    fn is_pure(&self, _entity: &Entity) -> bool {
        self.is_pure
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    async fn read_location(
        &self,
        location: &LocationSpec,
        presence: Presence,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Handled, ProcessorError> {
        let place = format!("{}:{}", location.kind, location.target);
        let Some(acts) = self.read.get(&place) else {
            return Ok(Handled::No);
        };
        assert_eq!(location.presence, Some(presence));
        self.calls.push(format!("{} reads {place} {}", self.name, presence.as_str()));
        self.act(acts, location, Entity::default(), cx).await?;
        Ok(Handled::Yes)
    }

    async fn pre_process_entity(
        &self,
        entity: Entity,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        self.calls.push(format!("{} pre", self.name));
        self.act(&self.pre, &cx.location().clone(), entity, cx).await
    }

    async fn validate_entity_kind(&self, _entity: &Entity) -> Result<Recognized, ProcessorError> {
        self.calls.push(format!("{} validates", self.name));
        for act in &self.validate {
            misbehave(act.clone()).await?;
        }
        Ok(self.recognized)
    }

    async fn post_process_entity(
        &self,
        entity: Entity,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        self.calls.push(format!("{} post", self.name));
        self.act(&self.post, &cx.location().clone(), entity, cx).await
    }
}

/// Knows no forge: targets stay as they are.
#[derive(Debug)]
pub(crate) struct NoScm;

impl ScmResolver for NoScm {
    fn resolve_url(&self, target: &str, _base: &str) -> Result<String, String> {
        Ok(target.to_owned())
    }

    fn resolve_edit_url(&self, _url: &str) -> Option<String> {
        None
    }

    fn integration_kind(&self, _url: &str) -> Option<&'static str> {
        None
    }

    fn file(&self, _url: &str) -> Option<ScmFile> {
        None
    }

    fn fingerprint(&self) -> String {
        String::new()
    }
}

/// Refuses some kinds.
#[derive(Debug)]
pub(crate) struct AllBut(pub(crate) &'static [&'static str]);

impl RulesEnforcer for AllBut {
    fn is_allowed(&self, entity: &Entity, _origin: &LocationSpec) -> bool {
        !self.0.contains(&entity.kind())
    }

    fn fingerprint(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// Parts with these processors, in which everything is allowed.
pub(crate) fn parts(processors: impl IntoIterator<Item = Fake>) -> PipelineParts {
    let mut parts = PipelineParts::new(Arc::new(AllBut(&[])), Arc::new(NoScm));
    parts.processors =
        processors.into_iter().map(|fake| Arc::new(fake) as Arc<dyn CatalogProcessor>).collect();
    parts
}

/// A pipeline with these processors, in which everything is allowed.
pub(crate) fn pipeline(processors: impl IntoIterator<Item = Fake>) -> Arc<Pipeline> {
    Arc::new(Pipeline::new(parts(processors)))
}

/// An entity as it stands in a file.
pub(crate) fn document(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": {}})
}

/// An entity as the store has it, read from [`HERE`].
pub(crate) fn stored(kind: &str, name: &str) -> Value {
    let mut entity = document(kind, name);
    entity["metadata"]["annotations"] = json!({
        "backstage.io/managed-by-location": HERE,
        "backstage.io/managed-by-origin-location": HERE,
    });
    entity
}

/// `component:default/c`.
pub(crate) fn component() -> Value {
    stored("Component", "c")
}

/// `location:default/l`.
pub(crate) fn location(spec: Value) -> Value {
    let mut entity = stored("Location", "l");
    entity["spec"] = spec;
    entity
}

/// An entity that was read from `url:there`.
pub(crate) fn emitted(entity: Value) -> Emit {
    results::entity(&there(), Entity::from_value(entity).unwrap())
}

pub(crate) fn there() -> LocationSpec {
    LocationSpec::new("url", "there")
}

/// An `Error` with this message, emitted.
pub(crate) fn complaint(message: &str) -> Act {
    Act::Emit(results::general_error(&there(), message))
}

/// An `Error` with this message, thrown.
pub(crate) fn failure(message: &str) -> Act {
    Act::Fail(ProcessorError::general(message))
}

/// Runs an entity of which nothing is known from before.
pub(crate) async fn run(pipeline: &Arc<Pipeline>, entity: Value) -> RunOutput {
    rerun(pipeline, entity, Value::Null, false).await
}

/// Runs an entity whose last run left this cache.
pub(crate) async fn rerun(
    pipeline: &Arc<Pipeline>,
    entity: Value,
    cache: Value,
    may_keep: bool,
) -> RunOutput {
    let input = RunInput {
        entity: Entity::from_value(entity).unwrap(),
        cache: CacheState::from_stored(cache),
        may_keep,
        cancellation: CancellationToken::new(),
        progress: RunProgress::default(),
    };
    pipeline.run(input).await
}

/// What came of a run that went well.
pub(crate) async fn good(pipeline: &Arc<Pipeline>, entity: Value) -> Good {
    run(pipeline, entity).await.result.unwrap()
}

/// The errors of a run that did not go well, as `name: message`.
pub(crate) async fn errors(pipeline: &Arc<Pipeline>, entity: Value) -> Vec<String> {
    summaries(&run(pipeline, entity).await.result.unwrap_err())
}

pub(crate) fn summaries(errors: &[ProcessorError]) -> Vec<String> {
    errors.iter().map(|error| error.to_serialized().summary()).collect()
}

/// The refs of the children.
pub(crate) fn child_refs(good: &Good) -> Vec<&str> {
    good.children.iter().map(|child| child.entity_ref.as_ref()).collect()
}

/// What is logged as a warning or an error, on this thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Warnings {
    messages: Arc<Mutex<Vec<String>>>,
    errors: Arc<Mutex<Vec<String>>>,
}

impl Warnings {
    /// Collects until the guard is dropped.
    pub(crate) fn collect() -> (Self, DefaultGuard) {
        let warnings = Self::default();
        let guard = tracing::subscriber::set_default(warnings.clone());
        (warnings, guard)
    }

    /// The messages.
    pub(crate) fn all(&self) -> Vec<String> {
        self.messages.lock().unwrap().clone()
    }

    /// The errors that are given as fields.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.errors.lock().unwrap().clone()
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Visit for Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.messages.lock().unwrap().push(value.to_owned()),
            "error" => self.errors.lock().unwrap().push(value.to_owned()),
            _ => {}
        }
    }
}

/// How much was counted or observed under each name and its labels, once it is the recorder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted(Arc<Mutex<BTreeMap<String, u64>>>);

impl Counted {
    /// Names, each with the values of its labels, and how much.
    pub(crate) fn all(&self) -> Vec<(String, u64)> {
        self.0.lock().unwrap().clone().into_iter().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.0.lock().unwrap().get(name).copied()
    }

    fn series(&self, key: &Key) -> Arc<Series> {
        let values = key.labels().map(metrics::Label::value).collect::<Vec<_>>().join(" ");
        let name = format!("{} {values}", key.name()).trim_end().to_owned();
        Arc::new(Series { counted: self.clone(), name })
    }
}

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &metrics::Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }

    fn register_gauge(&self, key: &Key, _: &metrics::Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }

    fn register_histogram(&self, key: &Key, _: &metrics::Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}

/// One name of [`Counted`].
struct Series {
    counted: Counted,
    name: String,
}

impl GaugeFn for Series {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "gauges are small numbers here"
    )]
    fn set(&self, value: f64) {
        self.counted.0.lock().unwrap().insert(self.name.clone(), value as u64);
    }
}

impl CounterFn for Series {
    fn increment(&self, value: u64) {
        *self.counted.0.lock().unwrap().entry(self.name.clone()).or_default() += value;
    }

    fn absolute(&self, value: u64) {
        self.counted.0.lock().unwrap().insert(self.name.clone(), value);
    }
}

impl HistogramFn for Series {
    fn record(&self, _: f64) {
        CounterFn::increment(self, 1);
    }
}
