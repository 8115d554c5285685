//! Mutations of providers' buckets.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json};
use super::session::Args;
use super::writer::Writer;
use crate::rules::bucket::{offers, targets};
use crate::rules::intake::Edge;
use crate::rules::names::{PROVIDERS_FROM, PROVIDERS_TO, provider_name, provider_text};
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::{Lane, MutationReport, NewEntity, ProviderMutation, StoreError, Timestamp};

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
        let gone = ids_json(gone.iter().filter_map(|text| writer.names.find(text)));
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
        let wanted = targets(entities, &self.names)?;
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
        let wanted = targets(added, &self.names)?;
        // Whatever is removed and added at once stays.
        let removed = removed.iter().filter_map(|text| self.names.find(text));
        let removed: BTreeSet<i64> = removed.filter(|id| !wanted.contains(id)).collect();
        let kept = self.edges_between(provider, wanted).await?;
        let gone = self.edges_between(provider, removed).await?;
        self.apply(provider, added, kept, gone, lane, now).await
    }

    async fn intern_provider(&mut self, name: &str) -> Result<i64, StoreError> {
        let text = provider_text(name);
        self.intern([&text]).await?;
        self.names.id(&text)
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
        let offers = offers(provider, entities, kept, lane, &self.names)?;
        let mut intake = self.intake(offers.iter().map(|offer| offer.target), now).await?;
        self.offer(&mut intake, &offers).await?;
        let plan = intake.finish();
        let conflicts = self.write_plan(&plan, now).await?;
        let added = plan.added().count();
        let updated = plan.written.len() - added;
        let needs_stitching = !self.work.is_empty();
        Ok(MutationReport { added, updated, removed, conflicts, needs_stitching })
    }

    /// Removes edges of a bucket, and at once all entities to which no provider leads without them. Answers how many
    /// these are.
    async fn bucket_remove(&mut self, gone: Vec<Edge>, now: Timestamp) -> Result<usize, StoreError> {
        if gone.is_empty() {
            return Ok(0);
        }
        let (refused, accepted): (Vec<Edge>, Vec<Edge>) = gone.into_iter().partition(|edge| edge.is_refused);
        let pair = |edge: &Edge| (edge.source, edge.target);
        self.edges_delete(&refused.iter().chain(&accepted).map(pair).collect::<Vec<_>>()).await?;
        self.conflicts_settle(&refused.iter().map(pair).collect::<Vec<_>>()).await?;
        let unrooted = self.unrooted(accepted.iter().map(|edge| edge.target)).await?;
        self.entities_delete(&unrooted, now).await?;
        Ok(unrooted.len())
    }
}
