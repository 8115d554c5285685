//! Committing outcomes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::SqliteStore;
use super::claim::cache;
use super::codec::{RowExt as _, ids_json, micros};
use super::edges::Edge;
use super::intake::{Intake, Offer, Written};
use super::leases::Lease;
use super::results::GoodRun;
use super::schedule::{Run, Schedule};
use super::session::{Args, count_written};
use super::statement::{bulk_statements, statements};
use super::writer::Writer;
use crate::packed::pack;
use crate::{
    CacheWrite, Claim, CommitReport, EntityId, Lane, NewEntity, Outcome, OutcomeKind, StoreError, Timestamp,
};
use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

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

/// An outcome whose lease holds.
struct Accepted<'a> {
    outcome: &'a Outcome,
    id: i64,
    lease: Lease,
    schedule: Schedule,
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
        writer.write_schedule(&accepted, &mut report).await?;
        writer.write_caches(&accepted).await?;
        writer.write_failures(&accepted, now).await?;
        let runs = good_runs(accepted);
        if !runs.is_empty() {
            let owners: Vec<_> =
                runs.iter().map(|(run, _)| (run.id, run.processed.warnings.as_slice())).collect();
            writer.processing_errors_clear(&owners, now).await?;
            let children = writer.write_children(&runs, now, &mut report).await?;
            writer.hand_out(&children, hand_out, lease_until, now, &mut report).await?;
            writer.results_replace(runs.into_iter().map(|(run, _)| run).collect()).await?;
        }
        report.needs_stitching = writer.needs_stitching();
        writer.finish().await?;
        metrics::histogram!("callboard_store_commit_seconds").record(started.elapsed());
        Ok(report)
    }

    /// Writes a batch of outcomes that change nothing but the time of the next run: nearly all batches of a catalog at
    /// rest. One statement does it, without a transaction around it. Answers whether it has written them, which is all
    /// or none.
    async fn put_off(&self, batch: &[Outcome]) -> Result<bool, StoreError> {
        let is_unchanged = |outcome: &Outcome| {
            matches!((&outcome.kind, &outcome.cache), (OutcomeKind::Unchanged, CacheWrite::Keep))
        };
        if !batch.iter().all(is_unchanged) {
            return Ok(false);
        }
        let mut state = self.state.lock().await;
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

/// The runs whose results are written, each with the lane that its children queue in.
fn good_runs(accepted: Vec<Accepted<'_>>) -> Vec<(GoodRun<'_>, Lane)> {
    let runs = accepted.into_iter().filter_map(|Accepted { outcome, id, .. }| {
        let OutcomeKind::Processed(processed) = &outcome.kind else { return None };
        let lane = match outcome.lane {
            Lane::Interactive | Lane::Event => outcome.lane,
            Lane::New | Lane::Periodic => Lane::New,
        };
        Some((GoodRun { id, processed, is_awaited: outcome.lane == Lane::Interactive }, lane))
    });
    runs.collect()
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
                wish: row.int(3)?,
                result_digest: row.digest_opt(4)?,
                fingerprint: row.digest_opt(5)?,
            };
            rows.insert(schedule.id, (schedule, row.text_opt(6)?.map(Arc::<str>::from)));
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
                Some((lease, (schedule, key))) if key.is_none() || key == outcome.location_key => {
                    if key != outcome.location_key {
                        let args = Args::new().with(id).with(outcome.location_key.clone());
                        self.db.run(SET_LOCATION_KEY, args).await?;
                    }
                    accepted.push(Accepted { outcome, id, lease, schedule });
                }
                _ => report.refused.push(index),
            }
        }
        Ok(accepted)
    }

    async fn write_schedule(
        &mut self,
        accepted: &[Accepted<'_>],
        report: &mut CommitReport,
    ) -> Result<(), StoreError> {
        let rows: Vec<Schedule> = accepted
            .iter()
            .filter_map(|Accepted { outcome, lease, schedule, .. }| {
                let mut row = *schedule;
                let mut may_settle = true;
                if row.wish == lease.wish {
                    row.next_update_at = outcome.next_update_at.map(micros);
                    row.lane = Lane::Periodic as i64;
                } else {
                    // Something made the entity due while it was processed: it stays due, and for a full run if that is
                    // what was asked for.
                    may_settle = row.fingerprint.is_some();
                    report.left_due += 1;
                }
                match &outcome.kind {
                    OutcomeKind::Abandoned => return None,
                    OutcomeKind::Unchanged | OutcomeKind::Processed(_) if may_settle => {
                        row.fingerprint = Some(outcome.fingerprint);
                    }
                    OutcomeKind::Unchanged | OutcomeKind::Processed(_) | OutcomeKind::Failed(_) => {}
                }
                row.result_digest = Some(outcome.result_digest);
                Some(row)
            })
            .collect();
        self.schedule_put(rows).await
    }

    async fn write_caches(&mut self, accepted: &[Accepted<'_>]) -> Result<(), StoreError> {
        let (mut put, mut dropped) = (Vec::new(), Vec::new());
        for Accepted { outcome, id, .. } in accepted {
            match &outcome.cache {
                _ if matches!(outcome.kind, OutcomeKind::Abandoned) => {}
                CacheWrite::Keep => {}
                CacheWrite::Put(None) => dropped.push(*id),
                CacheWrite::Put(Some((json, ttl))) => put.push((*id, *ttl, pack(json))),
            }
        }
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

    async fn write_failures(&mut self, accepted: &[Accepted<'_>], now: Timestamp) -> Result<(), StoreError> {
        let failures: Vec<_> = accepted
            .iter()
            .filter_map(|Accepted { outcome, id, .. }| match &outcome.kind {
                OutcomeKind::Failed(errors) => Some((*id, errors.as_slice())),
                OutcomeKind::Unchanged | OutcomeKind::Processed(_) | OutcomeKind::Abandoned => None,
            })
            .collect();
        self.processing_errors_replace(&failures, now).await
    }

    /// Writes children and edges by difference; answers the children that need processing.
    async fn write_children<'a>(
        &mut self,
        runs: &[(GoodRun<'a>, Lane)],
        now: Timestamp,
        report: &mut CommitReport,
    ) -> Result<Vec<Written<'a>>, StoreError> {
        let mut stored: HashMap<i64, HashMap<i64, Edge>> = HashMap::new();
        for edge in self.edges_from(runs.iter().map(|(run, _)| run.id)).await? {
            stored.entry(edge.source).or_default().insert(edge.target, edge);
        }
        let children = || runs.iter().flat_map(|(run, _)| &run.processed.children);
        if stored.is_empty() && children().next().is_none() {
            return Ok(Vec::new());
        }
        self.intern(children().map(|child| &child.entity_ref)).await?;
        let targets =
            children().map(|child| self.interned(&child.entity_ref)).collect::<Result<BTreeSet<_>, _>>()?;
        let mut intake = Intake::new(self, targets, now).await?;
        let rekeyable = self.rekeyable_children(runs, &stored, &intake).await?;
        let mut contested = Vec::new();
        for (run, lane) in runs {
            let mut edges = stored.remove(&run.id).unwrap_or_default();
            let kept: HashSet<i64> = run.processed.kept_groups.iter().copied().collect();
            for entity in &run.processed.children {
                let target = self.interned(&entity.entity_ref)?;
                let previous = edges.remove(&target);
                if previous.is_some_and(|edge| is_from_another(&edge, entity, &kept)) {
                    contested.push(run.id);
                    continue;
                }
                intake.offer(Offer {
                    source: run.id,
                    target,
                    entity,
                    previous,
                    lane: *lane,
                    may_rekey: previous.is_some_and(|edge| !edge.is_refused) && rekeyable.contains(&target),
                });
            }
            let mut gone: Vec<_> = edges.into_values().filter(|edge| !kept.contains(&edge.group)).collect();
            gone.sort_unstable_by_key(|edge| edge.target);
            for edge in gone {
                intake.withdraw(edge);
            }
        }
        report.conflicts = intake.write(self).await?;
        report.left_due += contested.len();
        self.mark_due(contested, Lane::New, Run::InFull, now).await?;
        Ok(intake.written().to_vec())
    }

    /// Children that come with another key than they have, and that no other source hands over: a file was renamed,
    /// say, under a location that reads a folder. The entity keeps its uid and all that is known of it.
    async fn rekeyable_children(
        &mut self,
        runs: &[(GoodRun<'_>, Lane)],
        stored: &HashMap<i64, HashMap<i64, Edge>>,
        intake: &Intake<'_>,
    ) -> Result<HashSet<i64>, StoreError> {
        let mut candidates = Vec::new();
        for (run, _) in runs {
            let Some(edges) = stored.get(&run.id) else { continue };
            for child in &run.processed.children {
                let target = self.interned(&child.entity_ref)?;
                let is_own = edges.get(&target).is_some_and(|edge| !edge.is_refused);
                if is_own && intake.has_other_key(target, child.location_key.as_ref()) {
                    candidates.push(target);
                }
            }
        }
        if candidates.is_empty() {
            return Ok(HashSet::new());
        }
        Ok(self.with_sole_source(candidates).await?.into_iter().collect())
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
            let mut claim = new_claim(&child, token, now);
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

/// Whether the run has the child already from a target that was not read this time. Which of the two counts can only
/// be said by a run that reads both.
fn is_from_another(stored: &Edge, child: &NewEntity, kept: &HashSet<i64>) -> bool {
    !stored.is_refused && stored.group != child.group && kept.contains(&stored.group)
}

/// The claim of an entity that the store sees for the first time.
fn new_claim(child: &Written<'_>, token: crate::LeaseToken, now: Timestamp) -> Claim {
    let NewEntity { entity_ref, json, digest, location_key, .. } = child.entity;
    Claim {
        id: EntityId(child.id),
        entity_ref: Arc::clone(entity_ref),
        uid: child.uid,
        token,
        lane: child.lane,
        due_at: now,
        unprocessed: Arc::clone(json),
        unprocessed_digest: *digest,
        location_key: location_key.clone(),
        cache: None,
        result_digest: None,
        fingerprint: None,
    }
}
