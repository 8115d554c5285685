//! A walk by cursor sees every entity that does not change exactly once, forwards and back, whatever happens to the
//! others meanwhile.

use std::collections::BTreeSet;

use callboard_index::{After, ByQuery, Cursor, Direction, OrderField, Origin, Page, Predicate};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::catalog::{Both, KEYS, events, large, query};
use crate::naive;

/// What is walked over.
struct Walk<'a> {
    query: &'a Value,
    order: Option<(&'a str, bool)>,
}

impl Walk<'_> {
    fn first(&self, both: &Both, limit: usize) -> Page {
        let order = self.order.map(|(field, descending)| OrderField {
            field: field.to_owned(),
            order: if descending { Direction::Desc } else { Direction::Asc },
        });
        let query = Predicate::of_entities(self.query, Origin::Query).unwrap();
        let query = ByQuery { query: Some(query), order: order.into_iter().collect(), ..ByQuery::default() };
        both.index.first_page(&query, &[], limit)
    }

    fn expected<'a>(&self, both: &'a Both) -> Vec<&'a naive::Entity> {
        let key = self.order.map(|(key, _)| key.to_lowercase());
        naive::by_value(&both.matching(self.query), key.as_deref(), self.order.is_some_and(|(_, down)| down))
    }
}

/// What a client does with a cursor.
fn sent(cursor: &Cursor) -> Cursor {
    let received = Cursor::decode(&cursor.encode()).unwrap();
    assert_eq!(received, *cursor);
    received
}

fn refs(page: &Page) -> Vec<String> {
    page.hits.iter().map(|hit| hit.entity_ref.clone()).collect()
}

proptest! {
    #[test]
    fn a_walk_over_a_still_catalog_is_the_list_in_pieces(
        events in events(60),
        query in query(),
        order in prop::option::of((select(KEYS), any::<bool>())),
        limits in prop::collection::vec(1..5_usize, 1..4),
    ) {
        let both = Both::of(&events);
        let walk = Walk { query: &query, order };
        let expected = walk.expected(&both);
        let mut limits = limits.into_iter().cycle();
        let mut pages = vec![walk.first(&both, limits.next().unwrap())];
        while let Some(next) = pages.last().and_then(|page| page.next.clone()) {
            prop_assert!(pages.len() <= expected.len(), "the walk has no end");
            pages.push(both.index.next_page(&sent(&next), &[], limits.next().unwrap()));
        }
        let seen: Vec<String> = pages.iter().flat_map(refs).collect();
        let expected: Vec<String> = expected.iter().map(|entity| entity.entity_ref.clone()).collect();
        prop_assert_eq!(&seen, &expected);
        prop_assert!(pages.iter().all(|page| page.total_items == expected.len() as u64));

        // And back, in pages of another size.
        let mut back: Vec<String> = pages.last().map(refs).unwrap_or_default();
        let mut page = pages.pop().unwrap();
        let mut count = 0;
        while let Some(previous) = page.previous {
            count += 1;
            prop_assert!(count <= expected.len(), "the walk back has no end");
            page = both.index.next_page(&sent(&previous), &[], limits.next().unwrap());
            prop_assert!(page.next.is_some());
            back.splice(0..0, refs(&page));
        }
        prop_assert_eq!(back, expected);
    }

    #[test]
    fn a_walk_sees_what_does_not_change_exactly_once(
        before in events(60),
        during in events(30),
        query in query(),
        order in prop::option::of((select(KEYS), any::<bool>())),
        limit in 1..5_usize,
        turn in 0..6_usize,
    ) {
        let mut both = Both::of(&before);
        let walk = Walk { query: &query, order };
        let mut still: BTreeSet<String> =
            walk.expected(&both).iter().map(|entity| entity.entity_ref.clone()).collect();
        for (number, _, _) in &during {
            still.remove(&format!("component:default/e{number}"));
        }
        let mut during = during.iter();
        let mut page = walk.first(&both, limit);
        let mut seen = refs(&page);
        // Forwards to the end, or to some page.
        let mut pages = 0;
        while let Some(next) = page.next.as_ref().filter(|_| pages < turn || turn == 0) {
            pages += 1;
            during.by_ref().take(3).for_each(|event| both.happen(event));
            page = both.index.next_page(&sent(next), &[], limit);
            seen.extend(refs(&page));
            prop_assert!(pages < 200, "the walk has no end");
        }
        let once = |seen: &[String]| {
            still.iter().all(|entity| seen.iter().filter(|other| *other == entity).count() <= 1)
        };
        prop_assert!(once(&seen));
        if page.next.is_none() {
            prop_assert!(still.iter().all(|entity| seen.contains(entity)));
        }
        // Back to the beginning: the same ones, apart from the page where the walk turned.
        let turned_at = page.hits.len();
        let forwards: BTreeSet<String> = seen[..seen.len() - turned_at]
            .iter()
            .filter(|entity| still.contains(*entity))
            .cloned()
            .collect();
        let mut back = Vec::new();
        let is_whole_way = !page.hits.is_empty();
        while let Some(previous) = page.previous {
            during.by_ref().take(3).for_each(|event| both.happen(event));
            page = both.index.next_page(&sent(&previous), &[], limit);
            back.extend(refs(&page));
            prop_assert!(back.len() < 1000, "the walk back has no end");
        }
        prop_assert!(once(&back));
        if is_whole_way {
            let back: BTreeSet<String> =
                back.into_iter().filter(|entity| still.contains(entity)).collect();
            prop_assert_eq!(back, forwards);
        }
    }
}

