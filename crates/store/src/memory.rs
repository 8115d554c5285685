//! The catalog in memory, for tests and simulations.
//!
//! What is decided is decided by the same rules as in the stores that last. Each method locks all tables, changes them
//! and lets go, so it is one unit of work without any further effort. The store ends with the process, and it is
//! compiled with the feature of the tests alone: no configuration leads here.
//!
//! Numbers (entities, uids, tokens, positions) are counted, so the same history always gives the same tables.

mod buckets;
mod claims;
mod commit;
mod deletion;
mod doctor;
mod edges;
mod errors;
mod intake;
mod locations;
mod log;
mod reads;
mod requests;
mod schedule;
mod stitching;
mod tables;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use callboard_model::{Digest, LocationSpec};
use tokio::sync::Notify;
use uuid::Uuid;

pub use edges::{Edge, Source};
pub use errors::ErrorRow;
pub use schedule::Lease;
pub use stitching::Rank;
pub use tables::{GoodRun, Row, Shown, Tables};

use crate::{
    Ancestor, CatalogError, Change, ClaimRequest, Claimed, CommitReport, Counts, EntityId, EntityPage,
    ErrorFilter, FinalEntity, FoundEntities, Hint, InspectCursor, Inspection, Lane, LeaseToken,
    LocationConflict, Mended, MutationReport, NewEntity, Outcome, ProviderMutation, StitchReport, Store,
    StoreError, StoredLocation, Timestamp, Violation,
};

/// A store in memory. Clones share its tables, as replicas do.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
    /// Told after each unit of work.
    told: Arc<Notify>,
    heard: Mutex<BTreeMap<Hint, u64>>,
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self { tables: Arc::clone(&self.tables), told: Arc::clone(&self.told), heard: Mutex::default() }
    }
}

/// A unit of work.
struct Unit<'s> {
    tables: MutexGuard<'s, Tables>,
    told: &'s Notify,
}

impl Deref for Unit<'_> {
    type Target = Tables;

    fn deref(&self) -> &Tables {
        &self.tables
    }
}

