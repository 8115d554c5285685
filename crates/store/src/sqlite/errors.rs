//! Errors of the catalog's content: writing them by difference, and reading them.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json};
use super::session::Args;
use super::statement::bulk_statements;
use super::writer::Writer;
use crate::rules::codec::{micros, timestamp};
use crate::rules::errors::{
    ErrorDifference, ErrorRow, category, conflict_key, provider_owner, serialized, subject,
};
use crate::rules::statement::statements;
use crate::rules::stitch_work::Urgency;
use crate::{CatalogError, ErrorCategory, ErrorFilter, NewError, StoreError, Timestamp};

statements! {
    SELECT_ERROR_KEYS =
        "SELECT e.owner, e.key, e.id FROM json_each(?1) j CROSS JOIN errors e ON e.owner = j.value AND e.category = ?2 \
         ORDER BY e.owner, e.position";
    DELETE_ERRORS = "DELETE FROM errors WHERE id IN (SELECT value FROM json_each(?1))";
    // Errors of runs (0), and warnings (3).
    DELETE_ERRORS_OF = "DELETE FROM errors WHERE owner IN (SELECT value FROM json_each(?1)) AND category = 0";
    DELETE_ERRORS_AND_WARNINGS_OF =
        "DELETE FROM errors WHERE owner IN (SELECT value FROM json_each(?1)) AND category IN (0, 3)";
    SELECT_ERRORS =
        "SELECT e.id, e.category, f.entity_ref, e.error, e.location, \
                coalesce(e.document, (SELECT min(d.document) FROM edges d WHERE d.target = e.owner)), \
                coalesce(e.line, (SELECT min(d.line) FROM edges d WHERE d.target = e.owner)), e.\"column\", e.pointer, \
                e.rule, e.digest, e.first_seen_at, e.last_seen_at, e.count \
         FROM errors e JOIN refs f ON f.id = e.owner \
         WHERE e.id > ?1 AND (?2 IS NULL OR e.location = ?2) AND (?3 IS NULL OR e.rule = ?3) \
         ORDER BY e.id LIMIT ?4";
    SELECT_ERRORS_OF =
        "SELECT e.id, e.category, f.entity_ref, e.error, e.location, \
                coalesce(e.document, (SELECT min(d.document) FROM edges d WHERE d.target = e.owner)), \
                coalesce(e.line, (SELECT min(d.line) FROM edges d WHERE d.target = e.owner)), e.\"column\", e.pointer, \
                e.rule, e.digest, e.first_seen_at, e.last_seen_at, e.count \
         FROM refs f JOIN errors e ON e.owner = f.id \
         WHERE f.entity_ref IN (?5, ?6) \
           AND e.id > ?1 AND (?2 IS NULL OR e.location = ?2) AND (?3 IS NULL OR e.rule = ?3) \
         ORDER BY e.id LIMIT ?4";
}

