//! Registered locations as entities.

use std::sync::Arc;

use callboard_model::{Digest, LocationRef, LocationSpec, location_entity};
use callboard_store::NewEntity;

/// The provider in whose bucket registered locations are; the name is Backstage's.
pub const LOCATION_STORE: &str = "DefaultLocationStore";

/// The Location entity of a registered location. An `Err` says why there can be none.
pub(crate) fn registered_location_entity(spec: &LocationSpec) -> Result<NewEntity, String> {
    let location_ref = LocationRef::parse(&format!("{}:{}", spec.kind, spec.target))
        .map_err(|error| error.message)?
        .to_string();
    let entity = location_entity(spec, &location_ref, &location_ref);
    let json = serde_json::to_string(&entity).map_err(|error| error.to_string())?;
    Ok(NewEntity {
        entity_ref: entity.entity_ref().to_canonical().into(),
        digest: Digest::of(json.as_bytes()),
        json: Arc::from(json),
        location_key: Some(Arc::from(location_ref)),
        position: None,
        group: 0,
    })
}