impl DerefMut for Unit<'_> {
    fn deref_mut(&mut self) -> &mut Tables {
        &mut self.tables
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        self.told.notify_waiters();
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the tables between two units of work.
    pub fn look<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        look(&self.tables())
    }

    /// Changes the tables behind the back of the rules, for tests of those who watch them.
    pub fn tamper<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        change(&mut self.tables())
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Unit<'_> {
        let mut tables = self.tables();
        tables.queued_now.clear();
        Unit { tables, told: &self.told }
    }

    /// Whether there is something that was not heard of; whoever begins to listen may have missed anything.
    fn hears(&self, hint: Hint) -> bool {
        let told = self.tables().hints.get(&hint).copied().unwrap_or_default();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(hint, told) != Some(told)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed, StoreError> {
        self.begin().claim(request)
    }

    async fn commit(
        &self,
        batch: &[Outcome],
        hand_out: usize,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Result<CommitReport, StoreError> {
        self.begin().commit(batch, hand_out, lease_until, now)
    }

    async fn leases_extend(
        &self,
        leases: &[(EntityId, LeaseToken)],
        until: Timestamp,
    ) -> Result<Vec<EntityId>, StoreError> {
        Ok(self.begin().leases_extend(leases, until))
    }

    async fn next_due_at(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.tables().next_due_at())
    }

    async fn fingerprint_apply(
        &self,
        fingerprint: Digest,
        instead_of: Option<Digest>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        Ok(self.begin().fingerprint_apply(fingerprint, instead_of, now))
    }

    async fn stitch(&self, limit: usize, now: Timestamp) -> Result<StitchReport, StoreError> {
        Ok(self.begin().stitch(limit, now))
    }

    async fn orphans_delete(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.begin().orphans_delete(limit, now))
    }

    async fn tidy(&self, changes_kept: u64, _now: Timestamp) -> Result<(), StoreError> {
        self.begin().trim_log(changes_kept);
        Ok(())
    }

    async fn provider_mutate(
        &self,
        provider: &str,
        mutation: ProviderMutation,
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        self.begin().mutate(provider, &mutation, lane, now)
    }

    async fn providers(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.tables().providers())
    }

    async fn providers_release(&self, gone: &[String], now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.begin().providers_release(gone, now))
    }

    async fn refresh_by_keys(&self, keys: &[String], now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.begin().refresh_by_keys(keys, now))
    }

    async fn refresh_all(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.begin().refresh_all(now))
    }

    async fn entity_refresh(&self, entity_ref: &str, now: Timestamp) -> Result<(), StoreError> {
        self.begin().refresh(entity_ref, now)
    }

    async fn entity_delete(&self, uid: Uuid, now: Timestamp) -> Result<(), StoreError> {
        self.begin().delete_by_uid(uid, now);
        Ok(())
    }

    async fn entity_by_ref(&self, entity_ref: &str) -> Result<Option<FinalEntity>, StoreError> {
        Ok(self.tables().final_entity(entity_ref))
    }

    async fn entity_by_uid(&self, uid: Uuid) -> Result<Option<FinalEntity>, StoreError> {
        let tables = self.tables();
        Ok(tables.ref_by_uid(uid).and_then(|entity_ref| tables.final_entity(&entity_ref)))
    }

    async fn entities_by_refs(&self, refs: &[&str], bytes_max: usize) -> Result<FoundEntities, StoreError> {
        self.tables().finals_by_refs(refs, bytes_max)
    }

    async fn entities_page(&self, after: Option<&str>, limit: usize) -> Result<EntityPage, StoreError> {
        self.tables().finals_page(after, limit)
    }

    async fn ancestry(&self, entity_ref: &str) -> Result<Vec<Ancestor>, StoreError> {
        Ok(self.tables().ancestry(entity_ref))
    }

    async fn errors_list(&self, filter: &ErrorFilter) -> Result<Vec<CatalogError>, StoreError> {
        Ok(self.tables().errors_list(filter))
    }

    async fn count_by_kind(&self) -> Result<Vec<(String, i64)>, StoreError> {
        Ok(self.tables().count_by_kind())
    }

    async fn counts(&self, now: Timestamp) -> Result<Counts, StoreError> {
        Ok(self.tables().counts(now))
    }

    async fn location_create(
        &self,
        provider: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        on_conflict: LocationConflict,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        self.begin().location_create(provider, spec, entity, on_conflict, now)
    }

    async fn location_update(
        &self,
        provider: &str,
        id: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        self.begin().location_update(provider, id, spec, entity, now)
    }

    async fn location_delete(&self, provider: &str, id: &str, now: Timestamp) -> Result<(), StoreError> {
        self.begin().location_delete(provider, id, now)
    }

    async fn location_get(&self, id: &str) -> Result<Option<StoredLocation>, StoreError> {
        Ok(self.tables().locations.get(id).cloned())
    }

    async fn location_find(&self, spec: &LocationSpec) -> Result<Option<StoredLocation>, StoreError> {
        Ok(self.tables().location_by_spec(spec).cloned())
    }

    async fn location_by_ref(&self, entity_ref: &str) -> Result<Option<StoredLocation>, StoreError> {
        Ok(self.tables().location_by_ref(entity_ref).cloned())
    }

    async fn locations_list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredLocation>, StoreError> {
        let tables = self.tables();
        let later = tables.locations.values().filter(|location| after.is_none_or(|id| *location.id > *id));
        Ok(later.take(limit).cloned().collect())
    }

    async fn changes_after(&self, position: i64, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.tables().changes_after(position, limit)
    }

    async fn position(&self) -> Result<i64, StoreError> {
        Ok(self.tables().position)
    }

    async fn hinted(&self, hint: Hint) {
        loop {
            let mut told = pin!(self.told.notified());
            told.as_mut().enable();
            if self.hears(hint) {
                return;
            }
            told.await;
        }
    }

    async fn lease_take(
        &self,
        job: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<LeaseToken>, StoreError> {
        Ok(self.begin().job_take(job, until, now))
    }

    async fn lease_extend(&self, job: &str, token: LeaseToken, until: Timestamp) -> Result<bool, StoreError> {
        Ok(self.begin().job_extend(job, token, until))
    }

    async fn lease_end(&self, job: &str, token: LeaseToken) -> Result<(), StoreError> {
        self.begin().job_end(job, token);
        Ok(())
    }

    async fn inspect(
        &self,
        from: Option<&InspectCursor>,
        limit: usize,
        location_store: Option<&str>,
        now: Timestamp,
    ) -> Result<Inspection, StoreError> {
        Ok(self.tables().inspect(from, limit, location_store, now))
    }

    async fn mend(&self, violations: &[Violation], now: Timestamp) -> Result<Mended, StoreError> {
        Ok(self.begin().mend(violations, now))
    }

    /// Does nothing: other replicas may still use it.
    async fn close(&self) {}
}
