//! What users ask for: a fresh look at an entity, or its removal.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::SqliteStore;
use super::codec::RowExt as _;
use super::session::Args;
use crate::rules::messages::entity_not_found;
use crate::rules::read::REFRESH_DEPTH_MAX;
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::{Lane, StoreError, Timestamp};

statements! {
    SELECT_ENTITY = "SELECT id FROM refresh_state WHERE id = ?1";
    SELECT_ENTITY_BY_UID = "SELECT id FROM refresh_state WHERE uid = ?1";
    // All chains of parents, not just one of them. Chains that are longer than Backstage follows end silently.
    SELECT_LOCATIONS_ABOVE =
        "WITH RECURSIVE up (id, depth) AS ( \
           SELECT ?1, 0 UNION \
           SELECT e.source, up.depth + 1 FROM up CROSS JOIN edges e ON e.target = up.id AND e.refused = 0 \
           WHERE up.depth < ?2) \
         SELECT DISTINCT f.id FROM up CROSS JOIN refs f ON f.id = up.id \
         WHERE f.entity_ref >= 'location:' AND f.entity_ref < 'location;'";
}

impl SqliteStore {
    pub(super) async fn mark_all(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.writer().await?;
        let marked = writer.mark_all_due(now).await?;
        writer.finish().await?;
        Ok(marked)
    }

    pub(super) async fn refresh(&self, entity_ref: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let text: Arc<str> = Arc::from(entity_ref.to_lowercase());
        writer.look_up([&text]).await?;
        let id = writer.names.find(&text).ok_or_else(|| entity_not_found(entity_ref))?;
        if writer.db.row(SELECT_ENTITY, Args::new().with(id)).await?.is_none() {
            return Err(entity_not_found(entity_ref));
        }
        let mut due = BTreeSet::from([id]);
        for row in
            writer.db.rows(SELECT_LOCATIONS_ABOVE, Args::new().with(id).with(REFRESH_DEPTH_MAX)).await?
        {
            due.insert(row.int(0)?);
        }
        writer.mark_due(due, Lane::Interactive, Run::IfChanged, now).await?;
        writer.finish().await
    }

    pub(super) async fn delete(&self, uid: Uuid, now: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.synced_writer().await?;
        let args = Args::new().with(uid.as_bytes().to_vec());
        let Some(row) = writer.db.row(SELECT_ENTITY_BY_UID, args).await? else { return Ok(()) };
        let id = row.int(0)?;
        let parents: BTreeSet<i64> =
            writer.edges_to([id]).await?.into_iter().map(|edge| edge.source).collect();
        writer.mark_due(parents, Lane::Interactive, Run::InFull, now).await?;
        writer.entities_delete(&BTreeSet::from([id]), now).await?;
        writer.finish().await
    }
}
