//! Deleting entities, with everything that stands for them.

use std::collections::BTreeSet;

use super::codec::{RowExt as _, ids_json};
use super::session::Args;
use super::writer::Writer;
use crate::rules::codec::DELETED;
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::{Lane, StoreError, Timestamp};

statements! {
    SELECT_FINAL_IDS = "SELECT f.id FROM json_each(?1) j CROSS JOIN final_entities f ON f.id = j.value";
    DELETE_EDGES_FROM = "DELETE FROM edges WHERE source IN (SELECT value FROM json_each(?1))";
    DELETE_EDGES_TO = "DELETE FROM edges WHERE target IN (SELECT value FROM json_each(?1))";
    DELETE_ERRORS_OF_OWNERS = "DELETE FROM errors WHERE owner IN (SELECT value FROM json_each(?1))";
    DELETE_FROM_QUEUE = "DELETE FROM stitch_queue WHERE id IN (SELECT value FROM json_each(?1))";
    // Takes the rows of all tables with it that refer to this one.
    DELETE_ENTITIES = "DELETE FROM refresh_state WHERE id IN (SELECT value FROM json_each(?1))";
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
        let json = ids_json(ids.iter().copied());
        self.results_retract(ids).await?;
        for row in self.db.rows(SELECT_FINAL_IDS, Args::new().with(json.clone())).await? {
            self.log_change(row.int(0)?, DELETED);
        }
        let children = self.edges_from(ids.iter().copied()).await?;
        let refused: Vec<_> =
            self.edges_to(ids.iter().copied()).await?.into_iter().filter(|edge| edge.is_refused).collect();
        let settled: Vec<_> = refused.iter().map(|edge| (edge.source, edge.target)).collect();
        self.conflicts_settle(&settled).await?;
        for statement in
            [DELETE_EDGES_FROM, DELETE_EDGES_TO, DELETE_ERRORS_OF_OWNERS, DELETE_FROM_QUEUE, DELETE_ENTITIES]
        {
            self.db.run(statement, Args::new().with(json.clone())).await?;
        }
        let lost = children.iter().filter(|edge| !edge.is_refused && !ids.contains(&edge.target));
        self.sources_lost(&lost.map(|edge| edge.target).collect(), now).await?;
        self.mark_due(refused.iter().map(|edge| edge.source), Lane::Event, Run::InFull, now).await?;
        self.let_go(ids.len() + children.len());
        for id in ids {
            self.work.remove(*id);
            self.release(*id);
        }
        Ok(())
    }
}
