//! Mutations of providers' buckets.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json};
use super::edges::Edge;
use super::intake::{Intake, Offer};
use super::refs::{PROVIDERS_FROM, PROVIDERS_TO, provider_name, provider_text};
use super::schedule::Run;
use super::session::Args;
use super::statement::statements;
use super::writer::Writer;
use crate::{Lane, MutationReport, NewEntity, ProviderMutation, StoreError, Timestamp};
use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

statements! {
    SELECT_PROVIDERS =
        "SELECT entity_ref FROM refs r WHERE entity_ref >= ?1 AND entity_ref < ?2 \
         AND EXISTS (SELECT 1 FROM edges e WHERE e.source = r.id) ORDER BY entity_ref";
    // Of the entities that some of these sources hand over and no others.
    DELETE_LOCATION_KEYS =
        "UPDATE refresh_state SET location_key = NULL \
         WHERE location_key IS NOT NULL \
           AND id IN (SELECT e.target FROM json_each(?1) j CROSS JOIN edges e ON e.source = j.value AND e.refused = 0) \
           AND NOT EXISTS (SELECT 1 FROM edges o WHERE o.target = refresh_state.id AND o.refused = 0 \
                             AND o.source NOT IN (SELECT value FROM json_each(?1))) \
         RETURNING id";
}

impl SqliteStore {
    pub(super) async fn mutate(
        &self,
        provider: &str,
        mutation: ProviderMutation,
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        let mut writer = self.writer().await?;
        let report = match mutation {
            ProviderMutation::Full(entities) => writer.bucket_replace(provider, &entities, lane, now).await?,
            ProviderMutation::Delta { added, removed } => {
                writer.bucket_change(provider, &added, &removed, lane, now).await?
            }
        };
        writer.finish().await?;
        Ok(report)
    }

    pub(super) async fn release(&self, gone: &[String], now: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.writer().await?;
        let gone: Vec<Arc<str>> = gone.iter().map(|name| provider_text(name)).collect();
        writer.look_up(&gone).await?;
        let gone = ids_json(gone.iter().filter_map(|text| writer.ref_id(text)));
        let rows = writer.db.rows(DELETE_LOCATION_KEYS, Args::new().with(gone)).await?;
        let released: Vec<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        let waiting = writer.refused_sources(released.iter().copied()).await?;
        writer.mark_due(waiting, Lane::Event, Run::InFull, now).await?;
        writer.finish().await?;
        Ok(released.len() as u64)
    }

    pub(super) async fn list_providers(&self) -> Result<Vec<String>, StoreError> {
        let args = Args::new().with(PROVIDERS_FROM).with(PROVIDERS_TO);
        let rows = self.read_rows(SELECT_PROVIDERS, args).await?;
        rows.iter().map(|row| Ok(provider_name(row.text(0)?).unwrap_or_default().to_owned())).collect()
    }
}

