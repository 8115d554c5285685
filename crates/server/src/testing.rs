//! What the tests of endpoints share: the application over a store in memory, and requests to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use callboard_engine::{Catalog, Pipeline, PipelineParts, RulesEnforcer, Wake};
use callboard_model::{Digest, Entity, Presence, SerializedError};
use callboard_sdk::{
    CatalogProcessor, Clock, Handled, LocationSpec, ProcessorContext, ProcessorError, Recognized, ScmFile,
    ScmResolver, Timestamp, async_trait, results,
};
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::{
    CacheWrite, Claim, ClaimRequest, Claimed, Lane, NewEntity, NewError, Outcome, OutcomeKind, PackedBody,
    Processed, ProviderMutation, Store,
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::lifecycle::Lifecycle;
use crate::options::ServerOptions;
use crate::router;
use crate::state::AppState;
use crate::view::{self, View};

#[derive(Debug)]
struct Standstill;

impl Clock for Standstill {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

#[derive(Debug)]
struct EverythingAllowed;

impl RulesEnforcer for EverythingAllowed {
    fn is_allowed(&self, _: &Entity, _: &LocationSpec) -> bool {
        true
    }

    fn fingerprint(&self) -> String {
        String::new()
    }
}

#[derive(Debug)]
struct NoForges;

impl ScmResolver for NoForges {
    fn resolve_url(&self, target: &str, _: &str) -> Result<String, String> {
        Ok(target.to_owned())
    }

    fn resolve_edit_url(&self, _: &str) -> Option<String> {
        None
    }

    fn integration_kind(&self, _: &str) -> Option<&'static str> {
        None
    }

    fn file(&self, _: &str) -> Option<ScmFile> {
        None
    }

    fn fingerprint(&self) -> String {
        String::new()
    }
}

/// Knows all kinds, and finds the Component `found` behind every URL.
#[derive(Debug)]
struct Finder;

#[async_trait]
impl CatalogProcessor for Finder {
    fn name(&self) -> &'static str {
        "Finder"
    }

    async fn read_location(
        &self,
        location: &LocationSpec,
        _: Presence,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Handled, ProcessorError> {
        cx.emit(results::entity(location, Entity::from_value(component("found"))?))?;
        Ok(Handled::Yes)
    }

    async fn validate_entity_kind(&self, _: &Entity) -> Result<Recognized, ProcessorError> {
        Ok(Recognized::Yes)
    }
}

/// The application, with all that is behind it.
pub(crate) struct Fixture {
    pub(crate) state: AppState,
    pub(crate) app: Router,
    pub(crate) catalog: Catalog,
    pub(crate) lifecycle: Lifecycle,
    /// How many statements the store still takes.
    statements_left: Arc<AtomicUsize>,
}

/// An answer, with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Status and message of an error.
    pub(crate) fn error(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(body["response"]["statusCode"], self.status.as_u16(), "{body}");
        (self.status.as_u16(), body["error"]["message"].as_str().unwrap().to_owned())
    }
}

impl Fixture {
    /// A catalog without entities, ready to serve.
    pub(crate) async fn new(options: ServerOptions) -> Self {
        let fixture = Self::starting(options).await;
        fixture.set_ready().await;
        fixture
    }

    pub(crate) async fn set_ready(&self) {
        set_ready(&self.lifecycle, &self.catalog).await;
    }

    /// As [`Self::new`], but not ready yet.
    pub(crate) async fn starting(options: ServerOptions) -> Self {
        let statements_left = Arc::new(AtomicUsize::new(usize::MAX));
        let mut sqlite = SqliteOptions::memory();
        let left = Arc::clone(&statements_left);
        let take = |left: usize| left.checked_sub(1);
        let fails = move |_: &str| left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err();
        sqlite.fault = Some(Arc::new(fails));
        Self::of(catalog(sqlite, Vec::new()).await, options, statements_left)
    }

    /// As [`Self::new`], with a processor that finds something behind every URL.
    pub(crate) async fn finding() -> Self {
        let catalog = catalog(SqliteOptions::memory(), vec![Arc::new(Finder)]).await;
        let fixture = Self::of(catalog, ServerOptions::default(), Arc::default());
        fixture.set_ready().await;
        fixture
    }

    fn of(catalog: Catalog, options: ServerOptions, statements_left: Arc<AtomicUsize>) -> Self {
        let lifecycle = Lifecycle::new();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let state = AppState::new(lifecycle.clone(), Arc::new(options), metrics);
        Self { app: router::app(&state), state, catalog, lifecycle, statements_left }
    }

    /// From now on every statement fails.
    pub(crate) fn break_store(&self) {
        self.break_store_after(0);
    }

    /// The same after so many of them.
    pub(crate) fn break_store_after(&self, statements: usize) {
        self.statements_left.store(statements, Ordering::Relaxed);
    }

    /// No further statement fails.
    pub(crate) fn mend_store(&self) {
        self.statements_left.store(usize::MAX, Ordering::Relaxed);
    }

