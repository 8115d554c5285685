//! What is locked, and in which order, so that no two transactions wait for each other:
//!
//! 1. The graph, shared by all who write edges or marks; exclusive for whoever asks whether a provider still leads to an
//!    entity, or deletes. Reachability is a question about many rows, which locks of rows cannot answer.
//! 2. A provider; at most one for each transaction.
//! 3. New rows of `schedule`, in one statement that is sorted by number.
//! 4. All other rows of `schedule` that the transaction may touch, in one statement that is sorted by number. Such a row
//!    stands for its entity: whoever holds it may change all rows of that entity, and nobody else may.
//! 5. At the end: the stitch queue, which is only appended to; a shard of the counters; the head of the change log.
//!
//! Rows that turn out later to be touched are locked without waiting for them. If that fails, the whole method begins
//! again with the graph to itself. Statements that wait for a lock read nothing else: what they read would be from
//! before the wait.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgRow;

use super::again::Interrupted;
use super::row::RowExt as _;
use super::session::{Args, Session};
use super::writer::Writer;
use crate::rules::codec::micros;
use crate::rules::schedule::Schedule;
use crate::rules::statement::statements;
use crate::{StoreError, Timestamp};

statements! {
    LOCK_GRAPH_SHARED = "SELECT pg_advisory_xact_lock_shared(1, hashtext(current_schema()))";
    LOCK_GRAPH = "SELECT pg_advisory_xact_lock(1, hashtext(current_schema()))";
    LOCK_PROVIDER = "SELECT pg_advisory_xact_lock(2, hashtext(current_schema() || ' ' || $1::text))";
    // Whoever comes second waits for the first, is not answered the row, and takes it as existing from then on.
    INSERT_SCHEDULE =
        "INSERT INTO schedule (id, lane, next_update_at) \
         SELECT j.id, j.lane, $3 FROM unnest($1, $2) j(id, lane) ORDER BY j.id \
         ON CONFLICT (id) DO NOTHING RETURNING id";
    LOCK_SCHEDULE =
        "SELECT id, next_update_at, lane, wished, lease_token, lease_until, result_digest, fingerprint \
         FROM schedule WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
    TRY_LOCK_SCHEDULE =
        "SELECT id FROM schedule WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED";
    SELECT_EXISTING = "SELECT id FROM schedule WHERE id = ANY($1)";
}

/// How a transaction holds the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Graph {
    /// Beside others that only add to it.
    Shared,
    /// Alone.
    Exclusive,
}

/// A row of `schedule`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScheduleRow {
    pub(super) schedule: Schedule,
    /// Made due since it was claimed.
    pub(super) is_wished: bool,
    pub(super) token: Option<i64>,
    pub(super) leased_until: Option<Timestamp>,
}

impl ScheduleRow {
    /// Reads the columns in the order of `LOCK_SCHEDULE`.
    pub(super) fn read(row: &PgRow) -> Result<Self, StoreError> {
        Ok(Self {
            schedule: Schedule {
                id: row.int(0)?,
                next_update_at: row.time_opt(1)?.map(micros),
                lane: row.int2(2)?,
                result_digest: row.digest_opt(6)?,
                fingerprint: row.digest_opt(7)?,
            },
            is_wished: row.flag(3)?,
            token: row.int_opt(4)?,
            leased_until: row.time_opt(5)?,
        })
    }

    /// Whether somebody processes the entity.
    pub(super) fn is_leased(&self, now: Timestamp) -> bool {
        self.leased_until.is_some_and(|until| until > now)
    }
}

impl Session {
    pub(super) async fn lock_graph(&mut self, graph: Graph) -> Result<(), StoreError> {
        let statement = match graph {
            Graph::Shared => LOCK_GRAPH_SHARED,
            Graph::Exclusive => LOCK_GRAPH,
        };
        self.run(statement, Args::new()).await.map(drop)
    }

    /// Locks those of the entities that nobody else has locked; answers which these are.
    pub(super) async fn try_lock(&mut self, ids: &[i64]) -> Result<BTreeSet<i64>, StoreError> {
        let args = Args::new().with(ids);
        self.rows(TRY_LOCK_SCHEDULE, args).await?.iter().map(|row| row.int(0)).collect()
    }

    /// Those of the numbers that are of entities.
    pub(super) async fn existing(&mut self, ids: &[i64]) -> Result<BTreeSet<i64>, StoreError> {
        let args = Args::new().with(ids);
        self.rows(SELECT_EXISTING, args).await?.iter().map(|row| row.int(0)).collect()
    }
}

impl Writer<'_> {
    /// Has the buckets of a provider to itself. Comes before any other lock of the transaction.
    pub(super) async fn lock_provider(&mut self, provider: i64) -> Result<(), StoreError> {
        self.db.run(LOCK_PROVIDER, Args::new().with(provider)).await.map(drop)
    }

    /// Inserts rows for those of the entities that are not there yet, due now; answers which these are. Each of them has
    /// to get all other rows of an entity in this transaction.
    pub(super) async fn insert_schedule(
        &mut self,
        lanes: &BTreeMap<i64, crate::Lane>,
        now: Timestamp,
    ) -> Result<BTreeSet<i64>, StoreError> {
        if lanes.is_empty() {
            return Ok(BTreeSet::new());
        }
        let args = Args::new()
            .list(lanes.keys().copied())
            .list(lanes.values().map(|lane| *lane as i16))
            .with(super::row::whole_micros(now));
        let rows = self.db.rows(INSERT_SCHEDULE, args).await?;
        let inserted: BTreeSet<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        self.locked.extend(&inserted);
        Ok(inserted)
    }

    /// Locks entities; answers those that exist, as they are now. Only once in a transaction that shares the graph.
    pub(super) async fn lock(
        &mut self,
        ids: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, ScheduleRow>, StoreError> {
        let mut locked = BTreeMap::new();
        if ids.is_empty() {
            return Ok(locked);
        }
        for row in self.db.rows(LOCK_SCHEDULE, Args::new().list(ids.iter().copied())).await? {
            let row = ScheduleRow::read(&row)?;
            locked.insert(row.schedule.id, row);
        }
        self.locked.extend(locked.keys());
        Ok(locked)
    }

    /// Locks entities that turned out to be touched as well. Numbers of others, such as providers, are passed over.
    pub(super) async fn lock_too(&mut self, ids: impl IntoIterator<Item = i64>) -> Result<(), StoreError> {
        let ids: BTreeSet<i64> = ids.into_iter().filter(|id| !self.locked.contains(id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        if self.graph == Graph::Exclusive {
            return self.lock(&ids).await.map(drop);
        }
        let ids: Vec<i64> = ids.into_iter().collect();
        let locked = self.db.try_lock(&ids).await?;
        if locked.len() < ids.len() && locked != self.db.existing(&ids).await? {
            return Err(Interrupted::NeedsGraph.into());
        }
        self.locked.extend(&locked);
        Ok(())
    }
}
