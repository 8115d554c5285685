use super::*;

fn named(id: i64, text: &str, is_entity: bool) -> Named {
    Named { id, text: (!text.is_empty()).then(|| text.to_owned()), is_entity }
}

fn edge(source: Named, target: Named, is_refused: bool) -> EdgeRow {
    EdgeRow { source, target, is_refused, has_error: false, is_registered: false }
}

#[test]
fn edges_lead_from_entities_and_providers_to_entities() {
    let entity = || named(7, "component:default/a", true);
    let provider = || named(1, "::provider:p", false);
    let kinds = |edge: &EdgeRow| edge.check(Some("p")).into_iter().map(|it| it.invariant).collect::<Vec<_>>();
    let cases = [
        (edge(entity(), entity(), false), vec![]),
        (edge(provider(), entity(), false), vec![Invariant::UnregisteredLocation]),
        (edge(provider(), entity(), true), vec![Invariant::UnexplainedConflict]),
        (edge(named(2, "", true), entity(), false), vec![Invariant::DanglingEdge]),
        (edge(named(2, "component:default/gone", false), entity(), true), vec![Invariant::DanglingEdge]),
        (edge(provider(), named(8, "component:default/gone", false), false), vec![Invariant::DanglingEdge]),
        (edge(provider(), named(8, "", true), false), vec![Invariant::DanglingEdge]),
    ];
    for (edge, expected) in cases {
        assert_eq!(kinds(&edge), expected, "{edge:?}");
    }
    let explained = EdgeRow { has_error: true, ..edge(provider(), entity(), true) };
    assert_eq!(explained.check(None), []);
    assert_eq!(edge(provider(), entity(), false).check(None), []);
}

#[test]
fn what_a_result_that_cannot_be_read_may_have_is_no_stray() {
    let peer = PeerRow { relation: (2, 3, 4), source_text: None, originator: named(7, "a", true) };
    let packed = super::super::codec::pack_relations(7, &[(2, 3, 4), (7, 3, 2)]);
    assert_eq!(peer.check(Some(&Packed::relations(7, Some(&packed)))), None);
    assert_eq!(peer.check(Some(&Packed::relations(7, Some(&[0x80])))), None);
    for emitted in [None, Some(&Packed::relations(7, Some(&[])))] {
        assert_eq!(peer.check(emitted).map(|it| it.subject), Some("#2".to_owned()));
    }
    let key = KeyRow { key: 5, carrier: named(7, "component:default/a", true) };
    assert_eq!(key.check(Some(&Packed::keys(Some(&[0])))), None);
    assert_eq!(key.check(None).map(|it| it.subject), Some("component:default/a".to_owned()));
}

#[test]
fn a_sum_with_something_unread_is_unknown() {
    let packed = super::super::codec::pack_relations(7, &[(7, 3, 2), (7, 3, 4)]);
    let mut sum = RelationSum::default();
    sum.add(7, Some(&packed));
    assert_eq!((sum.missing_in(2), sum.missing_in(5)), (None, Some(-3)));
    sum.add(8, None);
    assert_eq!(sum.missing_in(5), None);
}

#[test]
fn nothing_else_is_done_about_what_goes() {
    let violation = |invariant, id| Violation {
        invariant,
        subject: String::new(),
        detail: String::new(),
        site: Site::Entity(id),
    };
    let mut work = Work::default();
    for (invariant, id) in
        [(Invariant::NamelessEntity, 7), (Invariant::UnscheduledEntity, 7), (Invariant::UnscheduledEntity, 8)]
    {
        work.add(&violation(invariant, id));
    }
    assert_eq!(work.take_gone(), BTreeSet::from([7]));
    assert_eq!(work.entities(Invariant::UnscheduledEntity), BTreeSet::from([8]));
    assert!(work.take_gone().is_empty() && !work.is_about_numbers());
}

#[test]
fn a_page_that_is_not_full_is_the_last_of_its_part() {
    let cursor = InspectCursor::default();
    let full = Page { rows: 2, last: [9, 0, 0, 0], ..Page::default() };
    let next = full.inspection(&cursor, 2).next.unwrap();
    assert_eq!((next.part, next.after), (cursor.part, [9, 0, 0, 0]));
    let next = Page { rows: 1, last: [9, 0, 0, 0], ..Page::default() }.inspection(&cursor, 2).next.unwrap();
    assert_eq!((Some(next.part), next.after), (cursor.part.next(), [i64::MIN; 4]));
}
