//! What has to hold of the rows of one entity.

use callboard_model::Digest;
use foldhash::{HashMap, HashSet};
use uuid::Uuid;

use super::{RelationSum, subject};
use crate::doctor::{Invariant, Site, Violation};
use crate::packed::unpack;
use crate::rules::codec::{Triple, unpack_keys, unpack_relations};
use crate::rules::final_entity::FinalRow;
use crate::{Lane, StoreError};

/// Nothing rests for a year (what may be configured ends there), so what is due later than this is never due.
const HORIZON_MICROS: i64 = 2 * 366 * 24 * 3600 * 1_000_000;

/// All rows of one entity. What cannot be read is an error in its own place.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether there is a row")]
pub(crate) struct EntityRows {
    pub(crate) id: i64,
    pub(crate) entity_ref: Option<String>,
    pub(crate) uid: Result<Uuid, StoreError>,
    pub(crate) digest: Result<Digest, StoreError>,
    /// Packed.
    pub(crate) unprocessed: Result<Vec<u8>, StoreError>,
    /// Packed.
    pub(crate) cache: Result<Option<Vec<u8>>, StoreError>,
    pub(crate) schedule: Option<ScheduleState>,
    pub(crate) is_marked_orphan: bool,
    /// Whether an edge leads to it that is not refused.
    pub(crate) has_source: bool,
    pub(crate) is_queued: bool,
    pub(crate) has_stitching_error: bool,
    pub(crate) has_run_error: bool,
    pub(crate) result: Option<Result<StoredResult, StoreError>>,
    pub(crate) body: Option<Result<StoredBody, StoreError>>,
    pub(crate) final_entity: Option<Result<StoredFinal, StoreError>>,
}

/// A row of `schedule`.
#[derive(Debug)]
pub(crate) struct ScheduleState {
    /// In microseconds.
    pub(crate) due: Result<Option<i64>, StoreError>,
    pub(crate) lane: Result<i64, StoreError>,
    pub(crate) was_run: bool,
    /// Whether the last good run counts: otherwise a full one is wanted.
    pub(crate) has_fingerprint: bool,
    /// Until when nobody else may claim it, in microseconds, where that is a column.
    pub(crate) leased_until: Option<i64>,
}

/// What counts of a row of `results` here.
#[derive(Debug)]
pub(crate) struct StoredResult {
    pub(crate) body_digest: Digest,
    pub(crate) relations: Vec<u8>,
    pub(crate) refresh_keys: Vec<u8>,
}

/// What counts of a row of `bodies` here.
#[derive(Debug)]
pub(crate) struct StoredBody {
    pub(crate) digest: Digest,
    /// Packed.
    pub(crate) json: Vec<u8>,
}

/// A row of `final_entities`.
#[derive(Debug)]
pub(crate) struct StoredFinal {
    pub(crate) uid: Uuid,
    pub(crate) etag: String,
    pub(crate) is_orphan: bool,
    /// Packed.
    pub(crate) relations: Vec<u8>,
    pub(crate) status: Option<String>,
}

/// Reads the columns of `SELECT_ENTITIES`, which are the same in all stores, with the `RowExt` of one.
macro_rules! entity_rows {
    ($row:expr) => {{
        use $crate::rules::doctor::{EntityRows, ScheduleState, StoredBody, StoredFinal, StoredResult};
        let row = $row;
        let schedule = || {
            Ok::<_, $crate::StoreError>(ScheduleState {
                due: row.int_opt(7),
                lane: row.int(8),
                was_run: row.flag(9)?,
                has_fingerprint: row.flag(10)?,
                leased_until: row.int_opt(11)?,
            })
        };
        let result = || {
            Ok::<_, $crate::StoreError>(StoredResult {
                body_digest: row.digest(18)?,
                relations: row.blob(19)?.to_vec(),
                refresh_keys: row.blob(20)?.to_vec(),
            })
        };
        let body = || {
            Ok::<_, $crate::StoreError>(StoredBody { digest: row.digest(22)?, json: row.blob(23)?.to_vec() })
        };
        let final_entity = || {
            Ok::<_, $crate::StoreError>(StoredFinal {
                uid: row.uid(25)?,
                etag: String::from(row.text(26)?),
                is_orphan: row.flag(27)?,
                relations: row.blob(28)?.to_vec(),
                status: row.text_opt(29)?.map(String::from),
            })
        };
        EntityRows {
            id: row.int(0)?,
            entity_ref: row.text_opt(1).ok().flatten().map(String::from),
            uid: row.uid(2),
            digest: row.digest(3),
            unprocessed: row.blob(4).map(<[u8]>::to_vec),
            cache: row.blob_opt(5).map(|json| json.map(<[u8]>::to_vec)),
            schedule: row.int_opt(6)?.map(|_| schedule()).transpose()?,
            is_marked_orphan: row.flag(12)?,
            has_source: row.flag(13)?,
            is_queued: row.flag(14)?,
            has_stitching_error: row.flag(15)?,
            has_run_error: row.flag(16)?,
            result: row.int_opt(17)?.map(|_| result()),
            body: row.int_opt(21)?.map(|_| body()),
            final_entity: row.int_opt(24)?.map(|_| final_entity()),
        }
    }};
}

