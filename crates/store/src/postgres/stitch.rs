//! Stitching: making final entities from what processing left, one batch per transaction.
//!
//! Any number of processes stitch at once. Whoever stitches an entity, or commits its outcome, holds its row of
//! `schedule`; entities that somebody else holds stay queued. What is taken from the queue is deleted before its parts
//! are read: whatever was deleted has its cause in what is read then, and what is queued later stays.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::locks::Graph;
use super::row::RowExt as _;
use super::session::{Args, Session, chunks};
use super::writer::Writer;
use crate::packed::pack;
use crate::rules::codec::UPSERTED;
use crate::rules::errors::serialized;
use crate::rules::final_entity::{
    FinalRow, Parts, PartsErrors, Round, Unreadable, name_failures, relations_from,
};
use crate::rules::names::Interned;
use crate::rules::statement::statements;
use crate::{StitchReport, StoreError, Timestamp};

/// How long whoever found nothing that is free waits for those who hold it.
const PAUSE: Duration = Duration::from_millis(10);

statements! {
    SELECT_ANY_QUEUED = "SELECT id FROM stitch_queue LIMIT 1";
    // A window of the queue, its refs once each; and how many rows the window has.
    SELECT_QUEUE =
        "SELECT id, (sum(n) OVER ())::bigint FROM ( \
           SELECT id, min(rank) AS rank, min(seq) AS seq, count(*) AS n FROM \
             (SELECT id, rank, seq FROM stitch_queue ORDER BY rank, seq LIMIT $2) w GROUP BY id) g \
         ORDER BY rank, seq LIMIT $1";
    TAKE_QUEUED =
        "WITH q AS MATERIALIZED (SELECT seq FROM stitch_queue WHERE id = ANY($1) ORDER BY seq FOR UPDATE SKIP LOCKED) \
         DELETE FROM stitch_queue s USING q WHERE s.seq = q.seq";
    // Of EXISTS the planner would make a hash of all errors.
    SELECT_PARTS =
        "SELECT r.id, r.body_digest, r.relations, r.status, f.etag, \
                (SELECT true FROM orphans o WHERE o.id = r.id LIMIT 1) IS NOT NULL, \
                (SELECT true FROM errors e WHERE e.owner = r.id AND e.category IN (0, 2) LIMIT 1) IS NOT NULL, \
                ARRAY(SELECT unnest(ARRAY[p.type, p.target]) FROM peer_relations p WHERE p.source = r.id), \
                CASE WHEN f.id IS NULL THEN (SELECT s.uid FROM refresh_state s WHERE s.id = r.id) END \
         FROM results r LEFT JOIN final_entities f ON f.id = r.id WHERE r.id = ANY($1)";
    // Errors of runs (0), which are shown in the status, and of stitching (2).
    SELECT_ERRORS_OF_PARTS =
        "SELECT owner, category, error FROM errors WHERE owner = ANY($1) AND category IN (0, 2) \
         ORDER BY owner, position";
    // The uid never changes, so it is read and written only for a new row.
    PUT_FINALS =
        "INSERT INTO final_entities (id, uid, etag, is_orphan, relations, status) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET etag = excluded.etag, is_orphan = excluded.is_orphan, \
             relations = excluded.relations, status = excluded.status";
}

impl PostgresStore {
    pub(super) async fn stitch_queued(
        &self,
        limit: usize,
        now: Timestamp,
    ) -> Result<StitchReport, StoreError> {
        if self.connections.writer_rows(SELECT_ANY_QUEUED, Args::new()).await?.is_empty() {
            return Ok(StitchReport::default());
        }
        // It neither mentions refs that it has to look up first nor asks about the graph, so it does not hold that.
        let mut db = self.connections.begin().await?;
        db.defer_flush().await?;
        let mut writer = Writer::new(self, db, Graph::Shared, Interned::default());
        let (mut queued, has_more) = writer.db.queued(limit).await?;
        let found = queued.len();
        writer.keep_free(&mut queued).await?;
        if queued.is_empty() {
            writer.db.rollback().await?;
            if found > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            return Ok(StitchReport { has_more: has_more || found > 0, ..StitchReport::default() });
        }
        let has_more = has_more || queued.len() < found;
        writer.db.run(TAKE_QUEUED, Args::new().with(&queued)).await?;
        let round = writer.stitch_round(&queued, now).await?;
        let stitched = round.stitched();
        let Round { finals, unchanged, failures, .. } = round;
        let changed = finals.len();
        writer.put_finals(&finals).await?;
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

impl Session {
    /// The first refs of the queue, and whether there are more.
    async fn queued(&mut self, limit: usize) -> Result<(Vec<i64>, bool), StoreError> {
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut window = wanted.saturating_mul(4);
        loop {
            let rows = self.rows(SELECT_QUEUE, Args::new().with(wanted).with(window)).await?;
            let read = rows.first().map_or(Ok(0), |row| row.int(1))?;
            // Many rows may be about few refs.
            if rows.len() <= limit && read == window {
                window = window.saturating_mul(4);
                continue;
            }
            let ids = rows.iter().take(limit).map(|row| row.int(0)).collect::<Result<_, _>>()?;
            return Ok((ids, rows.len() > limit));
        }
    }
}

impl Writer<'_> {
    /// Locks entities, and takes out those that somebody else has locked.
    async fn keep_free(&mut self, queued: &mut Vec<i64>) -> Result<(), StoreError> {
        let locked = self.db.try_lock(queued).await?;
        if locked.len() < queued.len() {
            // Those that do not exist are nobody's.
            let existing = self.db.existing(queued).await?;
            queued.retain(|id| locked.contains(id) || !existing.contains(id));
        }
        self.locked.extend(&locked);
        Ok(())
    }

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

    async fn put_finals(&mut self, finals: &[FinalRow]) -> Result<(), StoreError> {
        for row in finals {
            self.log_change(row.id, UPSERTED);
        }
        for rows in chunks(finals, |row| row.relations.len()) {
            let args = Args::new()
                .list(rows.iter().map(|row| row.id))
                .list(rows.iter().map(|row| row.uid.unwrap_or_default()))
                .list(rows.iter().map(|row| row.etag.as_str()))
                .list(rows.iter().map(|row| row.is_orphan))
                .list(rows.iter().map(|row| pack(&row.relations)))
                .list(rows.iter().map(|row| row.status.as_deref()));
            self.db.write("final_entities", PUT_FINALS, args).await?;
        }
        Ok(())
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
        for row in self.rows(SELECT_PARTS, Args::new().with(ids)).await? {
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
        let failing: BTreeSet<i64> =
            parts.iter().filter(|parts| parts.has_errors).map(|parts| parts.id).collect();
        if failing.is_empty() {
            return Ok(errors);
        }
        for row in self.rows(SELECT_ERRORS_OF_PARTS, Args::new().list(failing)).await? {
            errors.add(row.int(0)?, row.int2(1)?, || serialized(row.text(2)));
        }
        Ok(errors)
    }
}

fn parts(id: i64, row: &PgRow) -> Result<Parts, StoreError> {
    let numbers: Vec<i64> = row.try_get(7)?;
    let peers = numbers.as_chunks::<2>().0.iter().map(|[kind, target]| (*kind, *target));
    Ok(Parts {
        id,
        uid: row.uid_opt(8)?,
        body_digest: row.digest(1)?,
        own_status: row.text_opt(3)?.map(Cow::into_owned),
        stored_etag: row.text_opt(4)?.map(Cow::into_owned),
        is_orphan: row.flag(5)?,
        has_errors: row.flag(6)?,
        relations: relations_from(id, row.blob(2)?, peers)?,
    })
}
