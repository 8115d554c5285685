use callboard_model::{EntityRef, Relation};
use callboard_sdk::results;
use serde_json::{Value, json};

use super::*;
use crate::testing::{AllBut, document, emitted};

fn collector(rules: AllBut, limits: RunLimits) -> Collector {
    let parent = Parent {
        entity_ref: "location:default/l".to_owned(),
        location: "url:./here".to_owned(),
        origin: LocationSpec::new("url", "./there"),
        origin_ref: "url:./there".to_owned(),
    };
    Collector::new(Arc::new(parent), Arc::new(rules), limits)
}

/// What a collector has after it took these.
fn collect(items: impl IntoIterator<Item = Emit>) -> Collector {
    let mut collector = collector(AllBut(&[]), RunLimits::default());
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

fn keys(collector: &Collector) -> Vec<(&str, Option<&str>)> {
    collector.children.iter().map(|child| (&*child.entity_ref, child.location_key.as_deref())).collect()
}

fn messages(collector: &Collector) -> Vec<String> {
    crate::testing::summaries(&collector.errors)
}

#[test]
fn a_child_is_annotated_with_where_it_came_from_whatever_it_says_itself() {
    let mut entity = document("Component", "c");
    entity["metadata"]["annotations"] =
        json!({"backstage.io/managed-by-location": "url:evil", "own": "stays"});
    let collector = collect([at("./new-place", entity, LocationKey::Location)]);
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
    for (given, expected) in [
        (LocationKey::Location, Some("url:x")),
        (LocationKey::None, None),
        (LocationKey::Key("mykey".to_owned()), Some("mykey")),
    ] {
        let collector = collect([at("x", document("Component", "c"), given)]);
        assert_eq!(keys(&collector), [("component:default/c", expected)]);
    }
}

#[test]
fn an_emitted_location_becomes_a_location_entity_under_the_key_of_its_parent() {
    let target = LocationSpec::new("url", "https://backstage.io/catalog-info.yaml");
    let collector = collect([results::location(target)]);
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
    let collector = collect([emitted(document("location", "L"))]);
    assert!(collector.children.is_empty() && collector.errors.is_empty());
}

#[test]
fn what_is_no_entity_is_an_error_and_the_others_are_collected() {
    let mut odd = document("Component", "odd");
    odd["metadata"]["annotations"] = json!(["x"]);
    let bare = Emit::Entity {
        entity: Entity::from_value(json!({"apiVersion": "v", "kind": "k"})).unwrap(),
        location: LocationSpec::new("url", "x"),
        location_key: LocationKey::Location,
        position: Some(DocumentPosition { document: 3, line: 7 }),
    };
    let collector = collect([bare, emitted(odd), emitted(document("Component", "c"))]);
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
            let error = collect([]).emit(item).unwrap_err();
            assert_eq!((error.name.as_str(), error.message.as_str()), ("TypeError", message));
        }
    }
}

#[test]
fn two_children_of_one_ref_follow_the_rule_for_two_writers() {
    use LocationKey::{Key, None as NoKey};
    let key = |text: &str| Key(text.to_owned());
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
        let collector = collect(items);
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
    let items = [relation("A"), relation("a"), results::refresh("k"), results::refresh("k")];
    let collector = collect(items);
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
    let mut collector = collector(AllBut(&[]), limits);
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
    let mut collector = collector(AllBut(&[]), RunLimits::default());
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
    let mut collector = collect([]);
    collector.enter_target(Some("a"));
    for _ in 0..3 {
        collector.emit(results::unchanged()).unwrap();
    }
    assert_eq!(collector.kept_groups.len(), 1);
}

#[test]
fn a_refusal_names_the_location_of_the_entity_in_hand_and_has_the_file_as_its_address() {
    let mut collector = collector(AllBut(&["User"]), RunLimits::default());
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

/// What is emitted from two targets, the second of which is no better than the first.
fn two_targets() -> [(&'static str, Vec<Emit>); 2] {
    let relation = |name: &str| {
        results::relation(Relation {
            source: EntityRef::new("component", "default", name),
            kind: "dependsOn".to_owned(),
            target: EntityRef::new("component", "default", "x"),
        })
    };
    let error = |text: &str| results::general_error(&LocationSpec::new("url", "x"), text);
    let key = |text: &str| LocationKey::Key(text.to_owned());
    let first = vec![
        at("first", document("Component", "a"), LocationKey::Location),
        at("first", document("Component", "both"), key("first")),
        at("first", document("Component", "twice"), LocationKey::Location),
        at("first", document("Component", "twice"), LocationKey::Location),
        relation("a"),
        results::refresh("first"),
        error("first"),
    ];
    let second = vec![
        results::unchanged(),
        at("second", document("Component", "both"), key("second")),
        at("second", document("User", "u"), LocationKey::None),
        results::location(LocationSpec::new("url", "third")),
        relation("b"),
        results::refresh("second"),
        error("second"),
        error("third"),
    ];
    [("first", first), ("second", second)]
}

fn emit_all(collector: &mut Collector, target: &str, items: Vec<Emit>) {
    collector.enter_target(Some(target));
    for item in items {
        collector.emit(item).unwrap();
    }
    collector.enter_target(None);
}

#[test]
fn what_came_through_branches_is_what_would_have_come_one_after_the_other() {
    let limits = RunLimits { errors_max: 2, ..RunLimits::default() };
    let mut one_by_one = collector(AllBut(&["User"]), limits);
    let mut joined = collector(AllBut(&["User"]), limits);
    let branches = two_targets().map(|(target, items)| {
        let mut branch = joined.begin_branch().unwrap();
        emit_all(&mut branch, target, items);
        branch
    });
    for branch in branches {
        joined.end_branch(branch).unwrap();
    }
    for (target, items) in two_targets() {
        emit_all(&mut one_by_one, target, items);
    }
    assert_eq!(one_by_one.duplicates.len(), 2);
    assert!(one_by_one.refused.is_some());
    let parts = |collector: Collector| {
        let Collector { children, mut duplicates, relations, refresh_keys, errors, errors_dropped, .. } =
            collector;
        let Collector { read_groups, kept_groups, unkeepable_groups, refused, bytes, locations, .. } =
            collector;
        duplicates.sort_by_key(|(entity_ref, _)| Arc::clone(entity_ref));
        format!(
            "{children:?} {duplicates:?} {relations:?} {refresh_keys:?} {errors:?} {errors_dropped} {read_groups:?} \
             {kept_groups:?} {unkeepable_groups:?} {refused:?} {bytes} {locations:?}"
        )
    };
    assert_eq!(parts(joined), parts(one_by_one));
}

#[test]
fn branches_are_limited_together() {
    let limits = RunLimits { emitted_entities_max: 3, ..RunLimits::default() };
    let mut all = collector(AllBut(&[]), limits);
    let branches = ["a", "b"].map(|half| {
        let mut branch = all.branch().unwrap();
        for count in 0..2 {
            branch.emit(emitted(document("Component", &format!("{half}{count}")))).unwrap();
        }
        branch
    });
    let [first, second] = branches.map(|branch| all.join(branch));
    first.unwrap();
    assert_eq!(
        second.unwrap_err().message,
        "location:default/l emitted more than 3 entities (callboard.limits.emittedEntities)"
    );
    assert!(all.refused.is_some() && all.emit(results::refresh("k")).is_err());
}
