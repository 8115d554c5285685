use callboard_model::GroupDefaultParent;

use super::*;
use crate::testing::{AllBut, Fake, parts};

fn two() -> PipelineParts {
    parts([Fake::new("a"), Fake::new("b")])
}

fn changed(change: impl FnOnce(&mut PipelineParts)) -> Pipeline {
    let mut parts = two();
    change(&mut parts);
    Pipeline::new(parts)
}

#[test]
fn the_fingerprint_is_the_same_as_long_as_nothing_that_counts_changes() {
    let before = Pipeline::new(two()).fingerprint();
    assert_eq!(Pipeline::new(two()).fingerprint(), before);
    assert_eq!(changed(|parts| parts.run_threads = RunThreads::new().ok()).fingerprint(), before);
}

#[test]
fn whatever_may_give_another_output_changes_the_fingerprint() {
    type Change = fn(&mut PipelineParts);
    let changes: [(&str, Change); 8] = [
        ("order", |parts| parts.processors.reverse()),
        ("a processor less", |parts| drop(parts.processors.pop())),
        ("a disabled processor", |parts| {
            let disabled = ProcessorOptions { is_disabled: true, priority: None };
            parts.options.insert("a".to_owned(), disabled);
        }),
        ("what a processor says of itself", |parts| {
            parts.processors[0] = Arc::new(Fake::new("a").with_fingerprint("2"));
        }),
        ("a policy", |parts| {
            parts.policies.push(Box::new(GroupDefaultParent::new("group:default/all").unwrap()));
        }),
        ("validators", |parts| parts.validators.fingerprint.push('1')),
        ("rules", |parts| parts.rules = Arc::new(AllBut(&["User"]))),
        ("types of locations", |parts| {
            parts.allowed_location_types.push("file".to_owned());
        }),
    ];
    let before = Pipeline::new(two()).fingerprint();
    for (what, change) in changes {
        assert_ne!(changed(change).fingerprint(), before, "{what}");
    }
}

#[test]
fn other_rules_count_from_the_moment_they_are_set() {
    let pipeline = Pipeline::new(two());
    let before = pipeline.fingerprint();
    pipeline.set_rules(Arc::new(AllBut(&["User"])));
    assert_ne!(pipeline.fingerprint(), before);
    pipeline.set_rules(Arc::new(AllBut(&[])));
    assert_eq!(pipeline.fingerprint(), before);
}

#[test]
fn what_a_policy_was_given_changes_the_fingerprint() {
    let with_parent = |parent| {
        changed(|parts| parts.policies.push(Box::new(GroupDefaultParent::new(parent).unwrap()))).fingerprint()
    };
    assert_ne!(with_parent("group:default/all"), with_parent("group:default/everybody"));
}
