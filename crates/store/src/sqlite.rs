//! The catalog in a SQLite database.
//!
//! One process works on a database at a time; a lock file beside it sees to that. One connection writes, others
//! read from snapshots. Each method of the store is one transaction.
//!
//! **What a crash loses.** The database runs in WAL mode with `synchronous=NORMAL`. When the process dies, nothing
//! is lost: what was committed is in the operating system's hands. When the machine dies, the last commits may be
//! missing, but the database is what it was at an earlier commit. What processing wrote is then simply done again,
//! since due times and results were written together; what providers handed over is handed over again when they
//! start. Only what a user was told is done has no other origin, so those few transactions wait for the disk.
//!
//! **What a batch costs.** Statements take whole batches, as lists of rows or of numbers; none is executed per
//! entity. A new entity is inserted at the end of each table. What changes in a steady state is one small row.

mod changes;
mod claim;
mod codec;
mod commit;
mod counts;
mod delete;
mod doctor;
mod edges;
pub(crate) mod error;
mod errors;
mod forget;
mod intake;
mod leases;
mod locations;
mod migrate;
mod open;
mod orphans;
mod provider;
mod read;
mod refs;
mod requests;
mod results;
mod schedule;
mod session;
mod statement;
mod stitch;
#[cfg(test)]
mod tests;
mod write_connection;
mod writer;

use std::fs::File;

use async_trait::async_trait;
use callboard_model::{Digest, LocationSpec};
use sqlx::sqlite::SqliteRow;
use tokio::sync::Mutex;
use uuid::Uuid;

#[cfg(test)]
pub(crate) use migrate::MIGRATIONS;
pub use open::SqliteOptions;

pub use crate::rules::statement::FaultHook;

use crate::rules::statement::{Statement, statements};
use crate::{
    Ancestor, CatalogError, Change, ClaimRequest, Claimed, CommitReport, Counts, EntityId, EntityPage,
    ErrorFilter, FinalEntity, FoundEntities, InspectCursor, Inspection, Lane, LeaseToken, LocationConflict,
    Mended, MutationReport, NewEntity, Outcome, ProviderMutation, StitchReport, Store, StoreError,
    StoredLocation, Timestamp, Violation,
};
use session::{Args, Connections, Session};
use writer::{Writer, WriterState};

statements! {
    SYNC_EACH_COMMIT = "PRAGMA synchronous = FULL";
    SYNC_CHECKPOINTS = "PRAGMA synchronous = NORMAL";
}

/// A store in a SQLite database.
#[derive(Debug)]
pub struct SqliteStore {
    connections: Connections,
    /// Locked by whoever uses the connection that writes.
    state: Mutex<WriterState>,
    /// Locked as long as it is open.
    lock: Option<File>,
}

impl SqliteStore {
    async fn read_rows(&self, statement: Statement, args: Args) -> Result<Vec<SqliteRow>, StoreError> {
        self.connections.rows(statement, args).await
    }

    async fn read_row(&self, statement: Statement, args: Args) -> Result<Option<SqliteRow>, StoreError> {
        Ok(self.read_rows(statement, args).await?.pop())
    }

    /// A snapshot for several statements.
    async fn reader(&self) -> Result<Session, StoreError> {
        self.connections.read().await
    }

    async fn writer(&self) -> Result<Writer<'_>, StoreError> {
        self.begin(false).await
    }

    /// A transaction that is on disk once it is committed.
    async fn synced_writer(&self) -> Result<Writer<'_>, StoreError> {
        self.begin(true).await
    }

    async fn begin(&self, is_synced: bool) -> Result<Writer<'_>, StoreError> {
        let mut state = self.state.lock().await;
        if state.is_synced != is_synced {
            let pragma = if is_synced { SYNC_EACH_COMMIT } else { SYNC_CHECKPOINTS };
            self.connections.writer_rows(pragma, Args::new()).await?;
            state.is_synced = is_synced;
        }
        Ok(Writer::new(self.connections.write().await?, state))
    }
}

#[async_trait]
impl Store for SqliteStore {
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
        Ok(self.extend_leases(leases, until).await)
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

    async fn close(&self) {
        // Whoever writes at the moment may finish.
        let _state = self.state.lock().await;
        self.connections.close().await;
        if let Some(lock) = &self.lock {
            drop(lock.unlock());
        }
    }
}
