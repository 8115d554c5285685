//! Entities in order, from some place on, as many as are asked for.
//!
//! There are two ways to find the first few of a set in an order: to walk along the order and pick what is in the set,
//! or to sort the set. The former is quick if the set is a large part of what is ordered, the latter if it is small;
//! [`Taker::steps`] compares what each would touch. As what is looked for may all stand at the far end of the order (a
//! text that names begin with, say), a walk that takes longer than sorting would have is given up for sorting the rest.

use std::borrow::Cow;
use std::cmp::Ordering;

use roaring::RoaringBitmap;

use crate::evaluate::intersection;
use crate::index::Index;
use crate::key_view::{KeyView, Set};
use crate::order::Direction;
use crate::ordered::OrderedList;
use crate::uid::Uid;

mod groups;

use groups::Group;

/// Collects slots: passes over some, takes some.
#[derive(Debug)]
pub(crate) struct Taker {
    skip: usize,
    room: usize,
    pub(crate) slots: Vec<u32>,
}

impl Taker {
    pub(crate) fn new(skip: usize, take: usize) -> Self {
        Self { skip, room: take, slots: Vec::new() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.room == 0
    }

    /// Passes over a whole set if all of it is before what is wanted.
    fn passes(&mut self, set: &RoaringBitmap) -> bool {
        let len = usize::try_from(set.len()).unwrap_or(usize::MAX);
        let passes = len <= self.skip;
        if passes {
            self.skip -= len;
        }
        passes
    }

    fn take_all(&mut self, slots: Vec<u32>) {
        for slot in slots {
            self.take(slot);
        }
    }

    fn take(&mut self, slot: u32) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.room > 0 {
            self.room -= 1;
            self.slots.push(slot);
        }
    }

    /// How many steps to walk along `ordered` items to find those of a set of `len`, before sorting the set is the
    /// better way: none if it is so from the start, if they are spread evenly, else as many as sorting would have
    /// taken. So a walk that finds nothing for long, as the set stands together far away, costs twice the better way.
    fn steps(&self, len: u64, ordered: usize) -> usize {
        let ordered = ordered as u64;
        let wanted = (self.skip as u64).saturating_add(self.room as u64).min(len);
        let walked = wanted.saturating_mul(ordered).checked_div(len).unwrap_or(0);
        let sorted = len.saturating_mul(u64::from(len.checked_ilog2().unwrap_or(0)) + 4) / 2;
        if walked > sorted {
            return 0;
        }
        usize::try_from(sorted).unwrap_or(usize::MAX)
    }
}

/// A key to order by, with what follows within equal values.
#[derive(Debug)]
pub(crate) struct SortKey<'a> {
    pub(crate) key: KeyView<'a>,
    pub(crate) direction: Direction,
}

/// Where a walk begins: after this entity.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    /// The value that it is ordered by, if there is a key.
    pub(crate) value: &'a [u8],
    pub(crate) uid: &'a Uid,
}

impl Index {
    /// Takes a set by uid, starting after one.
    pub(crate) fn take_by_uid(
        &self,
        set: &RoaringBitmap,
        direction: Direction,
        after: Option<&Uid>,
        taker: &mut Taker,
    ) {
        if after.is_none() && taker.passes(set) {
            return;
        }
        let order = self.uid_order();
        let uid = |slot: u32| self.slots.get(slot).map(|slot| &slot.uid);
        let steps = taker.steps(set.len(), self.len());
        let last = if direction == Direction::Asc {
            let start =
                after.map_or(OrderedList::start(), |after| order.position(|slot| uid(slot) <= Some(after)));
            take_within(order.after(start), set, steps, taker)
        } else {
            let start = after.map_or(order.end(), |after| order.position(|slot| uid(slot) < Some(after)));
            take_within(order.before(start), set, steps, taker)
        };
        let Rest::After(last) = last else { return };
        let after = last.and_then(uid).or(after);
        let is_after = |slot: &u32| after.is_none_or(|after| self.is_after(*slot, after, direction));
        let mut slots: Vec<u32> = set.iter().filter(is_after).collect();
        slots.sort_unstable_by(|a, b| self.cmp_uid(*a, *b));
        if direction == Direction::Desc {
            slots.reverse();
        }
        taker.take_all(slots);
    }

