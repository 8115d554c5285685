//! The catalog in a PostgreSQL database, version 15 or later.
//!
//! Any number of processes work on a database at a time. What one of them alone could keep in memory is rows: who leases
//! an entity until when, and whether it was asked for meanwhile. Each method of the store is one transaction, or a
//! statement that is one in itself.
//!
//! **Who waits for whom.** An entity's row of `schedule` is its mutex. All methods lock in one order (see `locks.rs`), so
//! that no two of them wait for each other; claiming, putting off and stitching pass over what is locked.
//!
//! **What a crash loses.** Claims, and outcomes that changed nothing but the time of the next run, are not waited for at
//! the disk: when the server dies, the last of them may be missing, and those entities are processed once more. All else
//! is on disk once it is answered.
//!
//! **Time** is the caller's. Clocks of processes may differ by less than a lease; by more than that costs double work,
//! and never a wrong write.

mod again;
mod changes;
mod claim;
mod commit;
mod counts;
mod delete;
mod doctor;
mod edges;
mod enter;
pub(crate) mod error;
mod errors;
mod errors_read;
mod forget;
mod hand_out;
mod hints;
mod intake;
mod jobs;
mod locations;
mod locks;
mod log;
mod migrate;
mod names;
mod open;
mod orphans;
mod provider;
mod put_off;
mod read;
mod requests;
mod results;
mod row;
mod schedule;
mod session;
mod stitch;
#[cfg(test)]
mod tests;
mod texts;
mod writer;

use async_trait::async_trait;
use callboard_model::{Digest, LocationSpec};
use sqlx::postgres::PgRow;
use uuid::Uuid;

#[cfg(test)]
pub(crate) use migrate::MIGRATIONS;
pub use open::PostgresOptions;
pub use sqlx::postgres::{PgConnectOptions, PgSslMode};

pub use crate::rules::statement::FaultHook;

use crate::rules::migrations::Migration;
use crate::rules::statement::Statement;
use crate::{
    Ancestor, CatalogError, Change, ClaimRequest, Claimed, CommitReport, Counts, EntityId, EntityPage,
    ErrorFilter, FinalEntity, FoundEntities, Hint, InspectCursor, Inspection, Lane, LeaseToken,
    LocationConflict, Mended, MutationReport, NewEntity, Outcome, ProviderMutation, StitchReport, Store,
    StoreError, StoredLocation, Timestamp, Violation,
};
use names::Names;
use session::{Args, Connections};

/// A store in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    connections: Connections,
    names: Names,
    given: log::Given,
    /// None where nobody can listen.
    hints: Option<hints::Hints>,
    /// All that this program knows.
    migrations: &'static [Migration],
}

impl PostgresStore {
    async fn read_rows(&self, statement: Statement, args: Args) -> Result<Vec<PgRow>, StoreError> {
        self.connections.rows(statement, args).await
    }

    async fn read_row(&self, statement: Statement, args: Args) -> Result<Option<PgRow>, StoreError> {
        Ok(self.read_rows(statement, args).await?.pop())
    }
}

/// Some bits that nobody else draws.
fn nonce() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}

