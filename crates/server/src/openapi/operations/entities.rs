//! What has to do with entities.

use serde_json::json;

use super::{Described, Effect, Tag};
use crate::catalog::{
    entities, entities_by_query, entities_by_refs, entity_facets, refresh, validate_entity,
};
use crate::openapi::answers::{Answer, ETAG, LINK};
use crate::openapi::schemas::{EntitiesBatchResponse, EntitiesQueryResponse, Entity, EntityAncestryResponse};
use crate::request::{BodySchema, Field, Operation, Shape};

const NO_SUCH_ENTITY: Answer = Answer::error(404, "There is no such entity.");

const BY_NAME: &str = "/entities/by-name/{kind}/{namespace}/{name}";
const ANCESTRY: &str = "/entities/by-name/{kind}/{namespace}/{name}/ancestry";

pub(super) const OPERATIONS: &[Described] = &[
    Described {
        method: "get",
        path: "/entities",
        id: "GetEntities",
        tag: Tag::Entities,
        summary: "All entities, or a part of them.",
        description: "Everything that the filters find, as one array; with `limit`, `offset` or `after` a part of it.",
        effect: Effect::Read,
        request: entities::LIST,
        insists: None,
        example: None,
        answers: &[Answer::of::<Vec<Entity>>(200, "The entities.").with_headers(&[ETAG, LINK])],
    },
    Described {
        method: "get",
        path: "/entities/by-query",
        id: "GetEntitiesByQuery",
        tag: Tag::Entities,
        summary: "A page of entities.",
        description: "A page of what a filter finds, with cursors that lead to its neighbours.",
        effect: Effect::Read,
        request: entities_by_query::GET,
        insists: None,
        example: None,
        answers: &[Answer::of::<EntitiesQueryResponse>(200, "The page.").with_headers(&[ETAG])],
    },
    Described {
        method: "post",
        path: "/entities/by-query",
        id: "QueryEntitiesByPredicate",
        tag: Tag::Entities,
        summary: "A page of entities, by a predicate.",
        description: "As with `GET`, whose cursors this takes too, and the other way round.",
        effect: Effect::Read,
        request: entities_by_query::POST,
        insists: None,
        example: Some(|| {
            json!({
                "query": { "kind": "component", "metadata.tags": { "$exists": true } },
                "orderBy": [{ "field": "metadata.name", "order": "asc" }],
                "limit": 20,
            })
        }),
        answers: &[Answer::of::<EntitiesQueryResponse>(200, "The page.").with_headers(&[ETAG])],
    },
    Described {
        method: "post",
        path: "/entities/by-refs",
        id: "GetEntitiesByRefs",
        tag: Tag::Entities,
        summary: "Entities by their refs.",
        description: "For each ref, in the order of the request, the entity that has it, or null. Refs have to be \
            complete and in lower case. A filter, a query or both make null of all entities that they do not find.",
        effect: Effect::Read,
        request: entities_by_refs::POST,
        insists: None,
        example: Some(
            || json!({ "entityRefs": ["component:default/hire-app"], "fields": ["kind", "metadata.name"] }),
        ),
        answers: &[Answer::of::<EntitiesBatchResponse>(200, "As many items as refs.").with_headers(&[ETAG])],
    },
    Described {
        method: "get",
        path: "/entities/by-uid/{uid}",
        id: "GetEntityByUid",
        tag: Tag::Entities,
        summary: "An entity by its uid.",
        description: "",
        effect: Effect::Read,
        request: Operation::BARE,
        insists: None,
        example: None,
        answers: &[Answer::of::<Entity>(200, "The entity."), NO_SUCH_ENTITY],
    },
    Described {
        method: "delete",
        path: "/entities/by-uid/{uid}",
        id: "DeleteEntityByUid",
        tag: Tag::Entities,
        summary: "Deletes an entity.",
        description: "Whatever still hands it over brings it back, with another uid. To get rid of the entities of a \
            location, delete the location. Also works in read-only mode.",
        effect: Effect::Change,
        request: Operation::BARE,
        insists: None,
        example: None,
        answers: &[Answer::empty(204, "It is gone, or was never there.")],
    },
    Described {
        method: "get",
        path: BY_NAME,
        id: "GetEntityByName",
        tag: Tag::Entities,
        summary: "An entity by its name.",
        description: "",
        effect: Effect::Read,
        request: Operation::BARE,
        insists: None,
        example: None,
        answers: &[Answer::of::<Entity>(200, "The entity."), NO_SUCH_ENTITY],
    },
    Described {
        method: "get",
        path: ANCESTRY,
        id: "GetEntityAncestryByName",
        tag: Tag::Entities,
        summary: "How an entity came into the catalog.",
        description: "The entity, then everything that led to it, up to the Locations of the configuration and those \
            that were registered; 1000 entities at most. An entity may have several parents.",
        effect: Effect::Read,
        request: Operation::BARE,
        insists: None,
        example: None,
        answers: &[
            Answer::of::<EntityAncestryResponse>(200, "The ancestry.").with_headers(&[ETAG]),
            NO_SUCH_ENTITY,
        ],
    },
    Described {
        method: "get",
        path: "/entity-facets",
        id: "GetEntityFacets",
        tag: Tag::Entities,
        summary: "The values of fields, counted.",
        description: "For each facet how many of the entities that the filters find have which value.",
        effect: Effect::Read,
        request: entity_facets::GET,
        insists: None,
        example: None,
        answers: &[Answer::of::<entity_facets::Facets>(200, "The facets.").with_headers(&[ETAG])],
    },
    Described {
        method: "post",
        path: "/entity-facets",
        id: "QueryEntityFacetsByPredicate",
        tag: Tag::Entities,
        summary: "The values of fields, counted, by a predicate.",
        description: "As with `GET`.",
        effect: Effect::Read,
        request: entity_facets::POST,
        insists: None,
        example: Some(|| json!({ "facets": ["spec.type"], "query": { "kind": "component" } })),
        answers: &[Answer::of::<entity_facets::Facets>(200, "The facets.").with_headers(&[ETAG])],
    },
    Described {
        method: "post",
        path: "/refresh",
        id: "RefreshEntity",
        tag: Tag::Entities,
        summary: "Has an entity processed at once.",
        description: "The entity and the Locations that it came through are processed before everything that is \
            merely due. The answer does not wait for that. Also works in read-only mode.",
        effect: Effect::Change,
        request: refresh::OPERATION,
        insists: None,
        example: Some(|| json!({ "entityRef": "component:default/hire-app" })),
        answers: &[Answer::empty(200, "It will be processed."), NO_SUCH_ENTITY],
    },
    Described {
        method: "post",
        path: "/validate-entity",
        id: "ValidateEntity",
        tag: Tag::Entities,
        summary: "Checks an entity without keeping it.",
        description: "Runs the entity through the whole pipeline, as if it had been read from the location.",
        effect: Effect::Trial,
        request: validate_entity::OPERATION,
        insists: Some(BodySchema {
            fields: &[Field::required("entity", Shape::AnyObject), Field::text("location")],
            closed: false,
            required: true,
        }),
        example: Some(|| {
            json!({
                "location": "url:https://example.com/catalog-info.yaml",
                "entity": {
                    "apiVersion": "backstage.io/v1alpha1",
                    "kind": "System",
                    "metadata": { "name": "hiring" },
                    "spec": { "owner": "team-people" },
                },
            })
        }),
        answers: &[
            Answer::empty(200, "The entity is valid."),
            Answer::of::<validate_entity::Invalid>(400, "What is wrong with the entity or with the request.")
                .with_headers(&[ETAG]),
        ],
    },
];
