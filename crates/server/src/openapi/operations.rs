//! The operations of the API, with what the code does not say: names, texts and answers.

mod entities;
mod locations;

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::openapi::answers::{
    Answer, BAD_REQUEST, ERROR, HEAD_TOO_LARGE, INTERNAL_ERROR, NOT_MODIFIED, REQUEST_TIMEOUT, UNAVAILABLE,
};
use crate::openapi::requests::{self, IF_NONE_MATCH, reference};
use crate::position::MIN_POSITION;
use crate::request::{BodySchema, Operation};

/// An operation.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) method: &'static str,
    /// Below the mount of the API.
    pub(super) path: &'static str,
    /// The name by which generated clients call it.
    pub(super) id: &'static str,
    tag: Tag,
    summary: &'static str,
    description: &'static str,
    effect: Effect,
    request: Operation,
    /// What the handler insists on beyond what the request is checked for.
    insists: Option<BodySchema>,
    example: Option<fn() -> Value>,
    /// Those that are not the same everywhere; first what the operation is there for.
    answers: &'static [Answer],
}

#[derive(Debug, Clone, Copy)]
enum Tag {
    Entities,
    Locations,
    Diagnostics,
}

/// What an operation has to do with positions in the change log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Read,
    Change,
    /// Neither reads what is kept nor changes it.
    Trial,
}

pub(super) fn all() -> impl Iterator<Item = &'static Described> {
    entities::OPERATIONS.iter().chain(locations::OPERATIONS)
}

pub(super) fn tags() -> Value {
    let tag = |tag: Tag, description: &str| json!({ "name": tag.name(), "description": description });
    json!([
        tag(Tag::Entities, "What the catalog knows."),
        tag(Tag::Locations, "Where it knows it from, as far as somebody registered that."),
        tag(Tag::Diagnostics, "What is wrong, and what the API is."),
    ])
}

impl Described {
    pub(super) fn describe(&self, generator: &mut SchemaGenerator) -> Value {
        let mut operation = Map::new();
        operation.insert("operationId".to_owned(), Value::from(self.id));
        operation.insert("tags".to_owned(), json!([self.tag.name()]));
        operation.insert("summary".to_owned(), Value::from(self.summary));
        if !self.description.is_empty() {
            operation.insert("description".to_owned(), Value::from(self.description));
        }
        let parameters = self.parameters();
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), Value::from(parameters));
        }
        if let Some(checked) = &self.request.body {
            let example = self.example.map(|example| example());
            let body = requests::body(self.id, checked, self.insists.as_ref(), example);
            operation.insert("requestBody".to_owned(), body);
        }
        operation.insert("responses".to_owned(), self.responses(generator));
        Value::Object(operation)
    }

    fn parameters(&self) -> Vec<Value> {
        let query = self.request.query.iter().map(|param| requests::query_parameter(self.id, param));
        let min_position = MIN_POSITION;
        let min_position = (self.effect == Effect::Read).then_some(min_position.as_str());
        let if_none_match = self.knows_304().then_some(IF_NONE_MATCH);
        let headers = min_position.into_iter().chain(if_none_match).map(|name| reference("parameters", name));
        requests::path_parameters(self.path).chain(query).chain(headers).collect()
    }

    fn responses(&self, generator: &mut SchemaGenerator) -> Value {
        let mut responses: Vec<(u16, Value)> = self
            .answers
            .iter()
            .map(|answer| (answer.status, answer.describe(generator, self.effect == Effect::Change)))
            .collect();
        // An operation with its own way to refuse requests refuses all of them in that way.
        let is_usual = responses.iter().all(|(status, _)| *status != 400);
        let shared = [
            (304, NOT_MODIFIED, self.knows_304()),
            (400, BAD_REQUEST, is_usual),
            (408, REQUEST_TIMEOUT, is_usual && self.request.body.is_some()),
            (431, HEAD_TOO_LARGE, true),
            (500, INTERNAL_ERROR, true),
            (503, UNAVAILABLE, true),
        ];
        for (status, name, is_given) in shared {
            if is_given {
                responses.push((status, reference("responses", name)));
            }
        }
        responses.sort_by_key(|(status, _)| *status);
        let responses = responses.into_iter().map(|(status, answer)| (status.to_string(), answer));
        let other = ("default".to_owned(), reference("responses", ERROR));
        Value::Object(responses.chain([other]).collect())
    }

    fn knows_304(&self) -> bool {
        self.method == "get" && self.answers.iter().any(Answer::has_etag)
    }

    /// The names of all that the query and the body may hold.
    #[cfg(test)]
    pub(super) fn taken(&self) -> impl Iterator<Item = &'static str> {
        let bodies = self.request.body.into_iter().chain(self.insists);
        let members = bodies.flat_map(|body| body.fields.iter().map(|field| field.name));
        self.request.query.iter().map(|param| param.name).chain(members)
    }

    #[cfg(test)]
    pub(super) fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }
}

impl Tag {
    fn name(self) -> &'static str {
        match self {
            Self::Entities => "Entities",
            Self::Locations => "Locations",
            Self::Diagnostics => "Diagnostics",
        }
    }
}