pub(crate) use entity_rows;

/// What the other tables have to say about the entities of a page.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// The final entities that stitching would make, or why it cannot.
    pub(crate) finals: HashMap<i64, Result<FinalRow, String>>,
    /// Those of the relations from elsewhere that there are, with their originators.
    pub(crate) peers: HashSet<(Triple, i64)>,
    /// Those of the refresh keys that there are, with their carriers.
    pub(crate) keys: HashSet<(i64, i64)>,
}

impl EntityRows {
    /// The relations that start elsewhere, each with this entity; none of what cannot be read.
    pub(crate) fn peers(&self) -> Vec<(Triple, i64)> {
        let Some(Ok(result)) = &self.result else { return Vec::new() };
        let relations = unpack_relations(self.id, &result.relations).unwrap_or_default();
        relations.into_iter().filter(|relation| relation.0 != self.id).map(|it| (it, self.id)).collect()
    }

    /// The refresh keys, each with this entity.
    pub(crate) fn keys(&self) -> Vec<(i64, i64)> {
        let Some(Ok(result)) = &self.result else { return Vec::new() };
        let keys = unpack_keys(&result.refresh_keys).unwrap_or_default();
        keys.into_iter().map(|key| (key, self.id)).collect()
    }

    pub(crate) fn count_relations(&self, sum: &mut RelationSum) {
        if let Some(result) = &self.result {
            sum.add(self.id, result.as_ref().ok().map(|result| result.relations.as_slice()));
        }
    }

    /// `now` in microseconds.
    pub(crate) fn check(&self, expected: &Expected, now: i64) -> Vec<Violation> {
        let mut found = Vec::new();
        self.check_unprocessed(&mut found);
        self.check_schedule(now, &mut found);
        match (self.is_marked_orphan, self.has_source) {
            (false, false) => found.push((Invariant::MissingOrphanMark, "no source is left".to_owned())),
            (true, true) => found.push((Invariant::StrayOrphanMark, "it has a source".to_owned())),
            _ => {}
        }
        self.check_result(expected, &mut found);
        let subject = subject(self.id, self.entity_ref.as_deref());
        let site = Site::Entity(self.id);
        let violation = |(invariant, detail)| Violation {
            invariant,
            subject: subject.clone(),
            detail,
            site: site.clone(),
        };
        found.into_iter().map(violation).collect()
    }

    fn check_unprocessed(&self, found: &mut Vec<(Invariant, String)>) {
        if self.entity_ref.is_none() {
            found.push((Invariant::NamelessEntity, "its number has no text".to_owned()));
        }
        if let Err(problem) = self.unprocessed_problem() {
            found.push((Invariant::UnreadableEntity, problem));
        }
        let cache = self.cache.as_ref().map(|cache| cache.as_deref().map(unpack).transpose());
        let problem = match &cache {
            Err(error) => Some(error.to_string()),
            Ok(Err(error)) => Some(error.to_string()),
            Ok(Ok(_)) => None,
        };
        found.extend(problem.map(|problem| (Invariant::UnreadableCache, problem)));
    }

    fn unprocessed_problem(&self) -> Result<(), String> {
        let told = |error: &StoreError| error.to_string();
        self.uid.as_ref().map_err(told)?;
        let digest = self.digest.as_ref().map_err(told)?;
        let text = unpack(self.unprocessed.as_ref().map_err(told)?).map_err(|error| told(&error))?;
        if Digest::of(text) == *digest { Ok(()) } else { Err("it is not what its digest says".to_owned()) }
    }

    fn check_schedule(&self, now: i64, found: &mut Vec<(Invariant, String)>) {
        let Some(schedule) = &self.schedule else {
            found.push((Invariant::UnscheduledEntity, "it has no schedule".to_owned()));
            return;
        };
        let horizon = now.saturating_add(HORIZON_MICROS);
        let is_lane = |lane: &i64| (Lane::Interactive as i64..=Lane::Periodic as i64).contains(lane);
        let detail = match &schedule.due {
            Err(error) => error.to_string(),
            Ok(Some(due)) if *due > horizon => "it is due in a remote future".to_owned(),
            Ok(_) if schedule.leased_until.is_some_and(|until| until > horizon) => {
                "it is leased until a remote future".to_owned()
            }
            Ok(Some(_)) if !schedule.lane.as_ref().is_ok_and(is_lane) => "it is due in no lane".to_owned(),
            Ok(None) if !schedule.was_run => "it was never run, and is not due".to_owned(),
            // After a good run only a change makes a pure entity due; after a bad one its errors say so.
            Ok(None) if !schedule.has_fingerprint && !self.has_run_error => {
                "a full run is wanted, and it is not due".to_owned()
            }
            Ok(_) => return,
        };
        found.push((Invariant::LostDueTime, detail));
    }

