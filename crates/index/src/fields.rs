//! `fields`: the parts of an entity that an answer is to have.

use foldhash::{HashSet, HashSetExt};

use crate::error::QueryError;
use crate::limits::FIELDS_MAX;
use crate::text::js_trim;

mod selection;
mod source;

use selection::Selection;
use source::Source;

/// The paths to select, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    paths: Vec<String>,
}

impl Fields {
    /// Reads lists of fields, each of which may be separated by commas. `None` if nothing is left, which selects
    /// everything.
    pub fn of_lists<T: AsRef<str>>(lists: &[T]) -> Result<Option<Self>, QueryError> {
        Self::of(lists.iter().flat_map(|list| list.as_ref().split(',')))
    }

    /// Reads fields, which may have commas in them. `None` if nothing is left, which selects everything.
    pub fn of_items<T: AsRef<str>>(items: &[T]) -> Result<Option<Self>, QueryError> {
        Self::of(items.iter().map(AsRef::as_ref))
    }

    fn of<'a>(fields: impl Iterator<Item = &'a str>) -> Result<Option<Self>, QueryError> {
        let mut known = HashSet::new();
        let mut paths = Vec::new();
        for field in fields.map(js_trim).filter(|field| !field.is_empty()) {
            if field.contains('[') {
                return Err(QueryError::ArrayField(field.to_owned()));
            }
            if known.insert(field) {
                paths.push(field.to_owned());
            }
            if paths.len() > FIELDS_MAX {
                return Err(QueryError::TooManyFields);
            }
        }
        Ok((!paths.is_empty()).then_some(Self { paths }))
    }

    /// The selected parts of an entity's JSON. Values are copied as they stand; nothing is parsed but the members on
    /// the way to them.
    pub fn project(&self, json: &str) -> Result<String, serde_json::Error> {
        let root = Source::of(serde_json::from_str(json)?);
        let mut selection = Selection::default();
        for path in &self.paths {
            if let Some(found) = root.find(path) {
                selection.insert(&found.names, found.text);
            }
        }
        let mut projected = String::new();
        selection.write(&mut projected);
        Ok(projected)
    }
}

#[cfg(test)]
mod tests;
