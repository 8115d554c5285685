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
use foldhash::{HashMap, HashMapExt as _};
use uuid::{NoContext, Uuid};

use super::codec::{RowExt as _, ids_json, micros};
use super::edges::Edge;
use super::refs::provider_name;
use super::schedule::{Run, Schedule};
use super::session::Args;
use super::statement::{bulk_statements, statements};
use super::writer::Writer;
use crate::packed::pack;
use crate::{Conflict, Lane, NewEntity, NewError, StoreError, Timestamp};

/// Stable id of the rule that a refused entity breaks.
const RULE: &str = "conflict/location-key";

statements! {
    // The key of an orphan is nobody's.
    SELECT_STORED =
        "SELECT r.id, r.uid, r.digest, iif(o.id IS NULL, r.location_key, NULL) \
         FROM json_each(?1) j CROSS JOIN refresh_state r ON r.id = j.value LEFT JOIN orphans o ON o.id = r.id";
}

bulk_statements! {
    PUT_UNPROCESSED("refresh_state", 5) =
        "INSERT INTO refresh_state (id, uid, digest, location_key, unprocessed) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, location_key = excluded.location_key, \
             unprocessed = excluded.unprocessed";
}

/// An entity that a source hands over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) source: i64,
    pub(super) target: i64,
    pub(super) entity: &'a NewEntity,
    /// The edge that there is already.
    pub(super) previous: Option<Edge>,
    /// Where the entity queues if it needs processing.
    pub(super) lane: Lane,
    /// The source may change the key: no other source hands the entity over.
    pub(super) may_rekey: bool,
}

/// What the store has of an entity, including what this intake will write.
#[derive(Debug)]
struct Stored {
    uid: Uuid,
    digest: Digest,
    location_key: Option<Arc<str>>,
}

/// An entity whose content or key is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) id: i64,
    pub(super) uid: Uuid,
    pub(super) entity: &'a NewEntity,
    pub(super) lane: Lane,
    pub(super) is_new: bool,
}

/// A refused offer.
#[derive(Debug)]
struct Refusal<'a> {
    source: i64,
    target: i64,
    entity: &'a NewEntity,
    existing_key: Arc<str>,
}

/// Collects offers, and writes what follows from them all at once.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    now: Timestamp,
    stored: HashMap<i64, Stored>,
    written: Vec<Written<'a>>,
    /// Places in `written`.
    places: HashMap<i64, usize>,
    refusals: Vec<Refusal<'a>>,
    edges: Vec<Edge>,
    dropped: Vec<(i64, i64)>,
    settled: Vec<(i64, i64)>,
    gained: BTreeSet<i64>,
    lost: BTreeSet<i64>,
    rekeyed: BTreeSet<i64>,
}

impl<'a> Intake<'a> {
    /// Begins with what the store has of the targets that will be offered.
    pub(super) async fn new(
        writer: &mut Writer<'_>,
        targets: impl IntoIterator<Item = i64>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut stored = HashMap::new();
        for row in writer.db.rows(SELECT_STORED, Args::new().with(ids_json(targets))).await? {
            let location_key = row.text_opt(3)?.map(Arc::from);
            stored.insert(row.int(0)?, Stored { uid: row.uid(1)?, digest: row.digest(2)?, location_key });
        }
        Ok(Self {
            now,
            stored,
            written: Vec::new(),
            places: HashMap::new(),
            refusals: Vec::new(),
            edges: Vec::new(),
            dropped: Vec::new(),
            settled: Vec::new(),
            gained: BTreeSet::new(),
            lost: BTreeSet::new(),
            rekeyed: BTreeSet::new(),
        })
    }

    /// Whether an entity has a location key that is not this one.
    pub(super) fn has_other_key(&self, id: i64, key: Option<&Arc<str>>) -> bool {
        self.stored
            .get(&id)
            .is_some_and(|stored| stored.location_key.is_some() && stored.location_key.as_ref() != key)
    }

    /// Takes an offer, or refuses it.
    pub(super) fn offer(&mut self, offer: Offer<'a>) {
        let is_refused =
            !offer.may_rekey && self.has_other_key(offer.target, offer.entity.location_key.as_ref());
        let edge = Edge {
            source: offer.source,
            target: offer.target,
            is_refused,
            group: offer.entity.group,
            position: offer.entity.position,
        };
        if offer.previous != Some(edge) {
            self.edges.push(edge);
        }
        let was_accepted = offer.previous.is_some_and(|previous| !previous.is_refused);
        if is_refused {
            if was_accepted {
                self.lost.insert(offer.target);
            }
            let existing_key = self.stored.get(&offer.target).and_then(|stored| stored.location_key.clone());
            self.refusals.push(Refusal {
                source: offer.source,
                target: offer.target,
                entity: offer.entity,
                existing_key: existing_key.unwrap_or_default(),
            });
        } else {
            if !was_accepted && self.stored.contains_key(&offer.target) {
                self.gained.insert(offer.target);
            }
            if offer.previous.is_some_and(|previous| previous.is_refused) {
                self.settled.push((offer.source, offer.target));
            }
            self.take(offer);
        }
    }

