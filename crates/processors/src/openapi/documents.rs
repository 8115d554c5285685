//! The files of a description: the first one and all that its references lead to.

use std::collections::{BTreeMap, HashSet};

use callboard_yaml::Limits;
use serde_json::{Map, Value};

use super::BundleError;
use crate::placeholder::{Source, Sources};

/// Files of one description, and names of files in one of them.
const DOCUMENTS_MAX: usize = 200;
/// Bytes of all files of one description together, as read or with their aliases expanded, whichever is more.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Values of all files of one description together, aliases expanded.
const VALUES_MAX: usize = 1_000_000;
/// Files whose content is used as a text.
const TEXT_SUFFIXES: [&str; 5] = [".md", ".txt", ".html", ".htm", ".xml"];

/// Place of a document in [`Documents`]; the first one is [`ROOT`].
pub(super) type DocumentId = usize;

/// The description itself.
pub(super) const ROOT: DocumentId = 0;

/// All files of a description.
#[derive(Debug, Default)]
pub(super) struct Documents {
    all: Vec<Document>,
    bytes: usize,
    values: usize,
}

#[derive(Debug)]
struct Document {
    source: Source,
    value: Value,
    /// The files that it refers to, in order.
    files: Vec<String>,
    /// Which document a reference stands for, by its part before the `#`.
    links: BTreeMap<String, DocumentId>,
}

impl Documents {
    /// Reads everything that the description `text` leads to.
    pub(super) async fn load(text: &str, source: Source, sources: &Sources<'_>) -> Result<Self, BundleError> {
        let mut loaded = Self::default();
        loaded.add(source, parse(text)?, text.len())?;
        let mut next = ROOT;
        while let Some(document) = loaded.all.get_mut(next) {
            let (base, files) = (document.source.clone(), std::mem::take(&mut document.files));
            let mut links = BTreeMap::new();
            for file in files {
                let id = loaded.link(&file, &base, sources).await?;
                links.insert(file, id);
            }
            if let Some(document) = loaded.all.get_mut(next) {
                document.links = links;
            }
            next += 1;
        }
        Ok(loaded)
    }

    /// The document that the name `file` in `base` stands for; reads it unless it is known.
    async fn link(
        &mut self,
        file: &str,
        base: &Source,
        sources: &Sources<'_>,
    ) -> Result<DocumentId, BundleError> {
        let failed = |reason| BundleError::Reference { reference: file.to_owned(), reason };
        let source = sources.resolve(file, base).map_err(failed)?;
        if let Some(id) = self.all.iter().position(|document| document.source == source) {
            return Ok(id);
        }
        check(self.all.len() < DOCUMENTS_MAX, "files", DOCUMENTS_MAX)?;
        let data = sources.read(&source).await;
        let data = data.map_err(|error| failed(format!("{}: {error}", error.name())))?;
        let text = String::from_utf8_lossy(&data);
        let is_text = TEXT_SUFFIXES.iter().any(|suffix| file.ends_with(suffix));
        let value = if is_text { Value::String(text.into_owned()) } else { parse(&text)? };
        self.add(source, value, data.len())
    }

    fn add(&mut self, source: Source, value: Value, bytes: usize) -> Result<DocumentId, BundleError> {
        let survey = Survey::of(&value);
        self.bytes += bytes.max(survey.bytes);
        self.values += survey.values;
        check(self.bytes <= BYTES_MAX, "bytes", BYTES_MAX)?;
        check(self.values <= VALUES_MAX, "values", VALUES_MAX)?;
        check(survey.files.len() <= DOCUMENTS_MAX, "files", DOCUMENTS_MAX)?;
        self.all.push(Document { source, value, files: survey.files, links: BTreeMap::new() });
        Ok(self.all.len() - 1)
    }

    /// Where the documents beside the first one came from.
    pub(super) fn further_sources(&self) -> impl Iterator<Item = &Source> {
        self.all.iter().skip(1).map(|document| &document.source)
    }

    /// The description itself.
    pub(super) fn root(&self) -> &Value {
        self.all.get(ROOT).map_or(&Value::Null, |document| &document.value)
    }

    /// The values on the way from the top of a document to what is at a JSON pointer, both included, each with the
    /// length of the part of the pointer that leads to it. `None` if the pointer leads nowhere.
    pub(super) fn way(&self, id: DocumentId, pointer: &str) -> Option<Vec<(usize, &Value)>> {
        let mut value = &self.all.get(id)?.value;
        let mut way = vec![(0, value)];
        let mut rest = pointer;
        while !rest.is_empty() {
            let token = rest.strip_prefix('/')?.split('/').next().unwrap_or_default();
            let (step, tail) = rest.split_at(1 + token.len());
            value = value.pointer(step)?;
            rest = tail;
            way.push((pointer.len() - rest.len(), value));
        }
        Some(way)
    }

    /// Where a reference in the document `id` leads.
    pub(super) fn follow(&self, id: DocumentId, reference: &str) -> Option<(DocumentId, String)> {
        let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let target = if file.is_empty() { id } else { *self.all.get(id)?.links.get(file)? };
        Some((target, percent_decoded(fragment)))
    }
}

/// What a value refers to when it is an object that stands for another value. A property that happens to be named
/// `$ref` is none.
pub(super) fn reference_of(object: &Map<String, Value>) -> Option<&str> {
    object.get("$ref")?.as_str()
}

/// Fails when a limit is passed.
pub(super) fn check(holds: bool, what: &'static str, limit: usize) -> Result<(), BundleError> {
    if holds { Ok(()) } else { Err(BundleError::TooLarge { what, limit }) }
}

/// One YAML (or JSON) document.
pub(super) fn parse(text: &str) -> Result<Value, BundleError> {
    callboard_yaml::single(text, Limits::default()).map_err(|error| BundleError::Syntax(error.to_string()))
}

/// What there is in a document.
#[derive(Debug, Default)]
struct Survey {
    /// The files that it refers to, in order and without repetition; of too many, no more than show that.
    files: Vec<String>,
    values: usize,
    /// Of keys and texts.
    bytes: usize,
}

impl Survey {
    fn of(value: &Value) -> Self {
        let mut survey = Self::default();
        let mut known = HashSet::new();
        let mut pending = vec![value];
        while let Some(value) = pending.pop() {
            survey.values += 1;
            match value {
                Value::String(text) => survey.bytes += text.len(),
                Value::Array(items) => pending.extend(items.iter().rev()),
                Value::Object(object) => {
                    survey.bytes += object.keys().map(String::len).sum::<usize>();
                    if let Some(file) = reference_of(object).and_then(|it| it.split('#').next())
                        && !file.is_empty()
                        && survey.files.len() <= DOCUMENTS_MAX
                        && known.insert(file)
                    {
                        survey.files.push(file.to_owned());
                    }
                    pending.extend(object.values().rev());
                }
                _ => {}
            }
        }
        survey
    }
}

/// The fragment of a URL as text; what is no valid escape stays.
fn percent_decoded(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { rest.get(3..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
