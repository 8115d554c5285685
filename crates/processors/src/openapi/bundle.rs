//! Makes one document out of many.
//!
//! A reference to another file is replaced by what it stands for, the first time that it is met; later ones refer to
//! that place. So the output holds everything once, whatever circles there are. The exception are references with
//! further keys, which get a copy of their own; so values and bytes are counted as they are put in.

use std::collections::HashMap;
use std::io;

use serde_json::{Map, Value};

use super::BundleError;
use super::documents::{DocumentId, Documents, ROOT, check, reference_of};
use crate::placeholder::escape;

/// Values of the output.
const VALUES_MAX: usize = 1_000_000;
/// Values inside each other, and references that lead to references, on the way to one value of the output.
const DEPTH_MAX: usize = 256;
/// Bytes of the output.
const BYTES_MAX: usize = 32 * 1024 * 1024;

const BYTES: &str = "bytes in the result";

/// The description with everything in it, as YAML.
pub(super) fn bundle(documents: &Documents) -> Result<String, BundleError> {
    let placed = HashMap::new();
    let mut bundler = Bundler { documents, placed, path: Vec::new(), depth: 0, values: 0, bytes: 0 };
    let whole = bundler.copy(documents.root(), ROOT)?;
    write(&whole, BYTES_MAX)
}

struct Bundler<'a> {
    documents: &'a Documents,
    /// Where in the output a value of another document is.
    placed: HashMap<Identity, String>,
    /// Where in the output the current value is.
    path: Vec<String>,
    depth: usize,
    values: usize,
    bytes: usize,
}

/// Tells a value from all others of all documents, which stay where they are while they are bundled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity(*const Value);

