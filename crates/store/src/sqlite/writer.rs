//! The one writer: its transaction, and the memory that goes with it.
//!
//! What lives in memory (leases, the cache of refs) changes only after the transaction committed, so a failed one
//! leaves no trace in either place. Stitch work and removed final entities are collected and written once, at the
//! end.

use std::collections::BTreeMap;

use callboard_model::Digest;
use foldhash::HashSet;
use tokio::sync::MutexGuard;

use super::leases::{Lease, Leases};
use super::session::{Args, Session};
use super::statement::bulk_statements;
use crate::StoreError;
use crate::rules::names::{Interned, RefCache};
use crate::rules::statement::statements;
use crate::rules::stitch_work::{StitchWork, Urgency};

/// How far the ranks of the urgencies are apart.
const RANKS: i64 = 1 << 48;

statements! {
    ADD_RELATIONS = "UPDATE meta SET value = value + ?1 WHERE key = 'relations'";
}

bulk_statements! {
    QUEUE_STITCH("stitch_queue", 2) =
        "INSERT INTO stitch_queue (id, rank) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET rank = excluded.rank WHERE excluded.rank < rank";
    INSERT_CHANGES("change_log", 2) = "INSERT INTO change_log (id, kind) VALUES {rows}";
}

/// What the writer keeps in memory.
#[derive(Debug, Default)]
pub(super) struct WriterState {
    pub(super) leases: Leases,
    /// The processors that were applied last.
    pub(super) applied: Option<Digest>,
    pub(super) refs: RefCache,
    /// The number that the next new ref gets.
    pub(super) next_ref: i64,
    /// The rank of the next item of the stitch queue, without what its urgency adds.
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

impl WriterState {
    /// Whether other processors than these were applied last.
    pub(super) fn is_superseded(&self, fingerprint: Digest) -> bool {
        self.applied.is_some_and(|applied| applied != fingerprint)
    }
}

/// A write transaction.
#[derive(Debug)]
pub(super) struct Writer<'s> {
    pub(super) db: Session,
    pub(super) state: MutexGuard<'s, WriterState>,
    /// Numbers that this transaction came across.
    pub(super) names: Interned,
    pub(super) work: StitchWork,
    changes: Vec<(i64, i64)>,
    relations_added: i64,
    granted: Vec<(i64, Lease)>,
    released: Vec<i64>,
    /// Processors that it applies.
    pub(super) applied: Option<Digest>,
}

impl<'s> Writer<'s> {
    pub(super) fn new(db: Session, state: MutexGuard<'s, WriterState>) -> Self {
        Self {
            db,
            state,
            names: Interned::default(),
            work: StitchWork::default(),
            changes: Vec::new(),
            relations_added: 0,
            granted: Vec::new(),
            released: Vec::new(),
            applied: None,
        }
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
        let Self { db, mut state, names, granted, released, applied, .. } = self;
        db.commit().await?;
        state.applied = applied.or(state.applied);
        for (text, id) in names.into_texts() {
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
        let mut queue = BTreeMap::new();
        for (id, urgency) in self.work.by_urgency() {
            let base = match urgency {
                Urgency::Awaited => -RANKS,
                Urgency::Own => 0,
                Urgency::Peer => RANKS,
            };
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
