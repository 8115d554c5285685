//! Stitching: making final entities from what processing left, one batch per transaction.
//!
//! A final entity is a function of rows: the processed body, the relations that start at the entity, the errors of
//! its last run, and whether it is an orphan. Its etag is a digest of these, so an equal etag means that nothing has
//! to be written.
//!
//! An entity whose rows make no sense does not hold up the others: it keeps its final entity, gets an error of its
//! own, and leaves the queue. As nothing but other rows would help, it is tried again when one of them changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use callboard_model::{Digest, SerializedError, etag, relations_json, status_json};
use foldhash::{HashMap, HashSet};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json, unpack_relations};
use super::errors::serialized;
use super::refs::relation_type;
use super::session::Args;
use super::statement::{bulk_statements, statements};
use super::writer::{UPSERTED, Writer};
use crate::packed::pack;
use crate::{ErrorCategory, NewError, StitchFailure, StitchReport, StoreError, Timestamp};

/// Stable id of the rule that an entity breaks whose final entity cannot be made.
const RULE: &str = "stitching/unreadable";

statements! {
    SELECT_ANY_QUEUED = "SELECT id FROM stitch_queue LIMIT 1";
    SELECT_QUEUE = "SELECT id FROM stitch_queue ORDER BY rank LIMIT ?1 + 0";
    SELECT_PARTS =
        "SELECT r.id, r.body_digest, r.relations, r.status, f.etag, \
                EXISTS (SELECT 1 FROM orphans o WHERE o.id = r.id), \
                EXISTS (SELECT 1 FROM errors e WHERE e.owner = r.id), \
                (SELECT group_concat(p.type || ' ' || p.target, ' ') FROM peer_relations p WHERE p.source = r.id), \
                (SELECT s.uid FROM refresh_state s WHERE f.id IS NULL AND s.id = r.id) \
         FROM json_each(?1) j CROSS JOIN results r ON r.id = j.value LEFT JOIN final_entities f ON f.id = r.id";
    // Errors of runs (0), which are shown in the status, and of stitching (2).
    SELECT_ERRORS_OF_PARTS =
        "SELECT e.owner, e.category, e.error FROM json_each(?1) j \
           CROSS JOIN errors e ON e.owner = j.value AND e.category IN (0, 2) \
         ORDER BY e.owner, e.position";
    DELETE_QUEUED = "DELETE FROM stitch_queue WHERE id IN (SELECT value FROM json_each(?1))";
}

bulk_statements! {
    // The uid never changes, so it is read and written only for a new row.
    PUT_FINAL("final_entities", 6) =
        "INSERT INTO final_entities (id, uid, etag, is_orphan, relations, status) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET etag = excluded.etag, is_orphan = excluded.is_orphan, \
             relations = excluded.relations, status = excluded.status";
}

/// What a final entity is made of.
struct Parts {
    id: i64,
    /// Of a new final entity.
    uid: Option<Uuid>,
    body_digest: Digest,
    own_status: Option<String>,
    stored_etag: Option<String>,
    is_orphan: bool,
    has_errors: bool,
    /// Types and targets, by number.
    relations: BTreeSet<(i64, i64)>,
}

/// A row of `final_entities`.
struct FinalRow {
    id: i64,
    uid: Option<Uuid>,
    etag: String,
    is_orphan: bool,
    relations: String,
    status: Option<String>,
}

/// What came of the entities of a batch.
#[derive(Default)]
struct Round {
    finals: Vec<FinalRow>,
    unchanged: Vec<i64>,
    failures: Vec<(i64, NewError)>,
}

/// Errors of the entities of a batch.
#[derive(Default)]
struct PartsErrors {
    /// Those of their last runs, in order.
    of_runs: HashMap<i64, Vec<SerializedError>>,
    /// The entities that could not be stitched the last time.
    of_stitching: HashSet<i64>,
}

