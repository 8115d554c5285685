//! What users ask for: a fresh look at an entity, or its removal.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::PostgresStore;
use super::again::Tries;
use super::locks::Graph;
use super::names::Wanted;
use super::row::{RowExt as _, whole_micros};
use super::session::Args;
use crate::rules::messages::entity_not_found;
use crate::rules::read::REFRESH_DEPTH_MAX;
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::{Hint, Lane, StoreError, Timestamp};

statements! {
    SELECT_ENTITY = "SELECT id FROM schedule WHERE id = $1";
    SELECT_ENTITY_BY_UID = "SELECT id FROM refresh_state WHERE uid = $1";
    // All chains of parents, not just one of them. Chains that are longer than Backstage follows end silently.
    SELECT_LOCATIONS_ABOVE =
        "WITH RECURSIVE up (id, depth) AS ( \
           SELECT $1::bigint, 0::bigint UNION \
           SELECT e.source, up.depth + 1 FROM up JOIN edges e ON e.target = up.id AND NOT e.refused \
           WHERE up.depth < $2) \
         SELECT DISTINCT f.id FROM up JOIN refs f ON f.id = up.id \
         WHERE f.entity_ref >= 'location:' AND f.entity_ref < 'location;'";
    MARK_ALL_DUE =
        "WITH l AS MATERIALIZED (SELECT id FROM schedule WHERE next_update_at > $1 ORDER BY id FOR NO KEY UPDATE) \
         UPDATE schedule s SET next_update_at = $1, wished = true FROM l WHERE s.id = l.id";
}

impl PostgresStore {
    pub(super) async fn mark_all(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tries = Tries::new(Graph::Shared);
        loop {
            let result = self.mark_all_once(now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn mark_all_once(&self, now: Timestamp, graph: Graph) -> Result<u64, StoreError> {
        let mut writer = self.writer(graph, &Wanted::none()).await?;
        writer.hints.add(Hint::Due);
        let marked = writer.db.run(MARK_ALL_DUE, Args::new().with(whole_micros(now))).await?;
        writer.finish().await?;
        Ok(marked)
    }

    pub(super) async fn refresh(&self, entity_ref: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tries = Tries::new(Graph::Shared);
        loop {
            let result = self.refresh_once(entity_ref, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn refresh_once(&self, entity_ref: &str, now: Timestamp, graph: Graph) -> Result<(), StoreError> {
        let mut writer = self.writer(graph, &Wanted::none()).await?;
        let text: Arc<str> = Arc::from(entity_ref.to_lowercase());
        writer.look_up(std::slice::from_ref(&text)).await?;
        let id = writer.names.find(&text).ok_or_else(|| entity_not_found(entity_ref))?;
        if writer.db.row(SELECT_ENTITY, Args::new().with(id)).await?.is_none() {
            return Err(entity_not_found(entity_ref));
        }
        let mut due = BTreeSet::from([id]);
        let args = Args::new().with(id).with(REFRESH_DEPTH_MAX);
        for row in writer.db.rows(SELECT_LOCATIONS_ABOVE, args).await? {
            due.insert(row.int(0)?);
        }
        writer.lock(&due).await?;
        writer.mark_due(due, Lane::Interactive, Run::IfChanged, now).await?;
        writer.finish().await
    }

    pub(super) async fn delete(&self, uid: Uuid, now: Timestamp) -> Result<(), StoreError> {
        // Having the graph to oneself stops everybody, so nobody asks for it in vain.
        let found = self.connections.writer_rows(SELECT_ENTITY_BY_UID, Args::new().with(uid)).await?;
        if found.is_empty() {
            return Ok(());
        }
        let mut tries = Tries::new(Graph::Exclusive);
        loop {
            let result = self.entity_delete_once(uid, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn entity_delete_once(&self, uid: Uuid, now: Timestamp, graph: Graph) -> Result<(), StoreError> {
        let mut writer = self.writer(graph, &Wanted::none()).await?;
        let Some(row) = writer.db.row(SELECT_ENTITY_BY_UID, Args::new().with(uid)).await? else {
            return Ok(());
        };
        let id = row.int(0)?;
        let parents: BTreeSet<i64> =
            writer.edges_to([id]).await?.into_iter().map(|edge| edge.source).collect();
        writer.mark_due(parents, Lane::Interactive, Run::InFull, now).await?;
        writer.entities_delete(&BTreeSet::from([id]), now).await?;
        writer.finish().await
    }
}
