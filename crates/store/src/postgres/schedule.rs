//! When entities are due: rows of `schedule`, and marks on them.
//!
//! A mark sets `wished`, and a claim takes that away: whoever commits and finds it set knows that the entity was asked
//! for since.

use std::collections::BTreeSet;

use callboard_model::Digest;

use super::row::{RowExt as _, uuid, whole_micros};
use super::session::Args;
use super::writer::Writer;
use crate::rules::codec::timestamp;
use crate::rules::schedule::{Run, Schedule};
use crate::rules::statement::statements;
use crate::{Hint, Lane, StoreError, Timestamp};

statements! {
    // Whoever is due already keeps the earlier time, so that being asked for twice costs nobody the place in the queue.
    // `least` passes over null.
    MARK_DUE =
        "UPDATE schedule SET next_update_at = least(next_update_at, $3), lane = least(lane, $2), wished = true \
         WHERE id = ANY($1)";
    MARK_DUE_IN_FULL =
        "UPDATE schedule SET next_update_at = least(next_update_at, $3), lane = least(lane, $2), wished = true, \
                             fingerprint = NULL \
         WHERE id = ANY($1)";
    SELECT_IDS_BY_KEYS = "SELECT DISTINCT id FROM refresh_keys WHERE key = ANY($1)";
    // One row if other processors were applied last, and these take their place.
    SET_APPLIED =
        "INSERT INTO meta (key, value) VALUES ('applied_fingerprint', $1) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value \
         WHERE meta.value <> excluded.value AND meta.value = coalesce($2, meta.value)";
    SELECT_IS_APPLIED = "SELECT EXISTS (SELECT FROM meta WHERE key = 'applied_fingerprint' AND value = $1)";
    // Those that are due anyway need no mark, unless their run began with the old processors. With new ones all are marked,
    // as one may be claimed and put off by old processors before this is committed; they are not counted.
    MARK_DUE_BY_FINGERPRINT =
        "WITH l AS MATERIALIZED (SELECT id, next_update_at FROM schedule WHERE fingerprint IS DISTINCT FROM $1 \
               AND (next_update_at IS NULL OR next_update_at > $2 OR $3) \
               ORDER BY id FOR NO KEY UPDATE), \
         marked AS (UPDATE schedule s SET next_update_at = least(s.next_update_at, $2), wished = true \
                    FROM l WHERE s.id = l.id \
                    RETURNING l.next_update_at IS NULL OR l.next_update_at > $2 OR s.lease_until > $2 AS is_news) \
         SELECT count(*) FILTER (WHERE is_news) FROM marked";
    // The lease ends with the row that says when the entity is due next.
    PUT_SCHEDULE =
        "UPDATE schedule s SET next_update_at = j.due, lane = j.lane, result_digest = j.digest, fingerprint = j.fp, \
                               lease_until = NULL, lease_token = NULL \
         FROM unnest($1, $2, $3, $4, $5) j(id, due, lane, digest, fp) WHERE s.id = j.id";
    RELEASE_LEASES = "UPDATE schedule SET lease_until = NULL, lease_token = NULL WHERE id = ANY($1)";
}

impl Writer<'_> {
    /// Writes rows, and ends their leases.
    pub(super) async fn schedule_put(&mut self, rows: &[Schedule]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let due: Vec<Option<Timestamp>> =
            rows.iter().map(|row| row.next_update_at.map(timestamp).transpose()).collect::<Result<_, _>>()?;
        let args = Args::new()
            .list(rows.iter().map(|row| row.id))
            .list(due)
            .list(rows.iter().map(|row| i16::try_from(row.lane).unwrap_or(Lane::Periodic as i16)))
            .list(rows.iter().map(|row| row.result_digest.as_ref().map(uuid)))
            .list(rows.iter().map(|row| row.fingerprint.as_ref().map(uuid)));
        self.db.write("schedule", PUT_SCHEDULE, args).await.map(drop)
    }

    /// Gives leases back; the entities stay as due as they are.
    pub(super) async fn release(&mut self, ids: Vec<i64>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.hints.add(Hint::Due);
        self.db.run(RELEASE_LEASES, Args::new().with(ids)).await.map(drop)
    }

    /// Makes entities due. A run of theirs that is under way will not count as the one that was asked for.
    pub(super) async fn mark_due(
        &mut self,
        ids: impl IntoIterator<Item = i64>,
        lane: Lane,
        run: Run,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let statement = match run {
            Run::IfChanged => MARK_DUE,
            Run::InFull => MARK_DUE_IN_FULL,
        };
        let ids: BTreeSet<i64> = ids.into_iter().collect();
        if ids.is_empty() {
            return Ok(0);
        }
        self.hints.add(Hint::Due);
        self.lock_too(ids.iter().copied()).await?;
        self.db.run(statement, Args::new().list(ids).with(lane as i16).with(whole_micros(now))).await
    }

    /// Makes entities due by the numbers of their refresh keys.
    pub(super) async fn mark_due_by_keys(
        &mut self,
        keys: impl IntoIterator<Item = i64>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let rows = self.db.rows(SELECT_IDS_BY_KEYS, Args::new().list(keys)).await?;
        let ids: BTreeSet<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        self.lock(&ids).await?;
        self.mark_due(ids, Lane::Event, Run::IfChanged, now).await
    }

    /// Makes entities due whose last good run had other processors.
    pub(super) async fn mark_due_by_fingerprint(
        &mut self,
        fingerprint: Digest,
        instead_of: Option<Digest>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let own = beginning(&fingerprint);
        let args = Args::new().with(own).with(instead_of.as_ref().map(beginning));
        let is_new = self.db.run(SET_APPLIED, args).await? > 0;
        let applied = self.db.rows(SELECT_IS_APPLIED, Args::new().with(own)).await?;
        if !applied.first().map_or(Ok(false), |row| row.flag(0))? {
            return Ok(0);
        }
        self.hints.add(Hint::Due);
        let args = Args::new().with(uuid(&fingerprint)).with(whole_micros(now)).with(is_new);
        let marked = self.db.rows(MARK_DUE_BY_FINGERPRINT, args).await?;
        Ok(marked.first().map_or(Ok(0), |row| row.int(0))?.unsigned_abs())
    }
}

/// As much of a digest as `meta` has room for.
pub(super) fn beginning(digest: &Digest) -> i64 {
    digest.as_bytes().first_chunk().map(|bytes| i64::from_be_bytes(*bytes)).unwrap_or_default()
}
