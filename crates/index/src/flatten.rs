//! From an entity to the rows that filters, order, facets and full text see.
//!
//! All queries work on flat `(key, value)` rows, never on the entity's structure: that is what makes
//! `metadata.annotations.github.com/project-slug` a key like any other, and it decides what can be asked. An array's
//! strings give a second key each, `metadata.tags.java` = `true`. There are as many of these as there are values, so
//! they are not rows here but a mark on the row that they follow from ([`Row::is_item`]); the index computes them.
//!
//! Keys that differ in nothing but casing are one key. The reference system refuses such an entity; here it is found by
//! what either of them says.

use std::fmt;

use callboard_model::EntityRef;
use foldhash::quality::RandomState;
use serde_json::Deserializer;

use crate::limits::{KEY_UNITS_MAX, VALUE_UNITS_MAX};
use crate::text::{fits, push_lowercase};

mod settle;
mod walk;

/// Why an entity has no rows but those of its name.
#[derive(Debug, thiserror::Error)]
pub enum FlattenError {
    /// It is no JSON, or nested too deeply.
    #[error("entity cannot be read")]
    Json(#[source] serde_json::Error),
}

/// The rows of one entity: at most one for each key and value.
#[derive(Clone, Default)]
pub struct Rows {
    /// All keys and values, one after the other.
    text: String,
    rows: Vec<Row>,
}

/// A part of [`Rows::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: usize,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    key: Span,
    /// Lower case and original; `None` for null and for values that are too long.
    value: Option<(Span, Span)>,
    /// Whether there is a row `key.value` = `true` as well.
    is_item: bool,
}

/// One row, as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowRef<'a> {
    /// In lower case.
    pub key: &'a str,
    /// Lower case and original spelling; `None` for null and for values that are too long.
    pub value: Option<(&'a str, &'a str)>,
    /// Whether there is a row `key.value` = `true` as well.
    pub is_item: bool,
}

impl Rows {
    /// The rows of an entity given as JSON text.
    pub fn of_json(json: &str) -> Result<Self, FlattenError> {
        let mut flattener = Flattener::default();
        let mut deserializer = Deserializer::from_str(json);
        walk::entity(&mut flattener, &mut deserializer).map_err(FlattenError::Json)?;
        deserializer.end().map_err(FlattenError::Json)?;
        Ok(flattener.settle())
    }

    /// The rows that follow from a canonical ref and a uid, whatever the entity says.
    pub(crate) fn of_names(entity_ref: &str, uid: &str) -> Self {
        let mut flattener = Flattener::default();
        let mut row = |path: &str, value: &str| {
            let mark = flattener.enter(path);
            flattener.scalar(value, false);
            flattener.leave(mark);
        };
        if let Ok(EntityRef { kind, namespace, name }) = EntityRef::from_canonical(entity_ref) {
            row("kind", &kind);
            row("metadata.namespace", &namespace);
            row("metadata.name", &name);
        }
        row("metadata.uid", uid);
        flattener.settle()
    }

