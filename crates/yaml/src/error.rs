//! What can be wrong with a text, and where.

use std::fmt;

/// A place in the source, counted as people do: the first character is line 1, column 1. Columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// 1-based.
    pub line: u32,
    /// 1-based.
    pub column: u32,
}

impl Position {
    /// Where every text begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a document could not be read. Displays as `<message> at line L, column C`, the form that users know from the
/// JavaScript library.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", at(*.position))]
pub struct YamlError {
    /// What is wrong, without the place.
    pub message: String,
    /// Where; absent when the text is no UTF-8.
    pub position: Option<Position>,
}

fn at(position: Option<Position>) -> String {
    position.map(|position| format!(" at {position}")).unwrap_or_default()
}

impl YamlError {
    pub(crate) fn new(message: impl Into<String>, position: Position) -> Self {
        Self { message: message.into(), position: Some(position) }
    }

    pub(crate) fn more_than_one_document(position: Position) -> Self {
        Self::new("Source contains multiple documents, expected one", position)
    }
}

/// Checks that `bytes` are UTF-8, the only encoding read.
///
/// # Errors
/// Names the offset of the first byte that is none.
pub fn from_utf8(bytes: &[u8]) -> Result<&str, YamlError> {
    std::str::from_utf8(bytes).map_err(|error| YamlError {
        message: format!("invalid UTF-8 at byte offset {}", error.valid_up_to()),
        position: None,
    })
}