    /// Brings in entities, as if a provider had handed over the first ones and processing them had emitted `children`.
    pub(crate) async fn ingest(&self, roots: &[Value], children: &[Value]) {
        self.bring_in(roots, children).await;
        if let Some(view) = self.lifecycle.view() {
            view.keep_up().await;
        }
    }

    /// The same, without having the view hear of it.
    pub(crate) async fn bring_in(&self, roots: &[Value], children: &[Value]) {
        let mut children: Vec<NewEntity> = children.iter().map(new_entity).collect();
        self.hand_over(roots).await;
        while self.process(|claim| good(claim, std::mem::take(&mut children))).await {}
        while self.catalog.store().stitch(1000, Standstill.now()).await.unwrap().has_more {}
    }

    /// Brings in an entity whose processing fails.
    pub(crate) async fn ingest_failing(&self, entity: &Value, messages: &[&str]) {
        self.hand_over(std::slice::from_ref(entity)).await;
        self.process(|_| OutcomeKind::Failed(messages.iter().map(|message| new_error(message)).collect()))
            .await;
    }

    async fn hand_over(&self, entities: &[Value]) {
        let added = entities.iter().map(new_entity).collect();
        let mutation = ProviderMutation::Delta { added, removed: Vec::new() };
        let now = Standstill.now();
        self.catalog.store().provider_mutate("test", mutation, Lane::New, now).await.unwrap();
    }

    /// Commits a result for everything that is due; answers whether there was anything.
    async fn process(&self, mut result: impl FnMut(&Claim) -> OutcomeKind) -> bool {
        let (store, now) = (self.catalog.store(), Standstill.now());
        let lease = Duration::from_secs(1);
        let fingerprint = Digest::of("");
        let request = ClaimRequest { limit: 2000, lane_max: Lane::Periodic, now, lease, fingerprint };
        let Claimed::Leased(claims) = store.claim(&request).await.unwrap() else {
            panic!("other processors")
        };
        let outcomes: Vec<Outcome> = claims
            .into_iter()
            .map(|claim| Outcome {
                kind: result(&claim),
                id: claim.id,
                token: claim.token,
                location_key: claim.location_key,
                lane: Lane::New,
                next_update_at: None,
                cache: CacheWrite::Keep,
                result_digest: claim.unprocessed_digest,
                fingerprint,
            })
            .collect();
        store.commit(&outcomes, 0, now, now).await.unwrap();
        !outcomes.is_empty()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "").await
    }

    /// A request; with a body it has the content type of JSON.
    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<String>) -> Answer {
        let body = body.into();
        let mut request = Request::builder().method(method).uri(path);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        self.call(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn call(&self, request: Request<Body>) -> Answer {
        Answer::of(self.respond(request).await).await
    }

    pub(crate) async fn respond(&self, request: Request<Body>) -> Response {
        self.app.clone().oneshot(request).await.unwrap()
    }
}

/// Has a catalog served.
pub(crate) async fn set_ready(lifecycle: &Lifecycle, catalog: &Catalog) {
    let view = View::of(catalog, view::CACHE_BYTES).await.unwrap();
    lifecycle.set_ready(catalog.clone(), view);
}

/// A catalog without entities.
pub(crate) async fn empty_catalog() -> Catalog {
    catalog(SqliteOptions::memory(), Vec::new()).await
}

async fn catalog(sqlite: SqliteOptions, processors: Vec<Arc<dyn CatalogProcessor>>) -> Catalog {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(sqlite).await.unwrap());
    let mut parts = PipelineParts::new(Arc::new(EverythingAllowed), Arc::new(NoForges));
    parts.processors = processors;
    Catalog::new(store, Arc::new(Pipeline::new(parts)), Arc::new(Standstill), Wake::default())
}

/// A Component of this name.
pub(crate) fn component(name: &str) -> Value {
    serde_json::json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": { "namespace": "default", "name": name },
        "spec": { "type": "service", "lifecycle": "production", "owner": "team-a" },
    })
}

fn new_entity(entity: &Value) -> NewEntity {
    let json = entity.to_string();
    NewEntity {
        entity_ref: Entity::from_value(entity.clone()).unwrap().entity_ref().to_canonical().into(),
        digest: Digest::of(&json),
        json: json.into(),
        location_key: None,
        position: None,
        group: 0,
    }
}

fn new_error(message: &str) -> NewError {
    NewError {
        error: SerializedError::new("InputError", message),
        location: None,
        document: None,
        line: None,
        column: None,
        pointer: None,
        rule: None,
        digest: Digest::of(message),
    }
}

fn good(claim: &Claim, children: Vec<NewEntity>) -> OutcomeKind {
    let entity = Entity::from_value(serde_json::from_str(&claim.unprocessed).unwrap()).unwrap();
    OutcomeKind::Processed(Box::new(Processed {
        body: PackedBody::new(callboard_model::Body::from_processed(entity)),
        relations: Vec::new(),
        children,
        kept_groups: Vec::new(),
        refresh_keys: Vec::new(),
        warnings: Vec::new(),
    }))
}
