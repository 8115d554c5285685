//! Stitching: making final entities from what processing left, one batch per transaction.

use std::sync::Arc;

use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json};
use super::session::{Args, Session};
use super::statement::bulk_statements;
use super::writer::Writer;
use crate::packed::pack;
use crate::rules::codec::UPSERTED;
use crate::rules::errors::serialized;
use crate::rules::final_entity::{
    FinalRow, Parts, PartsErrors, Round, Unreadable, name_failures, relations_from,
};
use crate::rules::statement::statements;
use crate::{StitchReport, StoreError, Timestamp};

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
        let round = writer.stitch_round(&queued, now).await?;
        let stitched = round.stitched();
        let Round { finals, unchanged, failures, .. } = round;
        let changed = finals.len();
        writer.put_finals(finals).await?;
        writer.db.run(DELETE_QUEUED, Args::new().with(ids_json(queued.iter().copied()))).await?;
        let texts = writer.ref_texts(failures.iter().map(|(id, _)| *id)).await?;
        let failed = name_failures(failures, &texts);
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
    /// Makes final entities, without writing them; keeps the errors of those that cannot be made.
    async fn stitch_round(&mut self, ids: &[i64], now: Timestamp) -> Result<Round, StoreError> {
        let mut round = Round::default();
        let (all, unreadable) = self.db.parts(ids).await?;
        for Unreadable { id, error, body_digest } in unreadable {
            round.fail(id, &error, body_digest);
        }
        let texts = self.ref_texts(Parts::numbers(&all)).await?;
        let errors = self.db.errors_of_parts(&all).await?;
        round.finish(all, &texts, &errors);
        self.stitching_errors_replace(&round.errors(), now).await?;
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

    /// The refs of the stitched entities, if anybody wants to read about each of them.
    async fn refs_to_tell(&mut self, stitched: &[i64]) -> Result<Vec<Arc<str>>, StoreError> {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return Ok(Vec::new());
        }
        let refs = self.ref_texts(stitched.iter().copied()).await?;
        Ok(stitched.iter().map(|id| refs.get(id).cloned().unwrap_or_default()).collect())
    }
}

impl Session {
    /// What the final entities of these are made of; and whose parts cannot be read.
    pub(super) async fn parts(&mut self, ids: &[i64]) -> Result<(Vec<Parts>, Vec<Unreadable>), StoreError> {
        let (mut all, mut unreadable) = (Vec::with_capacity(ids.len()), Vec::new());
        for row in self.rows(SELECT_PARTS, Args::new().with(ids_json(ids.iter().copied()))).await? {
            let id = row.int(0)?;
            // Whatever is wrong with a row that could be fetched is wrong with this entity alone.
            match parts(id, &row) {
                Ok(parts) => all.push(parts),
                Err(error) => unreadable.push(Unreadable { id, error, body_digest: row.digest(1).ok() }),
            }
        }
        Ok((all, unreadable))
    }

    /// The errors of those of the entities that have any.
    pub(super) async fn errors_of_parts(&mut self, parts: &[Parts]) -> Result<PartsErrors, StoreError> {
        let mut errors = PartsErrors::default();
        let failing: Vec<i64> = parts.iter().filter(|parts| parts.has_errors).map(|parts| parts.id).collect();
        if failing.is_empty() {
            return Ok(errors);
        }
        for row in self.rows(SELECT_ERRORS_OF_PARTS, Args::new().with(ids_json(failing))).await? {
            errors.add(row.int(0)?, row.int(1)?, || serialized(row.text(2)));
        }
        Ok(errors)
    }
}

fn parts(id: i64, row: &SqliteRow) -> Result<Parts, StoreError> {
    let numbers = row.text_opt(7)?.unwrap_or_default().split_ascii_whitespace().map(|number| {
        number.parse::<i64>().map_err(|_| StoreError::Inconsistent(format!("{number} is not a number")))
    });
    let numbers: Vec<i64> = numbers.collect::<Result<_, _>>()?;
    let peers = numbers.as_chunks::<2>().0.iter().map(|[kind, target]| (*kind, *target));
    Ok(Parts {
        id,
        uid: row.uid_opt(8)?,
        body_digest: row.digest(1)?,
        own_status: row.text_opt(3)?.map(str::to_owned),
        stored_etag: row.text_opt(4)?.map(str::to_owned),
        is_orphan: row.flag(5)?,
        has_errors: row.flag(6)?,
        relations: relations_from(id, row.blob(2)?, peers)?,
    })
}
