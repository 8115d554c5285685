//! Whether the index holds what the store holds: slowly and for ever, beside everything else.
//!
//! Entities of the store are compared with those of the index by their checksums, a page at a time, and the index is
//! searched for what the store does not have. The index is a little behind, so what differs is only suspected at first:
//! it is wrong if it still differs when the index has come to the store's position and nothing waits for stitching, and
//! both are so before and after the look. Then the index is built anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use callboard_index::{Checksum, Hit, Index};
use callboard_sdk::{Clock, SystemClock};
use callboard_store::{EntityPage, StoreError};

use super::follow::BYTES_MAX;
use super::{Shared, View};

/// As a label of metrics, beside the store's own invariants.
const INVARIANT: &str = "index-checksum";

/// Entities that are compared at once.
const PAGE_LEN: usize = 100;

/// How often suspects are looked at again before they are left to the next pass.
const LOOKS_MAX: usize = 5;

/// Rest between two looks, and how long the index may take to come to the store's position.
const LOOK_REST: Duration = Duration::from_secs(2);
const CATCH_UP_MAX: Duration = Duration::from_secs(10);

const FIRST_REST: Duration = Duration::from_mins(1);
const REST_AFTER_ERROR: Duration = Duration::from_secs(10);

/// How the index is looked after.
#[derive(Debug, Clone, Copy)]
pub struct CompareSettings {
    /// Entities that are compared in a second.
    pub entities_per_second: u32,
    /// Rest between two passes.
    pub interval: Duration,
    /// Whether an index that is wrong is built anew.
    pub mends: bool,
}

/// What an index holds, at a position of the change log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) position: i64,
    pub(crate) checksum: Checksum,
}

impl View {
    /// Compares the index with the store, again and again. Never comes back.
    pub async fn keep_comparing(&self, settings: CompareSettings) {
        count(0);
        let mut rest = FIRST_REST.min(settings.interval);
        loop {
            tokio::time::sleep(rest).await;
            self.shared.compare_all(settings).await;
            rest = settings.interval;
        }
    }

    /// What the index holds, in order to compare it with another one; `None` while it changes.
    pub(crate) async fn contents(&self) -> Option<Contents> {
        let position = self.settled_position().await?;
        let mut checksum = Checksum::default();
        let mut after = String::new();
        loop {
            let (sum, last) = self.search(super::Effort::AllValues, |index| sum_after(index, &after)).await;
            checksum = checksum + sum;
            match last {
                Some(last) => after = last,
                None => break,
            }
        }
        (self.settled_position().await? == position).then_some(Contents { position, checksum })
    }

    /// The index's position, if it is the store's as well: nothing is being taken in then.
    async fn settled_position(&self) -> Option<i64> {
        let newest = self.newest_position().await.ok()?;
        Some(self.position()).filter(|position| *position == newest)
    }
}

/// The checksum of some entities after a ref, and the last of them, if there were any.
fn sum_after(index: &Index, after: &str) -> (Checksum, Option<String>) {
    let hits = index.list_after(&[], after, PAGE_LEN);
    let sums = hits.iter().filter_map(|hit| index.checksum_of(&hit.entity_ref));
    (sums.sum(), hits.last().map(|hit| hit.entity_ref.clone()))
}

