//! Reading and trimming the change log, and the cleaning up of what is no longer needed.
//!
//! A database that was restored, or replaced by a standby that was behind, has a log that went back in time. Whoever
//! follows it would miss what was written over, so it is told from one that only grew.

use std::sync::{Mutex, PoisonError};

use super::PostgresStore;
use super::locks::Graph;
use super::names::Wanted;
use super::row::RowExt as _;
use super::session::Args;
use crate::rules::codec::change_kind;
use crate::rules::messages::{changes_replaced, changes_trimmed};
use crate::rules::statement::statements;
use crate::{Change, StoreError};

statements! {
    // One statement, so that all of it is from one snapshot.
    SELECT_CHANGES =
        "SELECT m.value, h.position, (SELECT p.stamp FROM change_log p WHERE p.position = $1), \
                c.position, c.kind, c.stamp, coalesce(r.long_ref, r.entity_ref) \
         FROM (SELECT position FROM change_head LIMIT 1) h \
         CROSS JOIN (SELECT value FROM meta WHERE key = 'changes_trimmed_to' LIMIT 1) m \
         LEFT JOIN LATERAL (SELECT * FROM change_log l WHERE l.position > $1 ORDER BY l.position LIMIT $2) c ON true \
         LEFT JOIN refs r ON r.id = c.id ORDER BY c.position";
    SELECT_POSITION = "SELECT position FROM change_head";
    TRIM_CHANGES = "DELETE FROM change_log WHERE position <= $1";
    SET_TRIMMED_TO = "UPDATE meta SET value = greatest(value, $1) WHERE key = 'changes_trimmed_to'";
}

/// The newest change that was given out, and the stamp of the transaction that it is from.
#[derive(Debug, Default)]
pub(super) struct Given(Mutex<Option<(i64, i64)>>);

impl Given {
    fn get(&self) -> Option<(i64, i64)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, position: i64, stamp: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((position, stamp));
    }
}

impl PostgresStore {
    pub(super) async fn list_changes(&self, position: i64, limit: usize) -> Result<Vec<Change>, StoreError> {
        let args = Args::new().with(position).with(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.read_rows(SELECT_CHANGES, args).await?;
        if let Some(row) = rows.first() {
            let (trimmed_to, head, stamp) = (row.int(0)?, row.int(1)?, row.int_opt(2)?);
            if position < trimmed_to {
                return Err(changes_trimmed(trimmed_to));
            }
            let is_other = |(given, known)| given == position && stamp.is_some_and(|stamp| stamp != known);
            if position > head || self.given.get().is_some_and(is_other) {
                return Err(changes_replaced(position));
            }
        }
        let mut changes = Vec::with_capacity(rows.len());
        for row in &rows {
            let (Some(position), Some(entity_ref)) = (row.int_opt(3)?, row.text_opt(6)?) else { continue };
            let kind = change_kind(row.int2(4)?);
            self.given.set(position, row.int(5)?);
            changes.push(Change { position, entity_ref: entity_ref.into_owned(), kind });
        }
        Ok(changes)
    }

    pub(super) async fn newest_position(&self) -> Result<i64, StoreError> {
        self.read_row(SELECT_POSITION, Args::new()).await?.map_or(Ok(0), |row| row.int(0))
    }

    pub(super) async fn clean_up(&self, changes_kept: u64) -> Result<(), StoreError> {
        let newest = self.newest_position().await?;
        let trim_to = newest.saturating_sub(i64::try_from(changes_kept).unwrap_or(i64::MAX));
        if trim_to > 0 {
            let mut writer = self.writer(Graph::Shared, &Wanted::none()).await?;
            let trimmed = writer.db.run(TRIM_CHANGES, Args::new().with(trim_to)).await?;
            if trimmed > 0 {
                writer.db.run(SET_TRIMMED_TO, Args::new().with(trim_to)).await?;
            }
            writer.let_go(usize::try_from(trimmed).unwrap_or(usize::MAX));
            writer.finish().await?;
        }
        self.forget_refs().await
    }
}
