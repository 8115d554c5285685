//! Where each value and key of a document stands in its source, found by JSON pointer.

use std::collections::HashMap;

use crate::error::Position;

/// What the loader tells while it builds a value; `()` listens to nothing and costs nothing.
pub(crate) trait Trace: Default {
    /// The next value is the one of `key`.
    fn enter_key(&mut self, key: &str, position: Position);
    /// The next value is the one at `index`.
    fn enter_index(&mut self, index: usize);
    /// The value just entered begins here.
    fn value(&mut self, position: Position);
    /// The value just entered is complete.
    fn leave(&mut self);
}

impl Trace for () {
    fn enter_key(&mut self, _: &str, _: Position) {}
    fn enter_index(&mut self, _: usize) {}
    fn value(&mut self, _: Position) {}
    fn leave(&mut self) {}
}

/// Positions of a document's values and keys by JSON pointer (RFC 6901; the root is the empty pointer).
///
/// Values that came out of an alias have the position of the alias; what is inside of them has none of its own.
#[derive(Debug, Default)]
pub struct Spans {
    values: HashMap<String, Position>,
    keys: HashMap<String, Position>,
    path: String,
    lengths: Vec<usize>,
}

impl Spans {
    /// Where the value at `pointer` begins.
    #[must_use]
    pub fn value(&self, pointer: &str) -> Option<Position> {
        self.values.get(pointer).copied()
    }

    /// Where the key that leads to `pointer` begins; the root and the elements of a sequence have none.
    #[must_use]
    pub fn key(&self, pointer: &str) -> Option<Position> {
        self.keys.get(pointer).copied()
    }

    /// The position of the value at `pointer`, or of the nearest value around it: the best address for an error about
    /// something that is missing.
    #[must_use]
    pub fn nearest(&self, pointer: &str) -> Position {
        let mut pointer = pointer;
        loop {
            if let Some(position) = self.value(pointer) {
                return position;
            }
            match pointer.rsplit_once('/') {
                Some((parent, _)) => pointer = parent,
                None => return Position::START,
            }
        }
    }

    fn enter(&mut self, segment: &str) {
        self.lengths.push(self.path.len());
        self.path.push('/');
        if segment.contains(['~', '/']) {
            self.path.push_str(&segment.replace('~', "~0").replace('/', "~1"));
        } else {
            self.path.push_str(segment);
        }
    }
}

impl Trace for Spans {
    fn enter_key(&mut self, key: &str, position: Position) {
        self.enter(key);
        self.keys.insert(self.path.clone(), position);
    }

    fn enter_index(&mut self, index: usize) {
        self.enter(&index.to_string());
    }

    fn value(&mut self, position: Position) {
        self.values.insert(self.path.clone(), position);
    }

    fn leave(&mut self) {
        if let Some(length) = self.lengths.pop() {
            self.path.truncate(length);
        }
    }
}
