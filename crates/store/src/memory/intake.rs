//! Taking in what sources hand over, as an intake decides.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::edges::Source;
use super::tables::{Row, Tables};
use crate::rules::codec::micros;
use crate::rules::errors::ErrorRow;
use crate::rules::intake::{Intake, Offer, Plan, Stored, Written};
use crate::rules::schedule::{Run, Schedule};
use crate::rules::stitch_work::Urgency;
use crate::{Conflict, EntityId, Hint, Timestamp};

impl Tables {
    /// Decides about offers. The result can still take withdrawals.
    pub(super) fn intake<'a>(&self, offers: &[Offer<'a>], now: Timestamp) -> Intake<'a> {
        let targets: BTreeSet<i64> = offers.iter().map(|offer| offer.target).collect();
        let stored = targets.into_iter().filter_map(|target| Some((target, self.stored(target)?)));
        let mut intake = Intake::new(stored.collect(), now);
        let has_sole_source = |target: &i64| self.sources_of(&self.text(*target)).count() == 1;
        let sole: HashSet<i64> = intake.rekeyable(offers).into_iter().filter(has_sole_source).collect();
        intake.offer(offers, &sole);
        intake
    }

    fn stored(&self, target: i64) -> Option<Stored> {
        let entity_ref = self.text(target);
        let row = self.rows.get(&entity_ref)?;
        // The key of an orphan is nobody's.
        let location_key = row.location_key.clone().filter(|_| !self.is_orphan(&entity_ref));
        Some(Stored { uid: row.uid, digest: row.digest, location_key })
    }

    /// Writes all that follows from an intake. Answers who was refused.
    pub(super) fn write_plan(&mut self, plan: &Plan<'_>, now: Timestamp) -> Vec<Conflict> {
        let gained = plan.gained.iter().map(|target| self.text(*target));
        let adopted: Vec<Arc<str>> = gained.filter(|target| self.is_orphan(target)).collect();
        for written in &plan.written {
            self.write_entity(written, now);
        }
        for (source, target) in &plan.dropped {
            let (source, target) = (Source::of(&self.text(*source)), self.text(*target));
            self.edge_delete(&source, &target);
        }
        for edge in &plan.edges {
            self.edge_put(edge);
        }
        for (source, target) in &plan.settled {
            let source = Source::of(&self.text(*source));
            self.conflict_settle(&source, *target);
        }
        let lost = plan.lost.iter().map(|target| self.text(*target)).collect();
        self.sources_lost(&lost, now);
        for target in &adopted {
            self.queue(target, Urgency::Own);
        }
        for target in &plan.rekeyed {
            self.wake_refused(&self.text(*target), now);
        }
        let names: HashMap<i64, Arc<str>> =
            plan.refused_sources().map(|source| (source, self.text(source))).collect();
        for ((source, target), error) in plan.errors(&names) {
            self.error_put(&ErrorRow::conflict(source, target, &error), now);
        }
        plan.conflicts(&names)
    }

    fn write_entity(&mut self, written: &Written<'_>, now: Timestamp) {
        let Written { id, entity, lane, is_new, .. } = *written;
        let uid = self.next_uid();
        let row = self.rows.entry(Arc::clone(&entity.entity_ref)).or_insert_with(|| Row {
            id: EntityId(id),
            uid,
            unprocessed: Arc::clone(&entity.json),
            digest: entity.digest,
            location_key: None,
            schedule: Schedule::new(id, lane, micros(now)),
            wishes: 0,
            lease: None,
            cache: None,
            good: None,
            shown: None,
        });
        row.unprocessed = Arc::clone(&entity.json);
        row.digest = entity.digest;
        row.location_key.clone_from(&entity.location_key);
        if !is_new {
            row.wish(lane, Run::IfChanged, now);
        }
        self.hint(Hint::Due);
    }
}
