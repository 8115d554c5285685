use std::sync::Arc;

use callboard_model::Digest;
use foldhash::{HashMap, HashSet};

use super::*;

const PARENT: i64 = 1;
const OTHER: i64 = 2;
const TARGET: i64 = 10;

fn now() -> Timestamp {
    Timestamp::from_timestamp_micros(1_800_000_000_123_456).unwrap()
}

fn entity(content: &str, key: Option<&str>) -> NewEntity {
    NewEntity {
        entity_ref: Arc::from("component:default/a"),
        json: Arc::from(content),
        digest: Digest::of(content),
        location_key: key.map(Arc::from),
        position: Some((1, 5)),
        group: 3,
    }
}

fn offer(source: i64, entity: &NewEntity, previous: Option<Edge>) -> Offer<'_> {
    Offer { source, target: TARGET, entity, previous, lane: Lane::New }
}

fn edge(source: i64, is_refused: bool) -> Edge {
    Edge { source, target: TARGET, is_refused, group: 3, position: Some((1, 5)) }
}

/// An intake into a store that has the entity with content `x` and this key.
fn intake(key: Option<&str>) -> Intake<'static> {
    let stored = Stored { uid: Uuid::nil(), digest: Digest::of("x"), location_key: key.map(Arc::from) };
    Intake::new(HashMap::from_iter([(TARGET, stored)]), now())
}

#[test]
fn keys_follow_the_table() {
    let cases = [
        (None, None, true, false),
        (None, Some("k"), true, true),
        (Some("k"), Some("k"), true, false),
        (Some("k"), Some("other"), false, false),
        (Some("k"), None, false, false),
    ];
    for (stored, new, is_accepted, is_written) in cases {
        let entity = entity("x", new);
        let mut intake = intake(stored);
        intake.offer(&[offer(PARENT, &entity, None)], &HashSet::default());
        let plan = intake.finish();
        assert_eq!(plan.edges, [edge(PARENT, !is_accepted)], "{stored:?} {new:?}");
        assert_eq!(plan.written.len(), usize::from(is_written), "{stored:?} {new:?}");
        assert_eq!(plan.refused_sources().len(), usize::from(!is_accepted));
        assert_eq!(plan.gained.len(), usize::from(is_accepted));
    }
}

#[test]
fn a_new_entity_is_written_once_with_what_was_offered_last() {
    let [first, last] = ["first", "last"].map(|content| entity(content, None));
    let mut intake = Intake::new(HashMap::default(), now());
    let offers = [offer(PARENT, &first, None), Offer { lane: Lane::Event, ..offer(OTHER, &last, None) }];
    intake.offer(&offers, &HashSet::default());
    let plan = intake.finish();
    assert_eq!((plan.added().count(), plan.changed().len(), plan.edges.len()), (1, 0, 2));
    let claim = plan.written[0].claim(LeaseToken(9), now());
    assert_eq!((claim.id, claim.lane, claim.due_at), (EntityId(TARGET), Lane::Event, now()));
    assert_eq!((claim.unprocessed_digest, claim.token), (last.digest, LeaseToken(9)));
    assert_eq!(claim.uid, plan.written[0].uid);
}

#[test]
fn changed_content_is_due_in_its_lane_and_the_same_content_is_not() {
    for (content, due) in [("x", 0), ("new", 1)] {
        let entity = entity(content, None);
        let mut intake = intake(None);
        intake.offer(&[offer(PARENT, &entity, Some(edge(PARENT, false)))], &HashSet::default());
        let plan = intake.finish();
        assert_eq!(plan.changed().get(&Lane::New).map_or(0, Vec::len), due);
        assert_eq!((plan.edges.len(), plan.gained.len()), (0, 0));
    }
}

#[test]
fn only_the_sole_source_changes_a_key() {
    let entity = entity("x", Some("new"));
    for is_sole in [true, false] {
        let offers = [offer(PARENT, &entity, Some(edge(PARENT, false))), offer(OTHER, &entity, None)];
        let mut intake = intake(Some("old"));
        assert_eq!(intake.rekeyable(&offers), [TARGET]);
        intake.offer(&offers[..1], &is_sole.then_some(TARGET).into_iter().collect());
        let plan = intake.finish();
        assert_eq!((plan.rekeyed.len(), plan.lost.len()), (usize::from(is_sole), usize::from(!is_sole)));
        assert_eq!(plan.edges, if is_sole { vec![] } else { vec![edge(PARENT, true)] });
    }
}

#[test]
fn a_refusal_ends_when_the_source_is_accepted_or_lets_go() {
    let entity = entity("x", None);
    let mut taken = intake(None);
    taken.offer(&[offer(PARENT, &entity, Some(edge(PARENT, true)))], &HashSet::default());
    let mut left = intake(None);
    left.withdraw(&edge(PARENT, true));
    for (plan, dropped) in [(taken.finish(), vec![]), (left.finish(), vec![(PARENT, TARGET)])] {
        assert_eq!(plan.settled, [(PARENT, TARGET)]);
        assert_eq!(plan.dropped, dropped);
        assert!(plan.lost.is_empty());
    }
}

#[test]
fn a_refusal_is_told_with_its_source() {
    let entity = entity("x", None);
    let mut intake = intake(Some("k"));
    intake.offer(&[offer(PARENT, &entity, None), offer(OTHER, &entity, None)], &HashSet::default());
    let plan = intake.finish();
    let names = [(PARENT, "location:default/l"), (OTHER, "::provider:p")];
    let names = names.into_iter().map(|(id, text)| (id, Arc::from(text))).collect();
    let (conflicts, errors) = (plan.conflicts(&names), plan.errors(&names));
    let sources: Vec<_> = conflicts.iter().map(|conflict| conflict.source.as_str()).collect();
    assert_eq!(sources, ["location:default/l", "p"]);
    let messages: Vec<_> = errors.iter().map(|(_, error)| error.error.message.as_str()).collect();
    let clash = "conflicting entityRef component:default/a already referenced by k and now also undefined";
    assert_eq!(messages, [format!("Detected {clash}"), format!("Source p detected {clash}")]);
    assert_eq!(errors[0].0, (PARENT, TARGET));
}

#[test]
fn uids_grow_with_time() {
    let earlier = new_uid(now());
    assert!(earlier < new_uid(now() + std::time::Duration::from_millis(1)));
    assert_eq!(earlier.get_version_num(), 7);
}