impl Bundler<'_> {
    fn copy(&mut self, value: &Value, document: DocumentId) -> Result<Value, BundleError> {
        self.values += 1;
        check(self.values <= VALUES_MAX, "values in the result", VALUES_MAX)?;
        check(self.depth <= DEPTH_MAX, "values and references inside each other", DEPTH_MAX)?;
        self.depth += 1;
        let copied = self.copy_content(value, document);
        self.depth -= 1;
        copied
    }

    fn copy_content(&mut self, value: &Value, document: DocumentId) -> Result<Value, BundleError> {
        Ok(match value {
            Value::Array(items) => {
                let mut copied = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    copied.push(self.copy_below(&index.to_string(), item, document)?);
                }
                Value::Array(copied)
            }
            Value::Object(object) => match reference_of(object) {
                Some(reference) => self.follow(reference, object, document)?,
                None => Value::Object(self.copy_object(object, document)?),
            },
            Value::String(text) => {
                self.count_bytes(text.len())?;
                Value::String(text.clone())
            }
            plain => plain.clone(),
        })
    }

    fn count_bytes(&mut self, bytes: usize) -> Result<(), BundleError> {
        self.bytes += bytes;
        check(self.bytes <= BYTES_MAX, BYTES, BYTES_MAX)
    }

    fn copy_below(&mut self, token: &str, value: &Value, document: DocumentId) -> Result<Value, BundleError> {
        self.count_bytes(token.len())?;
        self.path.push(escape(token));
        let copied = self.copy(value, document);
        self.path.pop();
        copied
    }

    fn copy_object(
        &mut self,
        object: &Map<String, Value>,
        document: DocumentId,
    ) -> Result<Map<String, Value>, BundleError> {
        // Operations have to refer to channels, and not the other way round, so channels take what both refer to.
        let is_late =
            |key: &str| self.path.is_empty() && key == "operations" && object.contains_key("asyncapi");
        let (late, early): (Vec<_>, Vec<_>) = object.iter().partition(|(key, _)| is_late(key));
        let mut copies = HashMap::with_capacity(object.len());
        for (key, value) in early.into_iter().chain(late) {
            copies.insert(key, self.copy_below(key, value, document)?);
        }
        Ok(object.keys().filter_map(|key| Some((key.clone(), copies.remove(key)?))).collect())
    }

    /// What to put in place of the object with a reference. Keys beside the reference go on top of what it stands for.
    fn follow(
        &mut self,
        reference: &str,
        object: &Map<String, Value>,
        document: DocumentId,
    ) -> Result<Value, BundleError> {
        let mut beside = Map::new();
        for (key, value) in object.iter().filter(|(key, _)| *key != "$ref") {
            beside.insert(key.clone(), self.copy_below(key, value, document)?);
        }
        if document == ROOT && reference.starts_with('#') {
            return self.referring(reference.to_owned(), beside);
        }
        let missing = || BundleError::Missing { reference: reference.to_owned() };
        let documents = self.documents;
        let (target, pointer) = documents.follow(document, reference).ok_or_else(missing)?;
        if target == ROOT {
            return self.referring(format!("#{pointer}"), beside);
        }
        let way = documents.way(target, &pointer).ok_or_else(missing)?;
        if let Some(place) = self.place_of(&way, &pointer) {
            return self.referring(format!("#{place}"), beside);
        }
        let (_, value) = way.last().ok_or_else(missing)?;
        let place: String = self.path.iter().flat_map(|token| ["/", token]).collect();
        self.count_bytes(place.len())?;
        self.placed.insert(Identity(*value), place.clone());
        let mut copied = self.copy(value, target)?;
        if copied.get("$ref").and_then(Value::as_str) == Some(&format!("#{place}")) {
            return Err(BundleError::Circular { reference: reference.to_owned() });
        }
        if !beside.is_empty() {
            // Others refer to the value as it is, without what was put on top of it here.
            self.placed.remove(&Identity(*value));
            if let Value::Object(copied) = &mut copied {
                copied.extend(beside);
            }
        }
        Ok(copied)
    }

    /// Where in the output the value at the end of `way` is, if it is there on its own or as a part of something.
    fn place_of(&self, way: &[(usize, &Value)], pointer: &str) -> Option<String> {
        let mut nearest = None;
        for (at, value) in way {
            if let Some(place) = self.placed.get(&Identity(*value)) {
                nearest = Some((place, *at));
            }
            // What a reference stands for is put in its place, so nothing below it is where the pointer says.
            let is_replaced = value.as_object().is_some_and(|object| reference_of(object).is_some());
            if is_replaced && *at < pointer.len() {
                nearest = None;
            }
        }
        nearest.map(|(place, at)| format!("{place}{}", pointer.get(at..).unwrap_or_default()))
    }

    fn referring(&mut self, reference: String, beside: Map<String, Value>) -> Result<Value, BundleError> {
        self.count_bytes(reference.len())?;
        let mut object = Map::new();
        object.insert("$ref".to_owned(), Value::String(reference));
        object.extend(beside);
        Ok(Value::Object(object))
    }
}

fn write(value: &Value, bytes_max: usize) -> Result<String, BundleError> {
    let mut text = Text { bytes: Vec::new(), bytes_max };
    serde_yaml::to_writer(&mut text, value).map_err(|error| BundleError::Write(error.to_string()))?;
    String::from_utf8(text.bytes).map_err(|error| BundleError::Write(error.to_string()))
}

/// A text that takes no more than a number of bytes: indentation and escapes can make it many times longer than its
/// values are.
struct Text {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.bytes_max {
            return Err(io::Error::other(format!("more than {} {BYTES}", self.bytes_max)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_written_text_is_limited_with_its_indentation() {
        let value = json!({"a": {"b": [1, 2]}});
        let text = "a:\n  b:\n  - 1\n  - 2\n";
        assert_eq!(write(&value, text.len()).unwrap(), text);
        let error = write(&value, text.len() - 1).unwrap_err().to_string();
        assert_eq!(error, "Error: more than 19 bytes in the result");
    }
}
