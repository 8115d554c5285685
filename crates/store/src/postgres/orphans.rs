//! Entities that nobody hands over any more.

use std::collections::BTreeSet;

use super::PostgresStore;
use super::again::Tries;
use super::locks::Graph;
use super::names::Wanted;
use super::row::RowExt as _;
use super::session::Args;
use super::writer::Writer;
use crate::rules::names::{PROVIDERS_FROM, PROVIDERS_TO};
use crate::rules::statement::statements;
use crate::{StoreError, Timestamp};

statements! {
    SELECT_ORPHANS = "SELECT id FROM orphans ORDER BY id LIMIT $1";
    // `down` is all that the given entities bring in; `up` is all that brings that in. An entity stays if a chain
    // leads to it from a provider. Only what is in `up` can be part of such a chain.
    SELECT_UNROOTED =
        "WITH RECURSIVE \
           down (id) AS (SELECT unnest($1::bigint[]) UNION \
                         SELECT e.target FROM down JOIN edges e ON e.source = down.id AND NOT e.refused), \
           up (id) AS (SELECT id FROM down UNION \
                       SELECT e.source FROM up JOIN edges e ON e.target = up.id AND NOT e.refused), \
           rooted (id) AS (SELECT e.target FROM up JOIN edges e ON e.target = up.id AND NOT e.refused \
                             JOIN refs p ON p.id = e.source AND p.entity_ref >= $2 AND p.entity_ref < $3 UNION \
                           SELECT e.target FROM rooted JOIN edges e ON e.source = rooted.id AND NOT e.refused \
                             JOIN up ON up.id = e.target) \
         SELECT s.id FROM (SELECT id FROM down EXCEPT SELECT id FROM rooted) u JOIN schedule s ON s.id = u.id";
    // The same for all entities at once.
    SELECT_ALL_UNROOTED =
        "WITH RECURSIVE \
           rooted (id) AS (SELECT e.target FROM refs p JOIN edges e ON e.source = p.id AND NOT e.refused \
                           WHERE p.entity_ref >= $1 AND p.entity_ref < $2 UNION \
                           SELECT e.target FROM rooted JOIN edges e ON e.source = rooted.id AND NOT e.refused) \
         SELECT id FROM schedule EXCEPT SELECT id FROM rooted ORDER BY id LIMIT $3";
    // How often edges went in a way that may have left a cycle, and how many of these times were looked into.
    SELECT_CYCLE_HINTS =
        "SELECT sum(c.cycle_hints)::bigint, (SELECT value FROM meta WHERE key = 'cycles_searched_to') FROM counters c";
    SET_CYCLES_SEARCHED_TO = "UPDATE meta SET value = greatest(value, $1) WHERE key = 'cycles_searched_to'";
}

impl Writer<'_> {
    /// Those of the given entities, and of all that they brought in, to which no provider leads.
    pub(super) async fn unrooted(
        &mut self,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let ids: Vec<i64> = ids.into_iter().collect();
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let args = Args::new().with(ids).with(PROVIDERS_FROM).with(PROVIDERS_TO);
        self.db.rows(SELECT_UNROOTED, args).await?.iter().map(|row| row.int(0)).collect()
    }
}

/// Who is to be deleted.
#[derive(Debug)]
enum Candidates {
    Orphans,
    /// Looked at again, as they were found beside everybody else.
    Cycles(Vec<i64>),
}

impl PostgresStore {
    pub(super) async fn delete_orphans(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        // Having the graph to oneself stops everybody, so nobody asks for it in vain.
        let orphans = self.connections.writer_rows(SELECT_ORPHANS, Args::new().with(limit)).await?;
        let candidates = if orphans.is_empty() {
            Candidates::Cycles(self.cycles(limit).await?)
        } else {
            Candidates::Orphans
        };
        if matches!(&candidates, Candidates::Cycles(found) if found.is_empty()) {
            return Ok(0);
        }
        let mut tries = Tries::new(Graph::Exclusive);
        loop {
            let result = self.delete_once(&candidates, limit, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn delete_once(
        &self,
        candidates: &Candidates,
        limit: i64,
        now: Timestamp,
        graph: Graph,
    ) -> Result<u64, StoreError> {
        let mut writer = self.writer(graph, &Wanted::none()).await?;
        let gone = match candidates {
            Candidates::Orphans => {
                let rows = writer.db.rows(SELECT_ORPHANS, Args::new().with(limit)).await?;
                rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?
            }
            Candidates::Cycles(found) => writer.unrooted(found.iter().copied()).await?,
        };
        writer.entities_delete(&gone, now).await?;
        writer.finish().await?;
        Ok(gone.len() as u64)
    }

    /// Entities that only hold each other. This looks at every edge, so it happens beside everybody else, and only after
    /// edges went in a way that can leave a cycle behind.
    async fn cycles(&self, limit: i64) -> Result<Vec<i64>, StoreError> {
        let hints = self.connections.writer_rows(SELECT_CYCLE_HINTS, Args::new()).await?;
        let Some(row) = hints.first() else { return Ok(Vec::new()) };
        let (hints, searched_to) = (row.int_opt(0)?.unwrap_or_default(), row.int_opt(1)?.unwrap_or_default());
        if hints <= searched_to {
            return Ok(Vec::new());
        }
        let args = Args::new().with(PROVIDERS_FROM).with(PROVIDERS_TO).with(limit);
        let rows = self.read_rows(SELECT_ALL_UNROOTED, args).await?;
        if rows.is_empty() {
            self.connections.writer_rows(SET_CYCLES_SEARCHED_TO, Args::new().with(hints)).await?;
        }
        rows.iter().map(|row| row.int(0)).collect()
    }
}
