//! What is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callboard_model::{BodyRef, Digest, FinalParts, SerializedError};
use uuid::Uuid;

use super::edges::{Edge, Source};
use super::errors::ErrorRow;
use super::schedule::Lease;
use super::stitching::Rank;
use crate::packed::unpack;
use crate::rules::names::Interned;
use crate::rules::schedule::Schedule;
use crate::{Change, EntityId, Hint, LeaseToken, PackedBody, RelationKey, StoredLocation, Timestamp};

/// Everything that a store keeps.
#[derive(Debug, Default)]
pub struct Tables {
    /// Entities by canonical ref.
    pub rows: BTreeMap<Arc<str>, Row>,
    /// Who hands over what: by target, then by source. A target without any source may be missing.
    pub edges: BTreeMap<Arc<str>, BTreeMap<Source, Edge>>,
    /// Errors by number.
    pub errors: BTreeMap<i64, ErrorRow>,
    /// Refs whose final entity must be made anew.
    pub stitch_queue: BTreeMap<Arc<str>, Rank>,
    /// The change log.
    pub changes: Vec<Change>,
    /// Position of the newest change.
    pub position: i64,
    /// The log begins after this position.
    pub trimmed_to: i64,
    /// Registered locations by id.
    pub locations: BTreeMap<String, StoredLocation>,
    /// The processors that were applied last.
    pub applied: Option<Digest>,
    /// Jobs that somebody has, and until when.
    pub(super) jobs: BTreeMap<String, (LeaseToken, Timestamp)>,
    /// How often there was something to tell the others.
    pub(super) hints: BTreeMap<Hint, u64>,
    /// Refs that the unit of work under way has queued for stitching.
    pub(super) queued_now: BTreeSet<Arc<str>>,
    /// The numbers by which the rules know refs and providers. None is ever forgotten.
    pub(super) names: Interned,
    texts: BTreeMap<i64, Arc<str>>,
    last_number: i64,
}

/// An entity.
#[derive(Debug)]
pub struct Row {
    /// Its number.
    pub id: EntityId,
    /// Its uid.
    pub uid: Uuid,
    /// As it was handed over.
    pub unprocessed: Arc<str>,
    /// Digest of that.
    pub digest: Digest,
    /// Who may write it.
    pub location_key: Option<Arc<str>>,
    /// When it is due, and what is known of the last run.
    pub(super) schedule: Schedule,
    /// How often something made it due.
    pub wishes: u64,
    /// Who processes it.
    pub lease: Option<Lease>,
    /// What its processors remember, and for how many failures.
    pub cache: Option<(String, i64)>,
    /// What the last good run gave.
    pub good: Option<GoodRun>,
    /// What stitching made of it.
    pub shown: Option<Shown>,
}

/// What the last good run of an entity gave, without its children: those are edges.
#[derive(Debug)]
pub struct GoodRun {
    /// The processed entity.
    pub body: PackedBody,
    /// The relations that it emitted.
    pub relations: BTreeSet<RelationKey>,
    /// The refresh keys that it emitted.
    pub refresh_keys: BTreeSet<String>,
}

/// What stitching adds to a body.
#[derive(Debug)]
pub struct Shown {
    /// Types and targets.
    pub relations: Vec<(Arc<str>, Arc<str>)>,
    /// Errors of the last run.
    pub errors: Vec<SerializedError>,
    /// Whether nothing hands the entity over.
    pub is_orphan: bool,
    /// Of the whole; `None` if readers may have seen another body meanwhile.
    pub etag: Option<String>,
}

impl Tables {
    pub(super) fn hint(&mut self, hint: Hint) {
        *self.hints.entry(hint).or_default() += 1;
    }

    /// A number that was never given out before.
    pub(super) fn next_number(&mut self) -> i64 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn next_uid(&mut self) -> Uuid {
        let number = self.next_number();
        Uuid::from_u128(u128::from(number.unsigned_abs()))
    }

    /// The number of a text, which it has from now on.
    pub(super) fn number(&mut self, text: &Arc<str>) -> i64 {
        if let Some(number) = self.names.find(text) {
            return number;
        }
        let number = self.next_number();
        self.names.insert(Arc::clone(text), number);
        self.texts.insert(number, Arc::clone(text));
        number
    }

    /// The text with this number; empty if there is none.
    pub(super) fn text(&self, number: i64) -> Arc<str> {
        self.texts.get(&number).cloned().unwrap_or_default()
    }

    pub(super) fn ref_by_uid(&self, uid: Uuid) -> Option<Arc<str>> {
        self.rows.iter().find(|(_, row)| row.uid == uid).map(|(entity_ref, _)| Arc::clone(entity_ref))
    }
}

impl Row {
    /// The final entity that these parts make of the last good run.
    pub(super) fn finish(&self, shown: &Shown) -> Option<callboard_model::FinalEntity> {
        let good = self.good.as_ref()?;
        let json = unpack(&good.body.json).ok()?;
        let PackedBody { metadata_end, annotations_end, own_etag, ref status, .. } = good.body;
        let relations: Vec<(&str, &str)> =
            shown.relations.iter().map(|(kind, target)| (kind.as_ref(), target.as_ref())).collect();
        let parts = FinalParts {
            body: BodyRef { json: &json, metadata_end, annotations_end, own_etag, status: status.as_deref() },
            uid: &self.uid.to_string(),
            relations: &relations,
            errors: &shown.errors,
            is_orphan: shown.is_orphan,
        };
        Some(parts.finish())
    }
}
