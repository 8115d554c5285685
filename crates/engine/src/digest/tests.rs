use std::sync::Arc;

use callboard_model::Entity;
use callboard_store::RelationKey;
use serde_json::{Map, json};

use super::*;
use crate::testing::component;

fn child(name: &str, group: i64) -> NewEntity {
    let json = format!(r#"{{"name":"{name}"}}"#);
    NewEntity {
        entity_ref: Arc::from(format!("component:default/{name}")),
        digest: Digest::of(&json),
        json: json.into(),
        location_key: Some(Arc::from("url:x")),
        position: Some((0, 1)),
        group,
    }
}

fn relation(target: &str) -> RelationKey {
    RelationKey {
        source: Arc::from("component:default/c"),
        kind: Arc::from("dependsOn"),
        target: Arc::from(target),
    }
}

type Change = fn(&mut Good);

/// A run that read children `a` and `b` from targets 1 and 2, and gave `own` by itself.
fn good() -> Good {
    Good {
        entity: Entity::from_value(component()).unwrap(),
        children: vec![child("a", 1), child("b", 2), child("own", 0)],
        duplicates: Vec::new(),
        kept_groups: Vec::new(),
        is_all_kept: false,
        relations: vec![relation("component:default/d")],
        refresh_keys: vec!["k".to_owned()],
        cache: Map::new(),
    }
}

/// As [`good`], with the readers of both targets saying "unchanged".
fn kept() -> Good {
    Good { children: vec![child("own", 0)], kept_groups: vec![1, 2], is_all_kept: true, ..good() }
}

fn digest(good: &Good, before: Option<Digest>) -> Digest {
    of_good(good, &Body::from_processed(good.entity.clone()), before)
}

fn changed(good: Good, change: impl FnOnce(&mut Good)) -> Good {
    let mut good = good;
    change(&mut good);
    good
}

#[test]
fn the_same_result_has_the_same_digest_in_whatever_order_the_children_came() {
    let before = digest(&good(), None);
    assert_eq!(digest(&good(), Some(before)), before);
    assert_eq!(digest(&changed(good(), |it| it.children.reverse()), None), before);
    assert_eq!(digest(&changed(good(), |it| it.cache.clear()), None), before);
}

#[test]
fn whatever_is_stored_of_a_run_counts() {
    let changes: [(&str, Change); 16] = [
        ("entity", |it| it.entity.set_annotation("x", "y")),
        ("status", |it| {
            it.entity.as_map_mut().insert("status".to_owned(), json!({"items": []}));
        }),
        ("another relation", |it| {
            it.relations.push(relation("component:default/e"));
        }),
        ("type of a relation", |it| {
            it.relations[0].kind = Arc::from("partOf");
        }),
        ("no relation", |it| it.relations.clear()),
        ("refresh key", |it| it.refresh_keys.push("l".to_owned())),
        ("no refresh key", |it| it.refresh_keys.clear()),
        ("a child more", |it| it.children.push(child("e", 1))),
        ("a child less", |it| drop(it.children.remove(0))),
        ("an own child less", |it| drop(it.children.pop())),
        ("content of a child", |it| {
            it.children[0].digest = Digest::of("other");
        }),
        ("content of an own child", |it| {
            it.children[2].digest = Digest::of("other");
        }),
        ("key of a child", |it| {
            it.children[0].location_key = Some(Arc::from("url:y"));
        }),
        ("no key of a child", |it| it.children[0].location_key = None),
        ("position of a child", |it| it.children[0].position = Some((0, 2))),
        ("target of a child", |it| it.children[0].group = 2),
    ];
    let before = digest(&good(), None);
    for (what, change) in changes {
        assert_ne!(digest(&changed(good(), change), Some(before)), before, "{what}");
    }
}

#[test]
fn no_key_is_not_an_empty_key() {
    let none = changed(good(), |it| it.children[0].location_key = None);
    let empty = changed(good(), |it| it.children[0].location_key = Some(Arc::from("")));
    assert_ne!(digest(&none, None), digest(&empty, None));
}

#[test]
fn children_that_all_stand_are_no_change() {
    let before = digest(&good(), None);
    let first = digest(&kept(), Some(before));
    assert_eq!(first, before);
    assert_eq!(digest(&kept(), Some(first)), before);
}

#[test]
fn a_change_of_the_rest_shows_also_while_the_children_stand() {
    let before = digest(&good(), None);
    let changes: [(&str, Change); 4] = [
        ("entity", |it| it.entity.set_annotation("x", "y")),
        ("relation", |it| it.relations.clear()),
        ("refresh key", |it| it.refresh_keys.clear()),
        ("own child", |it| it.children.clear()),
    ];
    for (what, change) in changes {
        assert_ne!(digest(&changed(kept(), change), Some(before)), before, "{what}");
    }
}

#[test]
fn a_target_that_stands_beside_one_that_lost_its_children_is_a_change_once() {
    let half =
        || Good { children: vec![child("own", 0)], kept_groups: vec![1], is_all_kept: false, ..good() };
    let before = digest(&good(), None);
    let after = digest(&half(), Some(before));
    assert_ne!(after, before);
    assert_eq!(digest(&half(), Some(after)), after);
    assert_eq!(digest(&kept(), Some(after)), after);
    let other = digest(&changed(half(), |it| it.kept_groups = vec![2]), Some(after));
    assert_ne!(other, after);
}

#[test]
fn a_failed_run_never_looks_like_a_good_one() {
    let error = |name: &str, message: &str| ProcessorError::new(name, message);
    let failed = of_failed(&[error("Error", "x")]);
    assert!(is_failed(failed) && is_failed(of_failed(&[])));
    assert!(!is_failed(digest(&good(), None)));
    assert!(!is_failed(digest(&kept(), Some(failed))));
    assert_eq!(of_failed(&[error("Error", "x")]), failed);
    for other in [vec![error("Error", "y")], vec![error("InputError", "x")], vec![]] {
        assert_ne!(of_failed(&other), failed);
    }
}