#[async_trait]
impl Store for PostgresStore {
    /// While the server is at one of them, the other one is put together or read.
    fn commits_at_once(&self) -> usize {
        2
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed, StoreError> {
        self.claim_due(request).await
    }

    async fn commit(
        &self,
        batch: &[Outcome],
        hand_out: usize,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Result<CommitReport, StoreError> {
        self.commit_outcomes(batch, hand_out, lease_until, now).await
    }

    async fn leases_extend(
        &self,
        leases: &[(EntityId, LeaseToken)],
        until: Timestamp,
    ) -> Result<Vec<EntityId>, StoreError> {
        self.extend_leases(leases, until).await
    }

    async fn next_due_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.earliest_due().await
    }

    async fn fingerprint_apply(
        &self,
        fingerprint: Digest,
        instead_of: Option<Digest>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.apply_fingerprint(fingerprint, instead_of, now).await
    }

    async fn stitch(&self, limit: usize, now: Timestamp) -> Result<StitchReport, StoreError> {
        self.stitch_queued(limit, now).await
    }

    async fn orphans_delete(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        self.delete_orphans(limit, now).await
    }

    async fn tidy(&self, changes_kept: u64, _now: Timestamp) -> Result<(), StoreError> {
        self.clean_up(changes_kept).await
    }

    async fn provider_mutate(
        &self,
        provider: &str,
        mutation: ProviderMutation,
        lane: Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError> {
        self.mutate(provider, mutation, lane, now).await
    }

    async fn providers(&self) -> Result<Vec<String>, StoreError> {
        self.list_providers().await
    }

    async fn providers_release(&self, gone: &[String], now: Timestamp) -> Result<u64, StoreError> {
        self.release(gone, now).await
    }

    async fn refresh_by_keys(&self, keys: &[String], now: Timestamp) -> Result<u64, StoreError> {
        self.mark_keys(keys, now).await
    }

    async fn refresh_all(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.mark_all(now).await
    }

    async fn entity_refresh(&self, entity_ref: &str, now: Timestamp) -> Result<(), StoreError> {
        self.refresh(entity_ref, now).await
    }

    async fn entity_delete(&self, uid: Uuid, now: Timestamp) -> Result<(), StoreError> {
        self.delete(uid, now).await
    }

    async fn entity_by_ref(&self, entity_ref: &str) -> Result<Option<FinalEntity>, StoreError> {
        self.final_by_ref(entity_ref).await
    }

    async fn entity_by_uid(&self, uid: Uuid) -> Result<Option<FinalEntity>, StoreError> {
        self.final_by_uid(uid).await
    }

    async fn entities_by_refs(&self, refs: &[&str], bytes_max: usize) -> Result<FoundEntities, StoreError> {
        self.finals_by_refs(refs, bytes_max).await
    }

    async fn entities_page(&self, after: Option<&str>, limit: usize) -> Result<EntityPage, StoreError> {
        self.final_page(after, limit).await
    }

    async fn ancestry(&self, entity_ref: &str) -> Result<Vec<Ancestor>, StoreError> {
        self.ancestors(entity_ref).await
    }

    async fn errors_list(&self, filter: &ErrorFilter) -> Result<Vec<CatalogError>, StoreError> {
        self.list_errors(filter).await
    }

    async fn count_by_kind(&self) -> Result<Vec<(String, i64)>, StoreError> {
        self.count_kinds().await
    }

    async fn counts(&self, now: Timestamp) -> Result<Counts, StoreError> {
        self.count(now).await
    }

    async fn location_create(
        &self,
        provider: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        on_conflict: LocationConflict,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        self.create_location(provider, spec, entity, on_conflict, now).await
    }

    async fn location_update(
        &self,
        provider: &str,
        id: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        self.update_location(provider, id, spec, entity, now).await
    }

    async fn location_delete(&self, provider: &str, id: &str, now: Timestamp) -> Result<(), StoreError> {
        self.delete_location(provider, id, now).await
    }

    async fn location_get(&self, id: &str) -> Result<Option<StoredLocation>, StoreError> {
        self.get_location(id).await
    }

    async fn location_find(&self, spec: &LocationSpec) -> Result<Option<StoredLocation>, StoreError> {
        self.find_location(spec).await
    }

    async fn location_by_ref(&self, entity_ref: &str) -> Result<Option<StoredLocation>, StoreError> {
        self.find_location_by_ref(entity_ref).await
    }

    async fn locations_list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredLocation>, StoreError> {
        self.list_locations(after, limit).await
    }

    async fn changes_after(&self, position: i64, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.list_changes(position, limit).await
    }

    async fn position(&self) -> Result<i64, StoreError> {
        self.newest_position().await
    }

    async fn hinted(&self, hint: Hint) {
        self.hint_of_others(hint).await;
    }

    async fn lease_take(
        &self,
        job: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<LeaseToken>, StoreError> {
        self.take_job(job, until, now).await
    }

    async fn lease_extend(&self, job: &str, token: LeaseToken, until: Timestamp) -> Result<bool, StoreError> {
        self.extend_job(job, token, until).await
    }

    async fn lease_end(&self, job: &str, token: LeaseToken) -> Result<(), StoreError> {
        self.end_job(job, token).await
    }

    async fn inspect(
        &self,
        from: Option<&InspectCursor>,
        limit: usize,
        location_store: Option<&str>,
        now: Timestamp,
    ) -> Result<Inspection, StoreError> {
        self.inspect_page(from, limit, location_store, now).await
    }

    async fn mend(&self, violations: &[Violation], now: Timestamp) -> Result<Mended, StoreError> {
        self.mend_found(violations, now).await
    }

    async fn shut_out(&self) -> StoreError {
        self.shut_out_by_a_newer_program().await
    }

    async fn close(&self) {
        if let Some(hints) = &self.hints {
            hints.close().await;
        }
        self.connections.close().await;
    }
}
