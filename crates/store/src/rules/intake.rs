//! Taking in unprocessed entities, from parents and providers alike: who may write what, and what becomes due.
//!
//! | stored key | new key | outcome |
//! |---|---|---|
//! | no such entity | any | inserted |
//! | none | any | updated; the new key is kept |
//! | k | k | updated |
//! | k | other or none | refused: another source's key protects the entity |
//!
//! All sources of an entity are kept. A refused source is kept as well, so that it can be made due when the entity
//! that stands in its way goes or changes its key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callboard_model::{Digest, SerializedError};
use foldhash::{HashMap, HashMapExt as _, HashSet};
use uuid::{NoContext, Uuid};

use super::names::provider_name;
use crate::{Claim, Conflict, EntityId, Lane, LeaseToken, NewEntity, NewError, Timestamp};

/// Stable id of the rule that a refused entity breaks.
const RULE: &str = "conflict/location-key";

/// A source wants to hand over an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) source: i64,
    pub(crate) target: i64,
    /// It may not, because of another source's location key.
    pub(crate) is_refused: bool,
    pub(crate) group: i64,
    /// Index of the document, and the line on which it starts.
    pub(crate) position: Option<(u32, u32)>,
}

/// An entity that a source hands over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    pub(crate) source: i64,
    pub(crate) target: i64,
    pub(crate) entity: &'a NewEntity,
    /// The edge that there is already.
    pub(crate) previous: Option<Edge>,
    /// Where the entity queues if it needs processing.
    pub(crate) lane: Lane,
}

impl Offer<'_> {
    /// Whether the entity came from this source before, too.
    fn was_accepted(&self) -> bool {
        self.previous.is_some_and(|edge| !edge.is_refused)
    }
}

/// What the store has of an entity, including what this intake will write.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) uid: Uuid,
    pub(crate) digest: Digest,
    /// None also if the entity is an orphan: its key is nobody's.
    pub(crate) location_key: Option<Arc<str>>,
}

/// An entity whose content or key is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) id: i64,
    pub(crate) uid: Uuid,
    pub(crate) entity: &'a NewEntity,
    pub(crate) lane: Lane,
    pub(crate) is_new: bool,
}

impl Written<'_> {
    /// The claim of an entity without a past.
    pub(crate) fn claim(&self, token: LeaseToken, now: Timestamp) -> Claim {
        let NewEntity { entity_ref, json, digest, location_key, .. } = self.entity;
        Claim {
            id: EntityId(self.id),
            entity_ref: Arc::clone(entity_ref),
            uid: self.uid,
            token,
            lane: self.lane,
            due_at: now,
            unprocessed: Arc::clone(json),
            unprocessed_digest: *digest,
            location_key: location_key.clone(),
            cache: None,
            result_digest: None,
            fingerprint: None,
        }
    }
}

/// A refused offer.
#[derive(Debug)]
struct Refusal<'a> {
    source: i64,
    target: i64,
    entity: &'a NewEntity,
    existing_key: Arc<str>,
}

/// What follows from offers, and from edges that were withdrawn. All of it is written in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    /// The entities that need processing now, in the order in which they were offered.
    pub(crate) written: Vec<Written<'a>>,
    /// Edges that are new, or others than before.
    pub(crate) edges: Vec<Edge>,
    /// Edges that go, by source and target.
    pub(crate) dropped: Vec<(i64, i64)>,
    /// Refusals that are over, by source and target.
    pub(crate) settled: Vec<(i64, i64)>,
    /// Entities that are there already and have one more source.
    pub(crate) gained: BTreeSet<i64>,
    /// Entities that have one source less.
    pub(crate) lost: BTreeSet<i64>,
    /// Entities that gave up a key, for which somebody may have been waiting.
    pub(crate) rekeyed: BTreeSet<i64>,
    refusals: Vec<Refusal<'a>>,
}