    fn is_after(&self, slot: u32, uid: &Uid, direction: Direction) -> bool {
        let order = self.slots.get(slot).map(|slot| slot.uid.cmp(uid));
        order == Some(if direction == Direction::Asc { Ordering::Greater } else { Ordering::Less })
    }

    /// Takes a set by ref.
    pub(crate) fn take_by_ref(&self, set: &RoaringBitmap, after: Option<&str>, taker: &mut Taker) {
        if after.is_none() && taker.passes(set) {
            return;
        }
        let steps = taker.steps(set.len(), self.len());
        let order = self.ref_order();
        let start =
            after.map_or(OrderedList::start(), |after| order.position(|slot| self.entity_ref(slot) <= after));
        let Rest::After(last) = take_within(order.after(start), set, steps, taker) else { return };
        let last = last.map(|slot| self.entity_ref(slot)).or(after);
        let mut slots: Vec<u32> =
            set.iter().filter(|slot| last.is_none_or(|last| self.entity_ref(*slot) > last)).collect();
        slots.sort_unstable_by_key(|slot| self.entity_ref(*slot));
        taker.take_all(slots);
    }

    /// Takes a set by the values of a key, and by uid among equal ones, in one direction, starting after an entity.
    /// Entities without a value are left out.
    ///
    /// An entity with several values stands where the first of them in the direction of the *order* is; `direction` is
    /// that of the walk.
    pub(crate) fn take_by_value(
        &self,
        set: Set<'_>,
        sort: &SortKey<'_>,
        direction: Direction,
        after: Option<&Start<'_>>,
        taker: &mut Taker,
    ) {
        let set = intersection(set, Cow::Borrowed(&*sort.key.valued())).into_owned();
        if after.is_none() && taker.passes(&set) {
            return;
        }
        sort.for_each_group(&set, direction, after.map(|start| start.value), taker, |value, group, taker| {
            let after = after.filter(|start| start.value == value).map(|start| start.uid);
            match group {
                Group::One(slot) if after.is_none_or(|after| self.is_after(slot, after, direction)) => {
                    taker.take(slot);
                }
                Group::One(_) => {}
                Group::Set(group) => self.take_by_uid(group, direction, after, taker),
            }
        });
    }

    /// Takes a set by several keys one after the other. Whoever has no value of a key comes after all who have one;
    /// in the end the uid decides.
    pub(crate) fn take_by_values(&self, set: RoaringBitmap, keys: &[SortKey<'_>], taker: &mut Taker) {
        if taker.is_full() || set.is_empty() || taker.passes(&set) {
            return;
        }
        let Some((sort, rest)) = keys.split_first() else {
            return self.take_by_uid(&set, Direction::Asc, None, taker);
        };
        let valued = &set & &*sort.key.valued();
        let others = set - &valued;
        if !taker.passes(&valued) {
            sort.for_each_group(&valued, sort.direction, None, taker, |_, group, taker| match group {
                Group::One(slot) => taker.take(slot),
                Group::Set(group) => self.take_by_values(group.clone(), rest, taker),
            });
        }
        self.take_by_values(others, rest, taker);
    }
}

/// What a walk has left.
enum Rest {
    Nothing,
    /// Everything after the last one that it came to.
    After(Option<u32>),
}

/// Walks along an order for so many steps.
fn take_within(
    slots: impl Iterator<Item = u32>,
    set: &RoaringBitmap,
    steps: usize,
    taker: &mut Taker,
) -> Rest {
    let mut last = None;
    let mut steps = steps;
    for slot in slots {
        if taker.is_full() {
            return Rest::Nothing;
        }
        if steps == 0 {
            return Rest::After(last);
        }
        steps -= 1;
        last = Some(slot);
        if set.contains(slot) {
            taker.take(slot);
        }
    }
    Rest::Nothing
}
