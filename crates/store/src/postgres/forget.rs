//! Forgetting refs that nothing mentions any more.
//!
//! Telling which these are takes a look at every row, so it happens on snapshots, beside everybody else. Whoever looked up
//! a number before may be about to mention it, here or in another process. So there are two halves. The first one dooms
//! what a search found, with the graph to itself, and begins a new epoch: who looked a number up in an older one does so
//! again, and takes the doom back. The second one searches once more, on a later snapshot, and deletes what is still
//! doomed. What was mentioned before the first half is seen by the second search; what is mentioned after it was rescued.

use foldhash::{HashSet, HashSetExt as _};

use super::PostgresStore;
use super::locks::Graph;
use super::names::Wanted;
use super::row::RowExt as _;
use super::session::{Args, Session};
use crate::StoreError;
use crate::rules::statement::{Statement, statements};
use crate::rules::unused::{CANDIDATES_MAX, FORGOTTEN_MAX, FORGOTTEN_MIN, RELATIONS_PAGE, keep_related};

/// Refs that no row mentions, save for the packed relations.
macro_rules! unused_query {
    ($where:literal) => {
        concat!(
            "SELECT i.id FROM refs i WHERE ",
            $where,
            " NOT EXISTS (SELECT 1 FROM schedule s WHERE s.id = i.id) \
              AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.source = i.id) \
              AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.target = i.id) \
              AND NOT EXISTS (SELECT 1 FROM errors e WHERE e.owner = i.id) \
              AND NOT EXISTS (SELECT 1 FROM peer_relations p WHERE p.source = i.id) \
              AND NOT EXISTS (SELECT 1 FROM change_log c WHERE c.id = i.id) \
              AND NOT EXISTS (SELECT 1 FROM stitch_queue q WHERE q.id = i.id) \
              AND NOT EXISTS (SELECT 1 FROM locations l WHERE l.entity = i.id) \
             LIMIT $1"
        )
    };
}

statements! {
    // How many mentions of refs went, and how many of these were looked into.
    SELECT_MENTIONS_GONE =
        "SELECT sum(c.mentions_gone)::bigint, (SELECT value FROM meta WHERE key = 'mentions_searched_to') FROM counters c";
    SET_MENTIONS_SEARCHED_TO = "UPDATE meta SET value = greatest(value, $1) WHERE key = 'mentions_searched_to'";
    SELECT_UNUSED_REFS = unused_query!("");
    SELECT_UNUSED_DOOMED_REFS = unused_query!("i.doomed AND");
    SELECT_PACKED_RELATIONS = "SELECT id, relations FROM results WHERE id > $1 ORDER BY id LIMIT $2";
    DOOM_REFS = "UPDATE refs SET doomed = true WHERE id = ANY($1)";
    BEGIN_EPOCH = "UPDATE meta SET value = value + 1 WHERE key = 'refs_epoch' RETURNING value";
    // Not if somebody else doomed others since: these are the business of a search that is later than ours.
    DELETE_REFS =
        "WITH l AS MATERIALIZED (SELECT id FROM refs WHERE id = ANY($1) AND doomed ORDER BY id FOR UPDATE) \
         DELETE FROM refs r USING l \
         WHERE r.id = l.id AND EXISTS (SELECT 1 FROM meta WHERE key = 'refs_epoch' AND value = $2)";
    PARDON_REFS =
        "WITH l AS MATERIALIZED (SELECT id FROM refs WHERE doomed ORDER BY id FOR NO KEY UPDATE) \
         UPDATE refs r SET doomed = false FROM l \
         WHERE r.id = l.id AND EXISTS (SELECT 1 FROM meta WHERE key = 'refs_epoch' AND value = $1)";
}

impl PostgresStore {
    pub(super) async fn forget_refs(&self) -> Result<(), StoreError> {
        let rows = self.connections.writer_rows(SELECT_MENTIONS_GONE, Args::new()).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (gone, searched_to) = (row.int_opt(0)?.unwrap_or_default(), row.int_opt(1)?.unwrap_or_default());
        if gone.saturating_sub(searched_to) < i64::try_from(FORGOTTEN_MIN).unwrap_or(i64::MAX) {
            return Ok(());
        }
        let unused = self.unused_refs(SELECT_UNUSED_REFS).await?;
        if unused.len() >= FORGOTTEN_MIN {
            let doomed: Vec<i64> = unused.iter().copied().take(FORGOTTEN_MAX).collect();
            let epoch = self.doom(doomed).await?;
            let unused = self.unused_refs(SELECT_UNUSED_DOOMED_REFS).await?;
            self.delete_doomed(unused, epoch).await?;
        }
        if unused.len() <= FORGOTTEN_MAX {
            self.connections.writer_rows(SET_MENTIONS_SEARCHED_TO, Args::new().with(gone)).await?;
        }
        Ok(())
    }

    /// Answers the epoch that this begins.
    async fn doom(&self, ids: Vec<i64>) -> Result<i64, StoreError> {
        let mut writer = self.writer(Graph::Exclusive, &Wanted::none()).await?;
        writer.db.run(DOOM_REFS, Args::new().with(ids)).await?;
        let epoch = writer.db.row(BEGIN_EPOCH, Args::new()).await?.map_or(Ok(0), |row| row.int(0))?;
        writer.finish().await?;
        Ok(epoch)
    }

    async fn delete_doomed(&self, ids: HashSet<i64>, epoch: i64) -> Result<(), StoreError> {
        // Nobody begins another epoch meanwhile.
        let mut writer = self.writer(Graph::Shared, &Wanted::none()).await?;
        writer.db.run(DELETE_REFS, Args::new().list(ids).with(epoch)).await?;
        writer.db.run(PARDON_REFS, Args::new().with(epoch)).await?;
        writer.finish().await
    }

    /// Refs that nothing mentions in a snapshot of now.
    async fn unused_refs(&self, search: Statement) -> Result<HashSet<i64>, StoreError> {
        let mut db = self.connections.snapshot().await?;
        let rows = db.rows(search, Args::new().with(CANDIDATES_MAX)).await?;
        let mut unused = HashSet::with_capacity(rows.len());
        for row in &rows {
            unused.insert(row.int(0)?);
        }
        drop_related(&mut db, &mut unused).await?;
        Ok(unused)
    }
}

/// Takes out those that the packed relations mention.
async fn drop_related(db: &mut Session, unused: &mut HashSet<i64>) -> Result<(), StoreError> {
    let mut after = 0;
    while !unused.is_empty() {
        let page = db.rows(SELECT_PACKED_RELATIONS, Args::new().with(after).with(RELATIONS_PAGE)).await?;
        if page.is_empty() {
            break;
        }
        for row in &page {
            after = row.int(0)?;
            keep_related(unused, after, row.blob(1).ok());
        }
    }
    Ok(())
}