impl<'a> Plan<'a> {
    /// The entities that the store does not have yet.
    pub(crate) fn added(&self) -> impl Iterator<Item = &Written<'a>> {
        self.written.iter().filter(|written| written.is_new)
    }

    /// The entities that the store has and that are due because of what is written, by lane.
    pub(crate) fn changed(&self) -> BTreeMap<Lane, Vec<i64>> {
        let mut changed: BTreeMap<Lane, Vec<i64>> = BTreeMap::new();
        for written in self.written.iter().filter(|written| !written.is_new) {
            changed.entry(written.lane).or_default().push(written.id);
        }
        changed
    }

    /// The numbers of those who were refused.
    pub(crate) fn refused_sources(&self) -> impl ExactSizeIterator<Item = i64> {
        self.refusals.iter().map(|refusal| refusal.source)
    }

    /// What is told of the refusals. `names` are the texts of the sources.
    pub(crate) fn conflicts(&self, names: &HashMap<i64, Arc<str>>) -> Vec<Conflict> {
        self.refusals.iter().map(|refusal| refusal.conflict(refusal.source_name(names))).collect()
    }

    /// The error that is kept of each refusal, by source and target.
    pub(crate) fn errors(&self, names: &HashMap<i64, Arc<str>>) -> Vec<((i64, i64), NewError)> {
        let errors = self
            .refusals
            .iter()
            .map(|refusal| ((refusal.source, refusal.target), refusal.error(refusal.source_name(names))));
        errors.collect()
    }
}

/// Decides about offers, one after the other.
#[derive(Debug)]
pub(crate) struct Intake<'a> {
    now: Timestamp,
    stored: HashMap<i64, Stored>,
    /// Places in `plan.written`.
    places: HashMap<i64, usize>,
    plan: Plan<'a>,
}

impl<'a> Intake<'a> {
    /// Begins with what the store has of the targets that will be offered.
    pub(crate) fn new(stored: HashMap<i64, Stored>, now: Timestamp) -> Self {
        Self { now, stored, places: HashMap::new(), plan: Plan::default() }
    }

