//! Which entities have a value.
//!
//! Most values belong to one entity (names, uids, URLs), many to a few (targets of relations), some to half the
//! catalog. A [`Posting`] is eight bytes and holds a single slot itself; short lists and bitmaps lie in [`Postings`].

use std::borrow::Cow;

use roaring::RoaringBitmap;

use crate::slab::Slab;

/// Up to here a sorted array is smaller than a bitmap and as fast.
const FEW_MAX: usize = 24;

/// Below this a bitmap becomes an array again. The gap to [`FEW_MAX`] keeps a posting from going to and fro.
const MANY_MIN: u64 = 12;

/// The slots of entities that have one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Posting {
    #[default]
    Empty,
    One(u32),
    /// A sorted array.
    Few(u32),
    /// A bitmap.
    Many(u32),
}

/// Where postings keep what does not fit into themselves.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    few: Slab<Box<[u32]>>,
    many: Slab<RoaringBitmap>,
}

impl Postings {
    /// The posting with `slot` added.
    #[must_use]
    pub(crate) fn insert(&mut self, posting: Posting, slot: u32) -> Posting {
        match posting {
            Posting::Empty => Posting::One(slot),
            Posting::One(other) if other == slot => posting,
            Posting::One(other) => {
                Posting::Few(self.few.insert(Box::new([other.min(slot), other.max(slot)])))
            }
            Posting::Few(at) => {
                let Some(list) = self.few.get_mut(at) else { return Posting::One(slot) };
                let Err(place) = list.binary_search(&slot) else { return posting };
                if list.len() < FEW_MAX {
                    let mut longer = std::mem::take(list).into_vec();
                    longer.reserve_exact(1);
                    longer.insert(place, slot);
                    *list = longer.into_boxed_slice();
                    return posting;
                }
                let mut set: RoaringBitmap = self.few.remove(at).iter().copied().collect();
                set.insert(slot);
                Posting::Many(self.many.insert(set))
            }
            Posting::Many(at) => {
                if let Some(set) = self.many.get_mut(at) {
                    set.insert(slot);
                }
                posting
            }
        }
    }

    /// The posting without `slot`.
    #[must_use]
    pub(crate) fn remove(&mut self, posting: Posting, slot: u32) -> Posting {
        match posting {
            Posting::One(other) if other == slot => Posting::Empty,
            Posting::Empty | Posting::One(_) => posting,
            Posting::Few(at) => {
                let Some(list) = self.few.get_mut(at) else { return Posting::Empty };
                let Ok(place) = list.binary_search(&slot) else { return posting };
                let mut shorter = std::mem::take(list).into_vec();
                shorter.remove(place);
                if let [last] = shorter[..] {
                    self.few.remove(at);
                    return Posting::One(last);
                }
                *list = shorter.into_boxed_slice();
                posting
            }
            Posting::Many(at) => {
                let Some(set) = self.many.get_mut(at) else { return Posting::Empty };
                set.remove(slot);
                if set.len() >= MANY_MIN {
                    return posting;
                }
                let list = self.many.remove(at).iter().collect();
                Posting::Few(self.few.insert(list))
            }
        }
    }

    pub(crate) fn len(&self, posting: Posting) -> u64 {
        match posting {
            Posting::Empty => 0,
            Posting::One(_) => 1,
            Posting::Few(at) => self.few.get(at).map_or(0, |list| list.len() as u64),
            Posting::Many(at) => self.many.get(at).map_or(0, RoaringBitmap::len),
        }
    }

    /// How many of the slots are in `set`.
    pub(crate) fn len_within(&self, posting: Posting, set: &RoaringBitmap) -> u64 {
        match posting {
            Posting::Many(at) => self.many.get(at).map_or(0, |many| many.intersection_len(set)),
            _ => self.short(&posting).iter().filter(|slot| set.contains(**slot)).count() as u64,
        }
    }

    /// Adds those of the slots that are in `set` to `target`.
    pub(crate) fn add_within(&self, posting: Posting, set: &RoaringBitmap, target: &mut RoaringBitmap) {
        match posting {
            Posting::Many(at) => {
                if let Some(many) = self.many.get(at) {
                    *target |= many & set;
                }
            }
            _ => target.extend(self.short(&posting).iter().filter(|slot| set.contains(**slot))),
        }
    }

