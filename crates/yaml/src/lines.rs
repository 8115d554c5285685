//! Walks the lines of a text forwards, for what the event parser does not tell: where to resume after an error, and
//! which YAML version a directive asks for.

/// A position at the beginning of a line that only moves forwards, so that all work over a text stays linear.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, line: 1 }
    }

    /// The text from the beginning of this line on.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    /// 1-based.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.offset >= self.text.len()
    }

    /// This line without its break. Line feed, carriage return and the pair of them break a line.
    pub(crate) fn current(&self) -> &'a str {
        let rest = self.rest();
        rest.split(['\n', '\r']).next().unwrap_or(rest)
    }

    pub(crate) fn advance(&mut self) {
        self.offset += self.current().len();
        let rest = self.rest();
        let break_len = if rest.starts_with("\r\n") { 2 } else { rest.len().min(1) };
        self.offset += break_len;
        self.line += 1;
    }

    pub(crate) fn advance_to(&mut self, line: usize) {
        while self.line < line && !self.is_at_end() {
            self.advance();
        }
    }

    /// Moves from the line where a document begins to the next line that begins or ends one. False at the end of the text.
    ///
    /// Such a line ends a document wherever it stands, inside of quotes and brackets too, so nothing of a broken
    /// document can be behind it.
    pub(crate) fn skip_document(&mut self) -> bool {
        while !self.is_at_end() && is_prelude(self.current()) {
            self.advance();
        }
        if is_marker(self.current(), "---") {
            self.advance();
        }
        while !self.is_at_end() {
            if is_marker(self.current(), "---") || is_marker(self.current(), "...") {
                return true;
            }
            self.advance();
        }
        false
    }
}

/// What may stand before the first line of a document.
fn is_prelude(line: &str) -> bool {
    let content = line.trim_start_matches([' ', '\t', '\u{feff}']);
    content.is_empty() || content.starts_with('#') || line.starts_with('%') || is_marker(line, "...")
}

pub(crate) fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}
