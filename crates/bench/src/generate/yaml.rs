//! A writer of block style YAML: lines with their indentation. Values are written as they are given; the vocabulary is
//! chosen so that plain scalars stay plain, and callers quote what would be read as something other than a string.

/// Columns after which prose is wrapped.
const WRAP_COLUMNS: usize = 96;

/// The text of a YAML document, or of a part of one.
#[derive(Debug, Default)]
pub(super) struct Yaml {
    pub(super) text: String,
}

/// The notations of a longer text that people use, all of which a parser has to know.
#[derive(Debug, Clone, Copy)]
pub(super) enum TextStyle {
    Folded,
    Literal,
    Quoted,
}

impl Yaml {
    fn line(&mut self, depth: usize, parts: &[&str]) {
        self.text.extend(std::iter::repeat_n("  ", depth));
        self.text.extend(parts.iter().copied());
        self.text.push('\n');
    }

    pub(super) fn raw(&mut self, depth: usize, line: &str) {
        self.line(depth, &[line]);
    }

    pub(super) fn key(&mut self, depth: usize, key: &str) {
        self.line(depth, &[key, ":"]);
    }

    pub(super) fn field(&mut self, depth: usize, key: &str, value: &str) {
        self.line(depth, &[key, ": ", value]);
    }

    pub(super) fn quoted(&mut self, depth: usize, key: &str, value: &str) {
        self.line(depth, &[key, ": \"", value, "\""]);
    }

    /// A list with one item per line; nothing at all if there are no items.
    pub(super) fn list(&mut self, depth: usize, key: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.key(depth, key);
        for item in items {
            self.line(depth + 1, &["- ", item]);
        }
    }

    pub(super) fn flow_list(&mut self, depth: usize, key: &str, items: &[&str]) {
        self.line(depth, &[key, ": [", &items.join(", "), "]"]);
    }

    /// A block scalar that keeps its lines.
    pub(super) fn literal(&mut self, depth: usize, key: &str, text: &str) {
        self.line(depth, &[key, ": |"]);
        for line in text.lines() {
            self.raw(depth + 1, line);
        }
    }

    /// Prose: free of quotation marks, backslashes and line ends.
    pub(super) fn prose(&mut self, depth: usize, key: &str, prose: &str, style: TextStyle) {
        match style {
            TextStyle::Quoted => return self.quoted(depth, key, prose),
            TextStyle::Folded => self.line(depth, &[key, ": >-"]),
            TextStyle::Literal => self.line(depth, &[key, ": |"]),
        }
        for line in wrap(prose) {
            self.raw(depth + 1, &line);
        }
    }
}

fn wrap(prose: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in prose.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < WRAP_COLUMNS => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