impl SqliteStore {
    pub(super) async fn stitch_queued(
        &self,
        limit: usize,
        now: Timestamp,
    ) -> Result<StitchReport, StoreError> {
        if self.read_row(SELECT_ANY_QUEUED, Args::new()).await?.is_none() {
            return Ok(StitchReport::default());
        }
        let mut writer = self.writer().await?;
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let rows = writer.db.rows(SELECT_QUEUE, Args::new().with(one_more)).await?;
        let has_more = rows.len() > limit;
        let queued: Vec<i64> = rows.iter().take(limit).map(|row| row.int(0)).collect::<Result<_, _>>()?;
        if queued.is_empty() {
            return Ok(StitchReport { has_more, ..StitchReport::default() });
        }
        let Round { finals, unchanged, failures } = writer.stitch_round(&queued, now).await?;
        let changed = finals.len();
        let stitched: Vec<i64> = finals.iter().map(|row| row.id).chain(unchanged.iter().copied()).collect();
        writer.put_finals(finals).await?;
        writer.db.run(DELETE_QUEUED, Args::new().with(ids_json(queued.iter().copied()))).await?;
        let failed = writer.name_failures(failures).await?;
        let refs = writer.refs_to_tell(&stitched).await?;
        writer.finish().await?;
        tell(&refs, changed);
        Ok(StitchReport {
            changed,
            unchanged: unchanged.len(),
            abandoned: queued.len() - stitched.len() - failed.len(),
            failed,
            has_more,
        })
    }
}

/// Says what became of these refs, of which the first ones changed.
fn tell(refs: &[Arc<str>], changed: usize) {
    for entity_ref in refs {
        tracing::debug!("Stitching {entity_ref}");
    }
    for entity_ref in refs.iter().skip(changed) {
        tracing::debug!("Skipped stitching of {entity_ref}, no changes");
    }
}

impl Writer<'_> {
    /// Makes final entities, without writing those that come out as they are; keeps the errors of those that cannot
    /// be made. Entities that never had a good run are in none of the lists.
    async fn stitch_round(&mut self, ids: &[i64], now: Timestamp) -> Result<Round, StoreError> {
        let mut round = Round::default();
        let mut all = Vec::with_capacity(ids.len());
        for row in self.db.rows(SELECT_PARTS, Args::new().with(ids_json(ids.iter().copied()))).await? {
            let id = row.int(0)?;
            // Whatever is wrong with a row that could be fetched is wrong with this entity alone.
            match Parts::from_row(id, &row) {
                Ok(parts) => all.push(parts),
                Err(error) => round.failures.push((id, failure(&error, row.digest(1).ok()))),
            }
        }
        let numbers =
            all.iter().flat_map(|parts| &parts.relations).flat_map(|(kind, target)| [*kind, *target]);
        let numbers: BTreeSet<i64> = numbers.collect();
        let texts = self.ref_texts(numbers).await?;
        let errors = self.errors_of_parts(&all).await?;
        let mut recovered = Vec::new();
        for parts in all {
            let (id, body_digest) = (parts.id, parts.body_digest);
            let stored_etag = parts.stored_etag.clone();
            let of_run = errors.of_runs.get(&id).map(Vec::as_slice).unwrap_or_default();
            match parts.finish(&texts, of_run) {
                Ok(row) => {
                    if errors.of_stitching.contains(&id) {
                        recovered.push(id);
                    }
                    if stored_etag.as_ref() == Some(&row.etag) {
                        round.unchanged.push(id);
                    } else {
                        round.finals.push(row);
                    }
                }
                Err(error) => round.failures.push((id, failure(&error, Some(body_digest)))),
            }
        }
        let failures = round.failures.iter().map(|(id, error)| (*id, std::slice::from_ref(error)));
        let sets: Vec<_> = failures.chain(recovered.into_iter().map(|id| (id, [].as_slice()))).collect();
        self.stitching_errors_replace(&sets, now).await?;
        Ok(round)
    }

    async fn put_finals(&mut self, finals: Vec<FinalRow>) -> Result<(), StoreError> {
        for row in &finals {
            self.log_change(row.id, UPSERTED);
        }
        let bind = |args: &mut Args, row: FinalRow| {
            args.push(row.id);
            args.push(row.uid.unwrap_or_default().as_bytes().to_vec());
            args.push(row.etag);
            args.push(row.is_orphan);
            args.push(pack(&row.relations));
            args.push(row.status);
        };
        self.db.bulk(&PUT_FINAL, finals, bind).await.map(drop)
    }

    async fn errors_of_parts(&mut self, parts: &[Parts]) -> Result<PartsErrors, StoreError> {
        let mut errors = PartsErrors::default();
        let failing: Vec<i64> = parts.iter().filter(|parts| parts.has_errors).map(|parts| parts.id).collect();
        if failing.is_empty() {
            return Ok(errors);
        }
        for row in self.db.rows(SELECT_ERRORS_OF_PARTS, Args::new().with(ids_json(failing))).await? {
            let owner = row.int(0)?;
            if row.int(1)? == ErrorCategory::Stitching as i64 {
                errors.of_stitching.insert(owner);
            } else {
                errors.of_runs.entry(owner).or_default().push(serialized(&row, 2));
            }
        }
        Ok(errors)
    }

    async fn name_failures(
        &mut self,
        failures: Vec<(i64, NewError)>,
    ) -> Result<Vec<StitchFailure>, StoreError> {
        let refs = self.ref_texts(failures.iter().map(|(id, _)| *id)).await?;
        let named = failures.into_iter().map(|(id, error)| StitchFailure {
            entity_ref: refs.get(&id).map(ToString::to_string).unwrap_or_default(),
            error: error.error.summary(),
        });
        Ok(named.collect())
    }

    /// The refs of the stitched entities, if anybody wants to read about each of them.
    async fn refs_to_tell(&mut self, stitched: &[i64]) -> Result<Vec<Arc<str>>, StoreError> {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return Ok(Vec::new());
        }
        let refs = self.ref_texts(stitched.iter().copied()).await?;
        Ok(stitched.iter().map(|id| refs.get(id).cloned().unwrap_or_default()).collect())
    }
}

