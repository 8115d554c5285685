//! The change log, and the cleaning up of what is no longer needed.

use std::collections::HashSet;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json, unpack_relations};
use super::session::Args;
use super::statement::statements;
use super::writer::{DELETED, Writer};
use crate::{Change, ChangeKind, StoreError};

statements! {
    SELECT_CHANGES =
        "SELECT c.position, i.entity_ref, c.kind FROM change_log c CROSS JOIN refs i ON i.id = c.id \
         WHERE c.position > ?1 ORDER BY c.position LIMIT ?2";
    SHRINK_LOG = "PRAGMA wal_checkpoint(TRUNCATE)";
    SELECT_TRIMMED_TO = "SELECT value FROM meta WHERE key = 'changes_trimmed_to'";
    SELECT_POSITION = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change_log'), 0)";
    TRIM_CHANGES = "DELETE FROM change_log WHERE position <= ?1";
    SET_TRIMMED_TO = "UPDATE meta SET value = max(value, ?1) WHERE key = 'changes_trimmed_to'";
    // Refs that no row mentions, save for the packed relations.
    SELECT_UNUSED_REFS =
        "SELECT i.id FROM refs i \
         WHERE i.id NOT IN (SELECT id FROM schedule) \
           AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.source = i.id) \
           AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.target = i.id) \
           AND NOT EXISTS (SELECT 1 FROM errors e WHERE e.owner = i.id) \
           AND NOT EXISTS (SELECT 1 FROM peer_relations p WHERE p.source = i.id) \
           AND i.id NOT IN (SELECT id FROM change_log) \
           AND i.id NOT IN (SELECT id FROM stitch_queue) \
           AND i.id NOT IN (SELECT entity FROM locations) \
         LIMIT ?1";
    SELECT_PACKED_RELATIONS = "SELECT id, relations FROM results WHERE id > ?1 ORDER BY id LIMIT ?2";
    DELETE_REFS = "DELETE FROM refs WHERE id IN (SELECT value FROM json_each(?1))";
}

/// How many refs one round forgets at most.
const FORGOTTEN_MAX: i64 = 10_000;
/// Fewer unused refs than this are not worth the reading of all relations.
const FORGOTTEN_MIN: usize = 100;
/// How many entities' relations are read at once.
const RELATIONS_PAGE: i64 = 5_000;

impl SqliteStore {
    pub(super) async fn list_changes(&self, position: i64, limit: usize) -> Result<Vec<Change>, StoreError> {
        let mut db = self.reader().await?;
        let trimmed_to = db.row(SELECT_TRIMMED_TO, Args::new()).await?.map_or(Ok(0), |row| row.int(0))?;
        if position < trimmed_to {
            return Err(StoreError::NotFound(format!("the change log begins after position {trimmed_to}")));
        }
        let args = Args::new().with(position).with(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = db.rows(SELECT_CHANGES, args).await?;
        let changes = rows.iter().map(|row| {
            let kind = if row.int(2)? == DELETED { ChangeKind::Deleted } else { ChangeKind::Upserted };
            Ok(Change { position: row.int(0)?, entity_ref: row.text(1)?.to_owned(), kind })
        });
        changes.collect()
    }

    pub(super) async fn newest_position(&self) -> Result<i64, StoreError> {
        self.read_row(SELECT_POSITION, Args::new()).await?.map_or(Ok(0), |row| row.int(0))
    }

    pub(super) async fn clean_up(&self, changes_kept: u64) -> Result<(), StoreError> {
        let newest = self.newest_position().await?;
        let kept = i64::try_from(changes_kept).unwrap_or(i64::MAX);
        let mut writer = self.writer().await?;
        let trim_to = newest.saturating_sub(kept);
        if trim_to > 0 && writer.db.run(TRIM_CHANGES, Args::new().with(trim_to)).await? > 0 {
            writer.db.run(SET_TRIMMED_TO, Args::new().with(trim_to)).await?;
        }
        let unused = writer.unused_refs().await?;
        if !unused.is_empty() {
            writer.db.run(DELETE_REFS, Args::new().with(ids_json(unused))).await?;
            // It is forgotten even if the transaction fails; that costs some lookups.
            writer.state.refs.clear();
        }
        writer.finish().await?;
        self.shrink_log().await
    }

    /// Moves the write-ahead log into the database file and gives back its space. A reader that is in the way is no
    /// error: the next time will do.
    async fn shrink_log(&self) -> Result<(), StoreError> {
        let _no_writer = self.state.lock().await;
        sqlx::query(SHRINK_LOG.sql).execute(&self.writer).await?;
        Ok(())
    }
}

impl Writer<'_> {
    /// Refs that nothing mentions; none if they are too few to care.
    async fn unused_refs(&mut self) -> Result<HashSet<i64>, StoreError> {
        let rows = self.db.rows(SELECT_UNUSED_REFS, Args::new().with(FORGOTTEN_MAX)).await?;
        let mut unused: HashSet<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        if unused.len() < FORGOTTEN_MIN {
            return Ok(HashSet::new());
        }
        let mut after = 0;
        loop {
            let page =
                self.db.rows(SELECT_PACKED_RELATIONS, Args::new().with(after).with(RELATIONS_PAGE)).await?;
            for row in &page {
                after = row.int(0)?;
                for (source, kind, target) in unpack_relations(after, row.blob(1)?)? {
                    for id in [source, kind, target] {
                        unused.remove(&id);
                    }
                }
            }
            if page.is_empty() || unused.is_empty() {
                return Ok(unused);
            }
        }
    }
}
