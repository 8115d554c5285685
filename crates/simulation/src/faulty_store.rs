//! The store as one replica sees it: slow, at times out of reach, and unsure whether it did what was asked.
//!
//! What is asked of the store that the replicas share passes through here, so this is also where the promises about
//! single units of work are checked, on the tables before and after.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use callboard_model::{Digest, LocationSpec};
use callboard_store::memory::MemoryStore;
use callboard_store::{
    Ancestor, CatalogError, Change, ClaimRequest, Claimed, CommitReport, Counts, EntityId, EntityPage,
    ErrorFilter, FinalEntity, FoundEntities, Hint, InspectCursor, Inspection, Lane, LeaseToken,
    LocationConflict, Mended, MutationReport, NewEntity, Outcome, ProviderMutation, StitchReport, Store,
    StoreError, StoredLocation, Timestamp, Violation,
};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

#[cfg(test)]
use crate::breakage::Breakage;
use crate::dice::Dice;
use crate::invariants::{Commit, check_tables};
use crate::trace::Trace;
use crate::weather::Weather;

/// What all replicas share.
#[derive(Debug, Clone)]
pub(crate) struct SharedStore {
    pub(crate) memory: MemoryStore,
    pub(crate) dice: Dice,
    pub(crate) weather: Weather,
    pub(crate) trace: Trace,
    /// How often each entity was processed, by number.
    pub(crate) runs: Arc<Mutex<BTreeMap<EntityId, u32>>>,
    /// How often anything was asked of the store.
    pub(crate) calls: Arc<AtomicU32>,
    /// What the store will do when nobody waits for it any more.
    pub(crate) late: Arc<Mutex<JoinSet<()>>>,
    #[cfg(test)]
    pub(crate) breakage: Option<Breakage>,
}

/// The store of one replica.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    pub(crate) shared: SharedStore,
    pub(crate) replica: usize,
    /// No call gets through before this moment.
    pub(crate) cut_until: Arc<Mutex<Option<Instant>>>,
}

fn unavailable(what: &str) -> StoreError {
    StoreError::Unavailable(Box::new(io::Error::other(what.to_owned())))
}

impl SharedStore {
    pub(crate) fn take_runs(&self) -> BTreeMap<EntityId, u32> {
        std::mem::take(&mut *self.runs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn take_calls(&self) -> u32 {
        self.calls.swap(0, Ordering::Relaxed)
    }

    fn later(&self, delay: Duration, effect: impl Future<Output = ()> + Send + 'static) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.spawn(async move {
            tokio::time::sleep(delay).await;
            effect.await;
        });
    }

    fn check(&self) {
        if let Err(promise) = self.memory.look(check_tables) {
            self.trace.break_promise(promise);
        }
    }

    async fn claim(&self, replica: usize, request: &ClaimRequest) -> Result<Claimed, StoreError> {
        #[cfg(test)]
        if let Some(breakage) = self.breakage {
            breakage.before(&self.memory, Some(request.fingerprint));
        }
        let claimed = self.memory.claim(request).await?;
        if let Claimed::Superseded = &claimed {
            self.trace
                .say(format_args!("replica {replica} has other processors than those that were applied"));
        }
        let Claimed::Leased(claims) = &claimed else { return Ok(claimed) };
        for claim in claims {
            self.trace.say(format_args!("replica {replica} claims {}", claim.entity_ref));
        }
        #[cfg(test)]
        if let Some(breakage) = self.breakage {
            breakage.after_claim(&self.memory);
        }
        Ok(claimed)
    }

