//! Location keys: who may write an entity that another source wrote.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use super::world::{World, entity, keyed, outcome, processed};
use crate::{Conflict, ErrorCategory, Lane, NewEntity, OutcomeKind, Processed};

const ROOT: &str = "location:default/root";
const OTHER: &str = "location:default/other";
const A: &str = "component:default/a";

pub async fn keys_of_a_child_follow_the_table(world: World<'_>) {
    world.full("p", [entity(ROOT, "x"), entity(OTHER, "x")]).await;
    world.emit(OTHER, [keyed(A, "content", "")]).await;
    // Key emitted, whether it is taken, key stored afterwards.
    let steps = [
        ("", true, None),
        ("", true, None),
        ("x", true, Some("x")),
        ("y", false, Some("x")),
        ("", false, Some("x")),
        ("x", true, Some("x")),
    ];
    for (step, (key, is_taken, stored)) in steps.into_iter().enumerate() {
        let content = format!("content {step}");
        let report = world.emit(ROOT, [keyed(A, &content, key)]).await;
        assert_eq!(report.conflicts.is_empty(), is_taken, "step {step}");
        world.refresh(A).await;
        let claim = world.claim_one(A).await;
        assert_eq!(claim.location_key.as_deref(), stored, "step {step}");
        assert_eq!(claim.unprocessed.contains(&content), is_taken, "step {step}");
        world.end(&claim, crate::OutcomeKind::Abandoned).await;
        world.refresh(ROOT).await;
    }
}

pub async fn a_refused_parent_is_no_parent(world: World<'_>) {
    world.full("p", [entity(ROOT, "x"), entity(OTHER, "x")]).await;
    world.emit(OTHER, [keyed(A, "x", "k")]).await;
    world.emit(ROOT, [keyed(A, "x", "k")]).await;
    world.process_all().await;
    world.refresh(ROOT).await;
    let report = world.emit(ROOT, [keyed(A, "x", "j")]).await;
    let conflict = Conflict {
        entity_ref: A.to_owned(),
        source: ROOT.to_owned(),
        existing_key: "k".to_owned(),
        new_key: Some("j".to_owned()),
    };
    assert_eq!(report.conflicts, [conflict]);
    world.refresh(OTHER).await;
    world.emit(OTHER, []).await;
    world.stitch().await;
    assert!(world.is_orphan(A).await);
}

/// Two parents hand over an entity under the same key and in different words, those of `OTHER` being the last.
async fn with_two_parents(world: &World<'_>) {
    world.full("p", [entity(ROOT, "x"), entity(OTHER, "x")]).await;
    world.emit(ROOT, [keyed(A, "of root", "k")]).await;
    world.emit(OTHER, [keyed(A, "of other", "k")]).await;
    world.process_all().await;
}

async fn root_runs_in_full(world: &World<'_>) {
    let claim = world.claim_one(ROOT).await;
    assert_eq!((claim.lane, claim.fingerprint), (Lane::Event, None));
}

pub async fn a_parent_is_due_when_another_one_no_longer_emits_what_both_did(world: World<'_>) {
    with_two_parents(&world).await;
    world.refresh(OTHER).await;
    world.emit(OTHER, []).await;
    root_runs_in_full(&world).await;
}

pub async fn a_parent_is_due_when_another_one_is_gone_that_emitted_the_same(world: World<'_>) {
    with_two_parents(&world).await;
    world.full("p", [entity(ROOT, "x")]).await;
    root_runs_in_full(&world).await;
}

pub async fn a_parent_is_due_when_another_one_comes_with_another_key(world: World<'_>) {
    with_two_parents(&world).await;
    world.refresh(OTHER).await;
    world.emit(OTHER, [keyed(A, "of other", "j")]).await;
    root_runs_in_full(&world).await;
}

pub async fn a_parent_may_change_the_key_of_what_only_it_hands_over(world: World<'_>) {
    world.full("p", [entity(ROOT, "x"), entity(OTHER, "x")]).await;
    world.emit(ROOT, [keyed(A, "x", "k")]).await;
    world.emit(OTHER, [keyed(A, "x", "j")]).await;
    world.process_all().await;
    world.stitch().await;
    let uid = world.get(A).await["metadata"]["uid"].clone();
    world.refresh(ROOT).await;
    assert_eq!(world.emit(ROOT, [keyed(A, "moved", "l")]).await.conflicts, []);
    assert_eq!(world.claim_one(A).await.location_key.as_deref(), Some("l"));
    world.stitch().await;
    assert!(!world.is_orphan(A).await);
    assert_eq!(world.get(A).await["metadata"]["uid"], uid);
    // The one that was refused before is not in the same position.
    world.refresh(OTHER).await;
    assert_eq!(world.emit(OTHER, [keyed(A, "x", "j")]).await.conflicts.len(), 1);
}