impl Writer<'_> {
    /// The bucket holds these entities and no others.
    async fn bucket_replace(
        &mut self,
        provider: &str,
        entities: &[NewEntity],
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        let provider = self.intern_provider(provider).await?;
        let bucket = self.edges_from([provider]).await?;
        self.intern(entities.iter().map(|entity| &entity.entity_ref)).await?;
        let wanted = entities
            .iter()
            .map(|entity| self.interned(&entity.entity_ref))
            .collect::<Result<HashSet<_>, _>>()?;
        let (kept, gone) = bucket.into_iter().partition(|edge| wanted.contains(&edge.target));
        self.apply(provider, entities, kept, gone, lane, now).await
    }

    /// Some entities come to the bucket, others go. Refs that are not in it are none of its business.
    pub(super) async fn bucket_change(
        &mut self,
        provider: &str,
        added: &[NewEntity],
        removed: &[String],
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        let provider = self.intern_provider(provider).await?;
        self.intern(added.iter().map(|entity| &entity.entity_ref)).await?;
        let removed: Vec<Arc<str>> =
            removed.iter().map(|entity_ref| Arc::from(entity_ref.as_str())).collect();
        self.look_up(&removed).await?;
        let wanted = added
            .iter()
            .map(|entity| self.interned(&entity.entity_ref))
            .collect::<Result<HashSet<_>, _>>()?;
        // Whatever is removed and added at once stays.
        let removed: BTreeSet<i64> =
            removed.iter().filter_map(|text| self.ref_id(text)).filter(|id| !wanted.contains(id)).collect();
        let kept = self.edges_between(provider, wanted).await?;
        let gone = self.edges_between(provider, removed).await?;
        self.apply(provider, added, kept, gone, lane, now).await
    }

    async fn intern_provider(&mut self, name: &str) -> Result<i64, StoreError> {
        let text = provider_text(name);
        self.intern([&text]).await?;
        self.interned(&text)
    }

    /// Removes first, so that what is removed stands in nobody's way.
    async fn apply(
        &mut self,
        provider: i64,
        entities: &[NewEntity],
        kept: Vec<Edge>,
        gone: Vec<Edge>,
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        let removed = self.bucket_remove(gone, now).await?;
        let kept: HashMap<i64, Edge> = kept.into_iter().map(|edge| (edge.target, edge)).collect();
        // Of several entities with the same ref the last one counts.
        let mut offers: HashMap<i64, usize> = HashMap::with_capacity(entities.len());
        for (index, entity) in entities.iter().enumerate() {
            offers.insert(self.interned(&entity.entity_ref)?, index);
        }
        let mut intake = Intake::new(self, offers.keys().copied(), now).await?;
        let rekeyable = self.rekeyable(&intake, entities, &offers, &kept).await?;
        for (index, entity) in entities.iter().enumerate() {
            let target = self.interned(&entity.entity_ref)?;
            if offers.get(&target) != Some(&index) {
                continue;
            }
            let (previous, may_rekey) = (kept.get(&target).copied(), rekeyable.contains(&target));
            intake.offer(Offer { source: provider, target, entity, previous, lane, may_rekey });
        }
        let conflicts = intake.write(self).await?;
        let added = intake.written().iter().filter(|written| written.is_new).count();
        let updated = intake.written().len() - added;
        let needs_stitching = self.needs_stitching();
        Ok(MutationReport { added, updated, removed, conflicts, needs_stitching })
    }

    /// Those entities of the bucket that come with another key and have no other source: a provider may change its
    /// mind about the key of what is its own. The entity keeps its uid and all that is known of it.
    async fn rekeyable(
        &mut self,
        intake: &Intake<'_>,
        entities: &[NewEntity],
        offers: &HashMap<i64, usize>,
        kept: &HashMap<i64, Edge>,
    ) -> Result<HashSet<i64>, StoreError> {
        let candidates: Vec<i64> = offers
            .iter()
            .filter(|(target, index)| {
                let is_own = kept.get(target).is_some_and(|edge| !edge.is_refused);
                let key = entities.get(**index).and_then(|entity| entity.location_key.as_ref());
                is_own && intake.has_other_key(**target, key)
            })
            .map(|(target, _)| *target)
            .collect();
        if candidates.is_empty() {
            return Ok(HashSet::new());
        }
        Ok(self.with_sole_source(candidates).await?.into_iter().collect())
    }

    /// Removes edges of a bucket, and at once all entities to which no provider leads without them. Answers how many
    /// these are.
    async fn bucket_remove(&mut self, gone: Vec<Edge>, now: Timestamp) -> Result<usize, StoreError> {
        if gone.is_empty() {
            return Ok(0);
        }
        let (refused, accepted): (Vec<Edge>, Vec<Edge>) = gone.into_iter().partition(|edge| edge.is_refused);
        let pair = |edge: &Edge| (edge.source, edge.target);
        self.edges_delete(refused.iter().chain(&accepted).map(pair).collect()).await?;
        self.conflicts_settle(refused.iter().map(pair).collect()).await?;
        let unrooted = self.unrooted(accepted.iter().map(|edge| edge.target)).await?;
        self.entities_delete(&unrooted, now).await?;
        Ok(unrooted.len())
    }
}
