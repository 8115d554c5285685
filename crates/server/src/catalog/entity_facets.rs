//! `GET` and `POST /entity-facets`: how many entities have each value of a field.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_index::{Facet, FacetValue, Origin, Predicate, parse_filters};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde::ser::Serializer;

use crate::api_error::ApiError;
use crate::catalog::entities_by_query::texts;
use crate::openapi::schemas::EntityFacet;
use crate::reply;
use crate::request::{BodySchema, Field, Operation, Param, Shape};
use crate::state::AppState;
use crate::view::Effort;

pub(crate) const GET: Operation =
    Operation { query: &[Param::texts("facet").required(), Param::texts("filter")], body: None };

pub(crate) const POST: Operation = Operation {
    query: &[],
    body: Some(BodySchema {
        fields: &[
            Field::required("facets", Shape::ListOf(&Shape::Text)),
            Field::optional("query", Shape::AnyObject),
        ],
        closed: false,
        required: true,
    }),
};

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EntityFacetsResponse", deny_unknown_fields)]
pub(crate) struct Facets {
    #[serde(serialize_with = "by_name")]
    #[schemars(with = "BTreeMap<String, Vec<EntityFacet>>")]
    facets: Vec<Facet>,
}

pub(crate) async fn get(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let query = GET.accept(&state, request).await?.query;
    let filter = parse_filters(&query.texts("filter"))?;
    answer(&state, &query.texts("facet"), filter.as_ref()).await
}

pub(crate) async fn post(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let body = POST.accept(&state, request).await?.body;
    let query = body.get("query").map(|query| Predicate::of_entities(query, Origin::Query)).transpose()?;
    answer(&state, &texts(body.get("facets")), query.as_ref()).await
}

async fn answer(state: &AppState, names: &[&str], filter: Option<&Predicate>) -> Result<Response, ApiError> {
    let filters: Vec<&Predicate> = filter.into_iter().collect();
    let facets = state.view()?.search(Effort::AllValues, |index| index.facets(names, &filters)).await?;
    reply::json(StatusCode::OK, &Facets { facets })
}

fn by_name<S: Serializer>(facets: &[Facet], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(facets.iter().map(|Facet { name, values }| (name, values as &Vec<FacetValue>)))
}