pub async fn two_parents_that_swap_their_keys_in_one_batch_do_not_both_have_the_child(world: World<'_>) {
    for [first, second] in [[ROOT, OTHER], [OTHER, ROOT]] {
        world.full("p", [entity(ROOT, "x"), entity(OTHER, "x")]).await;
        world.emit(ROOT, [keyed(A, "x", "k")]).await;
        world.emit(OTHER, [keyed(A, "x", "j")]).await;
        let mut batch = Vec::new();
        for parent in [first, second] {
            world.refresh(parent).await;
            let claim = world.claim_one(parent).await;
            let children = vec![keyed(A, "x", if parent == ROOT { "j" } else { "k" })];
            let run = Processed { children, ..processed(parent, "swapped") };
            batch.push(outcome(&claim, OutcomeKind::Processed(Box::new(run)), world.now));
        }
        let conflicts = world.commit_all(&batch, 0).await.conflicts;
        let refused: Vec<_> = conflicts.iter().map(|conflict| conflict.source.as_str()).collect();
        assert_eq!(refused, [second]);
        let key = if first == ROOT { "j" } else { "k" };
        assert_eq!(world.claim_one(A).await.location_key.as_deref(), Some(key));
        world.full("p", []).await;
        world.delete_orphans().await;
    }
}

pub async fn a_refusal_is_an_error_of_the_parent(world: World<'_>) {
    world.full("p", [entity(ROOT, "x"), entity(OTHER, "x")]).await;
    world.emit(ROOT, [keyed(A, "x", "k")]).await;
    for count in 1..=2 {
        let child = NewEntity { position: Some((2, 30)), ..keyed(A, "x", "j") };
        world.emit(OTHER, [child.clone()]).await;
        let errors = world.errors().await;
        assert_eq!(errors.len(), 1);
        let found = &errors[0];
        assert_eq!(
            (found.category, found.subject.as_str(), found.count),
            (ErrorCategory::Conflict, OTHER, count)
        );
        let message =
            "Detected conflicting entityRef component:default/a already referenced by k and now also j";
        assert_eq!(
            (found.error.error.name.as_str(), found.error.error.message.as_str()),
            ("ConflictError", message)
        );
        assert_eq!(found.error.rule.as_deref(), Some("conflict/location-key"));
        assert_eq!((found.error.document, found.error.line), (Some(2), Some(30)));
        assert_eq!((found.error.location.as_deref(), found.error.digest), (Some("j"), child.digest));
        world.refresh(OTHER).await;
    }
    world.emit(OTHER, [keyed(A, "x", "")]).await;
    assert!(world.errors().await[0].error.error.message.ends_with("and now also undefined"));
    world.refresh(OTHER).await;
    world.emit(OTHER, []).await;
    assert_eq!(world.errors().await.len(), 0);
}

pub async fn a_refused_parent_is_due_when_the_entity_in_its_way_is_deleted(world: World<'_>) {
    world.full("p", [entity(ROOT, "x"), entity(OTHER, "x")]).await;
    world.emit(ROOT, [keyed(A, "x", "k")]).await;
    world.emit(OTHER, [keyed(A, "x", "j")]).await;
    world.refresh(ROOT).await;
    world.emit(ROOT, []).await;
    assert_eq!(world.delete_orphans().await, 1);
    let claim = world.claim_one(OTHER).await;
    assert_eq!(claim.fingerprint, None, "a full run");
    world.end(&claim, crate::OutcomeKind::Abandoned).await;
    assert_eq!(world.errors().await.len(), 0);
    let report = world.emit(OTHER, [keyed(A, "x", "j")]).await;
    assert_eq!(report.conflicts, []);
    assert_eq!(world.claim_one(A).await.location_key.as_deref(), Some("j"));
}