bulk_statements! {
    PUT_ERRORS("errors", 15) =
        "INSERT INTO errors (owner, category, key, position, error, location, document, line, \"column\", pointer, \
                             rule, digest, first_seen_at, last_seen_at, count) VALUES {rows} \
         ON CONFLICT (owner, category, key) DO UPDATE SET count = count + 1, position = excluded.position, \
             last_seen_at = excluded.last_seen_at, digest = excluded.digest, error = excluded.error, \
             location = excluded.location, document = excluded.document, line = excluded.line";
    DELETE_CONFLICTS("errors", 3) =
        "DELETE FROM errors WHERE (owner, category, key) IN (VALUES {rows})";
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
        let args = Args::new().with(ids_json(sets.iter().map(|(owner, _)| *owner))).with(category as i64);
        for row in self.db.rows(SELECT_ERROR_KEYS, args).await? {
            stored.entry(row.int(0)?).or_default().push((row.blob(1)?.to_vec(), row.int(2)?));
        }
        let ErrorDifference { changed, gone, rows } = ErrorDifference::compare(category, sets, stored);
        self.errors_delete(gone).await?;
        self.errors_put(rows, now).await?;
        Ok(changed)
    }

    /// Deletes errors by number.
    pub(super) async fn errors_delete(&mut self, ids: Vec<i64>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.db.run(DELETE_ERRORS, Args::new().with(ids_json(ids))).await.map(drop)
    }

    /// The owners ran well; with these warnings, if there are any.
    pub(super) async fn processing_errors_clear(
        &mut self,
        owners: &[(i64, &[NewError])],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (warned, quiet): (Vec<_>, Vec<_>) = owners.iter().partition(|(_, warnings)| !warnings.is_empty());
        let ids = |owners: &[&(i64, &[NewError])]| {
            Args::new().with(ids_json(owners.iter().map(|(owner, _)| *owner)))
        };
        self.db.run(DELETE_ERRORS_AND_WARNINGS_OF, ids(&quiet)).await?;
        if warned.is_empty() {
            return Ok(());
        }
        self.db.run(DELETE_ERRORS_OF, ids(&warned)).await?;
        let warned: Vec<_> = warned.into_iter().copied().collect();
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
        self.errors_put(rows.collect(), now).await
    }

    /// Forgets that sources could not write their targets.
    pub(super) async fn conflicts_settle(&mut self, settled: &[(i64, i64)]) -> Result<(), StoreError> {
        let bind = |args: &mut Args, (source, target): &(i64, i64)| {
            args.push(*source);
            args.push(ErrorCategory::Conflict as i64);
            args.push(conflict_key(*target));
        };
        self.db.bulk(&DELETE_CONFLICTS, settled, bind).await.map(drop)
    }

    async fn errors_put(&mut self, rows: Vec<ErrorRow<'_>>, now: Timestamp) -> Result<(), StoreError> {
        let now = micros(now);
        let bind = |args: &mut Args, row: ErrorRow<'_>| {
            let text = row.text();
            args.push(row.owner);
            args.push(row.category as i64);
            args.push(row.key);
            args.push(i64::try_from(row.position).unwrap_or(i64::MAX));
            args.push(text);
            args.push(row.error.location.as_deref());
            args.push(row.error.document);
            args.push(row.error.line);
            args.push(row.error.column);
            args.push(row.error.pointer.as_deref());
            args.push(row.error.rule.as_deref());
            args.push(row.error.digest.as_bytes().to_vec());
            args.push(now);
            args.push(now);
            args.push(1_i64);
        };
        self.db.bulk(&PUT_ERRORS, rows, bind).await.map(drop)
    }
}

impl SqliteStore {
    pub(super) async fn list_errors(&self, filter: &ErrorFilter) -> Result<Vec<CatalogError>, StoreError> {
        let mut args = Args::new()
            .with(filter.after.unwrap_or(0))
            .with(filter.location.as_deref())
            .with(filter.rule.as_deref())
            .with(i64::try_from(filter.limit).unwrap_or(i64::MAX));
        let statement = match &filter.entity_ref {
            None => SELECT_ERRORS,
            Some(subject) => {
                args.push(subject.as_str());
                args.push(provider_owner(subject));
                SELECT_ERRORS_OF
            }
        };
        self.read_rows(statement, args).await?.iter().map(catalog_error).collect()
    }
}

fn catalog_error(row: &SqliteRow) -> Result<CatalogError, StoreError> {
    Ok(CatalogError {
        id: row.int(0)?,
        category: category(row.int(1)?)?,
        subject: subject(row.text(2)?),
        error: NewError {
            error: serialized(row.text(3)),
            location: row.text_opt(4)?.map(Arc::from),
            document: row.small_opt(5)?,
            line: row.small_opt(6)?,
            column: row.small_opt(7)?,
            pointer: row.text_opt(8)?.map(str::to_owned),
            rule: row.text_opt(9)?.map(str::to_owned),
            digest: row.digest(10)?,
        },
        first_seen_at: timestamp(row.int(11)?)?,
        last_seen_at: timestamp(row.int(12)?)?,
        count: row.int(13)?,
    })
}
