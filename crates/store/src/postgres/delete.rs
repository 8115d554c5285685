//! Deleting entities, with everything that stands for them. Only for who has the graph to itself: nobody else may come
//! to need what goes.

use std::collections::BTreeSet;

use super::row::RowExt as _;
use super::session::Args;
use super::writer::Writer;
use crate::rules::codec::DELETED;
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::{Lane, StoreError, Timestamp};

statements! {
    DELETE_FINALS = "DELETE FROM final_entities WHERE id = ANY($1) RETURNING id";
    DELETE_EDGES_FROM = "DELETE FROM edges WHERE source = ANY($1)";
    DELETE_EDGES_TO = "DELETE FROM edges WHERE target = ANY($1)";
    DELETE_ERRORS_OF_OWNERS = "DELETE FROM errors WHERE owner = ANY($1)";
    // What somebody is about to stitch is found to be gone there.
    DELETE_FROM_QUEUE =
        "WITH q AS MATERIALIZED (SELECT seq FROM stitch_queue WHERE id = ANY($1) ORDER BY seq FOR UPDATE SKIP LOCKED) \
         DELETE FROM stitch_queue s USING q WHERE s.seq = q.seq";
    DELETE_ENTITIES =
        "WITH c AS (DELETE FROM caches WHERE id = ANY($1)), \
              b AS (DELETE FROM bodies WHERE id = ANY($1)), \
              r AS (DELETE FROM results WHERE id = ANY($1)), \
              o AS (DELETE FROM orphans WHERE id = ANY($1)), \
              u AS (DELETE FROM refresh_state WHERE id = ANY($1)) \
         DELETE FROM schedule WHERE id = ANY($1)";
}

impl Writer<'_> {
    /// Deletes entities. Their children may become orphans; those that had relations from them are stitched again;
    /// sources that were refused because of them are due.
    pub(super) async fn entities_delete(
        &mut self,
        ids: &BTreeSet<i64>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.lock_too(ids.iter().copied()).await?;
        self.results_retract(ids).await?;
        let args = || Args::new().list(ids.iter().copied());
        let rows = self.db.rows(DELETE_FINALS, args()).await?;
        let finals: BTreeSet<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        for id in finals {
            self.log_change(id, DELETED);
        }
        let children = self.edges_from(ids.iter().copied()).await?;
        let refused: Vec<_> =
            self.edges_to(ids.iter().copied()).await?.into_iter().filter(|edge| edge.is_refused).collect();
        let settled: Vec<_> = refused.iter().map(|edge| (edge.source, edge.target)).collect();
        self.conflicts_settle(&settled).await?;
        for statement in
            [DELETE_EDGES_FROM, DELETE_EDGES_TO, DELETE_ERRORS_OF_OWNERS, DELETE_FROM_QUEUE, DELETE_ENTITIES]
        {
            self.db.run(statement, args()).await?;
        }
        let lost = children.iter().filter(|edge| !edge.is_refused && !ids.contains(&edge.target));
        self.sources_lost(&lost.map(|edge| edge.target).collect(), now).await?;
        self.mark_due(refused.iter().map(|edge| edge.source), Lane::Event, Run::InFull, now).await?;
        self.let_go(ids.len() + children.len());
        for id in ids {
            self.work.remove(*id);
        }
        Ok(())
    }
}