/// The error of an entity whose final entity cannot be made.
fn failure(error: &StoreError, body_digest: Option<Digest>) -> NewError {
    NewError {
        error: SerializedError::new("Error", error.to_string()),
        location: None,
        document: None,
        line: None,
        column: None,
        pointer: None,
        rule: Some(RULE.to_owned()),
        digest: body_digest.unwrap_or_else(|| Digest::of("")),
    }
}

impl Parts {
    fn from_row(id: i64, row: &SqliteRow) -> Result<Self, StoreError> {
        let own = unpack_relations(id, row.blob(2)?)?;
        let mut relations: BTreeSet<(i64, i64)> = own
            .into_iter()
            .filter(|relation| relation.0 == id)
            .map(|(_, kind, target)| (kind, target))
            .collect();
        let numbers = row.text_opt(7)?.unwrap_or_default().split_ascii_whitespace().map(|number| {
            number.parse::<i64>().map_err(|_| StoreError::Inconsistent(format!("{number} is not a number")))
        });
        let numbers: Vec<i64> = numbers.collect::<Result<_, _>>()?;
        relations.extend(numbers.as_chunks::<2>().0.iter().map(|[kind, target]| (*kind, *target)));
        Ok(Self {
            id,
            uid: row.uid_opt(8)?,
            body_digest: row.digest(1)?,
            own_status: row.text_opt(3)?.map(str::to_owned),
            stored_etag: row.text_opt(4)?.map(str::to_owned),
            is_orphan: row.flag(5)?,
            has_errors: row.flag(6)?,
            relations,
        })
    }

    fn finish(
        self,
        texts: &HashMap<i64, Arc<str>>,
        errors: &[SerializedError],
    ) -> Result<FinalRow, StoreError> {
        let text = |id: &i64| {
            let text = texts.get(id).map(AsRef::as_ref);
            text.ok_or_else(|| StoreError::Inconsistent(format!("no text has the number {id}")))
        };
        let relations =
            self.relations.iter().map(|(kind, target)| Ok((relation_type(text(kind)?), text(target)?)));
        let mut relations: Vec<(&str, &str)> = relations.collect::<Result<_, StoreError>>()?;
        relations.sort_unstable();
        let relations = relations_json(&relations);
        let status = status_json(self.own_status.as_deref(), errors);
        Ok(FinalRow {
            id: self.id,
            uid: self.uid,
            etag: etag(&self.body_digest, &relations, status.as_deref(), self.is_orphan),
            is_orphan: self.is_orphan,
            relations,
            status,
        })
    }
}

#[cfg(test)]
#[cfg(feature = "testsuite")]
mod tests;
