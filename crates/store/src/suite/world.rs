//! A store in the hands of a made-up engine, for short tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callboard_model::{Body, Digest, Entity, EntityRef, SerializedError};
use serde_json::{Value, json};

use crate::{
    CacheWrite, CatalogError, Claim, ClaimRequest, Claimed, CommitReport, ErrorFilter, Lane, MutationReport,
    NewEntity, NewError, Outcome, OutcomeKind, PackedBody, Processed, ProviderMutation, RelationKey,
    StitchReport, Store, StoreError, Timestamp, Violation,
};

/// How long leases last here.
pub const LEASE: Duration = Duration::from_mins(1);
/// After how long an entity that was processed is due again here.
pub const INTERVAL: Duration = Duration::from_secs(100);

/// A store and a clock.
#[derive(Debug)]
pub struct World<'s> {
    /// The store.
    pub store: &'s dyn Store,
    /// The time, which stands still unless a test moves it.
    pub now: Timestamp,
    /// The fingerprint of the processors of whoever claims.
    pub processors: Digest,
}

/// The digest that an outcome of this world has as its result.
pub fn result_digest(processed: &Processed) -> Digest {
    Digest::of(format!("{processed:?}"))
}

/// An unprocessed entity with some content, and no location key.
pub fn entity(entity_ref: &str, content: &str) -> NewEntity {
    let json: Arc<str> = Arc::from(value(entity_ref, content).to_string());
    NewEntity {
        entity_ref: Arc::from(entity_ref),
        digest: Digest::of(json.as_bytes()),
        json,
        location_key: None,
        position: None,
        group: 0,
    }
}

/// The same with a location key; an empty one is none.
pub fn keyed(entity_ref: &str, content: &str, key: &str) -> NewEntity {
    let location_key = (!key.is_empty()).then(|| Arc::from(key));
    NewEntity { location_key, ..entity(entity_ref, content) }
}

fn value(entity_ref: &str, content: &str) -> Value {
    let EntityRef { kind, namespace, name } = EntityRef::from_canonical(entity_ref).unwrap();
    json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": { "namespace": namespace, "name": name, "annotations": {} },
        "spec": { "content": content },
    })
}

/// A relation.
pub fn relation(source: &str, kind: &str, target: &str) -> RelationKey {
    RelationKey { source: Arc::from(source), kind: Arc::from(kind), target: Arc::from(target) }
}

/// The result of a good run that emitted nothing.
pub fn processed(entity_ref: &str, content: &str) -> Processed {
    processed_value(value(entity_ref, content))
}

/// The same for a given entity.
pub fn processed_value(entity: Value) -> Processed {
    Processed {
        body: PackedBody::new(Body::from_processed(Entity::from_value(entity).unwrap())),
        relations: Vec::new(),
        children: Vec::new(),
        kept_groups: Vec::new(),
        refresh_keys: Vec::new(),
        warnings: Vec::new(),
    }
}

/// An error.
pub fn error(message: &str) -> NewError {
    NewError {
        error: SerializedError::new("InputError", message),
        location: Some(Arc::from("url:https://example.com/catalog-info.yaml")),
        document: Some(0),
        line: Some(3),
        column: Some(5),
        pointer: Some("/metadata/name".to_owned()),
        rule: Some("test/rule".to_owned()),
        digest: Digest::of("content"),
    }
}

/// What a claim led to, when it went as planned.
pub fn outcome(claim: &Claim, kind: OutcomeKind, now: Timestamp) -> Outcome {
    let digest = match &kind {
        OutcomeKind::Processed(processed) => result_digest(processed),
        OutcomeKind::Failed(errors) => Digest::of(format!("{errors:?}")),
        OutcomeKind::Unchanged | OutcomeKind::Abandoned => {
            claim.result_digest.unwrap_or_else(|| Digest::of("nothing"))
        }
    };
    Outcome {
        id: claim.id,
        token: claim.token,
        location_key: claim.location_key.clone(),
        lane: claim.lane,
        next_update_at: Some(now + INTERVAL),
        cache: CacheWrite::Keep,
        result_digest: digest,
        fingerprint: Digest::of("processors"),
        kind,
    }
}

