//! When entities are due: rows of `schedule`, and marks on them.

use callboard_model::Digest;

use super::codec::ids_json;
use super::session::Args;
use super::statement::bulk_statements;
use super::writer::Writer;
use crate::rules::codec::micros;
use crate::rules::schedule::{Run, Schedule};
use crate::rules::statement::statements;
use crate::{Lane, StoreError, Timestamp};

statements! {
    // Whoever is due already keeps the earlier time, so that being asked for twice costs nobody the place in the
    // queue.
    MARK_DUE =
        "UPDATE schedule SET next_update_at = min(coalesce(next_update_at, ?3), ?3), lane = min(lane, ?2), \
                             wish = wish + 1 \
         WHERE id IN (SELECT value FROM json_each(?1))";
    MARK_DUE_IN_FULL =
        "UPDATE schedule SET next_update_at = min(coalesce(next_update_at, ?3), ?3), lane = min(lane, ?2), \
                             wish = wish + 1, fingerprint = NULL \
         WHERE id IN (SELECT value FROM json_each(?1))";
    MARK_DUE_BY_KEYS =
        "UPDATE schedule SET next_update_at = min(coalesce(next_update_at, ?3), ?3), lane = min(lane, ?2), \
                             wish = wish + 1 \
         WHERE id IN (SELECT k.id FROM json_each(?1) j CROSS JOIN refresh_keys k ON k.key = j.value)";
    MARK_ALL_DUE =
        "UPDATE schedule SET next_update_at = ?1, wish = wish + 1 WHERE next_update_at > ?1";
    // Those that are due anyway need no mark, unless their run began with the old processors.
    MARK_DUE_BY_FINGERPRINT =
        "UPDATE schedule SET next_update_at = min(coalesce(next_update_at, ?2), ?2), wish = wish + 1 \
         WHERE fingerprint IS NOT ?1 \
           AND (next_update_at IS NULL OR next_update_at > ?2 OR id IN (SELECT value FROM json_each(?3)))";
}

bulk_statements! {
    PUT_SCHEDULE("schedule", 6) =
        "INSERT INTO schedule (id, next_update_at, lane, wish, result_digest, fingerprint) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET next_update_at = excluded.next_update_at, lane = excluded.lane, \
             result_digest = excluded.result_digest, fingerprint = excluded.fingerprint";
}

impl Writer<'_> {
    /// Inserts rows, or overwrites all but their `wish`.
    pub(super) async fn schedule_put(&mut self, rows: Vec<Schedule>) -> Result<(), StoreError> {
        let bind = |args: &mut Args, row: Schedule| {
            args.push(row.id);
            args.push(row.next_update_at);
            args.push(row.lane);
            // Nobody wished for an entity that is new.
            args.push(0_i64);
            args.push(row.result_digest.map(|digest| digest.as_bytes().to_vec()));
            args.push(row.fingerprint.map(|digest| digest.as_bytes().to_vec()));
        };
        self.db.bulk(&PUT_SCHEDULE, rows, bind).await.map(drop)
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
        let ids = ids_json(ids);
        if ids == "[]" {
            return Ok(0);
        }
        self.db.run(statement, Args::new().with(ids).with(lane as i64).with(micros(now))).await
    }

    /// Makes entities due by the numbers of their refresh keys.
    pub(super) async fn mark_due_by_keys(
        &mut self,
        keys: impl IntoIterator<Item = i64>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let args = Args::new().with(ids_json(keys)).with(Lane::Event as i64).with(micros(now));
        self.db.run(MARK_DUE_BY_KEYS, args).await
    }

    /// Makes all entities due that are due at some time.
    pub(super) async fn mark_all_due(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.db.run(MARK_ALL_DUE, Args::new().with(micros(now))).await
    }

    /// Makes entities due whose last good run had other processors.
    pub(super) async fn mark_due_by_fingerprint(
        &mut self,
        fingerprint: Digest,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let is_same = self.state.applied == Some(fingerprint);
        let running = if is_same { ids_json([]) } else { ids_json(self.state.leases.running(micros(now))) };
        self.applied = Some(fingerprint);
        let args = Args::new().with(fingerprint.as_bytes().to_vec()).with(micros(now)).with(running);
        self.db.run(MARK_DUE_BY_FINGERPRINT, args).await
    }
}
