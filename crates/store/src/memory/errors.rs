//! Errors that live as long as their cause.

use std::sync::Arc;

use callboard_model::SerializedError;
use foldhash::HashMap;

use super::edges::Source;
use super::tables::Tables;
use crate::rules::errors::{self, ErrorDifference, conflict_key, serialized};
use crate::{CatalogError, ErrorCategory, ErrorFilter, NewError, Timestamp};

/// An error.
#[derive(Debug, Clone)]
pub struct ErrorRow {
    /// Whose it is.
    pub owner: Source,
    /// Where it comes from.
    pub category: ErrorCategory,
    /// Tells the errors of one owner and category apart.
    pub key: Vec<u8>,
    /// Its place among those.
    pub place: usize,
    /// The error.
    pub error: NewError,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// In how many runs it was seen.
    pub count: i64,
}

impl ErrorRow {
    pub(super) fn is_of(&self, owner: &Source, category: ErrorCategory) -> bool {
        self.owner == *owner && self.category == category
    }

    fn subject(&self) -> String {
        errors::subject(&self.owner.text())
    }
}

impl Tables {
    /// The errors of an owner and category, in order.
    fn errors_of(&self, owner: &Source, category: ErrorCategory) -> Vec<(i64, &ErrorRow)> {
        let errors = self.errors.iter().filter(|(_, row)| row.is_of(owner, category));
        let mut found: Vec<_> = errors.map(|(number, row)| (*number, row)).collect();
        found.sort_by_key(|(_, row)| row.place);
        found
    }

    /// The errors of the owners and category are exactly these from now on. Answers the owners that had others, or in
    /// another order.
    pub(super) fn errors_replace(
        &mut self,
        category: ErrorCategory,
        sets: &[(i64, &[NewError])],
        now: Timestamp,
    ) -> Vec<i64> {
        let keys = |owner: i64| {
            let stored = self.errors_of(&Source::of(&self.text(owner)), category);
            stored.into_iter().map(|(number, row)| (row.key.clone(), number)).collect()
        };
        let stored: HashMap<i64, Vec<(Vec<u8>, i64)>> =
            sets.iter().map(|(owner, _)| (*owner, keys(*owner))).collect();
        let ErrorDifference { changed, gone, rows } = ErrorDifference::compare(category, sets, stored);
        for number in gone {
            self.errors.remove(&number);
        }
        for row in &rows {
            self.error_put(row, now);
        }
        changed
    }

    /// Takes an error in, or counts it once more.
    pub(super) fn error_put(&mut self, row: &errors::ErrorRow<'_>, now: Timestamp) {
        let errors::ErrorRow { category, ref key, position: place, .. } = *row;
        let owner = Source::of(&self.text(row.owner));
        let error = NewError { error: serialized(Ok(&row.text())), ..row.error.clone() };
        let stored = self.errors.values_mut().find(|row| row.is_of(&owner, category) && row.key == *key);
        if let Some(row) = stored {
            row.place = place;
            row.error = error;
            row.last_seen_at = now;
            row.count += 1;
            return;
        }
        let (key, first_seen_at, last_seen_at, count) = (key.clone(), now, now, 1);
        let number = self.next_number();
        self.errors.insert(
            number,
            ErrorRow { owner, category, key, place, error, first_seen_at, last_seen_at, count },
        );
    }

    /// A source is no longer refused an entity.
    pub(super) fn conflict_settle(&mut self, source: &Source, target: i64) {
        let key = conflict_key(target);
        self.errors.retain(|_, row| !row.is_of(source, ErrorCategory::Conflict) || row.key != key);
    }

    /// What went wrong in the last run of an entity, in order.
    pub(super) fn errors_of_run(&self, entity_ref: &Arc<str>) -> Vec<SerializedError> {
        let owner = Source::Entity(Arc::clone(entity_ref));
        let errors = self.errors_of(&owner, ErrorCategory::Processing);
        errors.into_iter().map(|(_, row)| row.error.error.clone()).collect()
    }

    pub(super) fn errors_list(&self, filter: &ErrorFilter) -> Vec<CatalogError> {
        let ErrorFilter { entity_ref, location, rule, after, limit } = filter;
        let is_wanted = |number: i64, row: &ErrorRow| {
            number > after.unwrap_or_default()
                && entity_ref.as_ref().is_none_or(|wanted| *wanted == row.subject())
                && location.as_ref().is_none_or(|wanted| row.error.location.as_deref() == Some(wanted))
                && rule.as_ref().is_none_or(|wanted| row.error.rule.as_ref() == Some(wanted))
        };
        let found = self.errors.iter().filter(|(number, row)| is_wanted(**number, row)).take(*limit);
        found.map(|(number, row)| self.catalog_error(*number, row)).collect()
    }

    /// An error that does not say where in a file it stands, stands where its owner does.
    fn catalog_error(&self, number: i64, row: &ErrorRow) -> CatalogError {
        let edges = self.edges.get(&row.owner.text()).into_iter().flat_map(|sources| sources.values());
        let positions: Vec<(u32, u32)> = edges.filter_map(|edge| edge.position).collect();
        let mut error = row.error.clone();
        error.document = error.document.or_else(|| positions.iter().map(|(document, _)| *document).min());
        error.line = error.line.or_else(|| positions.iter().map(|(_, line)| *line).min());
        CatalogError {
            id: number,
            category: row.category,
            subject: row.subject(),
            error,
            first_seen_at: row.first_seen_at,
            last_seen_at: row.last_seen_at,
            count: row.count,
        }
    }
}
