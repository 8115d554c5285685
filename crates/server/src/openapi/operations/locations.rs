//! What has to do with locations, and with the state of the catalog.

use serde_json::{Map, Value, json};

use super::{Described, Effect, Tag};
use crate::catalog::{
    analyze_location, errors, location, location_create, location_update, locations, locations_by_query,
};
use crate::openapi::answers::{Answer, ETAG};
use crate::request::{BodySchema, Field, Operation, Shape};

type Location = location::LocationBody<'static>;

const NO_SUCH_LOCATION: Answer = Answer::error(404, "There is no such location.");
const READ_ONLY: Answer = Answer::error(403, "The catalog is in read-only mode.");
const IS_REGISTERED: Answer = Answer::error(409, "The location is registered already.");

pub(super) const OPERATIONS: &[Described] = &[
    Described {
        method: "get",
        path: "/locations",
        id: "GetLocations",
        tag: Tag::Locations,
        summary: "All registered locations.",
        description: "Those of the configuration are not among them.",
        effect: Effect::Read,
        request: Operation::BARE,
        insists: None,
        example: None,
        answers: &[Answer::of::<Vec<locations::Item<'static>>>(200, "The locations.").with_headers(&[ETAG])],
    },
    Described {
        method: "post",
        path: "/locations",
        id: "CreateLocation",
        tag: Tag::Locations,
        summary: "Registers a location, or tries it out.",
        description: "The target is not looked at before the answer; what it brings in follows. With `dryRun` it is \
            looked at, and nothing is kept; that also works in read-only mode.",
        effect: Effect::Change,
        request: location_create::OPERATION,
        insists: Some(BodySchema {
            fields: &[Field::optional("presence", Shape::OneOf(&["required", "optional"]))],
            closed: true,
            required: true,
        }),
        example: Some(location_example),
        answers: &[
            Answer::of::<location_create::Created<'static>>(
                201,
                "The location; and what it would bring in, of a dry run.",
            )
            .with_headers(&[ETAG]),
            READ_ONLY,
            IS_REGISTERED,
        ],
    },
    Described {
        method: "post",
        path: "/locations/by-query",
        id: "GetLocationsByQuery",
        tag: Tag::Locations,
        summary: "A page of registered locations, by a predicate.",
        description: "Ordered by id.",
        effect: Effect::Read,
        request: locations_by_query::OPERATION,
        insists: None,
        example: Some(|| json!({ "query": { "type": "url" }, "limit": 100 })),
        answers: &[Answer::of::<locations_by_query::Answer<'static>>(200, "The page.").with_headers(&[ETAG])],
    },
    Described {
        method: "get",
        path: "/locations/{id}",
        id: "GetLocation",
        tag: Tag::Locations,
        summary: "A registered location.",
        description: "",
        effect: Effect::Read,
        request: Operation::BARE,
        insists: None,
        example: None,
        answers: &[Answer::of::<Location>(200, "The location.").with_headers(&[ETAG]), NO_SUCH_LOCATION],
    },
    Described {
        method: "put",
        path: "/locations/{id}",
        id: "UpdateLocation",
        tag: Tag::Locations,
        summary: "Points a registered location elsewhere.",
        description: "`id` and `entityRef` stay. What only the old target brought in goes.",
        effect: Effect::Change,
        request: location_update::OPERATION,
        insists: None,
        example: Some(location_example),
        answers: &[
            Answer::of::<Location>(200, "The location.").with_headers(&[ETAG]),
            READ_ONLY,
            NO_SUCH_LOCATION,
            IS_REGISTERED,
        ],
    },
    Described {
        method: "delete",
        path: "/locations/{id}",
        id: "DeleteLocation",
        tag: Tag::Locations,
        summary: "Deletes a registered location.",
        description: "What only it brought in goes a moment later.",
        effect: Effect::Change,
        request: Operation::BARE,
        insists: None,
        example: None,
        answers: &[Answer::empty(204, "It is gone."), READ_ONLY, NO_SUCH_LOCATION],
    },
    Described {
        method: "get",
        path: "/locations/by-entity/{kind}/{namespace}/{name}",
        id: "GetLocationByEntity",
        tag: Tag::Locations,
        summary: "The registered location that an entity came from.",
        description: "",
        effect: Effect::Read,
        request: Operation::BARE,
        insists: None,
        example: None,
        answers: &[
            Answer::of::<Location>(200, "The location.").with_headers(&[ETAG]),
            Answer::error(404, "There is no such entity, or it came from no registered location."),
        ],
    },
    Described {
        method: "post",
        path: "/analyze-location",
        id: "AnalyzeLocation",
        tag: Tag::Locations,
        summary: "What a repository brings to the catalog, or could bring.",
        description: "The entities of the descriptor files that are there, or else one to begin with.",
        effect: Effect::Trial,
        request: analyze_location::OPERATION,
        insists: Some(BodySchema {
            fields: &[Field::optional_text("catalogFilename")],
            closed: false,
            required: true,
        }),
        example: Some(
            || json!({ "location": { "type": "url", "target": "https://github.com/example/shop" } }),
        ),
        answers: &[
            Answer::of::<analyze_location::Analysis<'static>>(200, "What was found.").with_headers(&[ETAG])
        ],
    },
    Described {
        method: "get",
        path: "/errors",
        id: "GetErrors",
        tag: Tag::Diagnostics,
        summary: "What is wrong, where, and since when.",
        description: "Callboard's own. An error is there as long as its cause.",
        effect: Effect::Read,
        request: errors::OPERATION,
        insists: None,
        example: None,
        answers: &[Answer::of::<errors::Page<'static>>(200, "A page of errors.").with_headers(&[ETAG])],
    },
    Described {
        method: "get",
        path: "/openapi.json",
        id: "GetOpenApi",
        tag: Tag::Diagnostics,
        summary: "This document.",
        description: "",
        effect: Effect::Trial,
        request: Operation::BARE,
        insists: None,
        example: None,
        answers: &[Answer::of::<Map<String, Value>>(200, "The document.").with_headers(&[ETAG])],
    },
];

fn location_example() -> Value {
    json!({ "type": "url", "target": "https://github.com/example/shop/blob/main/catalog-info.yaml" })
}