    /// The entities that come with another key than they have, from a source that handed them over before. If it is
    /// the only one, it may change the key: a provider changed its mind, or a file was renamed under a location that
    /// reads a folder. The entity keeps its uid and all that is known of it.
    pub(crate) fn rekeyable(&self, offers: &[Offer<'_>]) -> Vec<i64> {
        let rekeyable = offers
            .iter()
            .filter(|offer| offer.was_accepted() && self.has_other_key(offer))
            .map(|offer| offer.target);
        rekeyable.collect()
    }

    fn has_other_key(&self, offer: &Offer<'_>) -> bool {
        let key = offer.entity.location_key.as_ref();
        self.stored
            .get(&offer.target)
            .is_some_and(|stored| stored.location_key.is_some() && stored.location_key.as_ref() != key)
    }

    /// Takes offers, or refuses them. `sole` are those of the [`rekeyable`](Self::rekeyable) that have one source only.
    pub(crate) fn offer(&mut self, offers: &[Offer<'a>], sole: &HashSet<i64>) {
        for offer in offers {
            // Another source may have come by in these very offers.
            let is_sole = sole.contains(&offer.target) && !self.plan.gained.contains(&offer.target);
            self.offer_one(offer, offer.was_accepted() && is_sole);
        }
    }

    fn offer_one(&mut self, offer: &Offer<'a>, may_rekey: bool) {
        let is_refused = !may_rekey && self.has_other_key(offer);
        let edge = Edge {
            source: offer.source,
            target: offer.target,
            is_refused,
            group: offer.entity.group,
            position: offer.entity.position,
        };
        if offer.previous != Some(edge) {
            self.plan.edges.push(edge);
        }
        if is_refused {
            if offer.was_accepted() {
                self.plan.lost.insert(offer.target);
            }
            let existing_key = self.stored.get(&offer.target).and_then(|stored| stored.location_key.clone());
            self.plan.refusals.push(Refusal {
                source: offer.source,
                target: offer.target,
                entity: offer.entity,
                existing_key: existing_key.unwrap_or_default(),
            });
        } else {
            if !offer.was_accepted() && self.stored.contains_key(&offer.target) {
                self.plan.gained.insert(offer.target);
            }
            if offer.previous.is_some_and(|previous| previous.is_refused) {
                self.plan.settled.push((offer.source, offer.target));
            }
            self.take(offer);
        }
    }

    fn take(&mut self, offer: &Offer<'a>) {
        let Offer { target: id, entity, lane, .. } = *offer;
        let now = self.now;
        let is_new = !self.stored.contains_key(&id);
        let stored = self.stored.entry(id).or_insert_with(|| Stored {
            uid: new_uid(now),
            digest: entity.digest,
            location_key: entity.location_key.clone(),
        });
        let is_rekeyed = stored.location_key != entity.location_key;
        if !is_new && stored.digest == entity.digest && !is_rekeyed {
            return;
        }
        if is_rekeyed && stored.location_key.is_some() {
            self.plan.rekeyed.insert(id);
        }
        stored.digest = entity.digest;
        stored.location_key.clone_from(&entity.location_key);
        let place = self.places.get(&id).copied();
        if let Some(written) = place.and_then(|place| self.plan.written.get_mut(place)) {
            written.entity = entity;
            written.lane = written.lane.min(lane);
        } else {
            self.places.insert(id, self.plan.written.len());
            self.plan.written.push(Written { id, uid: stored.uid, entity, lane, is_new });
        }
    }

    /// The source no longer hands the target over.
    pub(crate) fn withdraw(&mut self, edge: &Edge) {
        self.plan.dropped.push((edge.source, edge.target));
        if edge.is_refused {
            self.plan.settled.push((edge.source, edge.target));
        } else {
            self.plan.lost.insert(edge.target);
        }
    }

    pub(crate) fn finish(self) -> Plan<'a> {
        self.plan
    }
}

impl Refusal<'_> {
    fn source_name<'n>(&self, names: &'n HashMap<i64, Arc<str>>) -> &'n str {
        names.get(&self.source).map(AsRef::as_ref).unwrap_or_default()
    }

    fn conflict(&self, source: &str) -> Conflict {
        Conflict {
            entity_ref: self.entity.entity_ref.to_string(),
            source: provider_name(source).unwrap_or(source).to_owned(),
            existing_key: self.existing_key.to_string(),
            new_key: self.entity.location_key.as_deref().map(str::to_owned),
        }
    }

    /// The error that is kept, in the words that Backstage logs.
    fn error(&self, source: &str) -> NewError {
        let clash = format!(
            "conflicting entityRef {} already referenced by {} and now also {}",
            self.entity.entity_ref,
            self.existing_key,
            self.entity.location_key.as_deref().unwrap_or("undefined"),
        );
        let message = match provider_name(source) {
            Some(name) => format!("Source {name} detected {clash}"),
            None => format!("Detected {clash}"),
        };
        NewError {
            error: SerializedError::new("ConflictError", message),
            location: self.entity.location_key.clone(),
            document: self.entity.position.map(|(document, _)| document),
            line: self.entity.position.map(|(_, line)| line),
            column: None,
            pointer: None,
            rule: Some(RULE.to_owned()),
            digest: self.entity.digest,
        }
    }
}

/// The sources that must run in full because some targets have one source less. `edges` are all that are left to the
/// targets, of which the `orphans` have no source any more: whoever was refused may have these now. The content of the
/// others may be that of the source that is gone, so those that are left hand them over again.
pub(crate) fn heirs(edges: &[Edge], orphans: &[i64]) -> BTreeSet<i64> {
    let orphans: HashSet<i64> = orphans.iter().copied().collect();
    let is_heir = |edge: &&Edge| edge.is_refused == orphans.contains(&edge.target);
    edges.iter().filter(is_heir).map(|edge| edge.source).collect()
}

/// A uid that grows with time, so that the unique index on it grows at its end.
pub(crate) fn new_uid(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

#[cfg(test)]
mod tests;
