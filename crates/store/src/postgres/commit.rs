//! Committing outcomes.
//!
//! Which rows a batch touches is only known from the edges that its entities have, and who still has a lease only once
//! its row is locked. So both are looked at before anything is locked, and the leases once more afterwards; if one was
//! lost in between, all of it begins again. Nobody but the holder of an entity's lease, or of the whole graph, changes
//! the edges that start there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use super::PostgresStore;
use super::again::{Interrupted, Tries};
use super::hand_out::Family;
use super::intake::lanes;
use super::locks::{Graph, ScheduleRow};
use super::names::Wanted;
use super::row::RowExt as _;
use super::schedule::beginning;
use super::session::{Args, chunks};
use super::texts::escaped;
use super::writer::Writer;
use crate::rules::children::Children;
use crate::rules::outcome::{
    Accepted, CacheChanges, failures, good_runs, hand_out_max, may_write, next_schedule,
};
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::{CommitReport, Hint, Lane, Outcome, OutcomeKind, StoreError, Timestamp};

statements! {
    // The columns of a row of `schedule`, the key, and what is the same for all rows: the processors that were applied last.
    // They stay so until the end of the transaction, as only whoever has the graph applies others.
    SELECT_HELD =
        "SELECT s.id, s.next_update_at, s.lane, s.wished, s.lease_token, s.lease_until, s.result_digest, s.fingerprint, \
                r.location_key, (SELECT value FROM meta WHERE key = 'applied_fingerprint') \
         FROM unnest($1, $2) j(id, token) JOIN schedule s ON s.id = j.id AND s.lease_token = j.token \
           JOIN refresh_state r ON r.id = s.id";
    SELECT_KEYS = "SELECT id, location_key FROM refresh_state WHERE id = ANY($1)";
    SET_LOCATION_KEYS =
        "UPDATE refresh_state r SET location_key = j.key FROM unnest($1, $2) j(id, key) WHERE r.id = j.id";
    DELETE_CACHES = "DELETE FROM caches WHERE id = ANY($1)";
    PUT_CACHES =
        "INSERT INTO caches (id, ttl, json) SELECT * FROM unnest($1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET ttl = excluded.ttl, json = excluded.json";
}

/// An entity of a batch: its row, and its key.
type Own = (ScheduleRow, Option<String>);

/// The entities of a batch by number, and the processors that were applied last.
#[derive(Debug, Default)]
struct Held {
    rows: HashMap<i64, Own>,
    applied: Option<i64>,
}

/// What a batch says about its entities.
#[derive(Debug, Default)]
struct Verdict<'a> {
    accepted: Vec<Accepted<'a>>,
    /// As indexes into the batch.
    refused: Vec<usize>,
    /// Entities whose leases end although nothing of theirs is written.
    released: BTreeSet<i64>,
    /// Entities without a key, with the one that they get.
    keys: Vec<(i64, &'a Arc<str>)>,
}

impl<'a> Verdict<'a> {
    /// Sorts out the outcomes that may be written: the lease holds, the entity is still there, and nobody took it over
    /// under another key.
    fn of(batch: &'a [Outcome], Held { mut rows, applied }: Held) -> Self {
        let mut verdict = Self::default();
        for (index, outcome) in batch.iter().enumerate() {
            let id = outcome.id.0;
            let is_held = rows.get(&id).is_some_and(|(row, _)| row.token == Some(outcome.token.0));
            // A row is taken out, so that a second outcome of the same claim is refused.
            match is_held.then(|| rows.remove(&id)).flatten() {
                Some((row, key)) if may_write(key.as_deref(), outcome) => {
                    if matches!(outcome.kind, OutcomeKind::Abandoned) {
                        verdict.released.insert(id);
                    }
                    if let (None, Some(key)) = (&key, &outcome.location_key) {
                        verdict.keys.push((id, key));
                    }
                    let ScheduleRow { schedule, is_wished, .. } = row;
                    let is_outdated =
                        applied.is_some_and(|applied| applied != beginning(&outcome.fingerprint));
                    verdict.accepted.push(Accepted { outcome, schedule, is_wished, is_outdated });
                }
                Some(_) => {
                    verdict.released.insert(id);
                    verdict.refused.push(index);
                }
                None => verdict.refused.push(index),
            }
        }
        verdict
    }
}

