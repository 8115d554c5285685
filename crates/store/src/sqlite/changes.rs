//! The change log, and the cleaning up of what is no longer needed.

use super::SqliteStore;
use super::codec::RowExt as _;
use super::session::Args;
use crate::rules::codec::change_kind;
use crate::rules::messages::changes_trimmed;
use crate::rules::statement::statements;
use crate::{Change, StoreError};

statements! {
    SELECT_CHANGES =
        "SELECT c.position, i.entity_ref, c.kind FROM change_log c CROSS JOIN refs i ON i.id = c.id \
         WHERE c.position > ?1 ORDER BY c.position LIMIT ?2";
    SHRINK_LOG = "PRAGMA wal_checkpoint(TRUNCATE)";
    SELECT_TRIMMED_TO = "SELECT value FROM meta WHERE key = 'changes_trimmed_to'";
    SELECT_POSITION = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change_log'), 0)";
    TRIM_CHANGES = "DELETE FROM change_log WHERE position <= ?1";
    SET_TRIMMED_TO = "UPDATE meta SET value = max(value, ?1) WHERE key = 'changes_trimmed_to'";
}

impl SqliteStore {
    pub(super) async fn list_changes(&self, position: i64, limit: usize) -> Result<Vec<Change>, StoreError> {
        let mut db = self.reader().await?;
        let trimmed_to = db.row(SELECT_TRIMMED_TO, Args::new()).await?.map_or(Ok(0), |row| row.int(0))?;
        if position < trimmed_to {
            return Err(changes_trimmed(trimmed_to));
        }
        let args = Args::new().with(position).with(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = db.rows(SELECT_CHANGES, args).await?;
        let changes = rows.iter().map(|row| {
            let kind = change_kind(row.int(2)?);
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
        let trimmed =
            if trim_to > 0 { writer.db.run(TRIM_CHANGES, Args::new().with(trim_to)).await? } else { 0 };
        if trimmed > 0 {
            writer.db.run(SET_TRIMMED_TO, Args::new().with(trim_to)).await?;
        }
        writer.let_go(usize::try_from(trimmed).unwrap_or(usize::MAX));
        writer.finish().await?;
        self.forget_refs().await?;
        self.shrink_log().await
    }

    /// Moves the write-ahead log into the database file and gives back its space. A reader that is in the way is no
    /// error: the next time will do.
    async fn shrink_log(&self) -> Result<(), StoreError> {
        let _no_writer = self.state.lock().await;
        self.connections.writer_rows(SHRINK_LOG, Args::new()).await.map(drop)
    }
}
