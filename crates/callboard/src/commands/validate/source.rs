//! A descriptor file with the places of everything in it.

use std::collections::BTreeMap;

use callboard_engine::DryRunEntity;
use callboard_model::{Emitted, EmittingParent, ModelError, accept_emitted};
use callboard_processors::FileReaderProcessor;
use callboard_sdk::{Entity, LocationRef};
use callboard_yaml::{Limits, Position, SpannedDocument, Spans, documents_with_spans, from_utf8};
use serde_json::Value;

use super::Problem;

/// The files that were looked at, each read once.
#[derive(Debug)]
pub(super) struct SourceFiles {
    by_path: BTreeMap<String, SourceFile>,
    bytes_max: u64,
}

impl SourceFiles {
    /// Files of more than `bytes_max` bytes are not read.
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { by_path: BTreeMap::new(), bytes_max }
    }

    pub(super) fn at(&mut self, path: &str) -> &SourceFile {
        let Self { by_path, bytes_max } = self;
        by_path.entry(path.to_owned()).or_insert_with(|| SourceFile::read(path, *bytes_max))
    }
}

/// A file that was read, or why it was not.
#[derive(Debug)]
pub(super) struct SourceFile {
    name: String,
    content: Result<Vec<Part>, Fault>,
}

/// One document.
#[derive(Debug)]
struct Part {
    index: u32,
    start: Position,
    value: Result<Value, Fault>,
    spans: Spans,
}

#[derive(Debug)]
struct Fault {
    name: &'static str,
    message: String,
    position: Option<Position>,
    rule: &'static str,
}

impl SourceFile {
    fn read(path: &str, bytes_max: u64) -> Self {
        let content = match FileReaderProcessor::read_file(path, bytes_max) {
            Ok(bytes) => parse(&bytes, path),
            Err(error) => Err(Fault {
                name: error.name(),
                message: error.to_string(),
                position: None,
                rule: "file/readable",
            }),
        };
        Self { name: path.to_owned(), content }
    }

    /// Where a value of a document stands, or the nearest thing around it.
    pub(super) fn position(&self, document: u32, pointer: &str) -> Option<Position> {
        let part = self.content.as_ref().ok()?.iter().find(|part| part.index == document)?;
        Some(part.spans.nearest(pointer))
    }

    /// The entities of the file as the daemon would take them in; everything else becomes a problem.
    pub(super) fn entities(&self, location: &LocationRef, problems: &mut Vec<Problem>) -> Vec<DryRunEntity> {
        let parts = match &self.content {
            Ok(parts) => parts,
            Err(fault) => {
                problems.push(self.problem(fault));
                return Vec::new();
            }
        };
        let mut entities = Vec::new();
        for part in parts {
            match &part.value {
                Ok(Value::Null) => {}
                Ok(value) => match self.entity(part, value, location) {
                    Ok(entity) => {
                        entities.push(DryRunEntity { entity, position: Some((part.index, part.start.line)) });
                    }
                    Err(problem) => problems.push(*problem),
                },
                Err(fault) => problems.push(self.problem(fault)),
            }
        }
        entities
    }

    fn entity(&self, part: &Part, value: &Value, location: &LocationRef) -> Result<Entity, Box<Problem>> {
        let location_text = location.to_string();
        // No entity has this ref, so none is taken for the Location that it comes from.
        let parent = EmittingParent { entity_ref: "", origin_location: &location_text };
        let accepted =
            Entity::from_value(value.clone()).and_then(|entity| accept_emitted(entity, location, parent));
        match accepted {
            Ok(Emitted::Accepted(entity)) => Ok(with_local_targets(entity)),
            Ok(Emitted::SameAsParent) => {
                Err(Box::new(Problem::of_file(&self.name, "Error", "an entity without a ref".to_owned())))
            }
            Err(error) => Err(Box::new(self.model_problem(part, &error))),
        }
    }

    fn model_problem(&self, part: &Part, error: &ModelError) -> Problem {
        let position = part.spans.nearest(error.pointer.as_deref().unwrap_or_default());
        Problem {
            line: Some(position.line),
            column: Some(position.column),
            rule: Some(error.rule.to_owned()),
            pointer: error.pointer.clone(),
            ..Problem::of_file(&self.name, error.name(), error.message.clone())
        }
    }

    fn problem(&self, fault: &Fault) -> Problem {
        Problem {
            line: fault.position.map(|position| position.line),
            column: fault.position.map(|position| position.column),
            rule: Some(fault.rule.to_owned()),
            ..Problem::of_file(&self.name, fault.name, fault.message.clone())
        }
    }
}

fn parse(bytes: &[u8], name: &str) -> Result<Vec<Part>, Fault> {
    let text = from_utf8(bytes).map_err(|error| Fault {
        name: "Error",
        message: format!("Failed to parse YAML at file:{name}, {error}"),
        position: error.position,
        rule: "yaml/encoding",
    })?;
    Ok(documents_with_spans(text, Limits::default()).map(|document| part(document, name)).collect())
}

fn part(document: SpannedDocument, name: &str) -> Part {
    let SpannedDocument { document, spans } = document;
    Part {
        index: u32::try_from(document.index).unwrap_or(u32::MAX),
        start: document.start,
        value: document.value.map_err(|error| Fault {
            name: "Error",
            message: format!("YAML error at file:{name}, YAMLParseError: {error}"),
            position: error.position,
            rule: "yaml/syntax",
        }),
        spans,
    }
}

/// A Location with relative targets is written for the place that its file will be at, such as a repository behind
/// URLs: here these targets are files beside it.
fn with_local_targets(mut entity: Entity) -> Entity {
    let is_relative = |target: &Value| target.as_str().is_some_and(|target| target.starts_with('.'));
    let spec = entity.spec();
    let single = spec.and_then(|spec| spec.get("target"));
    let many = spec.and_then(|spec| spec.get("targets")).and_then(Value::as_array);
    let mut targets = single.into_iter().chain(many.into_iter().flatten()).peekable();
    let is_local = entity.kind() == "Location" && targets.peek().is_some() && targets.all(is_relative);
    if let Some(spec) = entity.spec_mut().filter(|_| is_local) {
        spec.insert("type".to_owned(), "file".into());
    }
    entity
}