impl PostgresStore {
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
        let started = std::time::Instant::now();
        let wanted = wanted(batch);
        let mut tries = Tries::new(Graph::Shared);
        loop {
            let mut writer = self.writer(tries.graph(), &wanted).await?;
            writer.finds_strays = tries.finds_strays();
            writer.db.defer_flush().await?;
            let result = match writer.write_batch(batch, hand_out, lease_until, now).await {
                Ok(report) => writer.finish().await.map(|()| report),
                Err(error) => Err(error),
            };
            if let Some(result) = tries.settle(result).await {
                metrics::histogram!("callboard_store_commit_seconds").record(started.elapsed());
                return result;
            }
        }
    }
}

/// All that a batch names.
fn wanted(batch: &[Outcome]) -> Wanted {
    let runs = || {
        batch.iter().filter_map(|outcome| match &outcome.kind {
            OutcomeKind::Processed(processed) => Some(processed.as_ref()),
            OutcomeKind::Unchanged | OutcomeKind::Failed(_) | OutcomeKind::Abandoned => None,
        })
    };
    Wanted::none()
        .texts(runs().flat_map(|run| &run.children).map(|child| &child.entity_ref))
        .texts(
            runs().flat_map(|run| &run.relations).flat_map(|relation| [&relation.source, &relation.target]),
        )
        .types(runs().flat_map(|run| &run.relations).map(|relation| &relation.kind))
}

