//! Final entities: each is a function of what the tables hold now.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::tables::{Row, Shown, Tables};
use crate::rules::stitch_work::Urgency;
use crate::{ChangeKind, Hint, StitchReport, Timestamp};

/// The place of a ref in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    urgency: Urgency,
    number: i64,
}

impl Tables {
    /// Has a final entity made anew.
    pub(super) fn queue(&mut self, entity_ref: &Arc<str>, urgency: Urgency) {
        let rank = Rank { urgency, number: self.next_number() };
        let stored = self.stitch_queue.entry(Arc::clone(entity_ref)).or_insert(rank);
        *stored = rank.min(*stored);
        self.queued_now.insert(Arc::clone(entity_ref));
        self.hint(Hint::Unstitched);
    }

    pub(super) fn unqueue(&mut self, entity_ref: &str) {
        self.stitch_queue.remove(entity_ref);
        self.queued_now.remove(entity_ref);
    }

    pub(super) fn needs_stitching(&self) -> bool {
        !self.queued_now.is_empty()
    }

    pub(super) fn stitch(&mut self, limit: usize, _now: Timestamp) -> StitchReport {
        let mut queue: Vec<(Rank, Arc<str>)> =
            self.stitch_queue.iter().map(|(entity_ref, rank)| (*rank, Arc::clone(entity_ref))).collect();
        queue.sort();
        let mut report = StitchReport { has_more: queue.len() > limit, ..StitchReport::default() };
        for (_, entity_ref) in queue.into_iter().take(limit) {
            self.stitch_queue.remove(&entity_ref);
            match self.stitch_one(&entity_ref) {
                None => report.abandoned += 1,
                Some(false) => report.unchanged += 1,
                Some(true) => report.changed += 1,
            }
        }
        report
    }

    /// Answers whether the final entity changed; `None` if there is none.
    fn stitch_one(&mut self, entity_ref: &Arc<str>) -> Option<bool> {
        let mut shown = self.to_show(entity_ref);
        let row = self.rows.get_mut(entity_ref)?;
        shown.etag = Some(row.finish(&shown)?.etag);
        let is_same = row.shown.as_ref().is_some_and(|before| before.etag == shown.etag);
        if !is_same {
            row.shown = Some(shown);
            self.log_change(entity_ref, ChangeKind::Upserted);
        }
        Some(!is_same)
    }

    /// What stitching would add to a body now, without an etag.
    pub fn to_show(&self, entity_ref: &Arc<str>) -> Shown {
        let emitted = self.rows.values().filter_map(|row| row.good.as_ref()).flat_map(|good| &good.relations);
        let own = emitted.filter(|relation| relation.source == *entity_ref);
        let relations: BTreeSet<(Arc<str>, Arc<str>)> =
            own.map(|relation| (Arc::clone(&relation.kind), Arc::clone(&relation.target))).collect();
        Shown {
            relations: relations.into_iter().collect(),
            errors: self.errors_of_run(entity_ref),
            is_orphan: self.is_orphan(entity_ref),
            etag: None,
        }
    }
}

impl Row {
    /// The text of the final entity, if it was stitched.
    pub fn final_json(&self) -> Option<String> {
        Some(self.finish(self.shown.as_ref()?)?.json)
    }

    /// The text that the final entity would have with these parts.
    pub fn final_json_with(&self, shown: &Shown) -> Option<String> {
        Some(self.finish(shown)?.json)
    }
}
