//! Writing what came out of runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::edges::Source;
use super::tables::{self, Tables};
use crate::rules::children::Children;
use crate::rules::intake::Written;
use crate::rules::outcome::{Accepted, GoodRun, failures, good_runs, hand_out_max, may_write, next_schedule};
use crate::rules::schedule::Run;
use crate::rules::stitch_work::Urgency;
use crate::{CacheWrite, CommitReport, ErrorCategory, Lane, Outcome, StoreError, Timestamp};

impl Tables {
    pub(super) fn commit(
        &mut self,
        batch: &[Outcome],
        hand_out: usize,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Result<CommitReport, StoreError> {
        let mut report = CommitReport::default();
        let leased: BTreeSet<Arc<str>> =
            self.rows.iter().filter(|(_, row)| row.is_leased(now)).map(|(it, _)| Arc::clone(it)).collect();
        let accepted = self.accept(batch, &mut report);
        report.left_due += accepted.iter().filter(|accepted| accepted.stays_due()).count();
        let hand_out = hand_out_max(&accepted, hand_out);
        for accepted in &accepted {
            self.end_run(accepted);
        }
        for owner in self.errors_replace(ErrorCategory::Processing, &failures(&accepted), now) {
            self.queue(&self.text(owner), Urgency::Own);
        }
        let runs = good_runs(&accepted);
        let clear: Vec<_> = runs.iter().map(|run| (run.id, [].as_slice())).collect();
        self.errors_replace(ErrorCategory::Processing, &clear, now);
        let warnings: Vec<_> = runs.iter().map(|run| (run.id, run.processed.warnings.as_slice())).collect();
        self.errors_replace(ErrorCategory::Warning, &warnings, now);
        for child in self.take_children(&runs, now, &mut report)? {
            let child = &child.entity.entity_ref;
            if report.handed.len() < hand_out && !leased.contains(child) {
                report.handed.extend(self.lease(child, lease_until)?);
            } else {
                report.left_due += 1;
            }
        }
        for run in &runs {
            self.replace_result(run);
        }
        report.needs_stitching = self.needs_stitching();
        Ok(report)
    }

    /// Sorts out the outcomes that may be written. The leases of all that came under one in force end.
    fn accept<'a>(&mut self, batch: &'a [Outcome], report: &mut CommitReport) -> Vec<Accepted<'a>> {
        let mut accepted = Vec::new();
        for (index, outcome) in batch.iter().enumerate() {
            let is_outdated = self.is_superseded(outcome.fingerprint);
            let row = self.rows.get_mut(&self.text(outcome.id.0));
            let lease = row.and_then(|row| Some((row.lease.take_if(|it| it.token == outcome.token)?, row)));
            match lease {
                Some((lease, row)) if may_write(row.location_key.as_deref(), outcome) => {
                    row.location_key.clone_from(&outcome.location_key);
                    let is_wished = row.wishes != lease.wishes;
                    accepted.push(Accepted { outcome, schedule: row.schedule, is_wished, is_outdated });
                }
                _ => report.refused.push(index),
            }
        }
        accepted
    }

    /// The next due time, and what is known of the run.
    fn end_run(&mut self, accepted: &Accepted<'_>) {
        let Some(row) = self.rows.get_mut(&self.text(accepted.outcome.id.0)) else { return };
        let Some(schedule) = next_schedule(accepted) else { return };
        row.schedule = schedule;
        if let CacheWrite::Put(cache) = &accepted.outcome.cache {
            row.cache.clone_from(cache);
        }
    }

    /// Compares children with those of the runs before. Answers those that need processing.
    fn take_children<'a>(
        &mut self,
        runs: &[GoodRun<'a>],
        now: Timestamp,
        report: &mut CommitReport,
    ) -> Result<Vec<Written<'a>>, StoreError> {
        let mut edges = Vec::new();
        for run in runs {
            edges.extend(self.edges_from(&Source::of(&self.text(run.id))));
            for child in &run.processed.children {
                self.number(&child.entity_ref);
            }
        }
        let Children { offers, withdrawn, contested } = Children::compare(runs, edges, &self.names)?;
        let mut intake = self.intake(&offers, now);
        for edge in &withdrawn {
            intake.withdraw(edge);
        }
        let plan = intake.finish();
        report.conflicts = self.write_plan(&plan, now);
        report.left_due += contested.len();
        for parent in contested {
            self.mark_due(&self.text(parent), Lane::New, Run::InFull, now);
        }
        Ok(plan.written)
    }

    /// The entity, relations and refresh keys of a good run take the place of what the last one gave.
    fn replace_result(&mut self, run: &GoodRun<'_>) {
        let entity_ref = self.text(run.id);
        let Some(row) = self.rows.get_mut(&entity_ref) else { return };
        let after = tables::GoodRun {
            body: run.processed.body.clone(),
            relations: run.processed.relations.iter().cloned().collect(),
            refresh_keys: run.processed.refresh_keys.iter().cloned().collect(),
        };
        let relations = after.relations.clone();
        let before = row.good.replace(after);
        let is_rewritten =
            before.as_ref().is_some_and(|before| before.body.digest != run.processed.body.digest);
        if let (Some(shown), true) = (&mut row.shown, is_rewritten) {
            shown.etag = None;
        }
        let relations_before = before.map(|before| before.relations).unwrap_or_default();
        for changed in relations.symmetric_difference(&relations_before) {
            if changed.source != entity_ref {
                self.queue(&changed.source, Urgency::Peer);
            }
        }
        self.queue(&entity_ref, if run.is_awaited { Urgency::Awaited } else { Urgency::Own });
    }
}
