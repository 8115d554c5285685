//! Splits a text into documents: drives the event parser, notices where each document begins, and after an error
//! resumes at the next document.

use saphyr_parser::{Event, Marker, Parser, ScanError, StrInput};
use serde_json::Value;

use crate::error::{Position, YamlError};
use crate::lines::{Lines, is_marker};
use crate::loader::Loader;
use crate::scalar::Version;
use crate::spans::Trace;
use crate::{Document, Limits};

/// An iterator over the documents of a text.
pub(crate) struct Stream<'a, T> {
    /// Absent when the stream has ended.
    parser: Option<Parser<'a, StrInput<'a>>>,
    /// Never beyond the line where the next document's text begins.
    lines: Lines<'a>,
    /// Lines before the text that the parser was given.
    line_base: usize,
    /// First line that can belong to the next document.
    region: usize,
    /// An error that the look beyond the last document found in the next one.
    pending: Option<YamlError>,
    limits: Limits,
    version: Version,
    has_version_directives: bool,
    index: usize,
    trace: std::marker::PhantomData<T>,
}

impl<'a, T: Trace> Stream<'a, T> {
    pub(crate) fn new(text: &'a str, limits: Limits) -> Self {
        Self {
            parser: Some(Parser::new_from_str(text)),
            lines: Lines::new(text),
            line_base: 0,
            region: 1,
            pending: None,
            limits,
            version: Version::V1_2,
            has_version_directives: text.contains("%YAML"),
            index: 0,
            trace: std::marker::PhantomData,
        }
    }

    /// Finds the beginning of the next document. None at the end of the stream.
    fn start(&mut self) -> Option<Result<Position, YamlError>> {
        if let Some(error) = self.pending.take() {
            return Some(Err(error));
        }
        loop {
            let parser = self.parser.as_mut()?;
            match parser.next_event() {
                None | Some(Ok((Event::StreamEnd, _))) => {
                    self.parser = None;
                    return None;
                }
                Some(Ok((Event::DocumentStart(_), span))) => {
                    let position = position_of(&span.start, self.line_base);
                    self.read_version(self.line_base + span.start.line());
                    return Some(Ok(position));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(Err(self.error(&error))),
            }
        }
    }

    /// A `%YAML` directive holds for its document, and version 1.1 for those after it without one, as in the
    /// JavaScript library.
    fn read_version(&mut self, start_line: usize) {
        if self.has_version_directives {
            self.lines.advance_to(self.region);
            while self.lines.line() < start_line && !self.lines.is_at_end() {
                let line = self.lines.current().trim_start_matches('\u{feff}');
                if let Some(version) = line.strip_prefix("%YAML") {
                    let is_1_1 = version.split_whitespace().next() == Some("1.1");
                    self.version = if is_1_1 { Version::V1_1 } else { Version::V1_2 };
                }
                self.lines.advance();
            }
        }
        self.region = start_line;
    }

    fn body(&mut self) -> (Result<Value, YamlError>, T) {
        let mut loader = Loader::new(self.limits, self.version, self.line_base);
        let value = self.load(&mut loader);
        (value, loader.trace)
    }

    fn load(&mut self, loader: &mut Loader<T>) -> Result<Value, YamlError> {
        let line_base = self.line_base;
        let Some(parser) = self.parser.as_mut() else {
            return Ok(Value::Null);
        };
        let mut value = Value::Null;
        loop {
            match parser.next_event() {
                None => return Ok(value),
                Some(Ok((Event::DocumentEnd, span))) => {
                    let end = line_base + span.start.line();
                    return self.finish(value, end);
                }
                Some(Ok((event, span))) => {
                    if let Some(root) = loader.event(event, span)? {
                        value = root;
                    }
                }
                Some(Err(error)) => return Err(scan_error(&error, line_base)),
            }
        }
    }

    /// Content after a document that has not been closed by `...` makes that document wrong, so the next event is looked
    /// at before the document is handed out.
    fn finish(&mut self, value: Value, end_line: usize) -> Result<Value, YamlError> {
        let Some(Some(Err(error))) = self.parser.as_mut().map(Parser::peek) else {
            self.region = end_line;
            return Ok(value);
        };
        let error = self.error(&error);
        let mut lines = self.lines;
        lines.advance_to(end_line);
        if is_marker(lines.current(), "...") {
            self.pending = Some(error);
            self.region = end_line;
            return Ok(value);
        }
        Err(error)
    }

    fn error(&self, error: &ScanError) -> YamlError {
        scan_error(error, self.line_base)
    }

    fn resume(&mut self) {
        self.lines.advance_to(self.region);
        if self.lines.skip_document() {
            self.line_base = self.lines.line() - 1;
            self.region = self.lines.line();
            self.parser = Some(Parser::new_from_str(self.lines.rest()));
        } else {
            self.parser = None;
        }
    }
}

impl<T: Trace> Iterator for Stream<'_, T> {
    type Item = (Document, T);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.start()?;
        let index = self.index;
        self.index += 1;
        if index >= self.limits.documents_max {
            self.parser = None;
            let message = format!("Source has more than {} documents", self.limits.documents_max);
            let position = start.as_ref().copied().unwrap_or(Position::START);
            let value = Err(YamlError::new(message, position));
            return Some((Document { index, start: position, value }, T::default()));
        }
        let (start, (value, trace)) = match start {
            Ok(position) => (position, self.body()),
            Err(error) => (error.position.unwrap_or(Position::START), (Err(error), T::default())),
        };
        if value.is_err() {
            self.resume();
        }
        Some((Document { index, start, value }, trace))
    }
}

/// The parser counts lines from one and columns from zero.
pub(crate) fn position_of(marker: &Marker, line_base: usize) -> Position {
    let clamped = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Position { line: clamped(line_base + marker.line()), column: clamped(marker.col() + 1) }
}

fn scan_error(error: &ScanError, line_base: usize) -> YamlError {
    let message = match error.info() {
        "while parsing node, found unknown anchor" => {
            "Unresolved alias (the anchor must be set before the alias)"
        }
        other => other,
    };
    YamlError::new(message, position_of(error.marker(), line_base))
}
