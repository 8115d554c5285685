//! Reading final entities, and counting.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::edges::Source;
use super::tables::{Row, Tables};
use crate::rules::read::{depth_first, found, page};
use crate::{Ancestor, Counts, EntityPage, ErrorCategory, FinalEntity, FoundEntities, StoreError, Timestamp};

impl Tables {
    pub(super) fn final_entity(&self, entity_ref: &str) -> Option<FinalEntity> {
        let row = self.rows.get(entity_ref)?;
        let json = row.final_json()?;
        Some(FinalEntity { id: row.id, entity_ref: entity_ref.to_owned(), uid: row.uid, json })
    }

    fn has_final(&self, entity_ref: &str) -> bool {
        self.rows.get(entity_ref).is_some_and(|row| row.shown.is_some())
    }

    fn finals(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rows.keys().filter(|entity_ref| self.has_final(entity_ref))
    }

    pub(super) fn finals_by_refs(
        &self,
        refs: &[&str],
        bytes_max: usize,
    ) -> Result<FoundEntities, StoreError> {
        let entities: Vec<_> = refs.iter().filter_map(|it| self.final_entity(it)).map(Ok).collect();
        found(refs, entities.into_iter(), bytes_max)
    }

    pub(super) fn finals_page(&self, after: Option<&str>, limit: usize) -> Result<EntityPage, StoreError> {
        let later = self.finals().filter(|it| after.is_none_or(|after| ***it > *after)).take(limit);
        let entities: Vec<_> = later.filter_map(|it| self.final_entity(it)).map(Ok).collect();
        let available = entities.len();
        page(entities.into_iter(), limit, available)
    }

    pub(super) fn ancestry(&self, entity_ref: &str) -> Vec<Ancestor> {
        let mut found = HashMap::new();
        let mut ahead = vec![entity_ref.to_owned()];
        while let Some(next) = ahead.pop() {
            let Some(entity) = self.final_entity(&next).filter(|_| !found.contains_key(&next)) else {
                continue;
            };
            let parents = self.sources_of(&next).filter_map(|source| match source {
                Source::Entity(parent) if self.has_final(parent) => Some(parent.to_string()),
                Source::Entity(_) | Source::Provider(_) => None,
            });
            let parent_refs: Vec<String> = parents.collect();
            ahead.extend(parent_refs.iter().cloned());
            found.insert(next, Ancestor { entity, parent_refs });
        }
        depth_first(entity_ref, found)
    }

    pub(super) fn count_by_kind(&self) -> Vec<(String, i64)> {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for entity_ref in self.finals() {
            let kind = entity_ref.split(':').next().unwrap_or_default();
            *counts.entry(kind.to_owned()).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    pub(super) fn counts(&self, now: Timestamp) -> Counts {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let relations =
            self.rows.values().filter_map(|row| row.good.as_ref()).map(|good| good.relations.len());
        let is_due = |row: &&Row| row.due_at().is_some_and(|due_at| due_at <= now);
        Counts {
            locations: count(self.locations.len()),
            relations: count(relations.sum()),
            stitch_queue: count(self.stitch_queue.len()),
            due: count(self.rows.values().filter(is_due).count()),
            errors: count(self.errors.values().filter(|row| row.category != ErrorCategory::Warning).count()),
        }
    }
}
