use callboard_model::{EntityRef, Relation};
use callboard_sdk::results;
use serde_json::{Value, json};

use super::*;
use crate::testing::{AllBut, document, emitted};

fn parent() -> Parent {
    Parent {
        entity_ref: "location:default/l".to_owned(),
        location: "url:./here".to_owned(),
        origin: LocationSpec::new("url", "./there"),
        origin_ref: "url:./there".to_owned(),
    }
}

/// What a collector has after it took these.
fn collect(parent: &Parent, items: impl IntoIterator<Item = Emit>) -> Collector<'_> {
    let mut collector = Collector::new(parent, &AllBut(&[]), RunLimits::default());
    for item in items {
        collector.emit(item).unwrap();
    }
    collector
}

fn at(place: &str, entity: Value, location_key: LocationKey) -> Emit {
    Emit::Entity {
        entity: Entity::from_value(entity).unwrap(),
        location: LocationSpec::new("url", place),
        location_key,
        position: None,
    }
}

fn keys<'a>(collector: &'a Collector<'_>) -> Vec<(&'a str, Option<&'a str>)> {
    let key = |child: &'a NewEntity| (child.entity_ref.as_ref(), child.location_key.as_deref());
    collector.children.iter().map(key).collect()
}

fn messages(collector: &Collector<'_>) -> Vec<String> {
    crate::testing::summaries(&collector.errors)
}

#[test]
fn a_child_is_annotated_with_where_it_came_from_whatever_it_says_itself() {
    let mut entity = document("Component", "c");
    entity["metadata"]["annotations"] =
        json!({"backstage.io/managed-by-location": "url:evil", "own": "stays"});
    let parent = parent();
    let collector = collect(&parent, [at("./new-place", entity, LocationKey::Location)]);
    let child: Value = serde_json::from_str(&collector.children[0].json).unwrap();
    assert_eq!(
        child["metadata"]["annotations"],
        json!({
            "backstage.io/managed-by-location": "url:./new-place",
            "backstage.io/managed-by-origin-location": "url:./there",
            "own": "stays",
        })
    );
    assert_eq!(keys(&collector), [("component:default/c", Some("url:./new-place"))]);
    assert_eq!(collector.children[0].digest, Digest::of(collector.children[0].json.as_bytes()));
}

#[test]
fn the_key_is_the_location_unless_the_processor_says_otherwise() {
    let parent = parent();
    for (given, expected) in [
        (LocationKey::Location, Some("url:x")),
        (LocationKey::None, None),
        (LocationKey::Key("mykey".to_owned()), Some("mykey")),
    ] {
        let collector = collect(&parent, [at("x", document("Component", "c"), given)]);
        assert_eq!(keys(&collector), [("component:default/c", expected)]);
    }
}

#[test]
fn an_emitted_location_becomes_a_location_entity_under_the_key_of_its_parent() {
    let parent = parent();
    let target = LocationSpec::new("url", "https://backstage.io/catalog-info.yaml");
    let collector = collect(&parent, [results::location(target)]);
    let name = "location:default/generated-bbad4f61e08f24e25d5c5e68e13e164f760aff06";
    assert_eq!(keys(&collector), [(name, Some("url:./here"))]);
    let child: Value = serde_json::from_str(&collector.children[0].json).unwrap();
    assert_eq!(child["spec"], json!({"type": "url", "target": "https://backstage.io/catalog-info.yaml"}));
    assert_eq!(
        child["metadata"]["annotations"],
        json!({
            "backstage.io/managed-by-location": "url:./here",
            "backstage.io/managed-by-origin-location": "url:./there",
        })
    );
}

#[test]
fn the_entity_in_hand_is_not_a_child_of_itself() {
    let parent = parent();
    let collector = collect(&parent, [emitted(document("location", "L"))]);
    assert!(collector.children.is_empty() && collector.errors.is_empty());
}

#[test]
fn what_is_no_entity_is_an_error_and_the_others_are_collected() {
    let parent = parent();
    let mut odd = document("Component", "odd");
    odd["metadata"]["annotations"] = json!(["x"]);
    let bare = Emit::Entity {
        entity: Entity::from_value(json!({"apiVersion": "v", "kind": "k"})).unwrap(),
        location: LocationSpec::new("url", "x"),
        location_key: LocationKey::Location,
        position: Some(DocumentPosition { document: 3, line: 7 }),
    };
    let collector = collect(&parent, [bare, emitted(odd), emitted(document("Component", "c"))]);
    assert_eq!(
        messages(&collector),
        [
            "TypeError: <root> must have required property 'metadata' - missingProperty: metadata",
            "Error: metadata.annotations must be a valid object"
        ]
    );
    let address = &collector.errors[0].address;
    assert_eq!(address.location.as_deref(), Some("url:x"));
    assert_eq!((address.document, address.line), (Some(3), Some(7)));
    assert_eq!(keys(&collector), [("component:default/c", Some("url:there"))]);
}

#[test]
fn a_location_that_cannot_be_written_fails_the_processor() {
    let parent = parent();
    for (kind, target, message) in [
        ("", "x", "Unable to stringify location ref, empty type"),
        ("url", "", "Unable to stringify location ref, empty target"),
        (
            "url",
            "javascript:bad()",
            "Invalid location ref 'url:javascript:bad()', target is a javascript: URL",
        ),
    ] {
        let location = LocationSpec::new(kind, target);
        let entity = Entity::from_value(document("Component", "c")).unwrap();
        for item in [results::entity(&location, entity), results::location(location)] {
            let error = collect(&parent, []).emit(item).unwrap_err();
            assert_eq!((error.name.as_str(), error.message.as_str()), ("TypeError", message));
        }
    }
}

