//! Entities that nobody hands over any more.

use std::collections::BTreeSet;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json};
use super::refs::{PROVIDERS_FROM, PROVIDERS_TO};
use super::session::Args;
use super::statement::statements;
use super::writer::Writer;
use crate::{StoreError, Timestamp};

statements! {
    SELECT_ORPHANS = "SELECT id FROM orphans ORDER BY id LIMIT ?1";
    // `down` is all that the given entities bring in; `up` is all that brings that in. An entity stays if a chain
    // leads to it from a provider. Only what is in `up` can be part of such a chain.
    SELECT_UNROOTED =
        "WITH RECURSIVE \
           down (id) AS (SELECT value FROM json_each(?1) UNION \
                         SELECT e.target FROM down CROSS JOIN edges e ON e.source = down.id AND e.refused = 0), \
           up (id) AS (SELECT id FROM down UNION \
                       SELECT e.source FROM up CROSS JOIN edges e ON e.target = up.id AND e.refused = 0), \
           providers (id) AS (SELECT id FROM refs WHERE entity_ref >= ?2 AND entity_ref < ?3), \
           rooted (id) AS (SELECT e.target FROM up CROSS JOIN edges e ON e.target = up.id AND e.refused = 0 \
                           WHERE e.source IN (SELECT id FROM providers) UNION \
                           SELECT e.target FROM rooted CROSS JOIN edges e ON e.source = rooted.id AND e.refused = 0 \
                           WHERE e.target IN (SELECT id FROM up)) \
         SELECT down.id FROM down CROSS JOIN schedule s ON s.id = down.id \
         WHERE down.id NOT IN (SELECT id FROM rooted)";
    // The same for all entities at once.
    SELECT_ALL_UNROOTED =
        "WITH RECURSIVE \
           rooted (id) AS (SELECT e.target FROM refs p CROSS JOIN edges e ON e.source = p.id AND e.refused = 0 \
                           WHERE p.entity_ref >= ?1 AND p.entity_ref < ?2 UNION \
                           SELECT e.target FROM rooted CROSS JOIN edges e ON e.source = rooted.id AND e.refused = 0) \
         SELECT id FROM schedule WHERE id NOT IN (SELECT id FROM rooted) ORDER BY id LIMIT ?3";
}

impl Writer<'_> {
    /// Those of the given entities, and of all that they brought in, to which no provider leads.
    pub(super) async fn unrooted(
        &mut self,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let args = Args::new().with(ids_json(ids)).with(PROVIDERS_FROM).with(PROVIDERS_TO);
        self.db.rows(SELECT_UNROOTED, args).await?.iter().map(|row| row.int(0)).collect()
    }

    /// Orphans; if there are none, entities that only hold each other.
    async fn orphans(&mut self, limit: usize) -> Result<BTreeSet<i64>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let orphans = self.db.rows(SELECT_ORPHANS, Args::new().with(limit)).await?;
        if !orphans.is_empty() || !self.state.may_have_cycles {
            return orphans.iter().map(|row| row.int(0)).collect();
        }
        // This looks at every edge, so it happens only after edges went in a way that can leave a cycle behind.
        let args = Args::new().with(PROVIDERS_FROM).with(PROVIDERS_TO).with(limit);
        let unrooted = self.db.rows(SELECT_ALL_UNROOTED, args).await?;
        self.state.may_have_cycles = !unrooted.is_empty();
        unrooted.iter().map(|row| row.int(0)).collect()
    }
}

impl SqliteStore {
    pub(super) async fn delete_orphans(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.writer().await?;
        let orphans = writer.orphans(limit).await?;
        if orphans.is_empty() {
            return Ok(0);
        }
        writer.entities_delete(&orphans, now).await?;
        writer.finish().await?;
        Ok(orphans.len() as u64)
    }
}
