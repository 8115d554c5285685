//! The one writer: its transaction, and the memory that goes with it.
//!
//! What lives in memory (leases, the cache of refs) changes only after the transaction committed, so a failed one
//! leaves no trace in either place. Stitch work and removed final entities are collected and written once, at the
//! end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet};
use tokio::sync::MutexGuard;

use super::leases::{Lease, Leases};
use super::refs::RefCache;
use super::session::{Args, Session};
use super::statement::{bulk_statements, statements};
use crate::StoreError;

/// Ranks of refs that are queued because of somebody else's relations start here: an entity that changed itself is
/// stitched first. While a backlog is processed, a group with thousands of members would otherwise be assembled
/// again and again.
const PEER_RANK: i64 = 1 << 48;

/// Is added to the ranks of entities for which somebody waits: they are not to stand behind a backlog.
const AWAITED_RANK: i64 = -PEER_RANK;

statements! {
    ADD_RELATIONS = "UPDATE meta SET value = value + ?1 WHERE key = 'relations'";
}

bulk_statements! {
    QUEUE_STITCH("stitch_queue", 2) =
        "INSERT INTO stitch_queue (id, rank) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET rank = excluded.rank WHERE excluded.rank < rank";
    INSERT_CHANGES("change_log", 2) = "INSERT INTO change_log (id, kind) VALUES {rows}";
}

/// `change_log.kind` of an entity that is new or has other content.
pub(super) const UPSERTED: i64 = 0;
/// `change_log.kind` of an entity that is gone.
pub(super) const DELETED: i64 = 1;

/// What the writer keeps in memory.
#[derive(Debug, Default)]
pub(super) struct WriterState {
    pub(super) leases: Leases,
    pub(super) refs: RefCache,
    /// The number that the next new ref gets.
    pub(super) next_ref: i64,
    /// The rank of the next item of the stitch queue, without [`PEER_RANK`].
    pub(super) next_rank: i64,
    /// Whether the connection waits for the disk at each commit.
    pub(super) is_synced: bool,
    /// How many mentions of refs went since it was last searched for refs that nothing mentions.
    pub(super) mentions_gone: usize,
    /// Numbers of refs that were looked up since such a search began.
    pub(super) looked_up: Option<HashSet<i64>>,
    /// Whether edges came or went in a way that may have left a cycle of entities without a root.
    pub(super) may_have_cycles: bool,
}

/// A write transaction.
#[derive(Debug)]
pub(super) struct Writer<'s> {
    pub(super) db: Session,
    pub(super) state: MutexGuard<'s, WriterState>,
    /// Numbers of refs that this transaction came across.
    pub(super) known: HashMap<Arc<str>, i64>,
    /// Numbers of relation types that this transaction came across.
    pub(super) known_types: HashMap<Arc<str>, i64>,
    stitch_awaited: BTreeSet<i64>,
    stitch_own: BTreeSet<i64>,
    stitch_peers: BTreeSet<i64>,
    changes: Vec<(i64, i64)>,
    relations_added: i64,
    granted: Vec<(i64, Lease)>,
    released: Vec<i64>,
}

impl<'s> Writer<'s> {
    pub(super) fn new(db: Session, state: MutexGuard<'s, WriterState>) -> Self {
        Self {
            db,
            state,
            known: HashMap::new(),
            known_types: HashMap::new(),
            stitch_awaited: BTreeSet::new(),
            stitch_own: BTreeSet::new(),
            stitch_peers: BTreeSet::new(),
            changes: Vec::new(),
            relations_added: 0,
            granted: Vec::new(),
            released: Vec::new(),
        }
    }

    /// Queues an entity that changed itself.
    pub(super) fn stitch(&mut self, id: i64) {
        self.stitch_own.insert(id);
    }

    /// Queues an entity before all for which nobody waits.
    pub(super) fn stitch_awaited(&mut self, id: i64) {
        self.stitch_awaited.insert(id);
    }

    /// Queues a ref that somebody else's relations start or started at.
    pub(super) fn stitch_peer(&mut self, id: i64) {
        self.stitch_peers.insert(id);
    }

    /// Takes a ref out of what this transaction queues.
    pub(super) fn unqueue(&mut self, id: i64) {
        self.stitch_awaited.remove(&id);
        self.stitch_own.remove(&id);
        self.stitch_peers.remove(&id);
    }

    pub(super) fn needs_stitching(&self) -> bool {
        ![&self.stitch_awaited, &self.stitch_own, &self.stitch_peers].into_iter().all(BTreeSet::is_empty)
    }

    /// Appends to the change log.
    pub(super) fn log_change(&mut self, id: i64, kind: i64) {
        self.changes.push((id, kind));
    }

    /// Counts relations that come, or go if negative.
    pub(super) fn count_relations(&mut self, added: i64) {
        self.relations_added += added;
    }

    pub(super) fn grant(&mut self, id: i64, lease: Lease) {
        self.granted.push((id, lease));
    }

    pub(super) fn release(&mut self, id: i64) {
        self.released.push(id);
    }

    /// Writes what was collected, commits, and brings the memory up to date.
    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        self.flush().await?;
        let Self { db, mut state, known, granted, released, .. } = self;
        db.commit().await?;
        for (text, id) in known {
            state.refs.insert(text, id);
        }
        for id in released {
            state.leases.release(id);
        }
        for (id, lease) in granted {
            state.leases.grant(id, lease);
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        let mut rank = self.state.next_rank;
        // Of several ranks the lowest one counts.
        let ranks =
            [(AWAITED_RANK, &self.stitch_awaited), (0, &self.stitch_own), (PEER_RANK, &self.stitch_peers)];
        let mut queue = BTreeMap::new();
        for (id, base) in ranks.into_iter().flat_map(|(base, ids)| ids.iter().map(move |id| (*id, base))) {
            queue.entry(id).or_insert_with(|| {
                rank += 1;
                base + rank - 1
            });
        }
        self.state.next_rank = rank;
        let pair = |args: &mut Args, (first, second): (i64, i64)| {
            args.push(first);
            args.push(second);
        };
        self.db.bulk(&QUEUE_STITCH, queue, pair).await?;
        self.db.bulk(&INSERT_CHANGES, std::mem::take(&mut self.changes), pair).await?;
        if self.relations_added != 0 {
            self.db.run(ADD_RELATIONS, Args::new().with(self.relations_added)).await?;
        }
        Ok(())
    }
}