impl<'s> World<'s> {
    /// A world at the beginning of its time.
    pub fn new(store: &'s dyn Store) -> Self {
        let now = Timestamp::from_timestamp_micros(1_800_000_000_123_456).unwrap();
        Self { store, now, processors: Digest::of("processors") }
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// The bucket of a provider holds these.
    pub async fn full(
        &self,
        provider: &str,
        entities: impl IntoIterator<Item = NewEntity>,
    ) -> MutationReport {
        let mutation = ProviderMutation::Full(entities.into_iter().collect());
        self.store.provider_mutate(provider, mutation, Lane::New, self.now).await.unwrap()
    }

    /// A bucket changes.
    pub async fn delta(
        &self,
        provider: &str,
        added: impl IntoIterator<Item = NewEntity>,
        removed: &[&str],
    ) -> MutationReport {
        let removed = removed.iter().map(|text| (*text).to_owned()).collect();
        let mutation = ProviderMutation::Delta { added: added.into_iter().collect(), removed };
        self.store.provider_mutate(provider, mutation, Lane::New, self.now).await.unwrap()
    }

    /// Claims.
    pub async fn claim(&self, limit: usize) -> Vec<Claim> {
        self.claim_as(limit, Lane::Periodic, LEASE).await
    }

    /// Claims from lanes up to this one, for so long. Other processors must not have been applied.
    pub async fn claim_as(&self, limit: usize, lane_max: Lane, lease: Duration) -> Vec<Claim> {
        let request = ClaimRequest { limit, lane_max, now: self.now, lease, fingerprint: self.processors };
        match self.store.claim(&request).await.unwrap() {
            Claimed::Leased(claims) => claims,
            Claimed::Superseded => panic!("other processors were applied"),
        }
    }

    /// Makes these processors those that are to work on the store; answers how many entities became due. Those who claim
    /// here have the same as before.
    pub async fn apply(&self, processors: &str) -> u64 {
        self.store.fingerprint_apply(Digest::of(processors), None, self.now).await.unwrap()
    }

    /// The refs that are due, in the order in which they would be claimed; no lease is kept.
    pub async fn due(&self) -> Vec<String> {
        let claims = self.claim_as(1000, Lane::Periodic, Duration::ZERO).await;
        claims.into_iter().map(|claim| claim.entity_ref.to_string()).collect()
    }

    /// Claims one entity, which must be due, and leaves all others alone.
    pub async fn claim_one(&self, entity_ref: &str) -> Claim {
        let claims = self.claim_as(1000, Lane::Periodic, Duration::ZERO).await;
        let claim = claims.into_iter().find(|claim| claim.entity_ref.as_ref() == entity_ref);
        let claim = claim.unwrap_or_else(|| panic!("{entity_ref} is not due"));
        let lost = self.store.leases_extend(&[(claim.id, claim.token)], self.now + LEASE).await.unwrap();
        assert!(lost.is_empty());
        claim
    }

    /// Commits one outcome.
    pub async fn commit(&self, outcome: Outcome) -> CommitReport {
        self.commit_all(&[outcome], 0).await
    }

    /// Commits outcomes, and takes children.
    pub async fn commit_all(&self, batch: &[Outcome], hand_out: usize) -> CommitReport {
        self.store.commit(batch, hand_out, self.now + LEASE, self.now).await.unwrap()
    }

    /// Ends the run of a claim; it must be accepted.
    pub async fn end(&self, claim: &Claim, kind: OutcomeKind) -> CommitReport {
        let report = self.commit(outcome(claim, kind, self.now)).await;
        assert_eq!(report.refused, Vec::<usize>::new());
        report
    }

    /// Claims an entity, and processes it with this result.
    pub async fn process(&self, entity_ref: &str, processed: Processed) -> CommitReport {
        let claim = self.claim_one(entity_ref).await;
        self.end(&claim, OutcomeKind::Processed(Box::new(processed))).await
    }

    /// Claims an entity, and processes it with these children.
    pub async fn emit(
        &self,
        entity_ref: &str,
        children: impl IntoIterator<Item = NewEntity>,
    ) -> CommitReport {
        let children = children.into_iter().collect();
        self.process(entity_ref, Processed { children, ..processed(entity_ref, "parent") }).await
    }

    /// Claims an entity, and processes it with these relations.
    pub async fn relate(
        &self,
        entity_ref: &str,
        relations: impl IntoIterator<Item = RelationKey>,
    ) -> CommitReport {
        let relations = relations.into_iter().collect();
        self.process(entity_ref, Processed { relations, ..processed(entity_ref, "related") }).await
    }

    /// Claims an entity, and has it fail.
    pub async fn fail(&self, entity_ref: &str, errors: Vec<NewError>) -> CommitReport {
        let claim = self.claim_one(entity_ref).await;
        self.end(&claim, OutcomeKind::Failed(errors)).await
    }

    /// Processes everything that is due until nothing is, each entity to a plain copy of itself.
    pub async fn process_all(&self) {
        loop {
            let claims = self.claim(1000).await;
            if claims.is_empty() {
                return;
            }
            let outcomes: Vec<Outcome> = claims
                .iter()
                .map(|claim| {
                    let entity = serde_json::from_str(&claim.unprocessed).unwrap();
                    outcome(claim, OutcomeKind::Processed(Box::new(processed_value(entity))), self.now)
                })
                .collect();
            self.commit_all(&outcomes, 0).await;
        }
    }

    /// Builds a graph of entities: each parent emits its children, all are processed and stitched. Relations are
    /// emitted by their sources.
    pub async fn grow(&self, edges: &[(&str, &[&str])], relations: &[(&str, &str)]) {
        let children: BTreeMap<&str, &[&str]> = edges.iter().copied().collect();
        loop {
            let claims = self.claim(1000).await;
            if claims.is_empty() {
                break;
            }
            let outcomes: Vec<Outcome> = claims
                .iter()
                .map(|claim| {
                    let entity_ref = claim.entity_ref.as_ref();
                    let emitted = children.get(entity_ref).copied().unwrap_or_default();
                    let processed = Processed {
                        children: emitted.iter().map(|child| entity(child, "grown")).collect(),
                        relations: relations
                            .iter()
                            .filter(|(source, _)| *source == entity_ref)
                            .map(|(source, target)| relation(source, "dependsOn", target))
                            .collect(),
                        ..processed(entity_ref, "grown")
                    };
                    outcome(claim, OutcomeKind::Processed(Box::new(processed)), self.now)
                })
                .collect();
            self.commit_all(&outcomes, 0).await;
        }
        self.stitch().await;
    }

    /// Makes an entity due by asking for a refresh.
    pub async fn refresh(&self, entity_ref: &str) {
        self.store.entity_refresh(entity_ref, self.now).await.unwrap();
    }

    /// Stitches all that is queued.
    pub async fn stitch(&self) -> StitchReport {
        let report = self.store.stitch(10_000, self.now).await.unwrap();
        assert!(!report.has_more);
        report
    }

    /// Stitches all that is queued; answers whose final entity changed.
    pub async fn stitch_changed(&self) -> Vec<String> {
        let before = self.store.position().await.unwrap();
        self.stitch().await;
        let changes = self.store.changes_after(before, 10_000).await.unwrap();
        let mut refs: Vec<String> = changes.into_iter().map(|change| change.entity_ref).collect();
        refs.sort();
        refs
    }

    /// A final entity, if there is one.
    pub async fn find(&self, entity_ref: &str) -> Option<Value> {
        let found = self.store.entity_by_ref(entity_ref).await.unwrap();
        found.map(|found| serde_json::from_str(&found.json).unwrap())
    }

    /// A final entity, which must be there.
    pub async fn get(&self, entity_ref: &str) -> Value {
        self.find(entity_ref).await.unwrap_or_else(|| panic!("{entity_ref} has no final entity"))
    }

    /// The relations of a final entity, as `type target`.
    pub async fn relations_of(&self, entity_ref: &str) -> Vec<String> {
        let entity = self.get(entity_ref).await;
        let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
        let relations = entity["relations"].as_array().unwrap();
        relations.iter().map(|r| format!("{} {}", text(r, "type"), text(r, "targetRef"))).collect()
    }

    /// Whether a final entity says that it is an orphan.
    pub async fn is_orphan(&self, entity_ref: &str) -> bool {
        self.get(entity_ref).await["metadata"]["annotations"]["backstage.io/orphan"] == "true"
    }

    /// The refs of all final entities.
    pub async fn refs(&self) -> Vec<String> {
        let page = self.store.entities_page(None, 10_000).await.unwrap();
        page.entities.into_iter().map(|entity| entity.entity_ref).collect()
    }

    /// All errors.
    pub async fn errors(&self) -> Vec<CatalogError> {
        self.store.errors_list(&ErrorFilter { limit: 1000, ..ErrorFilter::default() }).await.unwrap()
    }

    /// Deletes orphans until there are none; answers how many there were.
    pub async fn delete_orphans(&self) -> u64 {
        let mut deleted = 0;
        loop {
            match self.store.orphans_delete(1000, self.now).await.unwrap() {
                0 => return deleted,
                count => deleted += count,
            }
        }
    }

    /// What a pass finds wrong, in small pages.
    pub async fn violations(&self, location_store: Option<&str>) -> Vec<Violation> {
        const PAGE: usize = 3;
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let page = self.store.inspect(from.as_ref(), PAGE, location_store, self.now).await.unwrap();
            found.extend(page.violations);
            assert!(page.rows <= PAGE);
            match page.next {
                Some(next) => from = Some(next),
                None => return found,
            }
        }
    }

    /// Parents of an entity that has a final one.
    pub async fn parents(&self, entity_ref: &str) -> Vec<String> {
        let ancestry = self.store.ancestry(entity_ref).await.unwrap();
        ancestry.into_iter().next().map(|first| first.parent_refs).unwrap_or_default()
    }
}

/// The message of an error that must be one.
pub fn message<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    result.unwrap_err().to_string()
}