pub async fn a_refused_parent_is_due_when_the_entity_in_its_way_becomes_an_orphan(world: World<'_>) {
    world.full("p", [entity(ROOT, "x"), entity(OTHER, "x")]).await;
    world.emit(ROOT, [keyed(A, "x", "k")]).await;
    world.emit(OTHER, [keyed(A, "x", "j")]).await;
    world.process_all().await;
    world.stitch().await;
    let before = world.get(A).await;
    world.refresh(ROOT).await;
    world.emit(ROOT, []).await;
    let claim = world.claim_one(OTHER).await;
    assert_eq!(claim.fingerprint, None, "a full run");
    world.end(&claim, crate::OutcomeKind::Abandoned).await;
    assert_eq!(world.emit(OTHER, [keyed(A, "x", "j")]).await.conflicts, []);
    assert_eq!(world.claim_one(A).await.location_key.as_deref(), Some("j"));
    assert_eq!((world.errors().await.len(), world.delete_orphans().await), (0, 0));
    world.stitch().await;
    assert_eq!(world.get(A).await, before);
}

pub async fn a_refused_parent_is_due_when_the_key_in_its_way_changes(world: World<'_>) {
    world.full("p", [entity(ROOT, "x"), keyed(A, "x", "k")]).await;
    world.emit(ROOT, [keyed(A, "x", "j")]).await;
    assert!(!world.due().await.contains(&ROOT.to_owned()));
    world.full("p", [entity(ROOT, "x"), keyed(A, "x", "j")]).await;
    assert!(world.due().await.contains(&ROOT.to_owned()));
    assert_eq!(world.emit(ROOT, [keyed(A, "x", "j")]).await.conflicts, []);
    assert_eq!(world.errors().await.len(), 0);
}

pub async fn a_refused_provider_is_told(world: World<'_>) {
    world.full("a", [keyed(A, "x", "a")]).await;
    let report = world.full("b", [keyed(A, "y", "b")]).await;
    let conflict = Conflict {
        entity_ref: A.to_owned(),
        source: "b".to_owned(),
        existing_key: "a".to_owned(),
        new_key: Some("b".to_owned()),
    };
    assert_eq!((report.added, report.updated, &report.conflicts), (0, 0, &vec![conflict]));
    let errors = world.errors().await;
    assert_eq!(errors[0].subject, "provider:b");
    assert_eq!(
        errors[0].error.error.message,
        "Source b detected conflicting entityRef component:default/a already referenced by a and now also b"
    );
    assert!(world.claim_one(A).await.unprocessed.contains('x'));
    // Once the owner is gone, the next mutation gets through.
    world.full("a", []).await;
    let report = world.full("b", [keyed(A, "y", "b")]).await;
    assert_eq!((report.added, report.conflicts.len(), world.errors().await.len()), (1, 0, 0));
}

pub async fn a_refused_entity_is_not_in_the_bucket(world: World<'_>) {
    world.full("a", [keyed(A, "x", "a")]).await;
    world.full("b", [keyed(A, "y", "b")]).await;
    world.process_all().await;
    world.stitch().await;
    let report = world.full("b", []).await;
    assert_eq!((report.removed, world.errors().await.len()), (0, 0));
    assert!(world.find(A).await.is_some());
}

pub async fn an_entity_without_a_key_can_be_taken_over(world: World<'_>) {
    world.full("a", [entity(A, "x")]).await;
    let first = world.claim_one(A).await;
    world.end(&first, crate::OutcomeKind::Abandoned).await;
    let report = world.full("b", [keyed(A, "y", "b")]).await;
    assert_eq!((report.added, report.updated, report.conflicts.len()), (0, 1, 0));
    let report = world.full("a", [entity(A, "x")]).await;
    assert_eq!(report.conflicts.len(), 1);
    world.full("a", []).await;
    let claim = world.claim_one(A).await;
    assert_eq!((claim.uid, claim.location_key.as_deref()), (first.uid, Some("b")));
}

pub async fn a_provider_may_change_the_key_of_what_is_its_own(world: World<'_>) {
    world.full("p", [keyed(A, "x", "old"), entity("component:default/same", "x")]).await;
    world.emit(A, [entity("component:default/child", "x")]).await;
    world.process_all().await;
    world.stitch().await;
    let uid = world.get(A).await["metadata"]["uid"].clone();
    for (key, stored) in [("new", Some("new")), ("", None), ("again", Some("again"))] {
        let report = world.full("p", [keyed(A, "x", key), entity("component:default/same", "x")]).await;
        assert_eq!((report.added, report.updated, report.removed), (0, 1, 0));
        let claim = world.claim_one(A).await;
        assert_eq!(claim.location_key.as_deref(), stored);
        world.end(&claim, crate::OutcomeKind::Unchanged).await;
    }
    world.stitch().await;
    assert_eq!(world.get(A).await["metadata"]["uid"], uid, "it is the same entity");
    assert!(world.find("component:default/child").await.is_some());
    let report = world.delta("p", [keyed(A, "x", "by delta")], &[]).await;
    assert_eq!((report.updated, report.conflicts.len()), (1, 0));
}