#[test]
fn small_and_distant_sets_of_a_large_catalog_come_in_the_same_order() {
    let both = large(2000);
    assert_eq!(both.index.check(), Ok(()));
    let queries = [
        json!({}),
        json!({"spec.late": "yes"}),
        json!({"spec.share": 7}),
        json!({"spec.share": {"$in": [1, 2, 3, 4, 5, 6]}}),
        json!({"metadata.name": {"$hasPrefix": "n019"}}),
        json!({"metadata.name": "n01999"}),
        json!({"metadata.name": {"$hasPrefix": "n000"}}),
        json!({"$all": [{"spec.late": "yes"}, {"spec.own": "true"}]}),
    ];
    let orders = [
        None,
        Some("metadata.name"),
        Some("metadata.uid"),
        Some("spec.list"),
        Some("spec.own"),
        Some("spec.own.true"),
        Some("spec.late"),
        Some("spec.list.l0001"),
    ];
    for query in &queries {
        for (order, descending) in orders.iter().flat_map(|order| [(*order, false), (*order, true)]) {
            let walk = Walk { query, order: order.map(|key| (key, descending)) };
            let expected: Vec<String> =
                walk.expected(&both).iter().map(|entity| entity.entity_ref.clone()).collect();
            let name = format!("{query} by {order:?} {descending}");
            let limit = (expected.len() / 7).max(3);
            let mut page = walk.first(&both, limit);
            let mut seen = refs(&page);
            while let Some(next) = &page.next {
                page = both.index.next_page(&sent(next), &[], limit);
                seen.extend(refs(&page));
            }
            assert_eq!(seen, expected, "{name}");
            let mut back = refs(&page);
            while let Some(previous) = &page.previous {
                page = both.index.next_page(&sent(previous), &[], limit);
                back.splice(0..0, refs(&page));
            }
            assert_eq!(back, expected, "{name} back");
        }
    }
}

#[test]
fn parts_of_a_large_catalog_come_in_the_same_order() {
    let both = large(2000);
    let orders = [vec![], vec![("metadata.name", true)], vec![("spec.late", true), ("spec.own.true", false)]];
    for query in [json!({}), json!({"spec.late": "yes"}), json!({"spec.share": 7})] {
        let predicate = Predicate::of_entities(&query, Origin::Query).unwrap();
        for order in &orders {
            let keys: Vec<(String, bool)> =
                order.iter().map(|(field, down)| ((*field).to_owned(), *down)).collect();
            let expected = naive::by_values(&both.matching(&query), &keys);
            let fields: Vec<OrderField> = order
                .iter()
                .map(|(field, down)| OrderField {
                    field: (*field).to_owned(),
                    order: if *down { Direction::Desc } else { Direction::Asc },
                })
                .collect();
            for offset in [0, 1, expected.len() / 2, expected.len() - 3] {
                let part = After { limit: Some(3), offset: Some(offset) };
                let hits = both.index.list_page(&[&predicate], &fields, part).unwrap().hits;
                let found: Vec<&str> = hits.iter().map(|hit| hit.entity_ref.as_str()).collect();
                let expected: Vec<&str> =
                    expected[offset..offset + 3].iter().map(|entity| entity.entity_ref.as_str()).collect();
                assert_eq!(found, expected, "{query} {order:?} {offset}");
            }
        }
    }
}
