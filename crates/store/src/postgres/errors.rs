//! Errors of the catalog's content: writing them by difference. Whoever holds an owner's row of `schedule`, or a
//! provider's lock, writes the errors of that owner.

use foldhash::{HashMap, HashMapExt as _};

use super::row::{RowExt as _, uuid, whole_micros};
use super::session::{Args, chunks};
use super::texts::escaped;
use super::writer::Writer;
use crate::rules::errors::{ErrorDifference, ErrorRow, conflict_key};
use crate::rules::statement::statements;
use crate::rules::stitch_work::Urgency;
use crate::{ErrorCategory, NewError, StoreError, Timestamp};

statements! {
    SELECT_ERROR_KEYS =
        "SELECT owner, key, id FROM errors WHERE owner = ANY($1) AND category = $2 ORDER BY owner, position";
    DELETE_ERRORS = "DELETE FROM errors WHERE id = ANY($1)";
    DELETE_ERRORS_OF = "DELETE FROM errors WHERE owner = ANY($1) AND category = ANY($2)";
    // Numbers are given in the order of the lists.
    PUT_ERRORS =
        "INSERT INTO errors AS e (owner, category, key, position, error, location, document, line, \"column\", pointer, \
                                  rule, digest, first_seen_at, last_seen_at, count) \
         SELECT j.*, $13, $13, 1 FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) j \
         ON CONFLICT (owner, category, key) DO UPDATE SET count = e.count + 1, position = excluded.position, \
             last_seen_at = excluded.last_seen_at, digest = excluded.digest, error = excluded.error, \
             location = excluded.location, document = excluded.document, line = excluded.line";
    DELETE_CONFLICTS =
        "DELETE FROM errors e USING unnest($1, $2) j(owner, key) \
         WHERE e.owner = j.owner AND e.category = 1 AND e.key = j.key";
}

impl Writer<'_> {
    /// The processing errors of the owners are exactly these from now on. Owners whose errors changed are queued for
    /// stitching.
    pub(super) async fn processing_errors_replace(
        &mut self,
        failures: &[(i64, &[NewError])],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let changed = self.errors_replace(ErrorCategory::Processing, failures, now).await?;
        for owner in changed {
            self.work.add(owner, Urgency::Own);
        }
        Ok(())
    }

    /// The stitching errors of the owners are exactly these from now on.
    pub(super) async fn stitching_errors_replace(
        &mut self,
        sets: &[(i64, &[NewError])],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.errors_replace(ErrorCategory::Stitching, sets, now).await.map(drop)
    }

    /// Answers the owners whose errors of this category are others than before.
    async fn errors_replace(
        &mut self,
        category: ErrorCategory,
        sets: &[(i64, &[NewError])],
        now: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let mut stored: HashMap<i64, Vec<(Vec<u8>, i64)>> = HashMap::new();
        let args = Args::new().list(sets.iter().map(|(owner, _)| *owner)).with(category as i16);
        for row in self.db.rows(SELECT_ERROR_KEYS, args).await? {
            stored.entry(row.int(0)?).or_default().push((row.blob(1)?.to_vec(), row.int(2)?));
        }
        let ErrorDifference { changed, gone, rows } = ErrorDifference::compare(category, sets, stored);
        self.errors_delete(gone).await?;
        self.errors_put(&rows, now).await?;
        Ok(changed)
    }

    /// Deletes errors by number.
    pub(super) async fn errors_delete(&mut self, ids: Vec<i64>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.db.run(DELETE_ERRORS, Args::new().with(ids)).await.map(drop)
    }

    /// The owners ran well; with these warnings, if there are any.
    pub(super) async fn processing_errors_clear(
        &mut self,
        owners: &[(i64, &[NewError])],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (processing, warning) = (ErrorCategory::Processing as i16, ErrorCategory::Warning as i16);
        let (warned, quiet): (Vec<_>, Vec<_>) =
            owners.iter().copied().partition(|(_, warnings)| !warnings.is_empty());
        for (owners, categories) in [(&quiet, vec![processing, warning]), (&warned, vec![processing])] {
            if !owners.is_empty() {
                let args = Args::new().list(owners.iter().map(|(owner, _)| *owner)).with(categories);
                self.db.run(DELETE_ERRORS_OF, args).await?;
            }
        }
        self.errors_replace(ErrorCategory::Warning, &warned, now).await.map(drop)
    }

    /// Keeps that sources may not write their targets.
    pub(super) async fn conflicts_put(
        &mut self,
        conflicts: &[((i64, i64), NewError)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let rows =
            conflicts.iter().map(|((source, target), error)| ErrorRow::conflict(*source, *target, error));
        self.errors_put(&rows.collect::<Vec<_>>(), now).await
    }

    /// Forgets that sources could not write their targets.
    pub(super) async fn conflicts_settle(&mut self, settled: &[(i64, i64)]) -> Result<(), StoreError> {
        if settled.is_empty() {
            return Ok(());
        }
        let args = Args::new()
            .list(settled.iter().map(|(source, _)| *source))
            .list(settled.iter().map(|(_, target)| conflict_key(*target)));
        self.db.run(DELETE_CONFLICTS, args).await.map(drop)
    }

    async fn errors_put(&mut self, rows: &[ErrorRow<'_>], now: Timestamp) -> Result<(), StoreError> {
        let size = |row: &ErrorRow<'_>| row.error.error.message.len();
        for rows in chunks(rows, size) {
            let args = Args::new()
                .list(rows.iter().map(|row| row.owner))
                .list(rows.iter().map(|row| row.category as i16))
                .list(rows.iter().map(|row| row.key.as_slice()))
                .list(rows.iter().map(|row| i32::try_from(row.position).unwrap_or(i32::MAX)))
                .list(rows.iter().map(ErrorRow::text))
                .list(rows.iter().map(|row| row.error.location.as_deref().map(escaped)))
                .list(rows.iter().map(|row| row.error.document.map(i64::from)))
                .list(rows.iter().map(|row| row.error.line.map(i64::from)))
                .list(rows.iter().map(|row| row.error.column.map(i64::from)))
                .list(rows.iter().map(|row| row.error.pointer.as_deref().map(escaped)))
                .list(rows.iter().map(|row| row.error.rule.as_deref().map(escaped)))
                .list(rows.iter().map(|row| uuid(&row.error.digest)))
                .with(whole_micros(now));
            self.db.write("errors", PUT_ERRORS, args).await?;
        }
        Ok(())
    }
}
