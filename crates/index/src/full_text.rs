//! Full text search: a piece of text that one of some fields contains.

use roaring::RoaringBitmap;
use serde::Serialize;

use crate::error::QueryError;
use crate::index::Index;
use crate::key_view::KeyView;
use crate::limits::FULL_TEXT_FIELDS_MAX;
use crate::text::{js_trim, lowercase};

/// Where a term is looked for when nobody says where, and nothing is ordered by.
const DEFAULT_FIELD: &str = "metadata.uid";

/// A term, and the fields to look for it in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FullText {
    /// As the client sent it. A blank one finds everything.
    pub term: String,
    /// As the client sent them. Without any: the field that is ordered by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
}

impl FullText {
    /// A term and fields as a body has them.
    pub fn new(term: Option<String>, fields: Option<Vec<String>>) -> Result<Self, QueryError> {
        if fields.as_ref().is_some_and(|fields| fields.len() > FULL_TEXT_FIELDS_MAX) {
            return Err(QueryError::TooManyFullTextFields);
        }
        Ok(Self { term: term.unwrap_or_default(), fields })
    }

    /// Whether there is anything to look for.
    pub(crate) fn is_asked(&self) -> bool {
        !self.term.trim().is_empty()
    }

    /// A term and fields as a URL has them: repeated parameters, each of which may be a list with commas.
    pub fn of_params<T: AsRef<str>>(term: Option<&str>, fields: &[T]) -> Result<Self, QueryError> {
        let fields: Vec<String> = fields
            .iter()
            .flat_map(|list| list.as_ref().split(','))
            .map(js_trim)
            .filter(|field| !field.is_empty())
            .take(FULL_TEXT_FIELDS_MAX + 1)
            .map(str::to_owned)
            .collect();
        Self::new(term.map(str::to_owned), Some(fields).filter(|fields| !fields.is_empty()))
    }

    /// What is looked for; `None` for everything.
    fn needle(&self) -> Option<String> {
        let term = js_trim(&self.term);
        (!term.is_empty()).then(|| lowercase(term))
    }
}

impl Index {
    /// Who has the term; `None` if it is blank. `sort_field` is in lower case.
    pub(crate) fn with_text(&self, text: &FullText, sort_field: Option<&str>) -> Option<RoaringBitmap> {
        let needle = text.needle()?;
        let mut fields: Vec<String> = text.fields.iter().flatten().map(|field| lowercase(field)).collect();
        if fields.is_empty() {
            fields.push(sort_field.unwrap_or(DEFAULT_FIELD).to_owned());
        }
        fields.sort_unstable();
        fields.dedup();
        let mut found = RoaringBitmap::new();
        for field in fields {
            found |= KeyView::of(self, &field).containing(&needle);
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c076_fields_may_be_repeated_or_a_list() {
        let list = FullText::of_params(Some("serv"), &["metadata.title, spec.type"]).unwrap();
        let repeated = FullText::of_params(Some("serv"), &["metadata.title", "spec.type", ","]).unwrap();
        assert_eq!(list, repeated);
        assert_eq!(list.fields.unwrap(), ["metadata.title", "spec.type"]);
        assert_eq!(
            FullText::of_params(None, &[","]).unwrap(),
            FullText { term: String::new(), fields: None }
        );
    }

    #[test]
    fn c077_a_term_is_trimmed_and_lowercased() {
        let text = FullText { term: " cAt ".to_owned(), fields: None };
        assert_eq!(text.needle().unwrap(), "cat");
        assert_eq!(FullText { term: " \u{feff}".to_owned(), fields: None }.needle(), None);
    }

    #[test]
    fn more_fields_than_anybody_searches_are_refused() {
        let fields = vec!["a"; 101];
        assert_eq!(FullText::of_params(None, &fields), Err(QueryError::TooManyFullTextFields));
        assert_eq!(FullText::of_params(None, &[fields.join(",")]), Err(QueryError::TooManyFullTextFields));
    }
}
