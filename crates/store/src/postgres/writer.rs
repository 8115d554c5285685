//! A transaction that changes the catalog: what it holds, and what it writes at its end.
//!
//! Stitch work, counts and changes are collected and written last, in the order in which everybody locks these.

use foldhash::HashSet;

use super::PostgresStore;
use super::hints::HintSet;
use super::locks::Graph;
use super::session::{Args, Session};
use crate::rules::names::Interned;
use crate::rules::statement::statements;
use crate::rules::stitch_work::{StitchWork, Urgency};
use crate::{Hint, StoreError};

statements! {
    // What is queued already counts for this as well, if it stays until the commit: a stitcher that took it before would
    // not see what is written here. Whoever else holds it, or is at it, makes a row of its own necessary.
    QUEUE_STITCH =
        "WITH queued AS MATERIALIZED ( \
           SELECT j.id, j.rank FROM unnest($1, $2) j(id, rank) JOIN stitch_queue q ON q.id = j.id AND q.rank <= j.rank \
           FOR NO KEY UPDATE OF q SKIP LOCKED) \
         INSERT INTO stitch_queue (id, rank) SELECT * FROM unnest($1, $2) EXCEPT SELECT id, rank FROM queued";
    DEFER_FLUSH = "SELECT set_config('synchronous_commit', 'off', true)";
    // Sums that many add to at once are kept in shards, so that they rarely wait for each other.
    ADD_COUNTERS =
        "UPDATE counters SET relations = relations + $1, mentions_gone = mentions_gone + $2, \
                             cycle_hints = cycle_hints + $3 \
         WHERE shard = pg_backend_pid() % 16";
}

/// A write transaction.
#[derive(Debug)]
pub(super) struct Writer<'s> {
    pub(super) store: &'s PostgresStore,
    pub(super) db: Session,
    pub(super) graph: Graph,
    /// Numbers that this transaction came across.
    pub(super) names: Interned,
    pub(super) work: StitchWork,
    /// Entities that nobody else can change before the end.
    pub(super) locked: HashSet<i64>,
    changes: Vec<(i64, i64)>,
    relations_added: i64,
    mentions_gone: i64,
    cycle_hints: i64,
    /// What others are told after the commit, beside what follows from the rest.
    pub(super) hints: HintSet,
    /// Rows may be there that only damage leaves behind.
    pub(super) finds_strays: bool,
    /// Whoever commits outcomes stitches them, too.
    pub(super) is_stitched_here: bool,
}

impl Session {
    /// The commit will not wait for the disk. If the server dies, the database is what it was some commits ago: for what
    /// is done again by itself then.
    pub(super) async fn defer_flush(&mut self) -> Result<(), StoreError> {
        self.run(DEFER_FLUSH, Args::new()).await.map(drop)
    }
}

impl<'s> Writer<'s> {
    pub(super) fn new(store: &'s PostgresStore, db: Session, graph: Graph, names: Interned) -> Self {
        Self {
            store,
            db,
            graph,
            names,
            work: StitchWork::default(),
            locked: HashSet::default(),
            changes: Vec::new(),
            relations_added: 0,
            mentions_gone: 0,
            cycle_hints: 0,
            hints: HintSet::default(),
            finds_strays: false,
            is_stitched_here: false,
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

    /// Counts mentions of refs that go.
    pub(super) fn let_go(&mut self, mentions: usize) {
        self.mentions_gone = self.mentions_gone.saturating_add_unsigned(mentions as u64);
    }

    /// Edges came or went in a way that may leave a cycle of entities without a root.
    pub(super) fn hint_cycle(&mut self) {
        self.cycle_hints = 1;
    }

    /// Writes what was collected, and commits.
    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        if !self.work.is_empty() && !self.is_stitched_here {
            self.hints.add(Hint::Unstitched);
        }
        self.queue_work().await?;
        let sums = [self.relations_added, self.mentions_gone, self.cycle_hints];
        if sums.iter().any(|sum| *sum != 0) {
            let args = sums.into_iter().fold(Args::new(), Args::with);
            self.db.run(ADD_COUNTERS, args).await?;
        }
        let changes = std::mem::take(&mut self.changes);
        if !changes.is_empty() {
            self.hints.add(Hint::Changed);
        }
        self.db.append_changes(&changes).await?;
        self.db.commit().await?;
        self.store.tell_others(self.hints);
        Ok(())
    }

    pub(super) async fn queue_work(&mut self) -> Result<(), StoreError> {
        let mut seen = HashSet::default();
        let queue: Vec<(i64, i16)> = self
            .work
            .by_urgency()
            .filter(|(id, _)| seen.insert(*id))
            .map(|(id, urgency)| match urgency {
                Urgency::Awaited => (id, 0),
                Urgency::Own => (id, 1),
                Urgency::Peer => (id, 2),
            })
            .collect();
        if queue.is_empty() {
            return Ok(());
        }
        let args =
            Args::new().list(queue.iter().map(|(id, _)| *id)).list(queue.iter().map(|(_, rank)| *rank));
        self.db.write("stitch_queue", QUEUE_STITCH, args).await.map(drop)
    }
}
