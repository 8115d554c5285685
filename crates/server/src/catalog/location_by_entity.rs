//! `GET /locations/by-entity/{kind}/{namespace}/{name}`: the registered location through which an entity came in.

use axum::extract::{Request, State};
use axum::response::Response;
use callboard_model::annotations::MANAGED_BY_ORIGIN_LOCATION;
use callboard_model::{Entity, LocationRef, LocationSpec};
use http::StatusCode;

use crate::api_error::ApiError;
use crate::catalog::location::LocationBody;
use crate::catalog::ref_of_path;
use crate::reply;
use crate::request::Operation;
use crate::state::AppState;

pub(crate) async fn get(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let entity_ref = ref_of_path(&Operation::BARE.accept(&state, request).await?)?.to_canonical();
    let store = state.store()?;
    let entity = store
        .entity_by_ref(&entity_ref)
        .await?
        .ok_or_else(|| ApiError::not_found(format!("found no entity for ref {entity_ref}")))?;
    let LocationRef { type_, target } = origin(&entity.json)
        .ok_or_else(|| ApiError::not_found(format!("found no origin annotation for ref {entity_ref}")))?;
    let spec = LocationSpec::new(type_, target);
    if let Some(location) = store.location_find(&spec).await? {
        return reply::json(StatusCode::OK, &LocationBody::from(&location));
    }
    let LocationSpec { kind, target, .. } = spec;
    Err(ApiError::not_found(format!("Found no location with type {kind} and target {target}")))
}

/// An annotation that names no location is as good as none.
fn origin(entity: &str) -> Option<LocationRef> {
    let entity: Entity = serde_json::from_str(entity).ok()?;
    LocationRef::parse(entity.annotation(MANAGED_BY_ORIGIN_LOCATION)?).ok()
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;

    use super::*;
    use crate::options::ServerOptions;
    use crate::testing::{Fixture, component};

    #[tokio::test]
    async fn entities_lead_to_the_location_that_they_came_from() {
        let fixture = Fixture::new(ServerOptions::default()).await;
        let from = |name: &str, origin: &str| {
            let mut entity = component(name);
            entity["metadata"]["annotations"] = json!({ MANAGED_BY_ORIGIN_LOCATION: origin });
            entity
        };
        let target = "https://example.com/a.yaml";
        let registered = json!({"type": "url", "target": target}).to_string();
        let created = fixture.send(Method::POST, "/api/catalog/locations", registered).await.json();
        let entities = [
            component("bare"),
            from("odd", "nowhere"),
            from("registered", &format!("url:{target}")),
            from("configured", "file:/etc/catalog/all.yaml"),
        ];
        fixture.ingest(&entities, &[]).await;

        let get = async |path: &str| fixture.get(&format!("/api/catalog/locations/by-entity/{path}")).await;
        let found = get("Component/default/Registered").await;
        assert_eq!((found.status, found.json()), (StatusCode::OK, created["location"].clone()));
        let rows = [
            ("Component/default/Nope", 404, "found no entity for ref component:default/nope"),
            ("component/default/bare", 404, "found no origin annotation for ref component:default/bare"),
            ("component/default/odd", 404, "found no origin annotation for ref component:default/odd"),
            (
                "component/default/configured",
                404,
                "Found no location with type file and target /etc/catalog/all.yaml",
            ),
            ("component/default/bare?x=1", 400, "Unknown query parameter 'x'"),
        ];
        for (path, status, message) in rows {
            assert_eq!(get(path).await.error(), (status, message.to_owned()), "{path}");
        }
    }
}