    /// The rows, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = RowRef<'_>> {
        self.rows.iter().map(|row| RowRef {
            key: self.span(row.key),
            value: row.value.map(|(lower, original)| (self.span(lower), self.span(original))),
            is_item: row.is_item,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    fn span(&self, span: Span) -> &str {
        self.text.get(span.start..span.start + span.len).unwrap_or_default()
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A row or an item's key, with what deciding about equal ones needs.
#[derive(Debug, Clone, Copy)]
struct Draft {
    row: Row,
    /// A boolean, which an array's item of that name follows from as well.
    is_true: bool,
    /// For a key that follows from an item: the draft of the item.
    item_of: Option<usize>,
}

/// The key of the current path.
#[derive(Debug, Clone, Copy, Default)]
enum PathKey {
    /// No row needed it yet.
    #[default]
    Unknown,
    TooLong,
    At(Span),
}

/// Collects rows while an entity is read.
#[derive(Debug, Default)]
struct Flattener {
    rows: Rows,
    drafts: Vec<Draft>,
    /// Where the reading is, as spelled and in lower case.
    path: String,
    path_lower: String,
    key: PathKey,
    has_namespace: bool,
    /// Brings equal keys and rows together. Nobody can make up an entity of which two rows have the same hash.
    hasher: RandomState,
}

/// How long the path was before a segment was added.
#[derive(Debug, Clone, Copy)]
struct Mark(usize, usize);

impl Flattener {
    /// Goes down into an object's member.
    fn enter(&mut self, member: &str) -> Mark {
        let mark = Mark(self.path.len(), self.path_lower.len());
        if !self.path.is_empty() {
            self.path.push('.');
            self.path_lower.push('.');
        }
        self.path.push_str(member);
        push_lowercase(&mut self.path_lower, member);
        self.key = PathKey::Unknown;
        mark
    }

    fn leave(&mut self, Mark(path, path_lower): Mark) {
        self.path.truncate(path);
        self.path_lower.truncate(path_lower);
        self.key = PathKey::Unknown;
    }

    /// The key of the current path. None if it is too long, and nothing is kept of it then: a long name with many
    /// members below would take their product.
    fn key(&mut self) -> Option<Span> {
        if let PathKey::Unknown = self.key {
            self.key = if fits(&self.path_lower, KEY_UNITS_MAX) {
                PathKey::At(push(&mut self.rows.text, &self.path_lower))
            } else {
                PathKey::TooLong
            };
        }
        match self.key {
            PathKey::At(key) => Some(key),
            PathKey::Unknown | PathKey::TooLong => None,
        }
    }

    /// Adds a row without a value.
    fn null(&mut self) {
        if let Some(key) = self.key() {
            self.draft(key, None, false);
        }
    }

    /// Adds a row with the text of a value.
    fn scalar(&mut self, value: &str, is_true: bool) {
        if let Some(key) = self.key() {
            let value = self.value(value);
            self.draft(key, value, is_true);
        }
    }

    /// Adds the row of an array's string, and the key that follows from it.
    fn item(&mut self, value: &str) {
        let Some(key) = self.key() else { return };
        let value = self.value(value);
        let item = self.drafts.len();
        self.draft(key, value, false);
        if let Some(key) = value.and_then(|(lower, _)| self.item_key(key, lower)) {
            let row = Row { key, value: None, is_item: false };
            self.drafts.push(Draft { row, is_true: false, item_of: Some(item) });
        }
    }

    /// `path.value`, if it is not too long for a key.
    fn item_key(&mut self, path: Span, value: Span) -> Option<Span> {
        let text = &mut self.rows.text;
        let start = text.len();
        text.extend_from_within(path.start..path.start + path.len);
        text.push('.');
        text.extend_from_within(value.start..value.start + value.len);
        let key = Span { start, len: text.len() - start };
        let is_key = fits(self.rows.span(key), KEY_UNITS_MAX);
        if !is_key {
            self.rows.text.truncate(start);
        }
        is_key.then_some(key)
    }

    /// The spans of a value; `None` if it is too long.
    fn value(&mut self, value: &str) -> Option<(Span, Span)> {
        // No text has fewer code units in lower case.
        if !fits(value, VALUE_UNITS_MAX) {
            return None;
        }
        let start = self.rows.text.len();
        push_lowercase(&mut self.rows.text, value);
        let lower = Span { start, len: self.rows.text.len() - start };
        let text = self.rows.span(lower);
        if !fits(text, VALUE_UNITS_MAX) {
            self.rows.text.truncate(start);
            return None;
        }
        let same = text == value;
        Some((lower, if same { lower } else { push(&mut self.rows.text, value) }))
    }

    fn draft(&mut self, key: Span, value: Option<(Span, Span)>, is_true: bool) {
        self.drafts.push(Draft { row: Row { key, value, is_item: false }, is_true, item_of: None });
    }

    /// Adds `relations.<type>` = `targetRef`.
    fn relation(&mut self, kind: &str, target_ref: &str) {
        let mark = self.enter(kind);
        self.scalar(target_ref, false);
        self.leave(mark);
    }
}

fn push(texts: &mut String, text: &str) -> Span {
    let start = texts.len();
    texts.push_str(text);
    Span { start, len: text.len() }
}

#[cfg(test)]
mod tests;
