//! The change log.

use std::sync::Arc;

use super::tables::Tables;
use crate::rules::messages::changes_trimmed;
use crate::{Change, ChangeKind, Hint, StoreError};

impl Tables {
    pub(super) fn log_change(&mut self, entity_ref: &Arc<str>, kind: ChangeKind) {
        self.position += 1;
        self.hint(Hint::Changed);
        self.changes.push(Change { position: self.position, entity_ref: entity_ref.to_string(), kind });
    }

    pub(super) fn changes_after(&self, position: i64, limit: usize) -> Result<Vec<Change>, StoreError> {
        if position < self.trimmed_to {
            return Err(changes_trimmed(self.trimmed_to));
        }
        let later = self.changes.iter().filter(|change| change.position > position);
        Ok(later.take(limit).cloned().collect())
    }

    pub(super) fn trim_log(&mut self, changes_kept: u64) {
        let kept = i64::try_from(changes_kept).unwrap_or(i64::MAX);
        self.trimmed_to = self.trimmed_to.max(self.position.saturating_sub(kept));
        self.changes.retain(|change| change.position > self.trimmed_to);
    }
}
