//! `/entities/by-query`: a page of what a query finds, with the cursors to its neighbours and the number of all.

use std::borrow::Cow;

use crate::cursor::{Cursor, RowValues};
use crate::full_text::FullText;
use crate::index::{Hit, Index};
use crate::key_view::{KeyView, Set};
use crate::legacy_filter::LegacyFilter;
use crate::order::{Direction, OrderField};
use crate::predicate::Predicate;
use crate::text::lowercase;
use crate::uid::Uid;
use crate::walk::{SortKey, Start, Taker};

/// The first request of a walk. What it asks for goes into the cursors of its pages.
#[derive(Debug, Clone, Default)]
pub struct ByQuery {
    /// What entities have to fulfil.
    pub query: Option<Predicate>,
    /// The text that they have to contain.
    pub full_text: Option<FullText>,
    /// The order; only the first field counts. Without any, by uid.
    pub order: Vec<OrderField>,
    /// How many to pass over.
    pub offset: usize,
    /// Whether the total is not wanted.
    pub exclude_total: bool,
}

impl ByQuery {
    /// Whether the answer may take a look at every value of some field.
    pub fn scans_values(&self) -> bool {
        scans_values(self.query.as_ref(), self.full_text.as_ref())
    }
}

pub(crate) fn scans_values(query: Option<&Predicate>, full_text: Option<&FullText>) -> bool {
    full_text.is_some_and(FullText::is_asked) || query.is_some_and(Predicate::scans_values)
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The entities, in order.
    pub hits: Vec<Hit>,
    /// How many entities fulfil the query: when the walk began, if the page is not the first one; 0 if it is not
    /// wanted.
    pub total_items: u64,
    /// Where the next page begins.
    pub next: Option<Cursor>,
    /// Where the page before ends.
    pub previous: Option<Cursor>,
}

impl Index {
    /// The first page. `restrictions` are what the asking one may see, which is never written into cursors.
    pub fn first_page(&self, query: &ByQuery, restrictions: &[&Predicate], limit: usize) -> Page {
        // The JSON of a predicate cannot say that a key is `$all`; that of a filter tree can.
        let unspeakable = query.query.as_ref().filter(|predicate| predicate.has_operator_names());
        let filter = unspeakable.and_then(LegacyFilter::of);
        let cursor = Cursor {
            order_fields: query.order.clone(),
            is_previous: false,
            full_text: query.full_text.clone(),
            query: if filter.is_some() { None } else { query.query.clone() },
            filter,
            order_field_values: Vec::new(),
            first_sort_field_values: None,
            total_items: None,
        };
        let offset = query.offset;
        let total = (!query.exclude_total).then_some(());
        self.page(&cursor, restrictions, limit, Some((offset, total)))
    }

    /// The page that a cursor leads to.
    pub fn next_page(&self, cursor: &Cursor, restrictions: &[&Predicate], limit: usize) -> Page {
        self.page(cursor, restrictions, limit, None)
    }

    fn page(
        &self,
        cursor: &Cursor,
        restrictions: &[&Predicate],
        limit: usize,
        first: Option<(usize, Option<()>)>,
    ) -> Page {
        let sort = cursor.order_fields.first().map(|order| SortKey {
            key: KeyView::of(self, &lowercase(&order.field)),
            direction: order.order,
        });
        let set = self.found(cursor, restrictions, sort.as_ref());
        let total_items = match first {
            None => cursor.total_items.unwrap_or(0),
            Some((_, Some(()))) => set.len(),
            Some((_, None)) => 0,
        };
        let offset = first.map_or(0, |(offset, _)| offset);
        let mut taker = Taker::new(offset, limit.saturating_add(usize::from(limit > 0)));
        self.take_rows(set, cursor, sort.as_ref(), &mut taker);
        let mut slots = taker.slots;
        let has_more = slots.len() > limit;
        slots.truncate(limit);
        if cursor.is_previous {
            slots.reverse();
        }
        let hits = slots.iter().filter_map(|slot| self.hit(*slot)).collect();
        let rows = PageRows {
            first: slots.first().map(|slot| self.row_values(*slot, sort.as_ref())),
            last: slots.last().map(|slot| self.row_values(*slot, sort.as_ref())),
            has_previous: first.is_none() && (!cursor.is_previous || has_more),
            has_next: limit > 0 && (cursor.is_previous || has_more),
        };
        let (next, previous) = neighbours(cursor, rows, total_items);
        Page { hits, total_items, next, previous }
    }

    /// All that a cursor's query finds.
    fn found(&self, cursor: &Cursor, restrictions: &[&Predicate], sort: Option<&SortKey<'_>>) -> Set<'_> {
        let legacy = cursor.filter.as_ref().map(LegacyFilter::to_predicate);
        let filters: Vec<&Predicate> =
            cursor.query.iter().chain(&legacy).chain(restrictions.iter().copied()).collect();
        let mut set = self.matching(&filters);
        let sort_field = cursor.order_fields.first().map(|order| lowercase(&order.field));
        if let Some(text) = &cursor.full_text
            && let Some(found) = self.with_text(text, sort_field.as_deref())
        {
            set = Cow::Owned(found & &*set);
        }
        match sort {
            Some(sort) => Cow::Owned(&*set & &*sort.key.valued()),
            None => set,
        }
    }

    fn take_rows(&self, set: Set<'_>, cursor: &Cursor, sort: Option<&SortKey<'_>>, taker: &mut Taker) {
        if taker.is_full() {
            return;
        }
        let order = sort.map_or(Direction::Asc, |sort| sort.direction);
        let direction = if cursor.is_previous { order.reversed() } else { order };
        let mut values = cursor.order_field_values.iter().map(Option::as_deref);
        let Some(sort) = sort else {
            let after = values.next().flatten().map(Uid::of);
            return self.take_by_uid(&set, direction, after.as_ref(), taker);
        };
        let place = values.next().flatten().zip(values.next().flatten());
        let place = place.map(|(value, uid)| (value, Uid::of(uid)));
        let after = place.as_ref().map(|(value, uid)| Start { value: value.as_bytes(), uid });
        self.take_by_value(set, sort, direction, after.as_ref(), taker);
    }

    fn row_values(&self, slot: u32, sort: Option<&SortKey<'_>>) -> RowValues {
        let uid = self.slots.get(slot).map(|slot| slot.uid.to_string());
        let value =
            sort.map(|sort| sort.place_of(slot).map(|value| String::from_utf8_lossy(value).into_owned()));
        value.into_iter().chain([uid]).collect()
    }
}

/// What a page's cursors follow from.
struct PageRows {
    first: Option<RowValues>,
    last: Option<RowValues>,
    has_previous: bool,
    has_next: bool,
}

fn neighbours(cursor: &Cursor, rows: PageRows, total_items: u64) -> (Option<Cursor>, Option<Cursor>) {
    // Where the walk began: going back ends there.
    let beginning = cursor.first_sort_field_values.clone();
    let at = |values: RowValues, is_previous: bool, beginning: Option<RowValues>| Cursor {
        is_previous,
        order_field_values: values,
        first_sort_field_values: beginning,
        total_items: Some(total_items),
        ..cursor.clone()
    };
    let previous = rows
        .first
        .clone()
        .filter(|first| rows.has_previous && beginning.as_ref() != Some(first))
        .map(|first| at(first, true, beginning.clone()));
    // A page before everything is empty, and the next one begins at the very first row.
    let next =
        rows.has_next.then(|| at(rows.last.unwrap_or_default(), false, beginning.clone().or(rows.first)));
    (next, previous)
}
