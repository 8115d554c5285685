//! Errors of the catalog's content, as rows.
//!
//! They are a set per owner and category, each told from the others by a key. An error that is seen again keeps its
//! number and the time at which it was first seen.

use std::sync::Arc;

use callboard_model::{Digest, SerializedError};
use foldhash::{HashMap, HashSet, HashSetExt as _};

use super::names::{provider_name, provider_text};
use crate::{ErrorCategory, NewError, StoreError};

/// How many causes of an error are kept, each the cause of the one before. JSON that is nested too deeply is not read
/// back; and the words of a cause are in the message, too.
const CAUSES_MAX: usize = 32;

/// Goes before the name of a provider that is the subject of an error.
const PROVIDER_SUBJECT: &str = "provider:";

/// An error with its place in the table.
#[derive(Debug)]
pub(crate) struct ErrorRow<'a> {
    pub(crate) owner: i64,
    pub(crate) category: ErrorCategory,
    pub(crate) key: Vec<u8>,
    pub(crate) position: usize,
    pub(crate) error: &'a NewError,
}

impl<'a> ErrorRow<'a> {
    /// That a source may not write its target.
    pub(crate) fn conflict(source: i64, target: i64, error: &'a NewError) -> Self {
        let category = ErrorCategory::Conflict;
        Self { owner: source, category, key: conflict_key(target), position: 0, error }
    }

    /// The text in which the error is kept.
    pub(crate) fn text(&self) -> String {
        let mut error = self.error.error.clone();
        cut_causes(&mut error, CAUSES_MAX);
        serde_json::to_string(&error).unwrap_or_default()
    }
}

/// The key of the error that a source may not write a target.
pub(crate) fn conflict_key(target: i64) -> Vec<u8> {
    target.to_be_bytes().to_vec()
}

/// What has to be written so that the errors of owners are those of their last runs.
#[derive(Debug, Default)]
pub(crate) struct ErrorDifference<'a> {
    /// The owners whose errors are others than before, or in another order: clients see them as a list.
    pub(crate) changed: Vec<i64>,
    /// Numbers of errors that are gone.
    pub(crate) gone: Vec<i64>,
    /// All others, known ones and new ones.
    pub(crate) rows: Vec<ErrorRow<'a>>,
}

impl<'a> ErrorDifference<'a> {
    /// `stored` are the keys and numbers of the owners' errors of this category, in order.
    pub(crate) fn compare(
        category: ErrorCategory,
        sets: &[(i64, &'a [NewError])],
        mut stored: HashMap<i64, Vec<(Vec<u8>, i64)>>,
    ) -> Self {
        let mut difference = Self::default();
        for (owner, errors) in sets {
            let before = stored.remove(owner).unwrap_or_default();
            let after = error_rows(*owner, category, errors);
            let keys: HashSet<&[u8]> = after.iter().map(|row| row.key.as_slice()).collect();
            let gone = before.iter().filter(|(key, _)| !keys.contains(key.as_slice()));
            difference.gone.extend(gone.map(|(_, id)| *id));
            if !before.iter().map(|(key, _)| key).eq(after.iter().map(|row| &row.key)) {
                difference.changed.push(*owner);
            }
            difference.rows.extend(after);
        }
        difference
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

pub(crate) fn category(number: i64) -> Result<ErrorCategory, StoreError> {
    [ErrorCategory::Processing, ErrorCategory::Conflict, ErrorCategory::Stitching, ErrorCategory::Warning]
        .into_iter()
        .find(|category| *category as i64 == number)
        .ok_or_else(|| StoreError::Inconsistent(format!("{number} is not a category of errors")))
}

/// Reads the text of an error. One that cannot be read says so in its own place, so that it hides none of the others.
pub(crate) fn serialized(text: Result<impl AsRef<str>, StoreError>) -> SerializedError {
    let read = text.and_then(|json| {
        serde_json::from_str(json.as_ref()).map_err(|error| StoreError::Inconsistent(error.to_string()))
    });
    read.unwrap_or_else(|error| SerializedError::new("Error", format!("what was said here is lost: {error}")))
}

/// What an error is about, from the text of its owner.
pub(crate) fn subject(owner: &str) -> String {
    match provider_name(owner) {
        Some(name) => format!("{PROVIDER_SUBJECT}{name}"),
        None => owner.to_owned(),
    }
}

/// The text of the provider whose errors have this subject. It may be the ref of an entity as well.
pub(crate) fn provider_owner(subject: &str) -> Option<Arc<str>> {
    subject.strip_prefix(PROVIDER_SUBJECT).map(provider_text)
}

fn cut_causes(error: &mut SerializedError, remaining: usize) {
    match &mut error.cause {
        Some(cause) if remaining > 0 => cut_causes(cause, remaining - 1),
        _ => error.cause = None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str) -> NewError {
        NewError {
            error: SerializedError::new("InputError", message),
            location: None,
            document: None,
            line: None,
            column: None,
            pointer: None,
            rule: None,
            digest: Digest::of("content"),
        }
    }

    #[test]
    fn the_order_of_errors_counts_and_the_content_does_not() {
        let stored = || {
            let keys = [error("a"), error("b")].map(|error| error_key(&error).as_bytes().to_vec());
            HashMap::from_iter([(7, keys.into_iter().zip(1..).collect())])
        };
        let cases = [
            (vec!["a", "b"], vec![], vec![]),
            (vec!["a", "b", "a"], vec![], vec![]),
            (vec!["b", "a"], vec![7], vec![]),
            (vec!["a", "c"], vec![7], vec![2]),
            (vec![], vec![7], vec![1, 2]),
        ];
        for (messages, changed, gone) in cases {
            let digest = Digest::of("other content");
            let errors: Vec<_> = messages.iter().map(|text| NewError { digest, ..error(text) }).collect();
            let sets = [(7, errors.as_slice())];
            let difference = ErrorDifference::compare(ErrorCategory::Processing, &sets, stored());
            assert_eq!((difference.changed, difference.gone), (changed, gone), "{messages:?}");
            let positions: Vec<_> = difference.rows.iter().map(|row| row.position).collect();
            assert_eq!(positions, (0..messages.len().min(2)).collect::<Vec<_>>(), "{messages:?}");
        }
    }

    #[test]
    fn subjects_are_refs_or_providers() {
        assert_eq!(subject("component:default/a"), "component:default/a");
        assert_eq!(subject(&provider_text("p")), "provider:p");
        assert_eq!(provider_owner("provider:p"), Some(provider_text("p")));
        assert_eq!(provider_owner("component:default/a"), None);
    }

    #[test]
    fn categories_come_back() {
        for known in [
            ErrorCategory::Processing,
            ErrorCategory::Conflict,
            ErrorCategory::Stitching,
            ErrorCategory::Warning,
        ] {
            assert_eq!(category(known as i64).unwrap(), known);
        }
        assert!(category(4).is_err());
    }

    #[test]
    fn a_text_that_cannot_be_read_says_so() {
        let found = serialized(Ok("{"));
        assert!(found.message.starts_with("what was said here is lost: inconsistent row: EOF"), "{found:?}");
        let row = error("x");
        let text = ErrorRow::conflict(1, 2, &row).text();
        assert_eq!(serialized(Ok(&text)), row.error);
    }
}
