//! Committing outcomes.

use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt as _};

use super::SqliteStore;
use super::claim::cache;
use super::codec::{RowExt as _, ids_json};
use super::leases::Lease;
use super::session::Args;
use super::statement::bulk_statements;
use super::writer::Writer;
use crate::rules::children::Children;
use crate::rules::codec::micros;
use crate::rules::intake::Written;
use crate::rules::outcome::{
    Accepted, CacheChanges, GoodRun, failures, good_runs, hand_out_max, may_write, next_schedule,
    only_puts_off,
};
use crate::rules::schedule::{Run, Schedule};
use crate::rules::statement::{count_written, statements};
use crate::{CommitReport, Lane, Outcome, StoreError, Timestamp};

statements! {
    // Only if all rows would be written as they are, but for the time.
    PUT_OFF =
        "WITH fit (id, due) AS ( \
           SELECT s.id, j.value ->> 1 FROM json_each(?1) j CROSS JOIN schedule s ON s.id = j.value ->> 0 \
             CROSS JOIN refresh_state r ON r.id = s.id \
           WHERE s.wish = j.value ->> 2 AND r.location_key IS j.value ->> 3 \
             AND s.result_digest = unhex(j.value ->> 4) AND s.fingerprint = unhex(j.value ->> 5)) \
         UPDATE schedule SET next_update_at = fit.due, lane = ?2 FROM fit \
         WHERE schedule.id = fit.id AND (SELECT count(DISTINCT id) FROM fit) = ?3 RETURNING schedule.id";
    SELECT_COMMITTED =
        "SELECT s.id, s.next_update_at, s.lane, s.wish, s.result_digest, s.fingerprint, r.location_key \
         FROM json_each(?1) j CROSS JOIN schedule s ON s.id = j.value CROSS JOIN refresh_state r ON r.id = s.id";
    SELECT_HANDED =
        "SELECT s.id, s.wish, s.result_digest, s.fingerprint, c.json, c.ttl \
         FROM json_each(?1) j CROSS JOIN schedule s ON s.id = j.value LEFT JOIN caches c ON c.id = s.id";
    SET_LOCATION_KEY = "UPDATE refresh_state SET location_key = ?2 WHERE id = ?1";
    DELETE_CACHES = "DELETE FROM caches WHERE id IN (SELECT value FROM json_each(?1))";
}

bulk_statements! {
    PUT_CACHES("caches", 3) =
        "INSERT INTO caches (id, ttl, json) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET ttl = excluded.ttl, json = excluded.json";
}

