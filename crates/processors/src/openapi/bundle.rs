//! Makes one document out of many.
//!
//! A reference to another file is replaced by what it stands for, the first time that it is met; later ones refer to
//! that place. So the output holds everything once, whatever circles there are.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::BundleError;
use super::documents::{DocumentId, Documents, ROOT, check};
use crate::placeholder::escape;

/// Values of the output.
const NODES_MAX: usize = 1_000_000;
/// Collections inside each other in the output.
const DEPTH_MAX: usize = 200;

/// The description with everything in it.
pub(super) fn bundle(documents: &Documents) -> Result<Value, BundleError> {
    let root = documents.value(ROOT, "").unwrap_or(&Value::Null);
    let mut bundler = Bundler { documents, placed: HashMap::new(), path: Vec::new(), nodes: 0 };
    bundler.copy(root, ROOT)
}

struct Bundler<'a> {
    documents: &'a Documents,
    /// Where in the output what stands at a pointer of another document is.
    placed: HashMap<(DocumentId, String), String>,
    /// Where in the output the current value is.
    path: Vec<String>,
    nodes: usize,
}

impl Bundler<'_> {
    fn copy(&mut self, value: &Value, document: DocumentId) -> Result<Value, BundleError> {
        self.nodes += 1;
        check(self.nodes <= NODES_MAX, "values", NODES_MAX)?;
        check(self.path.len() <= DEPTH_MAX, "values inside each other", DEPTH_MAX)?;
        Ok(match value {
            Value::Array(items) => {
                let mut copied = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    copied.push(self.copy_below(&index.to_string(), item, document)?);
                }
                Value::Array(copied)
            }
            Value::Object(object) => match object.get("$ref").and_then(Value::as_str) {
                Some(reference) => self.follow(reference, object, document)?,
                None => Value::Object(self.copy_object(object, document)?),
            },
            plain => plain.clone(),
        })
    }

    fn copy_below(&mut self, token: &str, value: &Value, document: DocumentId) -> Result<Value, BundleError> {
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
            return Ok(referring(reference.to_owned(), beside));
        }
        let missing = || BundleError::Missing { reference: reference.to_owned() };
        let (target, pointer) = self.documents.follow(document, reference).ok_or_else(missing)?;
        if target == ROOT {
            return Ok(referring(format!("#{pointer}"), beside));
        }
        if let Some(place) = self.place_of(target, &pointer) {
            return Ok(referring(format!("#{place}"), beside));
        }
        let value = self.documents.value(target, &pointer).ok_or_else(missing)?;
        let place: String = self.path.iter().flat_map(|token| ["/", token]).collect();
        let key = (target, pointer);
        self.placed.insert(key.clone(), place.clone());
        let mut copied = self.copy(value, target)?;
        if copied.get("$ref").and_then(Value::as_str) == Some(&format!("#{place}")) {
            return Err(BundleError::Circular { reference: reference.to_owned() });
        }
        if !beside.is_empty() {
            // Others refer to the value as it is, without what was put on top of it here.
            self.placed.remove(&key);
            if let Value::Object(copied) = &mut copied {
                copied.extend(beside);
            }
        }
        Ok(copied)
    }

    /// Where in the output a value of another document is, if it is there on its own or as a part of something.
    fn place_of(&self, document: DocumentId, pointer: &str) -> Option<String> {
        let ends = pointer.match_indices('/').map(|(at, _)| at).chain([pointer.len()]);
        let mut ends: Vec<_> = ends.collect();
        ends.reverse();
        ends.into_iter().find_map(|end| {
            let (start, rest) = (pointer.get(..end)?, pointer.get(end..)?);
            let place = self.placed.get(&(document, start.to_owned()))?;
            self.is_copied_verbatim(document, start, rest).then(|| format!("{place}{rest}"))
        })
    }

    /// Whether the way from `start` along `rest` leads through no reference, whose place in the output is elsewhere.
    fn is_copied_verbatim(&self, document: DocumentId, start: &str, rest: &str) -> bool {
        let mut value = self.documents.value(document, start);
        for token in rest.split('/').skip(1) {
            let Some(here) = value.filter(|here| here.get("$ref").is_none()) else {
                return false;
            };
            value = here.pointer(&format!("/{token}"));
        }
        value.is_some()
    }
}

fn referring(reference: String, beside: Map<String, Value>) -> Value {
    let mut object = Map::new();
    object.insert("$ref".to_owned(), Value::String(reference));
    object.extend(beside);
    Value::Object(object)
}
