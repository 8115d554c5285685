//! From the bytes of a file to entities.

use callboard_model::{Entity, LocationSpec};
use callboard_yaml::{Document, Limits, YamlError};

use crate::{Address, DocumentPosition, Emit, ProcessorError, results};

/// Turns the content of a file into entities and errors.
pub trait EntityDataParser: Send + Sync + std::fmt::Debug + 'static {
    /// Changes whenever the same content may give other items; all files are then read afresh.
    fn fingerprint(&self) -> String {
        String::new()
    }

    /// The items in the order of the file, one document at a time.
    fn parse<'a>(
        &'a self,
        data: &'a [u8],
        location: &'a LocationSpec,
    ) -> Box<dyn Iterator<Item = Emit> + Send + 'a>;
}

/// The parser for catalog-info.yaml: YAML 1.2 (and so JSON), one entity for each document.
///
/// Empty documents are skipped; a broken document is an error of its own and leaves the others alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct YamlParser {
    limits: Limits,
}

impl YamlParser {
    /// A parser with limits of its own.
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }
}

impl EntityDataParser for YamlParser {
    fn parse<'a>(
        &'a self,
        data: &'a [u8],
        location: &'a LocationSpec,
    ) -> Box<dyn Iterator<Item = Emit> + Send + 'a> {
        match callboard_yaml::from_utf8(data) {
            Ok(text) => Box::new(
                callboard_yaml::documents(text, self.limits)
                    .filter_map(|document| to_emit(document, location)),
            ),
            Err(error) => Box::new(std::iter::once(results::error(
                location,
                ProcessorError::general(format!(
                    "Failed to parse YAML at {}:{}, {error}",
                    location.kind, location.target
                ))
                .at(address(&error, 0))
                .with_rule("yaml/encoding"),
            ))),
        }
    }
}

fn to_emit(document: Document, location: &LocationSpec) -> Option<Emit> {
    let index = u32::try_from(document.index).unwrap_or(u32::MAX);
    let value = match document.value {
        Ok(value) if value.is_null() => return None,
        Ok(value) => value,
        Err(error) => {
            let text =
                format!("YAML error at {}:{}, YAMLParseError: {error}", location.kind, location.target);
            let error = ProcessorError::general(text).at(address(&error, index)).with_rule("yaml/syntax");
            return Some(results::error(location, error));
        }
    };
    let position = DocumentPosition { document: index, line: document.start.line };
    Some(match Entity::from_value(value) {
        Ok(entity) => Emit::Entity {
            entity,
            location: location.clone(),
            location_key: results::LocationKey::Location,
            position: Some(position),
        },
        Err(error) => {
            let start = Address {
                document: Some(index),
                line: Some(document.start.line),
                column: Some(document.start.column),
                ..Address::default()
            };
            let error = ProcessorError::general(error.message).at(start).with_rule("document/object");
            results::error(location, error)
        }
    })
}

fn address(error: &YamlError, document: u32) -> Address {
    Address {
        document: Some(document),
        line: error.position.map(|position| position.line),
        column: error.position.map(|position| position.column),
        ..Address::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Vec<Emit> {
        let location = LocationSpec::new("url", "https://example.com/a.yaml");
        YamlParser::default().parse(text, &location).collect()
    }

    #[test]
    fn empty_documents_are_skipped_and_scalars_are_errors_with_an_address() {
        let items = parse(b"kind: A\n---\n---\nfoo\n---\nkind: B\n");
        let [Emit::Entity { position: first, .. }, Emit::Error { error, .. }, Emit::Entity { position, .. }] =
            &items[..]
        else {
            panic!("{items:?}")
        };
        assert_eq!(*first, Some(DocumentPosition { document: 0, line: 1 }));
        assert_eq!(error.message, "Expected object at root, got string");
        assert_eq!(error.address.document, Some(2));
        assert_eq!(position.map(|position| position.document), Some(3));
    }

    #[test]
    fn a_syntax_error_leaves_the_other_documents_alone() {
        let items = parse(b"kind: A\n---\na: [\n---\nkind: B\n");
        let [Emit::Entity { .. }, Emit::Error { error, .. }, Emit::Entity { .. }] = &items[..] else {
            panic!("{items:?}")
        };
        assert!(
            error.message.starts_with("YAML error at url:https://example.com/a.yaml, YAMLParseError: "),
            "{error}"
        );
        assert!(error.address.line.is_some());
    }

    #[test]
    fn invalid_utf8_is_an_error_with_an_address() {
        let items = parse(b"kind: \xff\n");
        let [Emit::Error { error, .. }] = &items[..] else { panic!("{items:?}") };
        assert!(error.message.starts_with("Failed to parse YAML at url:"), "{error}");
    }
}