    /// Whether the next good run writes all of the result whatever is stored: then what is wrong with it is being dealt
    /// with.
    fn awaits_full_run(&self) -> bool {
        self.schedule.as_ref().is_some_and(|schedule| {
            let is_due = matches!(schedule.due, Ok(Some(_)));
            !schedule.has_fingerprint && (is_due || self.has_run_error)
        })
    }

    fn check_result(&self, expected: &Expected, found: &mut Vec<(Invariant, String)>) {
        let awaits = self.awaits_full_run();
        let Some(result) = &self.result else {
            let had_one = self.schedule.as_ref().is_some_and(|schedule| schedule.has_fingerprint);
            if !awaits && (had_one || self.body.is_some() || self.final_entity.is_some()) {
                found.push((Invariant::LostResult, "it was processed, and has no result".to_owned()));
            }
            return;
        };
        let made = match self.made(result, expected) {
            Ok(made) => made,
            Err(problem) => {
                if !awaits {
                    found.push((Invariant::UnreadableResult, problem));
                }
                return;
            }
        };
        let is_missing = |peer: &(Triple, i64)| !expected.peers.contains(peer);
        let missing = self.peers().into_iter().filter(is_missing).count();
        if missing > 0 {
            found.push((Invariant::MissingPeerRelation, format!("{missing} missing")));
        }
        let missing = self.keys().into_iter().filter(|key| !expected.keys.contains(key)).count();
        if missing > 0 {
            found.push((Invariant::MissingRefreshKey, format!("{missing} missing")));
        }
        if let Some(problem) = self.body_problem(result) {
            if !awaits {
                found.push((Invariant::LostBody, problem));
            }
            return;
        }
        if !self.is_queued {
            found.extend(self.final_problem(made));
        }
    }

    /// What stitching makes of the result, if all of that can be read.
    fn made<'e>(
        &self,
        result: &Result<StoredResult, StoreError>,
        expected: &'e Expected,
    ) -> Result<&'e FinalRow, String> {
        let told = |error: &StoreError| error.to_string();
        let result = result.as_ref().map_err(told)?;
        unpack_keys(&result.refresh_keys).map_err(|error| told(&error))?;
        match expected.finals.get(&self.id) {
            Some(made) => made.as_ref().map_err(Clone::clone),
            None => Err("it cannot be read".to_owned()),
        }
    }

    fn body_problem(&self, result: &Result<StoredResult, StoreError>) -> Option<String> {
        let wanted = result.as_ref().ok()?.body_digest;
        let body = match &self.body {
            None => return Some("the processed entity is gone".to_owned()),
            Some(Err(error)) => return Some(error.to_string()),
            Some(Ok(body)) => body,
        };
        if body.digest != wanted {
            return Some("the processed entity is the one of another result".to_owned());
        }
        match unpack(&body.json) {
            Err(error) => Some(error.to_string()),
            Ok(json) if Digest::of(&json) != body.digest => {
                Some("the processed entity is not what its digest says".to_owned())
            }
            Ok(_) => None,
        }
    }

    fn final_problem(&self, made: &FinalRow) -> Option<(Invariant, String)> {
        let stale = |detail: &str| Some((Invariant::StaleFinalEntity, detail.to_owned()));
        let stored = match &self.final_entity {
            None => {
                let detail = "it was processed, and never stitched".to_owned();
                return Some((Invariant::MissingFinalEntity, detail));
            }
            Some(Err(error)) => return stale(&error.to_string()),
            Some(Ok(stored)) => stored,
        };
        let FinalRow { etag, is_orphan, relations, status, .. } = made;
        if stored.is_orphan != *is_orphan {
            stale(if stored.is_orphan {
                "it is served as an orphan"
            } else {
                "it is not served as an orphan"
            })
        } else if stored.status != *status {
            stale("its status is another one")
        } else if unpack(&stored.relations).ok().as_ref() != Some(relations) {
            stale("its relations are other ones")
        } else if self.uid.as_ref().is_ok_and(|uid| stored.uid != *uid) {
            stale("its uid is another one")
        } else if stored.etag != *etag {
            stale("its etag is another one")
        } else if self.has_stitching_error {
            stale("an error says that it cannot be made")
        } else {
            None
        }
    }
}
