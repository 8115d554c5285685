//! Registered locations.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use callboard_model::LocationSpec;

use super::world::{World, entity, keyed, message};
use crate::{LocationConflict, NewEntity, StoreError, StoredLocation};

const PROVIDER: &str = "DefaultLocationStore";

fn spec(target: &str) -> LocationSpec {
    LocationSpec::new("url", format!("https://example.com/{target}"))
}

fn location_entity(target: &str) -> NewEntity {
    keyed(&format!("location:default/{target}"), target, &format!("url:https://example.com/{target}"))
}

async fn create(world: &World<'_>, target: &str) -> StoredLocation {
    let (spec, entity) = (spec(target), location_entity(target));
    world.store.location_create(PROVIDER, &spec, entity, LocationConflict::Reject, world.now).await.unwrap()
}

pub async fn registering_hands_over_the_location_entity(world: World<'_>) {
    let location = create(&world, "a").await;
    assert_eq!((&location.spec, location.entity_ref.as_str()), (&spec("a"), "location:default/a"));
    assert_eq!(world.claim_one("location:default/a").await.lane, crate::Lane::Interactive);
    assert_eq!(world.store.providers().await.unwrap(), [PROVIDER]);
    assert_eq!(world.store.location_get(&location.id).await.unwrap(), Some(location.clone()));
    assert_eq!(world.store.location_by_ref("location:default/a").await.unwrap(), Some(location.clone()));
    assert_eq!(world.store.location_by_ref("location:default/b").await.unwrap(), None);
    assert_eq!(world.store.location_find(&spec("a")).await.unwrap(), Some(location));
    assert_eq!(world.store.counts(world.now).await.unwrap().locations, 1);
}

pub async fn a_location_is_registered_once(world: World<'_>) {
    create(&world, "a").await;
    let (spec, entity) = (spec("a"), location_entity("a"));
    let refused =
        world.store.location_create(PROVIDER, &spec, entity, LocationConflict::Reject, world.now).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    assert_eq!(message(refused), "Location url:https://example.com/a already exists");
}

pub async fn registering_again_may_ask_for_a_refresh(world: World<'_>) {
    let first = create(&world, "a").await;
    world.process_all().await;
    let (spec, entity) = (spec("a"), location_entity("a"));
    let again =
        world.store.location_create(PROVIDER, &spec, entity, LocationConflict::Refresh, world.now).await;
    assert_eq!(again.unwrap(), first);
    let claim = world.claim_one("location:default/a").await;
    assert_eq!((claim.lane, claim.fingerprint), (crate::Lane::Interactive, None));
}

pub async fn a_ref_is_that_of_one_location_only(world: World<'_>) {
    let first = create(&world, "a").await;
    let entity = NewEntity { entity_ref: location_entity("a").entity_ref, ..location_entity("b") };
    let store = world.store;
    for on_conflict in [LocationConflict::Reject, LocationConflict::Refresh] {
        let taken = store.location_create(PROVIDER, &spec("b"), entity.clone(), on_conflict, world.now).await;
        assert_eq!(message(taken), "location:default/a is the entity of another location");
    }
    let other = location_entity("other");
    let refused =
        store.location_create(PROVIDER, &spec("a"), other, LocationConflict::Refresh, world.now).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    assert_eq!(store.locations_list(None, 9).await.unwrap(), [first]);
    assert_eq!(world.due().await, ["location:default/a"]);
}

pub async fn a_location_can_point_elsewhere(world: World<'_>) {
    let first = create(&world, "a").await;
    world.emit("location:default/a", [entity("component:default/a", "x")]).await;
    world.process_all().await;
    world.stitch().await;
    let moved =
        world.store.location_update(PROVIDER, &first.id, &spec("b"), location_entity("b"), world.now).await;
    let moved = moved.unwrap();
    assert_eq!((&moved.id, moved.entity_ref.as_str()), (&first.id, "location:default/b"));
    assert_eq!(world.store.location_find(&spec("a")).await.unwrap(), None);
    assert_eq!(world.refs().await, Vec::<String>::new(), "what the old target brought in is gone");
    assert_eq!(world.due().await, ["location:default/b"]);
    // Registering the old target again makes another location, and each can go alone.
    let again = create(&world, "a").await;
    world.process_all().await;
    world.stitch().await;
    world.store.location_delete(PROVIDER, &again.id, world.now).await.unwrap();
    assert_eq!(world.refs().await, ["location:default/b"]);
}

pub async fn a_location_may_be_updated_to_what_it_is(world: World<'_>) {
    let first = create(&world, "a").await;
    let uid = world.claim_one("location:default/a").await.uid;
    let same =
        world.store.location_update(PROVIDER, &first.id, &spec("a"), location_entity("a"), world.now).await;
    assert_eq!(same.unwrap(), first);
    assert!(world.store.location_get(&first.id).await.unwrap().is_some());
    world.refresh("location:default/a").await;
    let mut world = world;
    world.pass(super::world::LEASE);
    assert_eq!(world.claim_one("location:default/a").await.uid, uid);
}

pub async fn updates_are_refused_with_reasons(world: World<'_>) {
    let first = create(&world, "a").await;
    create(&world, "b").await;
    let taken =
        world.store.location_update(PROVIDER, &first.id, &spec("b"), location_entity("b"), world.now).await;
    assert_eq!(message(taken), "Location url:https://example.com/b already exists");
    let unknown =
        world.store.location_update(PROVIDER, "nope", &spec("c"), location_entity("c"), world.now).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(_))));
    assert_eq!(message(unknown), "Found no location with ID nope");
    assert_eq!(world.store.location_find(&spec("c")).await.unwrap(), None);
}

pub async fn unregistering_removes_what_only_the_location_brought_in(world: World<'_>) {
    let location = create(&world, "a").await;
    create(&world, "b").await;
    for name in ["a", "b"] {
        let own = format!("component:default/{name}");
        let children = [entity(&own, "x"), entity("component:default/both", "x")];
        world.emit(&format!("location:default/{name}"), children).await;
    }
    world.process_all().await;
    world.stitch().await;
    world.store.location_delete(PROVIDER, &location.id, world.now).await.unwrap();
    assert_eq!(world.refs().await, ["component:default/b", "component:default/both", "location:default/b"]);
    assert_eq!(world.store.location_get(&location.id).await.unwrap(), None);
    let again = world.store.location_delete(PROVIDER, &location.id, world.now).await;
    assert_eq!(message(again), format!("Found no location with ID {}", location.id));
}

pub async fn locations_are_listed_by_id(world: World<'_>) {
    let mut ids = Vec::new();
    for target in ["a", "b", "c"] {
        ids.push(create(&world, target).await.id);
    }
    ids.sort();
    let first = world.store.locations_list(None, 2).await.unwrap();
    let rest = world.store.locations_list(Some(&first[1].id), 2).await.unwrap();
    let listed: Vec<String> = first.into_iter().chain(rest).map(|location| location.id).collect();
    assert_eq!(listed, ids);
}