    async fn commit(
        &self,
        replica: usize,
        batch: &[Outcome],
        hand_out: usize,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Result<CommitReport, StoreError> {
        let Self { memory, trace, .. } = self;
        let before = memory.look(|tables| Commit::begin(tables, batch));
        #[cfg(test)]
        let (original, changed) = (batch, self.breakage.map(|it| it.before_commit(memory, batch)));
        #[cfg(test)]
        let batch = changed.as_deref().unwrap_or(original);
        #[cfg(test)]
        if let Some(breakage) = self.breakage {
            breakage.before(memory, batch.first().map(|outcome| outcome.fingerprint));
        }
        let report = memory.commit(batch, hand_out, lease_until, now).await?;
        #[cfg(test)]
        if let Some(breakage) = self.breakage {
            breakage.after_commit(memory, batch);
        }
        for line in before.describe(&report) {
            trace.say(format_args!("replica {replica} commits {line}"));
        }
        if let Err(promise) = memory.look(|tables| before.check(tables, &report)) {
            trace.break_promise(promise);
        }
        self.count_runs(batch, &report);
        self.check();
        Ok(report)
    }

    fn count_runs(&self, batch: &[Outcome], report: &CommitReport) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, outcome) in batch.iter().enumerate() {
            if !report.refused.contains(&index) {
                *runs.entry(outcome.id).or_default() += 1;
            }
        }
    }
}

impl FaultyStore {
    fn is_cut(&self) -> bool {
        let cut_until = *self.cut_until.lock().unwrap_or_else(PoisonError::into_inner);
        cut_until.is_some_and(|until| until > Instant::now())
    }

    async fn maybe_stall(&self, name: &'static str) {
        let SharedStore { dice, weather, trace, .. } = &self.shared;
        if dice.per_mille(weather.stalls()) {
            trace.say(format_args!("store of {}: {name} is stalled", self.replica));
            tokio::time::sleep(Duration::from_secs(15)).await;
        }
    }

    /// How long after an answer was given up the store will do what was asked, if that is what happens.
    fn lateness(&self, name: &'static str) -> Option<Duration> {
        let SharedStore { dice, weather, trace, .. } = &self.shared;
        let lateness = dice.per_mille(weather.late_effects()).then(|| dice.millis(1..20_000))?;
        trace.say(format_args!("store of {}: {name} will be done {lateness:?} later", self.replica));
        Some(lateness)
    }

    /// The way there.
    async fn reach(&self, name: &'static str) -> Result<(), StoreError> {
        let SharedStore { dice, weather, trace, calls, .. } = &self.shared;
        calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(dice.millis(0..8)).await;
        self.maybe_stall(name).await;
        if self.is_cut() {
            return Err(unavailable("connection refused"));
        }
        if dice.per_mille(weather.store_faults()) {
            trace.say(format_args!("store of {}: {name} fails", self.replica));
            if dice.per_mille(100) {
                return Err(StoreError::Internal(Box::new(io::Error::other("a defect"))));
            }
            return Err(unavailable("connection reset"));
        }
        Ok(())
    }

    /// The way back: what was done is done.
    async fn come_back(&self, name: &'static str) -> Result<(), StoreError> {
        let SharedStore { dice, weather, trace, .. } = &self.shared;
        tokio::time::sleep(dice.millis(0..8)).await;
        self.maybe_stall(name).await;
        if dice.per_mille(weather.store_faults()) || self.is_cut() {
            trace.say(format_args!("store of {}: the answer to {name} is lost", self.replica));
            return Err(unavailable("connection reset"));
        }
        Ok(())
    }