impl SqliteStore {
    pub(super) async fn commit_outcomes(
        &self,
        batch: &[Outcome],
        hand_out: usize,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Result<CommitReport, StoreError> {
        if self.put_off(batch).await? {
            return Ok(CommitReport::default());
        }
        let mut writer = self.writer().await?;
        let started = std::time::Instant::now();
        let mut report = CommitReport::default();
        let accepted = writer.accept(batch, &mut report).await?;
        report.left_due += accepted.iter().filter(|accepted| accepted.stays_due()).count();
        let hand_out = hand_out_max(&accepted, hand_out);
        writer.schedule_put(accepted.iter().filter_map(next_schedule).collect()).await?;
        writer.write_caches(&accepted).await?;
        writer.processing_errors_replace(&failures(&accepted), now).await?;
        let runs = good_runs(&accepted);
        if !runs.is_empty() {
            let owners: Vec<_> = runs.iter().map(|run| (run.id, run.processed.warnings.as_slice())).collect();
            writer.processing_errors_clear(&owners, now).await?;
            let children = writer.write_children(&runs, now, &mut report).await?;
            writer.hand_out(&children, hand_out, lease_until, now, &mut report).await?;
            writer.results_replace(&runs).await?;
        }
        report.needs_stitching = !writer.work.is_empty();
        writer.finish().await?;
        metrics::histogram!("callboard_store_commit_seconds").record(started.elapsed());
        Ok(report)
    }

    /// Writes a batch of outcomes that change nothing but the time of the next run: nearly all batches of a catalog at
    /// rest. One statement does it, without a transaction around it. Answers whether it has written them, which is all
    /// or none.
    async fn put_off(&self, batch: &[Outcome]) -> Result<bool, StoreError> {
        if !batch.iter().all(only_puts_off) {
            return Ok(false);
        }
        let mut state = self.state.lock().await;
        if batch.iter().any(|outcome| state.is_superseded(outcome.fingerprint)) {
            return Ok(false);
        }
        let started = std::time::Instant::now();
        let rows = batch.iter().filter_map(|outcome| {
            let Outcome { id, token, location_key, next_update_at, result_digest, fingerprint, .. } = outcome;
            let lease = state.leases.held(id.0, *token)?;
            let due = next_update_at.map(micros);
            let (digest, fingerprint) = (result_digest.to_string(), fingerprint.to_string());
            Some(serde_json::json!([id.0, due, lease.wish, location_key, digest, fingerprint]))
        });
        let rows = serde_json::Value::Array(rows.collect()).to_string();
        let all = i64::try_from(batch.len()).unwrap_or(i64::MAX);
        let args = Args::new().with(rows).with(Lane::Periodic as i64).with(all);
        let written = self.connections.writer_rows(PUT_OFF, args).await?;
        if written.is_empty() {
            return Ok(false);
        }
        for row in &written {
            state.leases.release(row.int(0)?);
        }
        count_written("schedule", written.len() as u64);
        metrics::histogram!("callboard_store_commit_seconds").record(started.elapsed());
        Ok(true)
    }
}

impl Writer<'_> {
    /// Sorts out the outcomes that may be written: the lease holds, the entity is still there, and nobody took it
    /// over under another key.
    async fn accept<'a>(
        &mut self,
        batch: &'a [Outcome],
        report: &mut CommitReport,
    ) -> Result<Vec<Accepted<'a>>, StoreError> {
        let mut rows = HashMap::new();
        let args = Args::new().with(ids_json(batch.iter().map(|outcome| outcome.id.0)));
        for row in self.db.rows(SELECT_COMMITTED, args).await? {
            let schedule = Schedule {
                id: row.int(0)?,
                next_update_at: row.int_opt(1)?,
                lane: row.int(2)?,
                result_digest: row.digest_opt(4)?,
                fingerprint: row.digest_opt(5)?,
            };
            rows.insert(schedule.id, (schedule, row.int(3)?, row.text_opt(6)?.map(str::to_owned)));
        }
        let mut accepted = Vec::with_capacity(batch.len());
        for (index, outcome) in batch.iter().enumerate() {
            let id = outcome.id.0;
            // A row is taken out, so that a second outcome of the same claim is refused.
            let lease = self.state.leases.held(id, outcome.token);
            let row = lease.and_then(|lease| Some((lease, rows.remove(&id)?)));
            if lease.is_some() {
                self.release(id);
            }
            match row {
                Some((lease, (schedule, wish, key))) if may_write(key.as_deref(), outcome) => {
                    if key.as_deref() != outcome.location_key.as_deref() {
                        let args = Args::new().with(id).with(outcome.location_key.clone());
                        self.db.run(SET_LOCATION_KEY, args).await?;
                    }
                    let is_outdated = self.state.is_superseded(outcome.fingerprint);
                    accepted.push(Accepted { outcome, schedule, is_wished: wish != lease.wish, is_outdated });
                }
                _ => report.refused.push(index),
            }
        }
        Ok(accepted)
    }

    async fn write_caches(&mut self, accepted: &[Accepted<'_>]) -> Result<(), StoreError> {
        let CacheChanges { put, dropped } = CacheChanges::of(accepted);
        if !dropped.is_empty() {
            self.db.run(DELETE_CACHES, Args::new().with(ids_json(dropped))).await?;
        }
        let bind = |args: &mut Args, (id, ttl, json): (i64, i64, Vec<u8>)| {
            args.push(id);
            args.push(ttl);
            args.push(json);
        };
        self.db.bulk(&PUT_CACHES, put, bind).await.map(drop)
    }

    /// Writes children and edges by difference; answers the children that need processing.
    async fn write_children<'a>(
        &mut self,
        runs: &[GoodRun<'a>],
        now: Timestamp,
        report: &mut CommitReport,
    ) -> Result<Vec<Written<'a>>, StoreError> {
        let edges = self.edges_from(runs.iter().map(|run| run.id)).await?;
        let refs = || runs.iter().flat_map(|run| &run.processed.children).map(|child| &child.entity_ref);
        if edges.is_empty() && refs().next().is_none() {
            return Ok(Vec::new());
        }
        self.intern(refs()).await?;
        let Children { offers, withdrawn, contested } = Children::compare(runs, edges, &self.names)?;
        let targets: BTreeSet<i64> = offers.iter().map(|offer| offer.target).collect();
        let mut intake = self.intake(targets, now).await?;
        self.offer(&mut intake, &offers).await?;
        for edge in &withdrawn {
            intake.withdraw(edge);
        }
        let plan = intake.finish();
        report.conflicts = self.write_plan(&plan, now).await?;
        report.left_due += contested.len();
        self.mark_due(contested, Lane::New, Run::InFull, now).await?;
        Ok(plan.written)
    }

    /// Leases the first of the children to the caller.
    async fn hand_out(
        &mut self,
        children: &[Written<'_>],
        limit: usize,
        lease_until: Timestamp,
        now: Timestamp,
        report: &mut CommitReport,
    ) -> Result<(), StoreError> {
        let mut handed: Vec<Written<'_>> = Vec::new();
        for child in children {
            if handed.len() < limit && !self.state.leases.is_leased(child.id, micros(now)) {
                handed.push(*child);
            } else {
                report.left_due += 1;
            }
        }
        let known: Vec<i64> = handed.iter().filter(|child| !child.is_new).map(|child| child.id).collect();
        let mut rows = HashMap::new();
        if !known.is_empty() {
            for row in self.db.rows(SELECT_HANDED, Args::new().with(ids_json(known))).await? {
                rows.insert(row.int(0)?, row);
            }
        }
        for child in handed {
            let token = self.state.leases.next_token();
            let mut claim = child.claim(token, now);
            let mut wish = 0;
            if let Some(row) = rows.get(&child.id) {
                wish = row.int(1)?;
                claim.result_digest = row.digest_opt(2)?;
                claim.fingerprint = row.digest_opt(3)?;
                claim.cache = cache(row, 4)?;
            }
            self.grant(child.id, Lease { token, until: micros(lease_until), wish });
            report.handed.push(claim);
        }
        Ok(())
    }
}
