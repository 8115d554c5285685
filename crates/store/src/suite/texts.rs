//! Texts that databases do not like: long ones, and ones with NUL. Descriptor files hold both.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use std::fmt::Write as _;

use callboard_model::{Digest, LocationSpec};

use super::world::{World, entity, error, keyed, processed, relation};
use crate::{ErrorFilter, LocationConflict, NewError, Processed};

const ROOT: &str = "location:default/root";
/// Each of these is another text than the others, in this order.
const ODD: [&str; 7] = ["a", "a\0", "a\0\0", "a\0b", "a\u{1}", "a\u{1}\u{1}", "a\u{fffd}"];

/// A text that cannot be made shorter by packing it.
fn long(beginning: &str) -> String {
    let mut text = beginning.to_owned();
    for number in 0..100 {
        write!(text, "{}", Digest::of(number.to_string())).unwrap();
    }
    text
}

fn named(name: &str) -> String {
    format!("component:default/{name}")
}

/// What is found about a child of a root by its ref.
async fn is_found(world: &World<'_>, entity_ref: &str) {
    let found = world.store.entity_by_ref(entity_ref).await.unwrap().unwrap();
    assert_eq!(found.entity_ref, entity_ref);
    assert_eq!(world.store.entity_by_uid(found.uid).await.unwrap().unwrap().entity_ref, entity_ref);
    let some = world.store.entities_by_refs(&[ROOT, entity_ref], usize::MAX).await.unwrap();
    assert_eq!(some.entities.len(), 2);
    assert_eq!(world.parents(entity_ref).await, [ROOT]);
    world.refresh(entity_ref).await;
    assert!(world.due().await.contains(&entity_ref.to_owned()));
}

pub async fn an_entity_may_have_a_ref_of_any_length(world: World<'_>) {
    let own = named(&long("a"));
    let target = named(&long("b"));
    let kind = long("type");
    world.full("p", [entity(ROOT, "x")]).await;
    world.emit(ROOT, [entity(&own, "x")]).await;
    let result = Processed {
        relations: vec![relation(&own, &kind, &target), relation(&target, &kind, &own)],
        refresh_keys: vec![long("key")],
        ..processed(&own, "x")
    };
    world.process(&own, result).await;
    assert_eq!(world.stitch_changed().await, [own.clone(), ROOT.to_owned()]);
    is_found(&world, &own).await;
    assert_eq!(world.relations_of(&own).await, [format!("{kind} {target}")]);
    world.process_all().await;
    assert_eq!(world.store.refresh_by_keys(&[long("key")], world.now).await.unwrap(), 0);
    world.delta("p", [entity(&target, "x")], &[]).await;
    world.process_all().await;
    world.stitch().await;
    assert_eq!(world.refs().await, [own, target, ROOT.to_owned()]);
}

pub async fn long_refs_are_told_apart_by_their_ends(world: World<'_>) {
    let refs: Vec<String> = ["", "\0", "a", "aa", "b"].map(|end| named(&(long("") + end))).into();
    world.full("p", refs.iter().map(|own| entity(own, own))).await;
    world.process_all().await;
    world.stitch().await;
    let mut seen: Vec<String> = Vec::new();
    while seen.len() < refs.len() {
        let page = world.store.entities_page(seen.last().map(String::as_str), 1).await.unwrap();
        seen.push(page.entities[0].entity_ref.clone());
    }
    assert!(world.store.entities_page(seen.last().map(String::as_str), 1).await.unwrap().entities.is_empty());
    seen.sort();
    assert_eq!(seen, refs);
    for own in &refs {
        assert_eq!(world.get(own).await["spec"]["content"], **own);
    }
}

pub async fn texts_with_nul_are_kept_as_they_are(world: World<'_>) {
    let refs = ODD.map(named);
    let of = |key: &str| refs.iter().map(|own| keyed(own, "x", &(own.clone() + key))).collect::<Vec<_>>();
    world.full("p", [entity(ROOT, "x")]).await;
    world.emit(ROOT, of("")).await;
    for own in &refs {
        let claim = world.claim_one(own).await;
        assert_eq!(claim.location_key.as_deref(), Some(own.as_str()));
        let relations = ODD.map(|kind| relation(own, kind, own)).into();
        let result = Processed { relations, ..processed(own, "x") };
        world.end(&claim, crate::OutcomeKind::Processed(Box::new(result))).await;
    }
    world.stitch().await;
    assert_eq!(world.refs().await[..ODD.len()], refs);
    for own in &refs {
        is_found(&world, own).await;
        assert_eq!(world.relations_of(own).await, ODD.map(|kind| format!("{kind} {own}")));
    }
    // The same keys again are the same; others are others.
    assert_eq!(world.full("q", of("")).await.conflicts.len(), 0);
    let refused = world.full("q", of("\0")).await.conflicts;
    assert_eq!(refused.len(), ODD.len());
    for (conflict, own) in refused.iter().zip(&refs) {
        assert_eq!(
            (conflict.existing_key.as_str(), &conflict.new_key),
            (own.as_str(), &Some(own.clone() + "\0"))
        );
    }
}