impl Writer<'_> {
    async fn write_batch(
        &mut self,
        batch: &[Outcome],
        hand_out: usize,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Result<CommitReport, StoreError> {
        let held = self.held(batch).await?;
        let applied = held.applied;
        let seen = Verdict::of(batch, held);
        let runs = good_runs(&seen.accepted);
        let edges =
            if runs.is_empty() { Vec::new() } else { self.edges_from(runs.iter().map(|run| run.id)).await? };
        let children = Children::compare(&runs, edges, &self.names)?;
        let added = self.insert_schedule(&lanes(&children.offers), now).await?;
        let own: BTreeSet<i64> = seen
            .accepted
            .iter()
            .map(|accepted| accepted.outcome.id.0)
            .chain(seen.released.iter().copied())
            .collect();
        let targets = children.offers.iter().map(|offer| offer.target);
        let withdrawn = children.withdrawn.iter().map(|edge| edge.target);
        let touched = own.iter().copied().chain(targets).chain(withdrawn).collect();
        let locked = self.lock(&touched).await?;
        let rows = self.keyed(&own, &locked).await?;
        let mut verdict = Verdict::of(batch, Held { rows, applied });
        if verdict.refused != seen.refused {
            return Err(Interrupted::Overtaken.into());
        }
        let refused = std::mem::take(&mut verdict.refused);
        let mut report = CommitReport { refused, ..CommitReport::default() };
        report.left_due = verdict.accepted.iter().filter(|accepted| accepted.stays_due()).count();
        let limit = hand_out_max(&verdict.accepted, hand_out);
        self.write_own(&verdict, now).await?;
        let runs = good_runs(&verdict.accepted);
        if !runs.is_empty() {
            let owners: Vec<_> = runs.iter().map(|run| (run.id, run.processed.warnings.as_slice())).collect();
            self.processing_errors_clear(&owners, now).await?;
            self.write_children(&children, &mut report, Family { locked, added, limit, lease_until, now })
                .await?;
            self.results_replace(&runs).await?;
        }
        report.needs_stitching = !self.work.is_empty();
        self.is_stitched_here = true;
        if report.left_due > 0 {
            self.hints.add(Hint::Due);
        }
        Ok(report)
    }

    /// The entities whose leases are those of the batch.
    async fn held(&mut self, batch: &[Outcome]) -> Result<Held, StoreError> {
        let args = Args::new()
            .list(batch.iter().map(|outcome| outcome.id.0))
            .list(batch.iter().map(|outcome| outcome.token.0));
        let mut held = Held::default();
        for row in self.db.rows(SELECT_HELD, args).await? {
            held.applied = row.int_opt(9)?;
            held.rows.insert(row.int(0)?, (ScheduleRow::read(&row)?, row.text_opt(8)?.map(Cow::into_owned)));
        }
        Ok(held)
    }

    /// Those of the locked rows that are the batch's own, with their keys.
    async fn keyed(
        &mut self,
        own: &BTreeSet<i64>,
        locked: &BTreeMap<i64, ScheduleRow>,
    ) -> Result<HashMap<i64, Own>, StoreError> {
        let mut keyed = HashMap::new();
        if own.is_empty() {
            return Ok(keyed);
        }
        for row in self.db.rows(SELECT_KEYS, Args::new().list(own.iter().copied())).await? {
            if let Some(schedule) = locked.get(&row.int(0)?) {
                keyed.insert(row.int(0)?, (*schedule, row.text_opt(1)?.map(Cow::into_owned)));
            }
        }
        Ok(keyed)
    }

    /// Writes what outcomes say about their own entities, but for the results of good runs.
    async fn write_own(&mut self, verdict: &Verdict<'_>, now: Timestamp) -> Result<(), StoreError> {
        self.release(verdict.released.iter().copied().collect()).await?;
        if !verdict.keys.is_empty() {
            let args = Args::new()
                .list(verdict.keys.iter().map(|(id, _)| *id))
                .list(verdict.keys.iter().map(|(_, key)| escaped(key)));
            self.db.run(SET_LOCATION_KEYS, args).await?;
        }
        let accepted = &verdict.accepted;
        let rows: Vec<_> = accepted.iter().filter_map(next_schedule).collect();
        self.schedule_put(&rows).await?;
        self.write_caches(accepted).await?;
        self.processing_errors_replace(&failures(accepted), now).await
    }

    async fn write_caches(&mut self, accepted: &[Accepted<'_>]) -> Result<(), StoreError> {
        let CacheChanges { put, dropped } = CacheChanges::of(accepted);
        if !dropped.is_empty() {
            self.db.run(DELETE_CACHES, Args::new().with(dropped)).await?;
        }
        for rows in chunks(&put, |(_, _, json)| json.len()) {
            let args = Args::new()
                .list(rows.iter().map(|(id, _, _)| *id))
                .list(rows.iter().map(|(_, ttl, _)| *ttl))
                .list(rows.iter().map(|(_, _, json)| json.as_slice()));
            self.db.write("caches", PUT_CACHES, args).await?;
        }
        Ok(())
    }

    /// Writes children and edges by difference, and leases the first of the children that need processing.
    async fn write_children(
        &mut self,
        children: &Children<'_>,
        report: &mut CommitReport,
        family: Family,
    ) -> Result<(), StoreError> {
        let Children { offers, withdrawn, contested } = children;
        if offers.is_empty() && withdrawn.is_empty() && contested.is_empty() {
            return Ok(());
        }
        let now = family.now;
        let targets: BTreeSet<i64> = offers.iter().map(|offer| offer.target).collect();
        let mut intake = self.intake(targets, now).await?;
        self.offer(&mut intake, offers).await?;
        for edge in withdrawn {
            intake.withdraw(edge);
        }
        let plan = intake.finish();
        report.conflicts = self.write_plan(&plan, now).await?;
        report.left_due += contested.len();
        self.mark_due(contested.iter().copied(), Lane::New, Run::InFull, now).await?;
        self.hand_out(&plan.written, family, report).await
    }
}