    fn take(&mut self, offer: Offer<'a>) {
        let Offer { target: id, entity, lane, .. } = offer;
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
            self.rekeyed.insert(id);
        }
        stored.digest = entity.digest;
        stored.location_key.clone_from(&entity.location_key);
        if let Some(written) = self.places.get(&id).and_then(|place| self.written.get_mut(*place)) {
            written.entity = entity;
            written.lane = written.lane.min(lane);
        } else {
            self.places.insert(id, self.written.len());
            self.written.push(Written { id, uid: stored.uid, entity, lane, is_new });
        }
    }

    /// The source no longer hands the target over.
    pub(super) fn withdraw(&mut self, edge: Edge) {
        self.dropped.push((edge.source, edge.target));
        if edge.is_refused {
            self.settled.push((edge.source, edge.target));
        } else {
            self.lost.insert(edge.target);
        }
    }

    /// The entities that need processing now, in the order in which they were offered.
    pub(super) fn written(&self) -> &[Written<'a>] {
        &self.written
    }

    /// Writes everything. Answers who was refused, sources by number.
    pub(super) async fn write(&mut self, writer: &mut Writer<'_>) -> Result<Vec<Conflict>, StoreError> {
        self.write_entities(writer).await?;
        // Orphans are told by their edges, so these come first.
        writer.edges_delete(std::mem::take(&mut self.dropped)).await?;
        writer.edges_put(std::mem::take(&mut self.edges)).await?;
        writer.conflicts_settle(std::mem::take(&mut self.settled)).await?;
        writer.sources_lost(std::mem::take(&mut self.lost), self.now).await?;
        writer.sources_gained(std::mem::take(&mut self.gained)).await?;
        if !self.rekeyed.is_empty() {
            let waiting = writer.refused_sources(std::mem::take(&mut self.rekeyed)).await?;
            writer.mark_due(waiting, Lane::Event, Run::InFull, self.now).await?;
        }
        self.write_conflicts(writer).await
    }

    async fn write_entities(&self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        let bind = |args: &mut Args, written: &Written<'a>| {
            args.push(written.id);
            args.push(written.uid.as_bytes().to_vec());
            args.push(written.entity.digest.as_bytes().to_vec());
            args.push(written.entity.location_key.clone());
            args.push(pack(&written.entity.json));
        };
        writer.db.bulk(&PUT_UNPROCESSED, &self.written, bind).await?;
        let now = micros(self.now);
        let new = self.written.iter().filter(|written| written.is_new);
        writer
            .schedule_put(new.map(|written| Schedule::new(written.id, written.lane, now)).collect())
            .await?;
        let mut changed: BTreeMap<Lane, Vec<i64>> = BTreeMap::new();
        for written in self.written.iter().filter(|written| !written.is_new) {
            changed.entry(written.lane).or_default().push(written.id);
        }
        for (lane, ids) in changed {
            writer.mark_due(ids, lane, Run::IfChanged, self.now).await?;
        }
        Ok(())
    }

    async fn write_conflicts(&mut self, writer: &mut Writer<'_>) -> Result<Vec<Conflict>, StoreError> {
        if self.refusals.is_empty() {
            return Ok(Vec::new());
        }
        let names = writer.ref_texts(self.refusals.iter().map(|refusal| refusal.source)).await?;
        let mut conflicts = Vec::with_capacity(self.refusals.len());
        let mut errors = Vec::with_capacity(self.refusals.len());
        for refusal in std::mem::take(&mut self.refusals) {
            let source = names.get(&refusal.source).map(AsRef::as_ref).unwrap_or_default();
            errors.push(((refusal.source, refusal.target), refusal.error(source)));
            conflicts.push(Conflict {
                entity_ref: refusal.entity.entity_ref.to_string(),
                source: provider_name(source).unwrap_or(source).to_owned(),
                existing_key: refusal.existing_key.to_string(),
                new_key: refusal.entity.location_key.as_deref().map(str::to_owned),
            });
        }
        writer.conflicts_put(&errors, self.now).await?;
        Ok(conflicts)
    }
}

impl Refusal<'_> {
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

/// A uid that grows with time, so that the unique index on it grows at its end.
pub(super) fn new_uid(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}
