//! The files of a description: the first one and all that its references lead to.

use std::collections::BTreeMap;

use callboard_yaml::Limits;
use serde_json::Value;

use super::BundleError;
use crate::placeholder::{Source, Sources};

/// Files of one description.
const DOCUMENTS_MAX: usize = 200;
/// Bytes of all files of one description together.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Files whose content is used as a text.
const TEXT_SUFFIXES: [&str; 5] = [".md", ".txt", ".html", ".htm", ".xml"];

/// Place of a document in [`Documents`]; the first one is [`ROOT`].
pub(super) type DocumentId = usize;

/// The description itself.
pub(super) const ROOT: DocumentId = 0;

/// All files of a description.
#[derive(Debug)]
pub(super) struct Documents {
    documents: Vec<Document>,
}

#[derive(Debug)]
struct Document {
    source: Source,
    value: Value,
    /// Which document a reference stands for, by its part before the `#`.
    links: BTreeMap<String, DocumentId>,
}

impl Documents {
    /// Reads everything that `root` leads to.
    pub(super) async fn load(
        root: Value,
        source: Source,
        sources: &Sources<'_>,
    ) -> Result<Self, BundleError> {
        let mut documents = vec![Document { source, value: root, links: BTreeMap::new() }];
        let mut bytes = 0;
        let mut next = ROOT;
        while let Some(document) = documents.get(next) {
            let base = document.source.clone();
            let mut links = BTreeMap::new();
            for file in referenced_files(&document.value) {
                let failed = |reason| BundleError::Reference { reference: file.clone(), reason };
                let source = sources.resolve(&file, &base).map_err(failed)?;
                let known = documents.iter().position(|document| document.source == source);
                let id = if let Some(id) = known {
                    id
                } else {
                    let data = sources.read(&source).await;
                    let data = data.map_err(|error| failed(format!("{}: {error}", error.name())))?;
                    bytes += data.len();
                    check(documents.len() < DOCUMENTS_MAX, "files", DOCUMENTS_MAX)?;
                    check(bytes <= BYTES_MAX, "bytes", BYTES_MAX)?;
                    let text = String::from_utf8_lossy(&data);
                    let is_text = TEXT_SUFFIXES.iter().any(|suffix| file.ends_with(suffix));
                    let value = if is_text { Value::String(text.into_owned()) } else { parse(&text)? };
                    documents.push(Document { source, value, links: BTreeMap::new() });
                    documents.len() - 1
                };
                links.insert(file, id);
            }
            if let Some(document) = documents.get_mut(next) {
                document.links = links;
            }
            next += 1;
        }
        Ok(Self { documents })
    }

    /// Where the documents beside the first one came from.
    pub(super) fn further_sources(&self) -> impl Iterator<Item = &Source> {
        self.documents.iter().skip(1).map(|document| &document.source)
    }

    /// What is at a JSON pointer of a document.
    pub(super) fn value(&self, id: DocumentId, pointer: &str) -> Option<&Value> {
        self.documents.get(id)?.value.pointer(pointer)
    }

    /// Where a reference in the document `id` leads.
    pub(super) fn follow(&self, id: DocumentId, reference: &str) -> Option<(DocumentId, String)> {
        let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let target = if file.is_empty() { id } else { *self.documents.get(id)?.links.get(file)? };
        Some((target, percent_decoded(fragment)))
    }
}

/// Fails when a limit is passed.
pub(super) fn check(holds: bool, what: &'static str, limit: usize) -> Result<(), BundleError> {
    if holds { Ok(()) } else { Err(BundleError::TooLarge { what, limit }) }
}

/// One YAML (or JSON) document.
pub(super) fn parse(text: &str) -> Result<Value, BundleError> {
    callboard_yaml::single(text, Limits::default()).map_err(|error| BundleError::Syntax(error.to_string()))
}

/// The files that a document refers to, in order and without repetition.
fn referenced_files(value: &Value) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value {
            Value::Array(items) => pending.extend(items.iter().rev()),
            Value::Object(object) => {
                if let Some(file) =
                    object.get("$ref").and_then(Value::as_str).and_then(|it| it.split('#').next())
                    && !file.is_empty()
                    && !files.iter().any(|known| known == file)
                {
                    files.push(file.to_owned());
                }
                pending.extend(object.values().rev());
            }
            _ => {}
        }
    }
    files
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