pub async fn nobody_changes_the_key_of_what_others_hold_too(world: World<'_>) {
    world.full("p", [keyed(A, "x", "k")]).await;
    world.full("q", [keyed(A, "x", "k")]).await;
    let report = world.full("p", [keyed(A, "x", "j")]).await;
    assert_eq!((report.updated, report.conflicts.len()), (0, 1));
    assert_eq!(world.claim_one(A).await.location_key.as_deref(), Some("k"));
    // It is the other one's alone now.
    assert_eq!(world.full("q", []).await.removed, 1);
}

async fn release(world: &World<'_>, gone: &[&str]) -> u64 {
    let gone: Vec<String> = gone.iter().map(|name| (*name).to_owned()).collect();
    world.store.providers_release(&gone, world.now).await.unwrap()
}

pub async fn what_only_a_provider_that_is_gone_handed_over_can_be_taken_over(world: World<'_>) {
    world.full("old", [keyed(ROOT, "x", "old"), keyed(OTHER, "x", "old")]).await;
    world.emit(ROOT, [keyed(A, "x", "file")]).await;
    world.process_all().await;
    world.stitch().await;
    let before = world.get(ROOT).await;
    assert_eq!(release(&world, &["unknown"]).await, 0);
    assert_eq!(release(&world, &["unknown", "old"]).await, 2);
    assert_eq!(release(&world, &["old"]).await, 0, "no key is left");
    assert_eq!(world.due().await, Vec::<String>::new());
    assert_eq!(world.store.providers().await.unwrap(), ["old"]);
    let report = world.full("new", [keyed(ROOT, "x", "new")]).await;
    assert_eq!((report.added, report.updated, report.conflicts), (0, 1, Vec::new()));
    assert_eq!(world.full("old", []).await.removed, 1, "nobody took over the other one");
    let claim = world.claim_one(ROOT).await;
    assert_eq!(claim.location_key.as_deref(), Some("new"));
    world.end(&claim, crate::OutcomeKind::Unchanged).await;
    world.stitch().await;
    assert_eq!(world.get(ROOT).await, before);
    assert_eq!(world.refs().await, [A, ROOT]);
    world.refresh(A).await;
    assert_eq!(world.claim_one(A).await.location_key.as_deref(), Some("file"), "its source is not gone");
}

pub async fn what_others_hold_too_keeps_its_key_when_a_provider_is_gone(world: World<'_>) {
    world.full("old", [entity(ROOT, "x"), keyed(OTHER, "x", "k"), keyed(A, "x", "k")]).await;
    world.full("q", [keyed(OTHER, "x", "k")]).await;
    world.emit(ROOT, [keyed(A, "x", "k")]).await;
    assert_eq!(release(&world, &["old"]).await, 0);
    let report = world.full("new", [keyed(OTHER, "y", "new"), keyed(A, "y", "new")]).await;
    assert_eq!(report.conflicts.len(), 2);
}

pub async fn what_providers_share_that_are_gone_can_be_taken_over(world: World<'_>) {
    world.full("old", [keyed(A, "x", "k")]).await;
    world.full("older", [keyed(A, "x", "k")]).await;
    world.full("refused", [keyed(A, "x", "j")]).await;
    assert_eq!(release(&world, &["old"]).await, 0);
    assert_eq!(release(&world, &["old", "older"]).await, 1, "who was refused does not count");
}

pub async fn a_refused_parent_is_due_when_the_key_in_its_way_is_released(world: World<'_>) {
    world.full("p", [entity(ROOT, "x")]).await;
    world.full("old", [keyed(A, "x", "k")]).await;
    world.emit(ROOT, [keyed(A, "x", "j")]).await;
    assert_eq!(world.errors().await.len(), 1);
    assert_eq!(release(&world, &["old"]).await, 1);
    let claim = world.claim_one(ROOT).await;
    assert_eq!(claim.fingerprint, None, "a full run");
    world.end(&claim, crate::OutcomeKind::Abandoned).await;
    assert_eq!(world.emit(ROOT, [keyed(A, "x", "j")]).await.conflicts, []);
    assert_eq!(world.full("old", []).await.removed, 0);
    assert_eq!(world.errors().await.len(), 0);
    assert_eq!(world.claim_one(A).await.location_key.as_deref(), Some("j"));
}
