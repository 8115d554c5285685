//! Registered locations as entities.

use std::sync::Arc;

use callboard_model::{
    Digest, Entity, EntityRef, LocationRef, LocationSpec, location_entity, location_entity_name,
};
use callboard_sdk::DeferredEntity;
use callboard_store::{NewEntity, Store, StoreError, StoredLocation};

use crate::Randomness;

/// The provider in whose bucket registered locations are; the name is Backstage's.
pub const LOCATION_STORE: &str = "DefaultLocationStore";

/// The Location entity of a location that is to be registered.
///
/// One that is registered has its name already. Otherwise the name follows from type and target. A location that was
/// pointed elsewhere keeps its ref, though, and so the name may belong to another one by now: then it is made unique.
pub(crate) async fn free_location_entity(
    store: &dyn Store,
    spec: &LocationSpec,
    randomness: &Randomness,
) -> Result<Result<NewEntity, String>, StoreError> {
    if let Some(registered) = store.location_find(spec).await? {
        return Ok(registered_location_entity(spec, location_name(&registered)));
    }
    let name = location_entity_name(&spec.kind, &spec.target);
    let entity_ref = EntityRef::new("Location", "default", &name).to_canonical();
    let holder = store.location_by_ref(&entity_ref).await?;
    let name = if holder.is_none() {
        name
    } else {
        location_entity_name(&randomness.uuid().to_string(), &spec.target)
    };
    Ok(registered_location_entity(spec, &name))
}

/// Locations that are read from the store at once.
const PAGE: usize = 1_000;

/// All registered locations as entities.
pub(crate) async fn registered_locations(store: &dyn Store) -> Result<Vec<DeferredEntity>, StoreError> {
    let mut entities = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.locations_list(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(entities) };
        after = Some(last.id.clone());
        for location in &page {
            let entity = named_location(&location.spec, location_name(location));
            let (entity, location_ref) = entity.map_err(StoreError::Inconsistent)?;
            entities.push(DeferredEntity { entity, location_key: Some(location_ref) });
        }
    }
}

/// The name of the Location entity of a registered location.
pub(crate) fn location_name(location: &StoredLocation) -> &str {
    location.entity_ref.rsplit('/').next().unwrap_or(&location.entity_ref)
}

/// The Location entity of a registered location, by this name. An `Err` says why there can be none.
pub(crate) fn registered_location_entity(spec: &LocationSpec, name: &str) -> Result<NewEntity, String> {
    let (entity, location_ref) = named_location(spec, name)?;
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

/// With its location as `type:target`. Whether the target must be there is not registered.
fn named_location(spec: &LocationSpec, name: &str) -> Result<(Entity, String), String> {
    let location_ref = LocationRef::parse(&format!("{}:{}", spec.kind, spec.target))
        .map_err(|error| error.message)?
        .to_string();
    let spec = LocationSpec::new(&spec.kind, &spec.target);
    let mut entity = location_entity(&spec, &location_ref, &location_ref);
    entity.metadata_mut().insert("name".to_owned(), name.into());
    Ok((entity, location_ref))
}