    async fn read<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.reach(name).await?;
        call.await
    }

    async fn write<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.reach(name).await?;
        let result = call.await;
        let is_ok = if result.is_ok() { "done" } else { "refused" };
        self.shared.trace.say(format_args!("store of {}: {name} is {is_ok}", self.replica));
        #[cfg(test)]
        if let Some(breakage) = self.shared.breakage {
            breakage.after_write(&self.shared.memory, name);
        }
        self.shared.check();
        self.come_back(name).await?;
        result
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed, StoreError> {
        self.reach("claim").await?;
        if let Some(lateness) = self.lateness("claim") {
            let (shared, replica, request) = (self.shared.clone(), self.replica, request.clone());
            self.shared.later(lateness, async move { drop(shared.claim(replica, &request).await) });
            return Err(unavailable("timed out"));
        }
        let claimed = self.shared.claim(self.replica, request).await?;
        self.come_back("claim").await?;
        Ok(claimed)
    }

    async fn commit(
        &self,
        batch: &[Outcome],
        hand_out: usize,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Result<CommitReport, StoreError> {
        self.reach("commit").await?;
        if let Some(lateness) = self.lateness("commit") {
            let (shared, replica, batch) = (self.shared.clone(), self.replica, batch.to_vec());
            self.shared.later(lateness, async move {
                drop(shared.commit(replica, &batch, hand_out, lease_until, now).await);
            });
            return Err(unavailable("timed out"));
        }
        let report = self.shared.commit(self.replica, batch, hand_out, lease_until, now).await?;
        self.come_back("commit").await?;
        Ok(report)
    }

    async fn leases_extend(
        &self,
        leases: &[(EntityId, LeaseToken)],
        until: Timestamp,
    ) -> Result<Vec<EntityId>, StoreError> {
        let lost = self.read("leases_extend", self.shared.memory.leases_extend(leases, until)).await?;
        self.come_back("leases_extend").await?;
        Ok(lost)
    }

    async fn next_due_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read("next_due_at", self.shared.memory.next_due_at()).await
    }

    async fn fingerprint_apply(
        &self,
        fingerprint: Digest,
        instead_of: Option<Digest>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let call = self.shared.memory.fingerprint_apply(fingerprint, instead_of, now);
        self.write("fingerprint_apply", call).await
    }

    async fn stitch(&self, limit: usize, now: Timestamp) -> Result<StitchReport, StoreError> {
        self.reach("stitch").await?;
        let report = self.shared.memory.stitch(limit, now).await?;
        if report != StitchReport::default() {
            self.shared.trace.say(format_args!("replica {} stitches {report:?}", self.replica));
            #[cfg(test)]
            if let Some(breakage) = self.shared.breakage {
                breakage.after_stitch(&self.shared.memory);
            }
            self.shared.check();
        }
        self.come_back("stitch").await?;
        Ok(report)
    }

    async fn orphans_delete(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        #[cfg(test)]
        if self.shared.breakage == Some(Breakage::KeepsOrphans) {
            return Ok(0);
        }
        self.write("orphans_delete", self.shared.memory.orphans_delete(limit, now)).await
    }

    async fn tidy(&self, changes_kept: u64, now: Timestamp) -> Result<(), StoreError> {
        self.write("tidy", self.shared.memory.tidy(changes_kept, now)).await
    }

    async fn provider_mutate(
        &self,
        provider: &str,
        mutation: ProviderMutation,
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        let call = self.shared.memory.provider_mutate(provider, mutation, lane, now);
        self.write("provider_mutate", call).await
    }

    async fn providers(&self) -> Result<Vec<String>, StoreError> {
        self.read("providers", self.shared.memory.providers()).await
    }

    async fn providers_release(&self, gone: &[String], now: Timestamp) -> Result<u64, StoreError> {
        self.write("providers_release", self.shared.memory.providers_release(gone, now)).await
    }

    async fn refresh_by_keys(&self, keys: &[String], now: Timestamp) -> Result<u64, StoreError> {
        self.write("refresh_by_keys", self.shared.memory.refresh_by_keys(keys, now)).await
    }

    async fn refresh_all(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write("refresh_all", self.shared.memory.refresh_all(now)).await
    }

    async fn entity_refresh(&self, entity_ref: &str, now: Timestamp) -> Result<(), StoreError> {
        self.write("entity_refresh", self.shared.memory.entity_refresh(entity_ref, now)).await
    }

    async fn entity_delete(&self, uid: Uuid, now: Timestamp) -> Result<(), StoreError> {
        self.write("entity_delete", self.shared.memory.entity_delete(uid, now)).await
    }

    async fn entity_by_ref(&self, entity_ref: &str) -> Result<Option<FinalEntity>, StoreError> {
        self.read("entity_by_ref", self.shared.memory.entity_by_ref(entity_ref)).await
    }

    async fn entity_by_uid(&self, uid: Uuid) -> Result<Option<FinalEntity>, StoreError> {
        self.read("entity_by_uid", self.shared.memory.entity_by_uid(uid)).await
    }

    async fn entities_by_refs(&self, refs: &[&str], bytes_max: usize) -> Result<FoundEntities, StoreError> {
        self.read("entities_by_refs", self.shared.memory.entities_by_refs(refs, bytes_max)).await
    }

    async fn entities_page(&self, after: Option<&str>, limit: usize) -> Result<EntityPage, StoreError> {
        self.read("entities_page", self.shared.memory.entities_page(after, limit)).await
    }

    async fn ancestry(&self, entity_ref: &str) -> Result<Vec<Ancestor>, StoreError> {
        self.read("ancestry", self.shared.memory.ancestry(entity_ref)).await
    }

    async fn errors_list(&self, filter: &ErrorFilter) -> Result<Vec<CatalogError>, StoreError> {
        self.read("errors_list", self.shared.memory.errors_list(filter)).await
    }

    async fn count_by_kind(&self) -> Result<Vec<(String, i64)>, StoreError> {
        self.read("count_by_kind", self.shared.memory.count_by_kind()).await
    }

    async fn counts(&self, now: Timestamp) -> Result<Counts, StoreError> {
        self.read("counts", self.shared.memory.counts(now)).await
    }

    async fn location_create(
        &self,
        provider: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        on_conflict: LocationConflict,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        let call = self.shared.memory.location_create(provider, spec, entity, on_conflict, now);
        self.write("location_create", call).await
    }

    async fn location_update(
        &self,
        provider: &str,
        id: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        let call = self.shared.memory.location_update(provider, id, spec, entity, now);
        self.write("location_update", call).await
    }

    async fn location_delete(&self, provider: &str, id: &str, now: Timestamp) -> Result<(), StoreError> {
        self.write("location_delete", self.shared.memory.location_delete(provider, id, now)).await
    }

    async fn location_get(&self, id: &str) -> Result<Option<StoredLocation>, StoreError> {
        self.read("location_get", self.shared.memory.location_get(id)).await
    }

    async fn location_find(&self, spec: &LocationSpec) -> Result<Option<StoredLocation>, StoreError> {
        self.read("location_find", self.shared.memory.location_find(spec)).await
    }

    async fn location_by_ref(&self, entity_ref: &str) -> Result<Option<StoredLocation>, StoreError> {
        self.read("location_by_ref", self.shared.memory.location_by_ref(entity_ref)).await
    }

    async fn locations_list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredLocation>, StoreError> {
        self.read("locations_list", self.shared.memory.locations_list(after, limit)).await
    }

    async fn changes_after(&self, position: i64, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.read("changes_after", self.shared.memory.changes_after(position, limit)).await
    }

    async fn position(&self) -> Result<i64, StoreError> {
        self.read("position", self.shared.memory.position()).await
    }

    /// Hints come late, or not at all.
    async fn hinted(&self, hint: Hint) {
        let SharedStore { memory, dice, weather, .. } = &self.shared;
        loop {
            memory.hinted(hint).await;
            tokio::time::sleep(dice.millis(1..20)).await;
            if !self.is_cut() && !dice.per_mille(weather.lost_hints()) {
                return;
            }
        }
    }

    async fn lease_take(
        &self,
        job: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<LeaseToken>, StoreError> {
        self.write("lease_take", self.shared.memory.lease_take(job, until, now)).await
    }

    async fn lease_extend(&self, job: &str, token: LeaseToken, until: Timestamp) -> Result<bool, StoreError> {
        self.write("lease_extend", self.shared.memory.lease_extend(job, token, until)).await
    }

    async fn lease_end(&self, job: &str, token: LeaseToken) -> Result<(), StoreError> {
        self.write("lease_end", self.shared.memory.lease_end(job, token)).await
    }

    async fn inspect(
        &self,
        from: Option<&InspectCursor>,
        limit: usize,
        location_store: Option<&str>,
        now: Timestamp,
    ) -> Result<Inspection, StoreError> {
        let page = self.read("inspect", self.shared.memory.inspect(from, limit, location_store, now)).await?;
        if let Some(found) = page.violations.first() {
            self.shared.trace.break_promise(format!("the doctor finds {found:?}"));
        }
        Ok(page)
    }

    async fn mend(&self, violations: &[Violation], now: Timestamp) -> Result<Mended, StoreError> {
        self.write("mend", self.shared.memory.mend(violations, now)).await
    }

    async fn close(&self) {}
}
