//! Defects made on purpose: what the oracle must notice.

use std::sync::Arc;
use std::time::Duration;

use callboard_model::Digest;
use callboard_store::memory::{MemoryStore, Row};
use callboard_store::{CacheWrite, Change, ChangeKind, Outcome, OutcomeKind, Processed, RelationKey};

/// A defect of the store, or of what is above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breakage {
    /// Whoever comes late may still write.
    IgnoresTokens,
    /// A commit forgets the stitch work that follows from it.
    QueuesNoStitchWork,
    /// A final entity is written without a row in the change log.
    SkipsChanges,
    /// A run that failed counts as one that found nothing.
    TakesFailedForEmpty,
    /// A run that failed leaves no error.
    DropsErrors,
    /// What was to be processed again is not.
    ForgetsDueTimes,
    /// A parent's run does not take away what is no longer there.
    KeepsChildren,
    /// Everything is processed more often than it needs to be.
    ProcessesTwice,
    /// What was asked for during a run counts as done by that run.
    ForgetsWishes,
    /// A lease goes on when whoever had it is gone.
    KeepsLeases,
    /// What a run gives is different each time.
    GivesOtherResults,
    /// Nobody deletes what nobody hands over.
    KeepsOrphans,
    /// What is deleted stays in the view of those who follow the change log.
    SkipsDeletions,
    /// Somebody is told that a location is registered, and it is not.
    LosesRegistrations,
    /// Old processors go on working beside new ones.
    KeepsOldProcessors,
}

impl Breakage {
    pub(crate) const ALL: [Self; 15] = [
        Self::IgnoresTokens,
        Self::QueuesNoStitchWork,
        Self::SkipsChanges,
        Self::TakesFailedForEmpty,
        Self::DropsErrors,
        Self::ForgetsDueTimes,
        Self::KeepsChildren,
        Self::ProcessesTwice,
        Self::ForgetsWishes,
        Self::KeepsLeases,
        Self::GivesOtherResults,
        Self::KeepsOrphans,
        Self::SkipsDeletions,
        Self::LosesRegistrations,
        Self::KeepsOldProcessors,
    ];

    /// Before somebody with these processors claims or commits.
    pub(crate) fn before(self, memory: &MemoryStore, fingerprint: Option<Digest>) {
        if self == Self::KeepsOldProcessors && fingerprint.is_some() {
            memory.tamper(|tables| tables.applied = fingerprint);
        }
    }

    pub(crate) fn after_claim(self, memory: &MemoryStore) {
        if self == Self::KeepsLeases {
            memory.tamper(|tables| {
                for lease in tables.rows.values_mut().filter_map(|row| row.lease.as_mut()) {
                    lease.until += Duration::from_hours(1);
                }
            });
        }
    }

    /// The batch as it is written.
    pub(crate) fn before_commit(self, memory: &MemoryStore, batch: &[Outcome]) -> Vec<Outcome> {
        let mut batch = batch.to_vec();
        for outcome in &mut batch {
            memory.tamper(|tables| {
                if let Some(row) = tables.rows.values_mut().find(|row| row.id == outcome.id) {
                    self.change(row, outcome);
                }
            });
            if self == Self::KeepsChildren
                && let OutcomeKind::Processed(processed) = &mut outcome.kind
            {
                processed.kept_groups = memory.look(|tables| {
                    tables.edges.values().flat_map(|by| by.values()).map(|edge| edge.group).collect()
                });
            }
        }
        batch
    }

    fn change(self, row: &mut Row, outcome: &mut Outcome) {
        match self {
            Self::IgnoresTokens => outcome.token = row.lease.map_or(outcome.token, |lease| lease.token),
            Self::TakesFailedForEmpty => take_failed_for_empty(row, outcome),
            Self::DropsErrors => {
                if let OutcomeKind::Failed(errors) = &mut outcome.kind {
                    errors.clear();
                }
            }
            Self::ForgetsDueTimes => outcome.next_update_at = None,
            Self::ProcessesTwice => {
                let due = row.due_at();
                outcome.next_update_at =
                    outcome.next_update_at.map(|next| due.map_or(next, |due| due + (next - due) / 4));
            }
            Self::ForgetsWishes => {
                if let Some(lease) = &mut row.lease {
                    lease.wishes = row.wishes;
                }
            }
            Self::GivesOtherResults => {
                if let OutcomeKind::Processed(processed) = &mut outcome.kind {
                    let target = Arc::from(format!("component:default/{}", outcome.token.0 % 2));
                    let source = Arc::from("component:default/c0");
                    processed.relations.push(RelationKey { source, kind: Arc::from("seenBy"), target });
                }
            }
            _ => {}
        }
    }

    pub(crate) fn after_commit(self, memory: &MemoryStore, batch: &[Outcome]) {
        if self == Self::QueuesNoStitchWork && !batch.is_empty() {
            memory.tamper(|tables| tables.stitch_queue.pop_last());
        }
    }

    pub(crate) fn after_stitch(self, memory: &MemoryStore) {
        if self == Self::SkipsChanges {
            memory.tamper(|tables| {
                tables.position -= i64::from(tables.changes.pop().is_some());
            });
        }
    }

    /// After anything else was written.
    pub(crate) fn after_write(self, memory: &MemoryStore, name: &str) {
        let is_deletion = |change: &mut Change| change.kind == ChangeKind::Deleted;
        memory.tamper(|tables| match self {
            Self::SkipsDeletions if tables.changes.pop_if(is_deletion).is_some() => tables.position -= 1,
            Self::LosesRegistrations if name == "location_create" => {
                tables.locations.pop_last();
            }
            _ => {}
        });
    }
}

/// What the entity was before, without children.
fn take_failed_for_empty(row: &Row, outcome: &mut Outcome) {
    if let (OutcomeKind::Failed(_), Some(good)) = (&outcome.kind, &row.good) {
        outcome.cache = CacheWrite::Put(None);
        outcome.kind = OutcomeKind::Processed(Box::new(Processed {
            body: good.body.clone(),
            relations: good.relations.iter().cloned().collect(),
            children: Vec::new(),
            kept_groups: Vec::new(),
            refresh_keys: Vec::new(),
            warnings: Vec::new(),
        }));
    }
}
