//! `POST /entities/by-refs`: for each ref the entity that has it, or null.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_index::{Fields, Origin, Predicate, parse_filters};

use crate::api_error::ApiError;
use crate::catalog::entities_by_query::texts;
use crate::catalog::entity_stream::EntityStream;
use crate::request::{BodySchema, Field, Operation, Param, Shape};
use crate::state::AppState;
use crate::view::Effort;

pub(crate) const POST: Operation = Operation {
    query: &[Param::texts("filter")],
    body: Some(BodySchema {
        fields: &[
            Field::required("entityRefs", Shape::ListOf(&Shape::Text)),
            Field::optional("fields", Shape::ListOf(&Shape::Text)),
            Field::optional("query", Shape::AnyObject),
        ],
        closed: false,
        required: false,
    }),
};

pub(crate) async fn post(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let accepted = POST.accept(&state, request).await?;
    let Some(refs) = accepted.body.get("entityRefs") else {
        return Err(ApiError::input(
            "Malformed request body (did you remember to specify an application/json content type?), Validation \
             error: Required at \"entityRefs\"",
        ));
    };
    let refs = texts(Some(refs));
    let filter = parse_filters(&accepted.query.texts("filter"))?;
    let query = accepted.body.get("query");
    let query = query.map(|query| Predicate::of_entities(query, Origin::Body)).transpose()?;
    let fields = Fields::of_items(&texts(accepted.body.get("fields")))?;
    let filters: Vec<&Predicate> = filter.iter().chain(&query).collect();
    let view = state.view()?;
    let hits = view.search(Effort::Usual, |index| index.by_refs(&refs, &filters)).await;
    EntityStream::of_each(view, hits).with_fields(fields).into_response().await
}
