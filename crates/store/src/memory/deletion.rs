//! Deleting entities, and finding those that are to be deleted.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::edges::Source;
use super::tables::Tables;
use crate::rules::stitch_work::Urgency;
use crate::{ChangeKind, Timestamp};

impl Tables {
    /// Deletes entities, with all that stands for them.
    pub(super) fn delete(&mut self, gone: &BTreeSet<Arc<str>>, now: Timestamp) {
        let mut lost = BTreeSet::new();
        for entity_ref in gone {
            let owner = Source::Entity(Arc::clone(entity_ref));
            if let Some(row) = self.rows.remove(entity_ref) {
                if row.shown.is_some() {
                    self.log_change(entity_ref, ChangeKind::Deleted);
                }
                for relation in row.good.iter().flat_map(|good| &good.relations) {
                    self.queue(&relation.source, Urgency::Peer);
                }
            }
            self.errors.retain(|_, error| error.owner != owner);
            self.wake_refused(entity_ref, now);
            let number = self.number(entity_ref);
            for source in self.edges.remove(entity_ref).unwrap_or_default().into_keys() {
                self.conflict_settle(&source, number);
            }
            for edge in self.edges_from(&owner) {
                let child = self.text(edge.target);
                self.edge_delete(&owner, &child);
                if !edge.is_refused {
                    lost.insert(child);
                }
            }
        }
        for entity_ref in gone {
            self.unqueue(entity_ref);
        }
        self.sources_lost(&lost, now);
    }

    /// Entities that nobody hands over, or else those that only hold each other.
    pub(super) fn orphans_delete(&mut self, limit: usize, now: Timestamp) -> u64 {
        let by_number = |refs: Vec<Arc<str>>| {
            let mut refs: Vec<_> =
                refs.into_iter().map(|it| (self.rows.get(&it).map(|row| row.id), it)).collect();
            refs.sort();
            refs.into_iter().take(limit).map(|(_, it)| it).collect::<BTreeSet<_>>()
        };
        let mut gone = by_number(self.rows.keys().filter(|it| self.is_orphan(it)).cloned().collect());
        if gone.is_empty() {
            let rooted = self.rooted();
            gone = by_number(self.rows.keys().filter(|it| !rooted.contains(*it)).cloned().collect());
        }
        self.delete(&gone, now);
        gone.len() as u64
    }
}
