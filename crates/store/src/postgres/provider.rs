//! Mutations of providers' buckets.
//!
//! A mutation that only adds happens beside all others. One that removes asks whether a provider still leads to what was
//! removed, and so has the graph to itself; whether it does is seen in the bucket.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::PostgresStore;
use super::again::{Interrupted, Tries};
use super::intake::lanes;
use super::locks::Graph;
use super::names::Wanted;
use super::row::RowExt as _;
use super::session::Args;
use super::writer::Writer;
use crate::rules::bucket::{offers, targets};
use crate::rules::intake::Edge;
use crate::rules::names::{PROVIDERS_FROM, PROVIDERS_TO, provider_name, provider_text};
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::{Hint, Lane, MutationReport, NewEntity, ProviderMutation, StoreError, Timestamp};

statements! {
    SELECT_PROVIDERS =
        "SELECT coalesce(r.long_ref, r.entity_ref) FROM refs r WHERE r.entity_ref >= $1 AND r.entity_ref < $2 \
         AND EXISTS (SELECT 1 FROM edges e WHERE e.source = r.id) ORDER BY r.entity_ref";
    // Of the entities that some of these sources hand over and no others.
    DELETE_LOCATION_KEYS =
        "UPDATE refresh_state r SET location_key = NULL \
         WHERE r.location_key IS NOT NULL \
           AND r.id IN (SELECT e.target FROM edges e WHERE e.source = ANY($1) AND NOT e.refused) \
           AND NOT EXISTS (SELECT 1 FROM edges o WHERE o.target = r.id AND NOT o.refused AND o.source <> ALL($1)) \
         RETURNING r.id";
}

impl PostgresStore {
    pub(super) async fn mutate(
        &self,
        provider: &str,
        mutation: ProviderMutation,
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        let mut tries = Tries::new(Graph::Shared);
        loop {
            let result = self.mutate_once(provider, &mutation, lane, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn mutate_once(
        &self,
        provider: &str,
        mutation: &ProviderMutation,
        lane: Lane,
        now: Timestamp,
        graph: Graph,
    ) -> Result<MutationReport, StoreError> {
        let (ProviderMutation::Full(entities) | ProviderMutation::Delta { added: entities, .. }) = mutation;
        let mut writer = self.writer(graph, &bucket_names(provider, entities)).await?;
        let bucket = writer.lock_bucket(provider).await?;
        let report = match mutation {
            ProviderMutation::Full(entities) => writer.bucket_replace(bucket, entities, lane, now).await?,
            ProviderMutation::Delta { added, removed } => {
                writer.bucket_change(bucket, added, removed, lane, now).await?
            }
        };
        writer.finish().await?;
        Ok(report)
    }

    pub(super) async fn release(&self, gone: &[String], now: Timestamp) -> Result<u64, StoreError> {
        let mut tries = Tries::new(Graph::Exclusive);
        loop {
            let result = self.release_once(gone, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn release_once(&self, gone: &[String], now: Timestamp, graph: Graph) -> Result<u64, StoreError> {
        let mut writer = self.writer(graph, &Wanted::none()).await?;
        let gone: Vec<Arc<str>> = gone.iter().map(|name| provider_text(name)).collect();
        writer.look_up(&gone).await?;
        let gone: Vec<i64> = gone.iter().filter_map(|text| writer.names.find(text)).collect();
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
        rows.iter().map(|row| Ok(provider_name(&row.text(0)?).unwrap_or_default().to_owned())).collect()
    }
}

/// What has to be interned before these can come to the bucket of a provider.
pub(super) fn bucket_names(provider: &str, added: &[NewEntity]) -> Wanted {
    Wanted::none().texts([&provider_text(provider)]).texts(added.iter().map(|entity| &entity.entity_ref))
}

impl Writer<'_> {
    /// Has a provider's bucket to itself; answers the provider's number.
    pub(super) async fn lock_bucket(&mut self, provider: &str) -> Result<i64, StoreError> {
        let provider = self.names.id(&provider_text(provider))?;
        self.lock_provider(provider).await?;
        Ok(provider)
    }

    /// The bucket holds these entities and no others.
    async fn bucket_replace(
        &mut self,
        provider: i64,
        entities: &[NewEntity],
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        let bucket = self.edges_from([provider]).await?;
        let wanted = targets(entities, &self.names)?;
        let (kept, gone) = bucket.into_iter().partition(|edge| wanted.contains(&edge.target));
        self.apply(provider, entities, kept, gone, lane, now).await
    }

    /// Some entities come to the bucket, others go. Refs that are not in it are none of its business.
    pub(super) async fn bucket_change(
        &mut self,
        provider: i64,
        added: &[NewEntity],
        removed: &[String],
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
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
        if !self.insert_schedule(&lanes(&offers), now).await?.is_empty() {
            self.hints.add(Hint::Due);
        }
        self.lock(&offers.iter().map(|offer| offer.target).collect()).await?;
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
        if !accepted.is_empty() && self.graph == Graph::Shared {
            return Err(Interrupted::NeedsGraph.into());
        }
        let pair = |edge: &Edge| (edge.source, edge.target);
        self.edges_delete(&refused.iter().chain(&accepted).map(pair).collect::<Vec<_>>()).await?;
        self.conflicts_settle(&refused.iter().map(pair).collect::<Vec<_>>()).await?;
        let unrooted = self.unrooted(accepted.iter().map(|edge| edge.target)).await?;
        self.entities_delete(&unrooted, now).await?;
        Ok(unrooted.len())
    }
}
