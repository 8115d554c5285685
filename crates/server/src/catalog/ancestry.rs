//! `GET /entities/by-name/{kind}/{namespace}/{name}/ancestry`: the entity, and all that led to it.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_store::Ancestor;
use http::StatusCode;
use serde_json::Value;

use crate::api_error::ApiError;
use crate::catalog::ref_of_path;
use crate::reply;
use crate::request::Operation;
use crate::state::AppState;

pub(crate) async fn get(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let entity_ref = ref_of_path(&Operation::BARE.accept(&state, request).await?)?.to_canonical();
    let ancestors = state.store()?.ancestry(&entity_ref).await?;
    if ancestors.is_empty() {
        return Err(ApiError::not_found(format!("No such entity {entity_ref}")));
    }
    Ok(reply::buffered(StatusCode::OK, body(&entity_ref, &ancestors)))
}

/// Put together as text: the entities are JSON already.
fn body(root: &str, ancestors: &[Ancestor]) -> String {
    let items: Vec<String> = ancestors
        .iter()
        .map(|ancestor| {
            let parents = Value::from(ancestor.parent_refs.as_slice());
            format!(r#"{{"entity":{},"parentEntityRefs":{parents}}}"#, ancestor.entity.json)
        })
        .collect();
    format!(r#"{{"rootEntityRef":{},"items":[{}]}}"#, Value::from(root), items.join(","))
}

#[cfg(test)]
mod tests {
    use callboard_store::{EntityId, FinalEntity};

    use super::*;

    #[test]
    fn the_body_holds_the_entities_as_they_are_stored() {
        let ancestor = |entity_ref: &str, json: &str, parents: &[&str]| Ancestor {
            entity: FinalEntity {
                id: EntityId(1),
                entity_ref: entity_ref.into(),
                uid: uuid::Uuid::nil(),
                json: json.into(),
            },
            parent_refs: parents.iter().map(|&parent| parent.into()).collect(),
        };
        let ancestors = [
            ancestor("component:default/a\"b", r#"{"kind": "Component"}"#, &["location:default/l"]),
            ancestor("location:default/l", "{}", &[]),
        ];
        assert_eq!(
            body("component:default/a\"b", &ancestors),
            concat!(
                r#"{"rootEntityRef":"component:default/a\"b","items":["#,
                r#"{"entity":{"kind": "Component"},"parentEntityRefs":["location:default/l"]},"#,
                r#"{"entity":{},"parentEntityRefs":[]}]}"#
            )
        );
    }
}