#[test]
fn two_children_of_one_ref_follow_the_rule_for_two_writers() {
    use LocationKey::{Key, None as NoKey};
    let key = |text: &str| Key(text.to_owned());
    let parent = parent();
    for (first, second, winner) in [
        (key("a"), key("a"), "second"),
        (key("a"), key("b"), "first"),
        (key("a"), NoKey, "first"),
        (NoKey, key("a"), "second"),
        (NoKey, NoKey, "second"),
    ] {
        let items = [
            at("first", document("Component", "c"), first),
            at("second", document("component", "C"), second),
        ];
        let collector = collect(&parent, items);
        assert_eq!(collector.children.len(), 1);
        assert!(collector.children[0].json.contains(&format!("url:{winner}")), "{winner}");
    }
}

#[test]
fn relations_and_refresh_keys_are_sets_of_canonical_refs() {
    let relation = |name: &str| {
        results::relation(Relation {
            source: EntityRef::new("Component", "Default", name),
            kind: "ownedBy".to_owned(),
            target: EntityRef::new("Group", "default", "G"),
        })
    };
    let parent = parent();
    let items = [relation("A"), relation("a"), results::refresh("k"), results::refresh("k")];
    let collector = collect(&parent, items);
    let relations: Vec<_> = collector.relations.iter().collect();
    assert_eq!(relations.len(), 1);
    assert_eq!(
        [&*relations[0].source, &*relations[0].kind, &*relations[0].target],
        ["component:default/a", "ownedBy", "group:default/g"]
    );
    assert_eq!(collector.refresh_keys.len(), 1);
}

/// Emits until the collector refuses; how many it took, and why it took no more.
fn fill(limits: RunLimits, mut item: impl FnMut(usize) -> Emit) -> (usize, ProcessorError, bool) {
    let parent = parent();
    let mut collector = Collector::new(&parent, &AllBut(&[]), limits);
    for count in 0..100 {
        if let Err(error) = collector.emit(item(count)) {
            let stays = collector.emit(results::refresh("k")).is_err();
            return (count, error, stays);
        }
    }
    panic!("no limit")
}

#[test]
fn what_is_over_a_limit_is_refused_by_its_name_from_then_on() {
    let entity = |count: usize| emitted(document("Component", &format!("c{count}")));
    let relation = |count: usize| {
        results::relation(Relation {
            source: EntityRef::new("component", "default", format!("c{count}")),
            kind: "dependsOn".to_owned(),
            target: EntityRef::new("component", "default", "x"),
        })
    };
    let defaults = RunLimits::default();
    let (count, error, stays) = fill(RunLimits { emitted_entities_max: 2, ..defaults }, entity);
    assert_eq!((count, stays), (2, true));
    assert_eq!(
        error.message,
        "location:default/l emitted more than 2 entities (callboard.limits.emittedEntities)"
    );
    assert_eq!(error.rule.as_deref(), Some("limit/emitted"));

    let (_, error, stays) = fill(RunLimits { emitted_bytes_max: 1_000, ..defaults }, entity);
    assert!(stays);
    assert_eq!(
        error.message,
        "location:default/l emitted more than 1000 bytes (callboard.limits.emittedBytes)"
    );

    let (count, error, stays) = fill(RunLimits { emitted_relations_max: 3, ..defaults }, relation);
    assert_eq!((count, stays), (3, true));
    assert_eq!(
        error.message,
        "location:default/l emitted more than 3 relations (callboard.limits.emittedRelations)"
    );
}

#[test]
fn refresh_keys_are_limited_by_number_and_by_bytes() {
    let parent = parent();
    let mut collector = Collector::new(&parent, &AllBut(&[]), RunLimits::default());
    for index in 0..REFRESH_KEYS_MAX {
        collector.emit(results::refresh(format!("key {index}"))).unwrap();
    }
    let error = collector.emit(results::refresh("one more")).unwrap_err();
    assert_eq!(error.message, "location:default/l emitted more than 100000 refresh keys");

    let long = |_| results::refresh("k".repeat(300));
    let (count, error, _) = fill(RunLimits { emitted_bytes_max: 1_000, ..RunLimits::default() }, long);
    assert_eq!(count, 3);
    assert!(error.message.contains("emittedBytes"), "{}", error.message);
}

#[test]
fn a_target_that_says_again_and_again_that_it_stands_does_so_once() {
    let parent = parent();
    let mut collector = collect(&parent, []);
    collector.enter_target(Some("a"));
    for _ in 0..3 {
        collector.emit(results::unchanged()).unwrap();
    }
    assert_eq!(collector.kept_groups.len(), 1);
}

#[test]
fn a_refusal_names_the_location_of_the_entity_in_hand_and_has_the_file_as_its_address() {
    let parent = parent();
    let mut collector = Collector::new(&parent, &AllBut(&["User"]), RunLimits::default());
    collector.emit(emitted(document("User", "u"))).unwrap();
    let refused = collector.refused.unwrap();
    assert_eq!(
        refused.message,
        "Entity user:default/u at url:./here, originated at url:./there, is not of an allowed kind for that location"
    );
    assert_eq!(refused.address.location.as_deref(), Some("url:there"));
}

#[test]
fn the_same_entity_again_and_again_counts_by_its_bytes() {
    let same = |_| emitted(document("Component", "c"));
    let limits = RunLimits { emitted_bytes_max: 1_000, emitted_entities_max: 2, ..RunLimits::default() };
    let (_, error, _) = fill(limits, same);
    assert!(error.message.contains("emittedBytes"), "{}", error.message);
}

#[test]
fn a_target_has_a_number_of_its_own_for_good() {
    assert_eq!(target_group("a"), target_group("a"));
    assert_ne!(target_group("a"), target_group("b"));
}