pub async fn a_location_may_be_long_and_have_nul(world: World<'_>) {
    let targets = ODD.map(str::to_owned).into_iter().chain([long("a"), long("b"), long("a\0")]);
    for target in targets {
        let spec = LocationSpec::new("url", &target);
        let own = format!("location:default/{target}");
        let create = |on_conflict| {
            let entity = keyed(&own, "x", &format!("url:{target}"));
            world.store.location_create("l", &spec, entity, on_conflict, world.now)
        };
        let location = create(LocationConflict::Reject).await.unwrap();
        assert!(create(LocationConflict::Reject).await.is_err());
        assert_eq!(create(LocationConflict::Refresh).await.unwrap(), location);
        assert_eq!((&location.spec, &location.entity_ref), (&spec, &own));
        assert_eq!(world.store.location_find(&spec).await.unwrap(), Some(location.clone()));
        assert_eq!(world.store.location_by_ref(&own).await.unwrap(), Some(location.clone()));
        assert_eq!(world.store.location_get(&location.id).await.unwrap(), Some(location));
    }
    assert_eq!(world.store.locations_list(None, 100).await.unwrap().len(), ODD.len() + 3);
    for id in ["\0", long("a").as_str()] {
        assert_eq!(world.store.location_get(id).await.unwrap(), None);
        assert!(world.store.location_delete("l", id, world.now).await.is_err());
    }
}

pub async fn a_provider_may_have_a_name_of_any_kind(world: World<'_>) {
    let mut names: Vec<String> = ODD.map(str::to_owned).into();
    names.push(long("b"));
    for name in &names {
        world.full(name, [keyed(&named("a"), "x", name)]).await;
    }
    // Only the first one of them has the entity; the others were refused.
    assert_eq!(world.store.providers().await.unwrap(), names);
    let of = ErrorFilter {
        entity_ref: Some(format!("provider:{}", names[7])),
        limit: 9,
        ..ErrorFilter::default()
    };
    let errors = world.store.errors_list(&of).await.unwrap();
    assert_eq!(
        errors.iter().map(|error| &error.subject).collect::<Vec<_>>(),
        [&format!("provider:{}", names[7])]
    );
    assert_eq!(world.store.providers_release(&names[..1], world.now).await.unwrap(), 1);
}

pub async fn an_error_is_found_by_any_location(world: World<'_>) {
    let mut texts: Vec<String> = ODD.map(str::to_owned).into();
    texts.push(long("b"));
    world.full("p", [entity(ROOT, "x")]).await;
    let errors = texts.iter().map(|text| NewError {
        location: Some(text.as_str().into()),
        pointer: Some(text.clone()),
        rule: Some(text.clone()),
        ..error(text)
    });
    let errors: Vec<NewError> = errors.collect();
    world.fail(ROOT, errors.clone()).await;
    for (text, expected) in texts.iter().zip(&errors) {
        let of = |location, rule| ErrorFilter { location, rule, limit: 9, ..ErrorFilter::default() };
        for filter in [of(Some(text.clone()), None), of(None, Some(text.clone()))] {
            let found = world.store.errors_list(&filter).await.unwrap();
            assert_eq!(found.iter().map(|error| &error.error).collect::<Vec<_>>(), [expected]);
        }
    }
}

pub async fn entities_with_texts_of_any_kind_go_without_a_trace(world: World<'_>) {
    let refs: Vec<String> = ODD.into_iter().chain([long("b").as_str(), &long("c")]).map(named).collect();
    world.full("p", refs.iter().map(|own| entity(own, "x"))).await;
    world.process_all().await;
    world.stitch().await;
    assert_eq!(world.refs().await, refs);
    let removed: Vec<&str> = refs.iter().map(String::as_str).collect();
    assert_eq!(world.delta("p", [], &removed).await.removed, refs.len());
    assert_eq!(world.refs().await, Vec::<String>::new());
    let changes = world.store.changes_after(0, 100).await.unwrap();
    let gone: Vec<&str> = changes.iter().skip(refs.len()).map(|change| change.entity_ref.as_str()).collect();
    assert_eq!(gone.len(), refs.len());
    assert!(removed.iter().all(|own| gone.contains(own)));
}
