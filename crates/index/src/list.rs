//! `GET /entities`: everything at once, or by offset.

use crate::after::{After, check_limit};
use crate::error::QueryError;
use crate::index::{Hit, Index};
use crate::key_view::KeyView;
use crate::limits::LIST_HITS_MAX;
use crate::order::{Direction, OrderField};
use crate::predicate::Predicate;
use crate::text::lowercase;
use crate::walk::{SortKey, Taker};

/// A part of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// The entities, in order; of a long part by ref the first ones.
    pub hits: Vec<Hit>,
    /// How many more belong to the part, if it is by ref: [`Index::list_after`] has them.
    pub left: Option<usize>,
    /// What comes next, if there is more.
    pub next: Option<After>,
}

impl Index {
    /// All entities that fulfil the filters, as `GET /entities` gives them when nobody asks for a part: by uid, or by
    /// the values of a field, without those that have none.
    pub fn list(&self, filters: &[&Predicate], order: Option<&OrderField>) -> Vec<Hit> {
        let set = self.matching(filters);
        let mut taker = Taker::new(0, usize::MAX);
        match order {
            None => self.take_by_uid(&set, Direction::Asc, None, &mut taker),
            Some(order) => {
                let key = KeyView::of(self, &lowercase(&order.field));
                let sort = SortKey { key, direction: order.order };
                self.take_by_value(set, &sort, order.order, None, &mut taker);
            }
        }
        taker.slots.into_iter().filter_map(|slot| self.hit(slot)).collect()
    }

    /// A part of the entities that fulfil the filters: by ref, or by the values of fields, where those without a value
    /// come last, and then by uid.
    ///
    /// Fields are compared as they are spelled; as keys are in lower case, one in another spelling orders nothing.
    pub fn list_page(
        &self,
        filters: &[&Predicate],
        order: &[OrderField],
        part: After,
    ) -> Result<ListPage, QueryError> {
        check_limit(part.limit)?;
        let set = self.matching(filters);
        let offset = part.offset.unwrap_or(0);
        let available = usize::try_from(set.len()).unwrap_or(usize::MAX).saturating_sub(offset);
        let wanted = part.limit.map_or(available, |limit| limit.min(available));
        let mut taker = Taker::new(offset, if order.is_empty() { wanted.min(LIST_HITS_MAX) } else { wanted });
        if order.is_empty() {
            self.take_by_ref(&set, None, &mut taker);
        } else {
            let keys: Vec<SortKey<'_>> = order
                .iter()
                .map(|order| SortKey { key: KeyView::of(self, &order.field), direction: order.order })
                .collect();
            self.take_by_values(set.into_owned(), &keys, &mut taker);
        }
        let hits: Vec<Hit> = taker.slots.into_iter().filter_map(|slot| self.hit(slot)).collect();
        let next = part
            .limit
            .filter(|limit| available > *limit)
            .map(|limit| After { limit: Some(limit), offset: Some(offset.saturating_add(limit)) });
        let left = order.is_empty().then(|| wanted - hits.len());
        Ok(ListPage { hits, left, next })
    }

    /// The entities that fulfil the filters and come after a ref, by ref: how a long part of the list goes on.
    pub fn list_after(&self, filters: &[&Predicate], after: &str, limit: usize) -> Vec<Hit> {
        let mut taker = Taker::new(0, limit);
        self.take_by_ref(&self.matching(filters), Some(after), &mut taker);
        taker.slots.into_iter().filter_map(|slot| self.hit(slot)).collect()
    }
}
