//! When entities are due, and what makes them so.

use std::sync::Arc;

use callboard_model::Digest;

use super::tables::{GoodRun, Row, Tables};
use crate::rules::codec::{micros, timestamp};
use crate::rules::schedule::Run;
use crate::{Hint, Lane, LeaseToken, Timestamp};

/// Who processes an entity.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// Tells it from all other leases.
    pub token: LeaseToken,
    /// Others may claim the entity from then on.
    pub until: Timestamp,
    /// The wishes that the run will have seen.
    pub wishes: u64,
}

impl Row {
    /// When the entity is due; `None` if only a change can make it so.
    pub fn due_at(&self) -> Option<Timestamp> {
        timestamp(self.schedule.next_update_at?).ok()
    }

    /// The processors of the last good run; `None` if a full run is needed.
    pub fn fingerprint(&self) -> Option<Digest> {
        self.schedule.fingerprint
    }

    pub(super) fn wish(&mut self, lane: Lane, run: Run, now: Timestamp) {
        let due = self.schedule.next_update_at;
        self.schedule.next_update_at = Some(due.map_or(micros(now), |due| due.min(micros(now))));
        self.schedule.lane = self.schedule.lane.min(lane as i64);
        self.wishes += 1;
        if run == Run::InFull {
            self.schedule.fingerprint = None;
        }
    }

    fn is_due_later(&self, now: Timestamp) -> bool {
        self.schedule.next_update_at.is_some_and(|due| due > micros(now))
    }
}

impl Tables {
    /// Makes an entity due, if there is one.
    pub(super) fn mark_due(&mut self, entity_ref: &str, lane: Lane, run: Run, now: Timestamp) {
        if let Some(row) = self.rows.get_mut(entity_ref) {
            row.wish(lane, run, now);
            self.hint(Hint::Due);
        }
    }

    pub(super) fn refresh_all(&mut self, now: Timestamp) -> u64 {
        let mut marked = 0;
        for row in self.rows.values_mut().filter(|row| row.is_due_later(now)) {
            row.schedule.next_update_at = Some(micros(now));
            row.wishes += 1;
            marked += 1;
        }
        self.hint(Hint::Due);
        marked
    }

    pub(super) fn refresh_by_keys(&mut self, keys: &[String], now: Timestamp) -> u64 {
        let carries_one = |good: &GoodRun| keys.iter().any(|key| good.refresh_keys.contains(key));
        let found: Vec<Arc<str>> = self
            .rows
            .iter()
            .filter(|(_, row)| row.good.as_ref().is_some_and(carries_one))
            .map(|(entity_ref, _)| Arc::clone(entity_ref))
            .collect();
        for entity_ref in &found {
            self.mark_due(entity_ref, Lane::Event, Run::IfChanged, now);
        }
        found.len() as u64
    }

    /// Whether other processors than these were applied last.
    pub(super) fn is_superseded(&self, fingerprint: Digest) -> bool {
        self.applied.is_some_and(|applied| applied != fingerprint)
    }

    pub(super) fn fingerprint_apply(
        &mut self,
        fingerprint: Digest,
        instead_of: Option<Digest>,
        now: Timestamp,
    ) -> u64 {
        if instead_of.is_some_and(|before| self.is_superseded(before)) && self.is_superseded(fingerprint) {
            return 0;
        }
        let mut marked = 0;
        let are_new = self.applied.replace(fingerprint) != Some(fingerprint);
        for row in self.rows.values_mut().filter(|row| row.schedule.fingerprint != Some(fingerprint)) {
            // What waits anyway will run with the new processors, but a run under way has the old ones.
            let waits = row.schedule.next_update_at.is_some() && !row.is_due_later(now);
            if !waits || (are_new && row.is_leased(now)) {
                row.wish(Lane::Periodic, Run::IfChanged, now);
                marked += 1;
            }
        }
        self.hint(Hint::Due);
        marked
    }
}
