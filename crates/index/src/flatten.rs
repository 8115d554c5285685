//! From an entity to the rows that filters, order, facets and full text see.
//!
//! All queries work on flat `(key, value)` rows, never on the entity's structure: that is what makes
//! `metadata.annotations.github.com/project-slug` a key like any other, and it decides what can be asked. An array's
//! strings give a second key each, `metadata.tags.java` = `true`. There are as many of these as there are values, so
//! they are not rows here but a mark on the row that they follow from ([`Row::is_item`]); the index computes them.

use std::fmt;

use foldhash::quality::FixedState;
use serde_json::Deserializer;

use crate::limits::VALUE_UNITS_MAX;
use crate::text::{push_lowercase, utf16_len};

mod settle;
mod walk;

/// Why an entity has no rows.
#[derive(Debug, thiserror::Error)]
pub enum FlattenError {
    /// Which of the two would count depends on nothing that anybody can see.
    #[error("Entity has duplicate keys that vary only in casing, {}", quoted(.0))]
    CasingConflict(
        /// The keys in lower case.
        Vec<String>,
    ),
    /// It is no JSON, or nested too deeply.
    #[error("entity cannot be read")]
    Json(#[source] serde_json::Error),
}

fn quoted(keys: &[String]) -> String {
    keys.iter().map(|key| format!("'{key}'")).collect::<Vec<_>>().join(", ")
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

    fn span(&self, span: Span) -> &str {
        self.text.get(span.start..span.start + span.len).unwrap_or_default()
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A row or an item's key, with what deciding about conflicts needs.
#[derive(Debug, Clone, Copy)]
struct Draft {
    row: Row,
    /// The key as the entity spells it.
    key_original: Span,
    /// A boolean, which an array's item of that name follows from as well.
    is_true: bool,
    /// For a key that follows from an item: the draft of the item.
    item_of: Option<usize>,
}

/// Collects rows while an entity is read.
#[derive(Debug, Default)]
struct Flattener {
    rows: Rows,
    drafts: Vec<Draft>,
    /// Where the reading is, as spelled and in lower case.
    path: String,
    path_lower: String,
    /// The key of the current path, once a row needed it.
    key: Option<(Span, Span)>,
    has_namespace: bool,
    hasher: FixedState,
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
        self.key = None;
        mark
    }

    fn leave(&mut self, Mark(path, path_lower): Mark) {
        self.path.truncate(path);
        self.path_lower.truncate(path_lower);
        self.key = None;
    }

    /// The key of the current path: lower case and original.
    fn key(&mut self) -> (Span, Span) {
        if let Some(key) = self.key {
            return key;
        }
        let lower = push(&mut self.rows.text, &self.path_lower);
        let original =
            if self.path == self.path_lower { lower } else { push(&mut self.rows.text, &self.path) };
        self.key = Some((lower, original));
        (lower, original)
    }

    /// Adds a row without a value.
    fn null(&mut self) {
        self.draft(None, false);
    }

    /// Adds a row with the text of a value.
    fn scalar(&mut self, value: &str, is_true: bool) {
        let value = self.value(value);
        self.draft(value, is_true);
    }

    /// Adds the row of an array's string, and the key that follows from it.
    fn item(&mut self, value: &str) {
        let spans = self.value(value);
        let item = self.drafts.len();
        self.draft(spans, false);
        let Some((lower, original)) = spans else { return };
        let key = self.joined(self.path_lower.len(), lower, true);
        let same = lower == original && self.path == self.path_lower;
        let key_original = if same { key } else { self.joined(self.path.len(), original, false) };
        let row = Row { key, value: None, is_item: false };
        self.drafts.push(Draft { row, key_original, is_true: false, item_of: Some(item) });
    }

    /// Adds `path.value` to the texts.
    fn joined(&mut self, path_len: usize, value: Span, lower: bool) -> Span {
        let start = self.rows.text.len();
        self.rows.text.push_str(if lower { &self.path_lower } else { &self.path });
        self.rows.text.push('.');
        self.rows.text.extend_from_within(value.start..value.start + value.len);
        Span { start, len: path_len + 1 + value.len }
    }

    /// The spans of a value; `None` if it is too long.
    fn value(&mut self, value: &str) -> Option<(Span, Span)> {
        // No code unit takes more than three bytes, and no text has fewer of them in lower case.
        if value.len() > VALUE_UNITS_MAX * 3 {
            return None;
        }
        let start = self.rows.text.len();
        push_lowercase(&mut self.rows.text, value);
        let lower = Span { start, len: self.rows.text.len() - start };
        let text = self.rows.span(lower);
        if utf16_len(text) > VALUE_UNITS_MAX {
            return None;
        }
        let same = text == value;
        Some((lower, if same { lower } else { push(&mut self.rows.text, value) }))
    }

    fn draft(&mut self, value: Option<(Span, Span)>, is_true: bool) {
        let (key, key_original) = self.key();
        self.drafts.push(Draft {
            row: Row { key, value, is_item: false },
            key_original,
            is_true,
            item_of: None,
        });
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