impl Shared {
    async fn compare_all(self: &Arc<Self>, settings: CompareSettings) {
        let rate = settings.entities_per_second.max(1);
        let mut after: Option<String> = None;
        let mut wrong = 0_usize;
        loop {
            let compared = match self.compare_page(after.as_deref()).await {
                Ok(compared) => compared,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "cannot compare the query index with the store; trying again");
                    tokio::time::sleep(REST_AFTER_ERROR).await;
                    continue;
                }
            };
            wrong += compared.wrong.len();
            if settings.mends && !compared.wrong.is_empty() {
                if let Err(error) = self.rebuild().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "cannot build the query index anew; the next pass tries again");
                }
                break;
            }
            after = compared.next;
            if after.is_none() {
                break;
            }
            let compared = u64::try_from(compared.entities).unwrap_or_default();
            tokio::time::sleep(Duration::from_secs(compared) / rate).await;
        }
        let wrong = u32::try_from(wrong).unwrap_or(u32::MAX);
        ::metrics::gauge!("callboard_doctor_violations", "invariant" => INVARIANT).set(f64::from(wrong));
    }

    /// Compares the entities of the page after a ref.
    pub(super) async fn compare_page(self: &Arc<Self>, after: Option<&str>) -> Result<Compared, StoreError> {
        let EntityPage { entities, next_after } = self.store.entities_page(after, PAGE_LEN).await?;
        let compared = entities.len();
        let stored: HashMap<String, Checksum> = self
            .prepare_all(entities)
            .await?
            .into_iter()
            .map(|prepared| (prepared.entity_ref().to_owned(), prepared.checksum()))
            .collect();
        let is_in_page = |hit: &Hit| next_after.as_ref().is_none_or(|last| hit.entity_ref <= *last);
        let mut suspects = {
            let index = self.index.read();
            let indexed = index.list_after(&[], after.unwrap_or_default(), compared + PAGE_LEN);
            let unknown = indexed.into_iter().take_while(is_in_page).map(|hit| hit.entity_ref);
            let mut suspects: Vec<String> = unknown.filter(|entity| !stored.contains_key(entity)).collect();
            let differs =
                |(entity, checksum): &(&String, &Checksum)| index.checksum_of(entity) != Some(**checksum);
            suspects.extend(stored.iter().filter(differs).map(|(entity, _)| entity.clone()));
            suspects
        };
        suspects.sort_unstable();
        let wrong = self.confirm(suspects).await?;
        if let Some(first) = wrong.first() {
            count(wrong.len() as u64);
            tracing::warn!(
                invariant = INVARIANT,
                entity = first,
                entities = wrong.len(),
                "a promise is broken: the query index does not hold what the store holds"
            );
        }
        Ok(Compared { entities: compared, wrong, next: next_after })
    }

    /// Those of the suspects that are wrong for certain.
    async fn confirm(self: &Arc<Self>, mut suspects: Vec<String>) -> Result<Vec<String>, StoreError> {
        for look in 0..LOOKS_MAX {
            if suspects.is_empty() {
                return Ok(suspects);
            }
            if look > 0 {
                tokio::time::sleep(LOOK_REST).await;
            }
            let position = self.store.position().await?;
            self.wait_for(position, CATCH_UP_MAX).await;
            let is_quiet = self.is_quiet_at(position).await?;
            suspects = self.differing(suspects).await?;
            if is_quiet && self.is_quiet_at(position).await? {
                return Ok(suspects);
            }
        }
        // Too much happens to tell.
        Ok(Vec::new())
    }

    /// Whether both are at this position, and nothing is on its way from the store to the index.
    async fn is_quiet_at(&self, position: i64) -> Result<bool, StoreError> {
        let counts = self.store.counts(SystemClock.now()).await?;
        let is_there = *self.position.borrow() == position;
        Ok(is_there && counts.stitch_queue == 0 && self.store.position().await? == position)
    }

    async fn differing(self: &Arc<Self>, suspects: Vec<String>) -> Result<Vec<String>, StoreError> {
        let mut differing = Vec::new();
        let mut rest = suspects.as_slice();
        while !rest.is_empty() {
            let refs: Vec<&str> = rest.iter().map(String::as_str).collect();
            let found = self.store.entities_by_refs(&refs, BYTES_MAX).await?;
            let (looked_at, others) = rest.split_at(found.looked_at.clamp(1, rest.len()));
            let prepared = self.prepare_all(found.entities).await?;
            let stored: BTreeMap<&str, Checksum> =
                prepared.iter().map(|prepared| (prepared.entity_ref(), prepared.checksum())).collect();
            let index = self.index.read();
            let differs =
                |entity: &&String| index.checksum_of(entity) != stored.get(entity.as_str()).copied();
            differing.extend(looked_at.iter().filter(differs).cloned());
            drop(index);
            rest = others;
        }
        Ok(differing)
    }
}

/// What became of a page.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) entities: usize,
    pub(super) wrong: Vec<String>,
    /// The ref after which the next page begins.
    pub(super) next: Option<String>,
}

fn count(found: u64) {
    ::metrics::counter!("catalog_invariant_violations_total", "invariant" => INVARIANT).increment(found);
}
