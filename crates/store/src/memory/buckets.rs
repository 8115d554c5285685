//! Buckets of providers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::edges::Source;
use super::tables::Tables;
use crate::rules::bucket::{offers, targets};
use crate::rules::intake::Edge;
use crate::{Lane, MutationReport, NewEntity, ProviderMutation, StoreError, Timestamp};

impl Tables {
    pub(super) fn mutate(
        &mut self,
        provider: &str,
        mutation: &ProviderMutation,
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        match mutation {
            ProviderMutation::Full(entities) => self.change_bucket(provider, entities, |_| true, lane, now),
            ProviderMutation::Delta { added, removed } => {
                let is_removed = |target: &str| removed.iter().any(|it| **it == *target);
                self.change_bucket(provider, added, is_removed, lane, now)
            }
        }
    }

    /// Some entities come to a bucket, or stay; others go, unless they are among the first.
    pub(super) fn change_bucket(
        &mut self,
        provider: &str,
        added: &[NewEntity],
        is_removed: impl Fn(&str) -> bool,
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        let provider = Source::Provider(provider.to_owned());
        for entity in added {
            self.number(&entity.entity_ref);
        }
        let wanted = targets(added, &self.names)?;
        let (kept, mut gone): (Vec<_>, Vec<_>) =
            self.edges_from(&provider).into_iter().partition(|edge| wanted.contains(&edge.target));
        gone.retain(|edge| is_removed(&self.text(edge.target)));
        let removed = self.remove_from_bucket(&provider, &gone, now);
        let number = self.number(&provider.text());
        let offers = offers(number, added, kept, lane, &self.names)?;
        let plan = self.intake(&offers, now).finish();
        let conflicts = self.write_plan(&plan, now);
        let added = plan.added().count();
        let updated = plan.written.len() - added;
        Ok(MutationReport { added, updated, removed, conflicts, needs_stitching: self.needs_stitching() })
    }

    /// Takes along all to which no provider leads any more; answers how many these are.
    fn remove_from_bucket(&mut self, provider: &Source, gone: &[Edge], now: Timestamp) -> usize {
        let mut accepted = BTreeSet::new();
        for edge in gone {
            let target = self.text(edge.target);
            self.edge_delete(provider, &target);
            self.conflict_settle(provider, edge.target);
            if !edge.is_refused {
                accepted.insert(target);
            }
        }
        if accepted.is_empty() {
            return 0;
        }
        let rooted = self.rooted();
        let unrooted: BTreeSet<_> = self.reached_from(accepted).difference(&rooted).cloned().collect();
        self.delete(&unrooted, now);
        unrooted.len()
    }

    pub(super) fn providers(&self) -> Vec<String> {
        let sources = self.edges.values().flat_map(BTreeMap::keys);
        let names = sources.filter_map(|source| match source {
            Source::Provider(name) => Some(name.clone()),
            Source::Entity(_) => None,
        });
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn providers_release(&mut self, gone: &[String], now: Timestamp) -> u64 {
        let is_gone = |source: &Source| matches!(source, Source::Provider(name) if gone.contains(name));
        let released: Vec<Arc<str>> = self
            .rows
            .iter()
            .filter(|(_, row)| row.location_key.is_some())
            .map(|(entity_ref, _)| Arc::clone(entity_ref))
            .filter(|entity_ref| !self.is_orphan(entity_ref) && self.sources_of(entity_ref).all(is_gone))
            .collect();
        for entity_ref in &released {
            if let Some(row) = self.rows.get_mut(entity_ref) {
                row.location_key = None;
            }
            self.wake_refused(entity_ref, now);
        }
        released.len() as u64
    }
}