    /// The slots as a set.
    pub(crate) fn set(&self, posting: Posting) -> Cow<'_, RoaringBitmap> {
        match posting {
            Posting::Many(at) => {
                self.many.get(at).map_or_else(|| Cow::Owned(RoaringBitmap::new()), Cow::Borrowed)
            }
            _ => Cow::Owned(self.short(&posting).iter().copied().collect()),
        }
    }

    /// The slots of a posting that is no bitmap.
    fn short<'a>(&'a self, posting: &'a Posting) -> &'a [u32] {
        match posting {
            Posting::One(slot) => std::slice::from_ref(slot),
            Posting::Few(at) => self.few.get(*at).map_or(&[], |list| list),
            Posting::Empty | Posting::Many(_) => &[],
        }
    }
}

/// Collects the union of many postings: short ones are gathered and added in one go, as adding them one by one to a
/// bitmap costs a search each.
#[derive(Debug)]
pub(crate) struct Union<'a> {
    postings: &'a Postings,
    slots: Vec<u32>,
    set: RoaringBitmap,
}

impl<'a> Union<'a> {
    pub(crate) fn of(postings: &'a Postings) -> Self {
        Self { postings, slots: Vec::new(), set: RoaringBitmap::new() }
    }

    pub(crate) fn add(&mut self, posting: Posting) {
        match posting {
            Posting::Many(at) => {
                if let Some(many) = self.postings.many.get(at) {
                    self.set |= many;
                }
            }
            _ => self.slots.extend_from_slice(self.postings.short(&posting)),
        }
    }

    pub(crate) fn finish(self) -> RoaringBitmap {
        let slots = set_of(self.slots);
        if self.set.is_empty() { slots } else { self.set | slots }
    }
}

fn set_of(mut slots: Vec<u32>) -> RoaringBitmap {
    let bytes = slots.iter().max().map_or(0, |max| *max as usize / 8 + 1);
    if slots.len() < bytes / 8 {
        slots.sort_unstable();
        slots.dedup();
        return slots.into_iter().collect();
    }
    // So many that a bit for each place is less work than to sort them.
    let mut bits = vec![0_u8; bytes];
    for slot in slots {
        if let Some(byte) = bits.get_mut(slot as usize / 8) {
            *byte |= 1 << (slot % 8);
        }
    }
    RoaringBitmap::from_lsb0_bytes(0, &bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_the_same_however_it_is_made() {
        for (count, step) in
            [(0, 1), (1, 0), (1, 70_000), (3, 1), (1000, 1), (1000, 199), (70_000, 1), (70_000, 3)]
        {
            let slots: Vec<u32> = (0..count).map(|n| n * 7919 % count * step).collect();
            let expected: RoaringBitmap = slots.iter().copied().collect();
            let twice = [slots.clone(), slots].concat();
            assert_eq!(set_of(twice), expected, "{count} by {step}");
        }
    }

    #[test]
    fn a_posting_takes_eight_bytes() {
        assert_eq!(size_of::<Posting>(), 8);
    }

    #[test]
    fn growing_and_shrinking_keeps_the_slots() {
        let mut postings = Postings::default();
        let mut posting = Posting::Empty;
        let slots: Vec<u32> = (0..100).map(|n| n * 7919 % 1000).collect();
        for (count, slot) in slots.iter().enumerate() {
            posting = postings.insert(posting, *slot);
            posting = postings.insert(posting, *slot);
            assert_eq!(postings.len(posting), count as u64 + 1);
        }
        for (count, slot) in slots.iter().enumerate() {
            let rest: RoaringBitmap = slots[count..].iter().copied().collect();
            assert_eq!(*postings.set(posting), rest);
            assert_eq!(postings.len_within(posting, &rest), rest.len());
            posting = postings.remove(posting, *slot);
            posting = postings.remove(posting, *slot);
        }
        assert_eq!(posting, Posting::Empty);
        assert_eq!((postings.few.len(), postings.many.len()), (0, 0));
    }

    #[test]
    fn a_union_takes_long_and_short_ones() {
        let mut postings = Postings::default();
        let long = (0..50).fold(Posting::Empty, |posting, slot| postings.insert(posting, slot * 2));
        let short = (0..5).fold(Posting::Empty, |posting, slot| postings.insert(posting, slot * 3));
        let mut union = Union::of(&postings);
        for posting in [long, short, Posting::One(7), Posting::Empty] {
            union.add(posting);
        }
        let expected: RoaringBitmap =
            (0..50).map(|n| n * 2).chain((0..5).map(|n| n * 3)).chain([7]).collect();
        assert_eq!(union.finish(), expected);
    }
}
