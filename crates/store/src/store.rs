//! The trait.

use async_trait::async_trait;
use callboard_model::{Digest, LocationSpec};
use uuid::Uuid;

use crate::{
    Ancestor, CatalogError, Change, ClaimRequest, Claimed, CommitReport, Counts, EntityId, EntityPage,
    ErrorFilter, FinalEntity, FoundEntities, Hint, InspectCursor, Inspection, LeaseToken, LocationConflict,
    Mended, MutationReport, NewEntity, Outcome, ProviderMutation, StitchReport, StoreError, StoredLocation,
    Timestamp, Violation,
};

/// Where the catalog is kept. Every method is one atomic unit of work.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    // --- the loop ---

    /// Leases due entities: lowest lane first, then the longest due. An entity whose lease ran out is due. Whoever has
    /// other processors than those that were [applied](Self::fingerprint_apply) last gets none.
    async fn claim(&self, request: &ClaimRequest) -> Result<Claimed, StoreError>;

    /// How many batches of outcomes are worth writing at the same time.
    fn commits_at_once(&self) -> usize {
        1
    }

    /// Writes what came out of a batch of claims. One refused outcome does not touch the others.
    ///
    /// Children are compared with what the store has: only new ones, and those with other content, another key or
    /// no good run yet since their content changed, become due; up to `hand_out` of them come back leased until
    /// `lease_until`. All sources of a child are kept. A child that is no longer emitted loses this parent; without
    /// any source left it is an orphan. Relations, refresh keys and errors are written by difference. The stitch
    /// work that follows is queued in the same transaction: this entity; the sources of edges that came or went.
    ///
    /// An outcome of other processors than those that were applied last is written, and its entity stays due; children of
    /// a batch with such an outcome are not handed out.
    async fn commit(
        &self,
        batch: &[Outcome],
        hand_out: usize,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Result<CommitReport, StoreError>;

    /// Prolongs leases that are still held; answers which were lost.
    async fn leases_extend(
        &self,
        leases: &[(EntityId, LeaseToken)],
        until: Timestamp,
    ) -> Result<Vec<EntityId>, StoreError>;

    /// The earliest moment at which [`claim`](Self::claim) will find something.
    async fn next_due_at(&self) -> Result<Option<Timestamp>, StoreError>;

    /// From now on these processors are to work on the store, and no others. Makes every entity due whose last good run
    /// had others, and those whose run is under way unless these were applied last as well: it did not begin with others
    /// then. Answers how many. Does nothing if neither these nor `instead_of`, where it is given, were applied last.
    async fn fingerprint_apply(
        &self,
        fingerprint: Digest,
        instead_of: Option<Digest>,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Makes final entities for up to `limit` queued refs, appends to the change log, and empties the queue by
    /// them, in one transaction. An entity of which none can be made keeps the one that it has, and has an error of
    /// the category [`Stitching`](crate::ErrorCategory::Stitching) until it can; it is queued again like any other.
    async fn stitch(&self, limit: usize, now: Timestamp) -> Result<StitchReport, StoreError>;

    /// Deletes entities without any source, at most `limit`; queues those that had relations with them. Answers
    /// how many; children of the deleted are orphans of the next call.
    async fn orphans_delete(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError>;

    /// Trims the change log and forgets refs that nothing mentions any more.
    async fn tidy(&self, changes_kept: u64, now: Timestamp) -> Result<(), StoreError>;

    // --- providers ---

    /// Changes the bucket of a provider. What only the removed entities had brought in goes with them at once.
    async fn provider_mutate(
        &self,
        provider: &str,
        mutation: ProviderMutation,
        lane: crate::Lane,
        now: Timestamp,
    ) -> Result<MutationReport, StoreError>;

    /// Names of all providers that have a bucket.
    async fn providers(&self) -> Result<Vec<String>, StoreError>;

    /// These providers are gone: entities that nobody else hands over lose their location keys, so that whoever hands
    /// them over from now on may have them as they are. The buckets stay. Sources that were refused because of the
    /// keys are due. Answers how many entities lost one.
    async fn providers_release(&self, gone: &[String], now: Timestamp) -> Result<u64, StoreError>;

    /// Makes every entity due that carries one of these refresh keys. Answers how many.
    async fn refresh_by_keys(&self, keys: &[String], now: Timestamp) -> Result<u64, StoreError>;

    // --- what users ask for ---

    /// Makes every entity due at once that is due at some time. Answers how many.
    async fn refresh_all(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Makes an entity due, and the Locations that it came through. `NotFound` if nobody emits it.
    async fn entity_refresh(&self, entity_ref: &str, now: Timestamp) -> Result<(), StoreError>;

    /// Deletes an entity; whoever still emits it is due and brings it back. An unknown uid is no error.
    async fn entity_delete(&self, uid: Uuid, now: Timestamp) -> Result<(), StoreError>;

    /// A final entity.
    async fn entity_by_ref(&self, entity_ref: &str) -> Result<Option<FinalEntity>, StoreError>;

    /// A final entity.
    async fn entity_by_uid(&self, uid: Uuid) -> Result<Option<FinalEntity>, StoreError>;

    /// The final entities that have these canonical refs, which are distinct, in their order. Not more than `bytes_max`
    /// of text, or one entity, is read; how many refs were looked at is told.
    async fn entities_by_refs(&self, refs: &[&str], bytes_max: usize) -> Result<FoundEntities, StoreError>;

    /// All final entities, page by page, ordered by ref. A page of large ones has fewer than `limit`.
    async fn entities_page(&self, after: Option<&str>, limit: usize) -> Result<EntityPage, StoreError>;

    /// The final entity and all its ancestors that have one, itself first, depth first; empty if it has none itself.
    async fn ancestry(&self, entity_ref: &str) -> Result<Vec<Ancestor>, StoreError>;

    /// Errors, ordered by number.
    async fn errors_list(&self, filter: &ErrorFilter) -> Result<Vec<CatalogError>, StoreError>;

    /// How many final entities there are of each kind, in lower case. Walks over all of them.
    async fn count_by_kind(&self) -> Result<Vec<(String, i64)>, StoreError>;

    /// Sizes.
    async fn counts(&self, now: Timestamp) -> Result<Counts, StoreError>;

    // --- registered locations: row and bucket change together ---

    /// Registers a location and hands over its Location entity to the bucket of `provider`. `Conflict` also if
    /// `entity` has the ref of another location's, or is not the one that the registered location has.
    async fn location_create(
        &self,
        provider: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        on_conflict: LocationConflict,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError>;

    /// Points a registered location elsewhere. `entity` may have another ref than before, and no other location's.
    /// `Conflict` if another one points there, `NotFound` without it.
    async fn location_update(
        &self,
        provider: &str,
        id: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError>;

    /// Unregisters a location, and removes what only it brought in. `NotFound` without it.
    async fn location_delete(&self, provider: &str, id: &str, now: Timestamp) -> Result<(), StoreError>;

    /// A registered location.
    async fn location_get(&self, id: &str) -> Result<Option<StoredLocation>, StoreError>;

    /// The registered location with this type and target.
    async fn location_find(&self, spec: &LocationSpec) -> Result<Option<StoredLocation>, StoreError>;

    /// The registered location whose Location entity has this canonical ref.
    async fn location_by_ref(&self, entity_ref: &str) -> Result<Option<StoredLocation>, StoreError>;

    /// All registered locations after `after` (an id), ordered by id.
    async fn locations_list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredLocation>, StoreError>;

    // --- the change log ---

    /// Changes after a position, in order. `NotFound` if the log no longer reaches back so far.
    async fn changes_after(&self, position: i64, limit: usize) -> Result<Vec<Change>, StoreError>;

    /// The position of the newest change; 0 before the first.
    async fn position(&self) -> Result<i64, StoreError>;

    // --- other processes that have the store open ---

    /// Comes back when another process may have done this since it last came back. It may come late, in vain, or not at
    /// all: whoever depends on it looks for itself from time to time. For one caller for each hint.
    async fn hinted(&self, _hint: Hint) {
        // There are no others.
        std::future::pending::<()>().await;
    }

    /// Comes back when a newer program has left the store in a form that this one may not work with, which is
    /// `StoreError::Schema`. Nothing is written from then on.
    async fn shut_out(&self) -> StoreError {
        // Nobody else could.
        std::future::pending().await
    }

    /// Leases a job that one process at a time is to do; `None` if another one has it. What makes a job safe is that it
    /// may be done twice: a process that hangs may wake up after its lease.
    async fn lease_take(
        &self,
        _job: &str,
        _until: Timestamp,
        _now: Timestamp,
    ) -> Result<Option<LeaseToken>, StoreError> {
        Ok(Some(LeaseToken(0)))
    }

    /// Prolongs the lease of a job; answers whether it is still held.
    async fn lease_extend(
        &self,
        _job: &str,
        _token: LeaseToken,
        _until: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Gives a job back, if it is still held.
    async fn lease_end(&self, _job: &str, _token: LeaseToken) -> Result<(), StoreError> {
        Ok(())
    }

    // --- the promises ---

    /// Looks at the rows of one page of a pass, of about `limit` of them, for invariants that do not hold. Without
    /// `from` a pass begins. `location_store` is the provider that hands over registered locations, if they are.
    ///
    /// What the page finds is so at one moment. Nothing is written, and nobody waits.
    async fn inspect(
        &self,
        from: Option<&InspectCursor>,
        limit: usize,
        location_store: Option<&str>,
        now: Timestamp,
    ) -> Result<Inspection, StoreError>;

    /// Mends what was found, as far as it is still so: writes what follows from other rows, and makes due and queues
    /// what can be made again.
    async fn mend(&self, violations: &[Violation], now: Timestamp) -> Result<Mended, StoreError>;

    /// Ends all work and closes the store.
    async fn close(&self);
}
