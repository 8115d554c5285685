//! Errors of the catalog's content.
//!
//! They are a set per owner and category, each told from the others by a key. An error that is seen again keeps its
//! number and the time at which it was first seen.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use callboard_model::{Digest, SerializedError};
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json, micros, timestamp};
use super::refs::{provider_name, provider_text};
use super::session::Args;
use super::statement::{bulk_statements, statements};
use super::writer::Writer;
use crate::{CatalogError, ErrorCategory, ErrorFilter, NewError, StoreError, Timestamp};

/// How many causes of an error are kept, each the cause of the one before. JSON that is nested too deeply is not read
/// back; and the words of a cause are in the message, too.
const CAUSES_MAX: usize = 32;

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

/// An error with its place in the table.
#[derive(Debug)]
struct ErrorRow<'a> {
    owner: i64,
    category: ErrorCategory,
    key: Vec<u8>,
    position: usize,
    error: &'a NewError,
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
            self.stitch(owner);
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
        let mut changed = Vec::new();
        if sets.is_empty() {
            return Ok(changed);
        }
        let mut stored: HashMap<i64, Vec<(Vec<u8>, i64)>> = HashMap::new();
        let args = Args::new().with(ids_json(sets.iter().map(|(owner, _)| *owner))).with(category as i64);
        for row in self.db.rows(SELECT_ERROR_KEYS, args).await? {
            stored.entry(row.int(0)?).or_default().push((row.blob(1)?.to_vec(), row.int(2)?));
        }
        let mut gone = Vec::new();
        let mut rows = Vec::new();
        for (owner, errors) in sets {
            let before = stored.remove(owner).unwrap_or_default();
            let after = error_rows(*owner, category, errors);
            let keys: HashSet<&[u8]> = after.iter().map(|row| row.key.as_slice()).collect();
            gone.extend(before.iter().filter(|(key, _)| !keys.contains(key.as_slice())).map(|(_, id)| *id));
            // The order counts, too: clients see the errors as a list.
            if !before.iter().map(|(key, _)| key).eq(after.iter().map(|row| &row.key)) {
                changed.push(*owner);
            }
            rows.extend(after);
        }
        if !gone.is_empty() {
            self.db.run(DELETE_ERRORS, Args::new().with(ids_json(gone))).await?;
        }
        self.errors_put(rows, now).await?;
        Ok(changed)
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
        let rows = conflicts.iter().map(|((source, target), error)| ErrorRow {
            owner: *source,
            category: ErrorCategory::Conflict,
            key: conflict_key(*target),
            position: 0,
            error,
        });
        self.errors_put(rows.collect(), now).await
    }

    /// Forgets that sources could not write their targets.
    pub(super) async fn conflicts_settle(&mut self, settled: Vec<(i64, i64)>) -> Result<(), StoreError> {
        let bind = |args: &mut Args, (source, target): (i64, i64)| {
            args.push(source);
            args.push(ErrorCategory::Conflict as i64);
            args.push(conflict_key(target));
        };
        self.db.bulk(&DELETE_CONFLICTS, settled, bind).await.map(drop)
    }

    async fn errors_put(&mut self, rows: Vec<ErrorRow<'_>>, now: Timestamp) -> Result<(), StoreError> {
        let now = micros(now);
        let bind = |args: &mut Args, row: ErrorRow<'_>| {
            args.push(row.owner);
            args.push(row.category as i64);
            args.push(row.key);
            args.push(i64::try_from(row.position).unwrap_or(i64::MAX));
            args.push(error_text(&row.error.error));
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
                // Providers are subjects, too.
                args.push(subject.strip_prefix("provider:").map(provider_text));
                SELECT_ERRORS_OF
            }
        };
        self.read_rows(statement, args).await?.iter().map(catalog_error).collect()
    }
}

/// The errors of one run, without repetitions.
fn error_rows(owner: i64, category: ErrorCategory, errors: &[NewError]) -> Vec<ErrorRow<'_>> {
    let mut seen = HashSet::new();
    let mut rows = Vec::with_capacity(errors.len());
    for error in errors {
        let key = error_key(error);
        if seen.insert(key) {
            let key = key.as_bytes().to_vec();
            rows.push(ErrorRow { owner, category, key, position: rows.len(), error });
        }
    }
    rows
}

/// What makes an error the same one as the last time: what it says and where, but not in which content.
fn error_key(error: &NewError) -> Digest {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    Digest::of_parts([
        serde_json::to_string(&error.error).unwrap_or_default().as_str(),
        error.location.as_deref().unwrap_or_default(),
        &number(error.document),
        &number(error.line),
        &number(error.column),
        error.pointer.as_deref().unwrap_or_default(),
        error.rule.as_deref().unwrap_or_default(),
    ])
}

fn conflict_key(target: i64) -> Vec<u8> {
    target.to_be_bytes().to_vec()
}

fn catalog_error(row: &SqliteRow) -> Result<CatalogError, StoreError> {
    let interned = row.text(2)?;
    Ok(CatalogError {
        id: row.int(0)?,
        category: category(row.int(1)?)?,
        subject: match provider_name(interned) {
            Some(name) => format!("provider:{name}"),
            None => interned.to_owned(),
        },
        error: NewError {
            error: serialized(row, 3),
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

fn category(number: i64) -> Result<ErrorCategory, StoreError> {
    [ErrorCategory::Processing, ErrorCategory::Conflict, ErrorCategory::Stitching, ErrorCategory::Warning]
        .into_iter()
        .find(|category| *category as i64 == number)
        .ok_or_else(|| StoreError::Inconsistent(format!("{number} is not a category of errors")))
}

/// Reads an error. One that cannot be read says so in its own place, so that it hides none of the others.
pub(super) fn serialized(row: &SqliteRow, at: usize) -> SerializedError {
    let read = row.text(at).and_then(|json| {
        serde_json::from_str(json).map_err(|error| StoreError::Inconsistent(error.to_string()))
    });
    read.unwrap_or_else(|error| SerializedError::new("Error", format!("what was said here is lost: {error}")))
}

/// The text in which an error is kept.
fn error_text(error: &SerializedError) -> String {
    let mut error = error.clone();
    cut_causes(&mut error, CAUSES_MAX);
    serde_json::to_string(&error).unwrap_or_default()
}

fn cut_causes(error: &mut SerializedError, remaining: usize) {
    match &mut error.cause {
        Some(cause) if remaining > 0 => cut_causes(cause, remaining - 1),
        _ => error.cause = None,
    }
}
