//! A set of entities, cut into groups of equal value, in the order of the values.

use roaring::RoaringBitmap;

use super::{SortKey, Taker};
use crate::key::Key;
use crate::order::Direction;
use crate::ordered::OrderedList;

/// So few values are gone through whatever the set.
const STEPS_MIN: usize = 64;

/// Entities with the same value. Names and the like belong to one each, for whom a bitmap would be a waste.
#[derive(Debug, Clone, Copy)]
pub(super) enum Group<'g> {
    One(u32),
    Set(&'g RoaringBitmap),
}

/// Who has a value: one entity, which may not be looked for, or those who are.
enum Holders {
    One(u32),
    Set(RoaringBitmap),
}

/// What is called with each value and its group, until the taker is full.
trait Visit: FnMut(&[u8], Group<'_>, &mut Taker) {}

impl<F: FnMut(&[u8], Group<'_>, &mut Taker)> Visit for F {}

impl SortKey<'_> {
    /// Calls `visit` with each value and the part of `set` that stands at it, from the value `from` on. All of `set`
    /// has a value.
    pub(super) fn for_each_group(
        &self,
        set: &RoaringBitmap,
        direction: Direction,
        from: Option<&[u8]>,
        taker: &mut Taker,
        visit: impl FnMut(&[u8], Group<'_>, &mut Taker),
    ) {
        let values = self.key.stored.map_or(0, |(_, key)| key.values) + 1;
        match taker.steps(set.len(), values) {
            _ if set.is_empty() => {}
            0 if values > STEPS_MIN => self.sort(set, direction, from, taker, visit),
            steps => self.walk(set, direction, from, steps.max(STEPS_MIN), taker, visit),
        }
    }

    /// Looks at each member of the set.
    fn sort(
        &self,
        set: &RoaringBitmap,
        direction: Direction,
        from: Option<&[u8]>,
        taker: &mut Taker,
        mut visit: impl Visit,
    ) {
        let mut slots: Vec<(&[u8], u32)> = set
            .iter()
            .filter_map(|slot| Some((self.place_of(slot)?, slot)))
            .filter(|(value, _)| from.is_none_or(|from| !is_before(value, from, direction)))
            .collect();
        slots.sort_unstable();
        let mut groups: Vec<&[(&[u8], u32)]> = slots.chunk_by(|(a, _), (b, _)| a == b).collect();
        if direction == Direction::Desc {
            groups.reverse();
        }
        for group in groups {
            if taker.is_full() {
                return;
            }
            match group {
                [] => {}
                [(value, slot)] => visit(value, Group::One(*slot), taker),
                [(value, _), ..] => {
                    visit(value, Group::Set(&group.iter().map(|(_, slot)| *slot).collect()), taker);
                }
            }
        }
    }

    /// Goes along the values, for so many steps.
    fn walk(
        &self,
        set: &RoaringBitmap,
        direction: Direction,
        from: Option<&[u8]>,
        steps: usize,
        taker: &mut Taker,
        mut visit: impl Visit,
    ) {
        let dictionary = &self.key.index.dictionary;
        let multi = set & &self.multi();
        // Who has the value `true` because of an item stands beside who has it of its own.
        let mut items = Some(set & &self.key.items).filter(|items| !items.is_empty());
        if from.is_some_and(|from| is_before(b"true", from, direction)) {
            items = None;
        }
        let mut give = |value: &[u8], holders: Holders, taker: &mut Taker| match holders {
            Holders::One(slot) => {
                let stands_here = || !multi.contains(slot) || self.place_of(slot) == Some(value);
                if set.contains(slot) && stands_here() {
                    visit(value, Group::One(slot), taker);
                }
            }
            Holders::Set(mut group) => {
                for slot in &group & &multi {
                    if self.place_of(slot) != Some(value) {
                        group.remove(slot);
                    }
                }
                if !group.is_empty() {
                    visit(value, Group::Set(&group), taker);
                }
            }
        };
        for (step, head) in self.heads(direction, from).enumerate() {
            if taker.is_full() {
                return;
            }
            let entry = dictionary.entry(head);
            let value = dictionary.value(entry).unwrap_or_default();
            if items.is_some() && is_before(b"true", value, direction) {
                give(b"true", Holders::Set(items.take().unwrap_or_default()), taker);
            }
            if step == steps {
                return self.sort(set, direction, Some(value), taker, visit);
            }
            let also = items.take_if(|_| value == b"true");
            let holders = match (entry.only_holder(), also) {
                (Some(slot), None) => Holders::One(slot),
                (_, also) => Holders::Set(self.key.holders_within(head, set) | also.unwrap_or_default()),
            };
            give(value, holders, taker);
        }
        if let Some(items) = items
            && !taker.is_full()
        {
            give(b"true", Holders::Set(items), taker);
        }
    }

    /// The values in order, from one on.
    fn heads(&self, direction: Direction, from: Option<&[u8]>) -> Box<dyn Iterator<Item = u32> + '_> {
        let Some((_, key)) = self.key.stored else { return Box::new(std::iter::empty()) };
        let dictionary = &self.key.index.dictionary;
        let order = dictionary.order(key);
        let value = |head: u32| dictionary.value(dictionary.entry(head)).unwrap_or_default();
        match (direction, from) {
            (Direction::Asc, None) => Box::new(order.after(OrderedList::start())),
            (Direction::Asc, Some(from)) => Box::new(order.after(order.position(|head| value(head) < from))),
            (Direction::Desc, None) => Box::new(order.before(order.end())),
            (Direction::Desc, Some(from)) => {
                Box::new(order.before(order.position(|head| value(head) <= from)))
            }
        }
    }

    /// The value at which an entity stands: the first one in the direction of the order.
    pub(crate) fn place_of(&self, slot: u32) -> Option<&[u8]> {
        let values = self.key.values_of(slot);
        match self.direction {
            Direction::Asc => values.min(),
            Direction::Desc => values.max(),
        }
    }

    /// Who may have several values.
    fn multi(&self) -> RoaringBitmap {
        let Some((_, Key { multi, valued, .. })) = self.key.stored else { return RoaringBitmap::new() };
        if self.key.items.is_empty() { multi.clone() } else { multi | (valued & &self.key.items) }
    }
}

fn is_before(a: &[u8], b: &[u8], direction: Direction) -> bool {
    match direction {
        Direction::Asc => a < b,
        Direction::Desc => a > b,
    }
}
