//! An exact YAML 1.2 core loader with limits and source positions.
//!
//! Turns a stream of YAML documents into JSON values, one document at a time, as the JavaScript `yaml` library
//! with its default options does when its result is written as JSON: catalog descriptors and configuration files
//! are written for that library, and a value that differs in one digit is a different entity.
//!
//! What the core schema means here:
//! - `yes`, `no`, `on`, dates, `1_000` and `1:30` are strings; `017` is 17, `0o17` is 15, `0x1F` is 31.
//! - Numbers are JavaScript numbers: integers beyond 2^53 lose precision, `1.0` is 1, `.inf` and `.nan` are null.
//! - `<<` is a key like any other. Keys that are no strings become strings (`1:` is `"1"`, a null key is `""`).
//! - A key that occurs twice in a mapping is an error.
//! - An unknown tag makes a scalar a string and leaves a collection as it is. A document under `%YAML 1.1` reads
//!   booleans and integers in the older spelling.
//!
//! The invariants: parsing is iterative, no input overflows the stack; depth, nodes and bytes of a document are
//! bounded *after* alias expansion; and a document with an error never takes its neighbours with it.
//!
//! Not here: writing YAML, comments, round trips.

mod base64;
mod error;
mod key;
mod lines;
mod loader;
mod number;
mod scalar;
mod spans;
mod stream;

use serde_json::Value;

pub use error::{Position, YamlError, from_utf8};
pub use number::js_number;
pub use spans::Spans;

/// Bounds on what one text may make the loader build. The defaults fit every real descriptor file many times over.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Collections inside each other, aliases followed. Values above 1,024 count as 1,024, since dropping a
    /// `serde_json::Value` is recursive.
    pub depth_max: usize,
    /// Scalars, keys and collections of one document, aliases expanded.
    pub nodes_max: usize,
    /// Bytes of all scalars and keys of one document, aliases expanded.
    pub bytes_max: usize,
    /// Documents in one text; the document after the last allowed one is an error and ends the stream.
    pub documents_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // What is written as JSON has to be read again, and serde_json reads 127 levels.
        Self { depth_max: 127, nodes_max: 1_000_000, bytes_max: 64 * 1024 * 1024, documents_max: 100_000 }
    }
}

/// One document of a stream.
#[derive(Debug)]
pub struct Document {
    /// Counts documents from zero, broken ones included.
    pub index: usize,
    /// Where its `---`, or without one its content, begins.
    pub start: Position,
    /// An empty document is `Ok(Value::Null)`.
    pub value: Result<Value, YamlError>,
}

/// A document and where in the source its parts are.
#[derive(Debug)]
pub struct SpannedDocument {
    /// The document itself.
    pub document: Document,
    /// Positions by JSON pointer; those of a broken document end where its error is.
    pub spans: Spans,
}

/// Yields the documents of `text` one by one; memory is bounded by one document.
///
/// After an error the stream resumes at the next `---` or `...` line, so that every whole document is found. A text
/// without documents (empty, or nothing but comments) yields nothing.
pub fn documents(text: &str, limits: Limits) -> impl Iterator<Item = Document> + '_ {
    stream::Stream::<()>::new(text, limits).map(|(document, ())| document)
}

/// The same as [`documents`], with positions for each value and key. Costs about twice the time.
pub fn documents_with_spans(text: &str, limits: Limits) -> impl Iterator<Item = SpannedDocument> + '_ {
    stream::Stream::<Spans>::new(text, limits).map(|(document, spans)| SpannedDocument { document, spans })
}

/// Reads a text that holds one document; a text without any is null.
///
/// # Errors
/// The document's own error, or one that says where a second document begins. Use [`documents`] where the number of
/// documents matters.
pub fn single(text: &str, limits: Limits) -> Result<Value, YamlError> {
    let mut stream = documents(text, limits);
    let Some(first) = stream.next() else {
        return Ok(Value::Null);
    };
    let value = first.value?;
    match stream.next() {
        None => Ok(value),
        Some(second) => Err(YamlError::more_than_one_document(second.start)),
    }
}

/// The same as [`single`], with positions for each value and key.
///
/// # Errors
/// As [`single`].
pub fn single_with_spans(text: &str, limits: Limits) -> Result<(Value, Spans), YamlError> {
    let mut stream = documents_with_spans(text, limits);
    let Some(first) = stream.next() else {
        return Ok((Value::Null, Spans::default()));
    };
    let value = first.document.value?;
    match stream.next() {
        None => Ok((value, first.spans)),
        Some(second) => Err(YamlError::more_than_one_document(second.document.start)),
    }
}

#[cfg(test)]
mod tests;
