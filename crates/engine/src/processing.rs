//! From a claim to its outcome.

use std::sync::Arc;
use std::time::Instant;

use callboard_model::annotations::{MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION};
use callboard_model::{Body, Digest, Entity};
use callboard_sdk::{CacheState, CancellationToken, Clock, ProcessorError};
use callboard_store::{CacheWrite, Claim, NewError, Outcome, OutcomeKind, PackedBody, Processed, Timestamp};
use serde_json::Value;

use crate::run::{Good, RunInput, RunOutput, RunProgress};
use crate::settings::Interval;
use crate::{Pipeline, ProcessingErrorHandler, Randomness, digest};

/// Failures that a cache survives as long as its content stays the same, in a row or not. Which targets gave entities
/// is known for longer.
const CACHE_TTL: i64 = 5;

/// Turns claims into outcomes.
#[derive(Debug)]
pub(crate) struct Processing {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) interval: Interval,
    pub(crate) randomness: Randomness,
    pub(crate) on_error: Option<ProcessingErrorHandler>,
    pub(crate) cancellation: CancellationToken,
}

impl Processing {
    pub(crate) async fn process(&self, claim: &Claim) -> Outcome {
        let fingerprint = self.pipeline.fingerprint();
        let may_keep = claim.result_digest.is_some() && claim.fingerprint == Some(fingerprint);
        let entity = serde_json::from_str::<Entity>(&claim.unprocessed);
        let location = entity.as_ref().ok().and_then(|entity| entity.annotation(MANAGED_BY_LOCATION));
        let location: Option<Arc<str>> = location.map(Arc::from);
        let input = entity.map(|entity| {
            let cache = stored_cache(claim);
            let cache = if may_keep { cache } else { cache.without_memories() };
            let cache = match entity.annotation(MANAGED_BY_ORIGIN_LOCATION) {
                Some(origin) => cache.for_origin(origin),
                None => cache,
            };
            let (cancellation, progress) = (self.cancellation.clone(), RunProgress::default());
            RunInput { entity, cache, may_keep, cancellation, progress }
        });
        let started = Instant::now();
        let output = match input {
            Ok(input) => self.pipeline.run_contained(input).await,
            Err(error) => RunOutput { result: Err(vec![error.into()]), is_pure: true },
        };
        let result = if output.result.is_ok() { "ok" } else { "failed" };
        metrics::histogram!("catalog_processors_duration_seconds", "result" => result)
            .record(started.elapsed());
        let next_update_at = (!output.is_pure).then(|| self.next_update_at());
        let previous = claim.result_digest.filter(|_| may_keep);
        let (kind, result_digest, cache) = match output.result {
            Ok(good) => good_outcome(good, claim, previous, location.as_ref()),
            Err(errors) => {
                self.tell(claim, &errors);
                failed_outcome(&errors, claim, location.as_ref())
            }
        };
        Outcome {
            id: claim.id,
            token: claim.token,
            location_key: claim.location_key.clone(),
            lane: claim.lane,
            next_update_at,
            cache,
            result_digest,
            fingerprint,
            kind,
        }
    }

    fn tell(&self, claim: &Claim, errors: &[ProcessorError]) {
        if let Some(handler) = &self.on_error
            && claim.result_digest != Some(digest::of_failed(errors))
            && let Ok(entity) = serde_json::from_str(&claim.unprocessed)
        {
            handler.tell(&entity, errors);
        }
    }

    fn next_update_at(&self) -> Timestamp {
        let Interval { min, max } = self.interval;
        let rest = if min < max { self.randomness.duration(min..max) } else { min };
        self.clock.now() + rest
    }
}

fn stored_cache(claim: &Claim) -> CacheState {
    let stored = claim.cache.as_ref().and_then(|(json, _)| serde_json::from_str(json).ok());
    CacheState::from_stored(stored.unwrap_or(Value::Null))
}

fn good_outcome(
    mut good: Good,
    claim: &Claim,
    previous: Option<Digest>,
    location: Option<&Arc<str>>,
) -> (OutcomeKind, Digest, CacheWrite) {
    let body = Body::from_processed(std::mem::take(&mut good.entity));
    let result_digest = digest::of_good(&good, &body, previous);
    let cache = match (&claim.cache, good.cache.is_empty()) {
        (None, true) => CacheWrite::Keep,
        (before, _) => {
            let json = Value::Object(good.cache).to_string();
            let is_same = before.as_ref().is_some_and(|(before, _)| *before == json);
            if is_same { CacheWrite::Keep } else { CacheWrite::Put(Some((json, CACHE_TTL))) }
        }
    };
    if previous == Some(result_digest) {
        return (OutcomeKind::Unchanged, result_digest, cache);
    }
    let warnings =
        good.duplicates.iter().map(|(_, warning)| new_error(warning, claim.unprocessed_digest, location));
    let processed = Processed {
        warnings: warnings.collect(),
        body: PackedBody::new(body),
        relations: good.relations,
        children: good.children,
        kept_groups: good.kept_groups,
        refresh_keys: good.refresh_keys,
    };
    (OutcomeKind::Processed(Box::new(processed)), result_digest, cache)
}

fn failed_outcome(
    errors: &[ProcessorError],
    claim: &Claim,
    location: Option<&Arc<str>>,
) -> (OutcomeKind, Digest, CacheWrite) {
    let cache = match &claim.cache {
        None => CacheWrite::Keep,
        Some((json, ttl)) if *ttl > 0 => CacheWrite::Put(Some((json.clone(), ttl - 1))),
        Some((json, _)) => {
            let facts = stored_cache(claim).into_facts();
            let facts = (!facts.is_empty()).then(|| Value::Object(facts).to_string());
            if facts.as_ref() == Some(json) {
                CacheWrite::Keep
            } else {
                CacheWrite::Put(facts.map(|facts| (facts, 0)))
            }
        }
    };
    let rows = errors.iter().map(|error| new_error(error, claim.unprocessed_digest, location)).collect();
    (OutcomeKind::Failed(rows), digest::of_failed(errors), cache)
}

fn new_error(error: &ProcessorError, digest: Digest, location: Option<&Arc<str>>) -> NewError {
    NewError {
        error: error.to_serialized(),
        location: error.address.location.as_deref().map(Arc::from).or_else(|| location.cloned()),
        document: error.address.document,
        line: error.address.line,
        column: error.address.column,
        pointer: error.address.pointer.clone(),
        rule: error.rule.clone(),
        digest,
    }
}

#[cfg(test)]
mod tests;
