//! Whatever is in the catalog and whatever is asked, the index answers as the scan does.

use callboard_index::{
    After, ByQuery, Direction, FullText, Index, OrderField, Origin, Predicate, Prepared, parse_filters,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::catalog::{Both, KEYS, content, events, named, query};
use crate::naive;

fn predicate(query: &Value) -> Predicate {
    Predicate::of_entities(query, Origin::Query).unwrap()
}

fn refs<'a>(hits: impl IntoIterator<Item = &'a callboard_index::Hit>) -> Vec<&'a str> {
    hits.into_iter().map(|hit| hit.entity_ref.as_str()).collect()
}

fn naive_refs<'a>(entities: &[&'a naive::Entity]) -> Vec<&'a str> {
    entities.iter().map(|entity| entity.entity_ref.as_str()).collect()
}

fn direction(descending: bool) -> Direction {
    if descending { Direction::Desc } else { Direction::Asc }
}

/// A few queries for each catalog: the catalogs are what takes time to make.
fn queries() -> impl Strategy<Value = Vec<Value>> {
    vec(query(), 1..6)
}

proptest! {
    #[test]
    fn the_index_agrees_with_itself_after_any_history(events in events(80)) {
        let both = Both::of(&events);
        prop_assert_eq!(both.index.check(), Ok(()));
        prop_assert_eq!(both.index.len(), both.entities.len());
    }

    #[test]
    fn the_index_agrees_with_itself_when_its_orders_are_kept_up(events in events(80)) {
        let mut both = Both::default();
        for event in &events {
            both.happen(event);
            both.index.warm(KEYS);
        }
        prop_assert_eq!(both.index.check(), Ok(()));
    }

    #[test]
    fn predicates_find_what_a_scan_finds(events in events(60), queries in queries()) {
        let both = Both::of(&events);
        for query in &queries {
            let found = both.index.list(&[&predicate(query)], None);
            let expected = naive::by_value(&both.matching(query), None, false);
            prop_assert_eq!(refs(&found), naive_refs(&expected), "{}", query);
        }
    }

    #[test]
    fn filters_mean_what_their_predicates_mean(
        events in events(40),
        filters in vec(vec((select(KEYS), prop::option::of(select(&["java", "JAVA", "true", "", "b.c"][..]))), 0..3), 0..3),
    ) {
        let both = Both::of(&events);
        let params: Vec<String> = filters
            .iter()
            .map(|set| {
                let statements = set.iter().map(|(key, value)| match value {
                    Some(value) => format!(" {key} = {value} "),
                    None => (*key).to_owned(),
                });
                statements.collect::<Vec<_>>().join(",")
            })
            .collect();
        let filter = parse_filters(&params).unwrap();
        let found = both.index.list(&filter.iter().collect::<Vec<_>>(), None);
        let sets: Vec<_> = filters.iter().filter(|set| !set.is_empty()).collect();
        let fits = |entity: &naive::Entity, set: &[(&str, Option<&str>)]| {
            set.iter().all(|(key, _)| {
                let values: Vec<&str> =
                    set.iter().filter(|(other, _)| other == key).filter_map(|(_, value)| *value).collect();
                let key = key.to_lowercase();
                if values.is_empty() {
                    entity.rows.iter().any(|row| row.key == key)
                } else {
                    values.iter().any(|value| entity.values(&key).contains(&value.to_lowercase().as_str()))
                }
            })
        };
        let expected: Vec<_> = both
            .entities
            .iter()
            .filter(|entity| sets.is_empty() || sets.iter().any(|set| fits(entity, set)))
            .collect();
        let expected = naive::by_value(&expected, None, false);
        prop_assert_eq!(refs(&found), naive_refs(&expected));
    }

    #[test]
    fn facets_count_what_a_scan_counts(events in events(60), queries in queries()) {
        let both = Both::of(&events);
        for query in &queries {
            let facets = both.index.facets(KEYS, &[&predicate(query)]).unwrap();
            prop_assert_eq!(facets.len(), KEYS.len());
            for facet in facets {
                let values: Vec<(String, u64)> =
                    facet.values.into_iter().map(|value| (value.value, value.count)).collect();
                let expected = naive::facet(&both.matching(query), &facet.name.to_lowercase());
                prop_assert_eq!(values, expected, "{} of {}", facet.name, query);
            }
        }
    }

    #[test]
    fn lists_have_the_order_of_a_scan(
        events in events(60),
        query in query(),
        order in vec((select(KEYS), any::<bool>()), 0..3),
        offset in 0..10_usize,
        limit in prop::option::of(1..10_usize),
    ) {
        let both = Both::of(&events);
        let fields: Vec<OrderField> = order
            .iter()
            .map(|(field, descending)| OrderField { field: (*field).to_owned(), order: direction(*descending) })
            .collect();
        let matching = both.matching(&query);
        let predicate = predicate(&query);

        // A field that is not in lower case is no key, so nothing has a value for it.
        let keys: Vec<(String, bool)> =
            order.iter().map(|(field, descending)| ((*field).to_owned(), *descending)).collect();
        let all = naive::by_values(&matching, &keys);
        let page = both
            .index
            .list_page(&[&predicate], &fields, After { limit, offset: Some(offset) })
            .unwrap();
        let end = limit.map_or(all.len(), |limit| (offset + limit).min(all.len()));
        let expected = all.get(offset..end).unwrap_or_default();
        prop_assert_eq!(refs(&page.hits), naive_refs(expected), "{:?}", keys);
        prop_assert_eq!(page.next.is_some(), limit.is_some() && end < all.len());

        let list = both.index.list(&[&predicate], fields.first());
        let (key, descending) = order.first().map_or((None, false), |(key, down)| (Some(key.to_lowercase()), *down));
        let expected = naive::by_value(&matching, key.as_deref(), descending);
        prop_assert_eq!(refs(&list), naive_refs(&expected));
    }

    #[test]
    fn full_text_finds_what_a_scan_finds(
        events in events(60),
        query in query(),
        term in select(&["", " ", "a", "AV", "java", "%", "_", ".", "e", "rue", "\u{c4}", "uid-1"][..]),
        fields in prop::option::of(vec(select(KEYS), 1..4)),
        order in prop::option::of((select(KEYS), any::<bool>())),
        offset in 0..4_usize,
    ) {
        let both = Both::of(&events);
        let fields: Option<Vec<String>> =
            fields.map(|fields| fields.into_iter().map(str::to_owned).collect());
        let page = both.index.first_page(
            &ByQuery {
                query: Some(predicate(&query)),
                full_text: Some(FullText::new(Some(term.to_owned()), fields.clone()).unwrap()),
                order: order
                    .iter()
                    .map(|(field, down)| OrderField { field: (*field).to_owned(), order: direction(*down) })
                    .collect(),
                offset,
                exclude_total: false,
            },
            &[],
            1000,
        );
        let (key, descending) = order.map_or((None, false), |(key, down)| (Some(key.to_lowercase()), down));
        let fields = fields.unwrap_or_else(|| vec![key.clone().unwrap_or_else(|| "metadata.uid".to_owned())]);
        let matching: Vec<_> =
            both.matching(&query).into_iter().filter(|entity| entity.contains_text(term, &fields)).collect();
        let expected = naive::by_value(&matching, key.as_deref(), descending);
        prop_assert_eq!(page.total_items, expected.len() as u64);
        prop_assert_eq!(refs(&page.hits), naive_refs(expected.get(offset..).unwrap_or_default()));
    }

    #[test]
    fn checksums_do_not_depend_on_the_way(events in events(60)) {
        let both = Both::of(&events);
        let mut last: Vec<(String, Prepared)> = Vec::new();
        for (number, _, content) in events.iter().rev() {
            let entity_ref = format!("component:default/e{number}");
            let Some(entity) = both.entities.iter().find(|entity| entity.entity_ref == entity_ref) else { continue };
            let Some(content) = content else { continue };
            let json = named(content, &format!("e{number}"), &entity.uid).to_string();
            if last.iter().any(|(known, _)| *known == entity_ref) {
                continue;
            }
            if let Ok(prepared) = Prepared::new(9, &entity_ref, &entity.uid, &json) {
                prop_assert_eq!(both.index.checksum_of(&entity_ref), Some(prepared.checksum()));
                last.push((entity_ref, prepared));
            }
        }
        prop_assert_eq!(last.len(), both.entities.len());
        let mut fresh = Index::new();
        for (_, prepared) in &last {
            fresh.put(prepared);
        }
        prop_assert_eq!(both.index.checksum(), fresh.checksum());
        prop_assert_eq!(both.index.checksum(), last.iter().map(|(_, prepared)| prepared.checksum()).sum());
    }

    #[test]
    fn a_change_of_one_entity_changes_the_checksum(one in content(), other in content()) {
        let prepared = |content: &Value| {
            let json = named(content, "a", "u").to_string();
            Prepared::new(1, "component:default/a", "u", &json)
        };
        if let (Ok(left), Ok(right)) = (prepared(&one), prepared(&other)) {
            let mut rows: Vec<_> = left.rows().iter().collect();
            let mut others: Vec<_> = right.rows().iter().collect();
            rows.sort_unstable();
            others.sort_unstable();
            prop_assert_eq!(rows == others, left.checksum() == right.checksum());
        }
    }
}
