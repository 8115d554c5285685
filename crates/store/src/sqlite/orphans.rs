//! Entities that nobody hands over any more.

use std::collections::BTreeSet;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json};
use super::session::Args;
use super::writer::Writer;
use crate::rules::names::{PROVIDERS_FROM, PROVIDERS_TO};
use crate::rules::statement::statements;
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
}

impl SqliteStore {
    pub(super) async fn delete_orphans(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut writer = self.writer().await?;
        let rows = writer.db.rows(SELECT_ORPHANS, Args::new().with(limit)).await?;
        let mut gone: BTreeSet<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        if gone.is_empty() {
            // Edges that go from now on raise the flag again.
            if !std::mem::take(&mut writer.state.may_have_cycles) {
                return Ok(0);
            }
            drop(writer);
            let candidates = self.cycles(limit).await;
            writer = self.writer().await?;
            writer.state.may_have_cycles |= candidates.as_ref().map_or(true, |found| !found.is_empty());
            // What was found in an older snapshot is looked at again.
            gone = writer.unrooted(candidates?).await?;
        }
        if gone.is_empty() {
            return Ok(0);
        }
        writer.entities_delete(&gone, now).await?;
        writer.finish().await?;
        Ok(gone.len() as u64)
    }

    /// Entities that only hold each other. This looks at every edge, so it happens beside the writer, and only after
    /// edges went in a way that can leave a cycle behind.
    async fn cycles(&self, limit: i64) -> Result<Vec<i64>, StoreError> {
        let args = Args::new().with(PROVIDERS_FROM).with(PROVIDERS_TO).with(limit);
        self.read_rows(SELECT_ALL_UNROOTED, args).await?.iter().map(|row| row.int(0)).collect()
    }
}
