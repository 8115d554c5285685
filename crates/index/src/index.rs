//! The index itself: entities in numbered slots, and a dictionary of everything that they say.

use std::cmp::Ordering;
use std::hash::BuildHasher;
use std::sync::OnceLock;

use foldhash::quality::RandomState;
use roaring::RoaringBitmap;

use crate::dictionary::Dictionary;
use crate::handle_table::HandleTable;
use crate::ordered::OrderedList;
use crate::prepared::Change;
use crate::slab::Slab;
use crate::text::lowercase;
use crate::uid::Uid;

mod update;

/// The query index of a catalog.
///
/// Reading takes `&self`, so any number of readers may go side by side; see [`SharedIndex`](crate::SharedIndex) for
/// one that is updated meanwhile.
#[derive(Debug, Default)]
pub struct Index {
    pub(crate) dictionary: Dictionary,
    pub(crate) slots: Slab<Slot>,
    /// The slots in use.
    pub(crate) live: RoaringBitmap,
    refs: HandleTable,
    hasher: RandomState,
    /// Both orders are made when first asked for, so that loading does not pay for each insertion.
    by_uid: OnceLock<OrderedList>,
    by_ref: OnceLock<OrderedList>,
}

/// One entity.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) id: i64,
    pub(crate) uid: Uid,
    pub(crate) entity_ref: Box<str>,
    /// Entries, ordered by key and then handle.
    pub(crate) rows: Box<[u32]>,
}

/// An entity that a query found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The caller's number for it.
    pub id: i64,
    /// Its canonical ref.
    pub entity_ref: String,
    /// Its uid.
    pub uid: String,
}

impl Index {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entities there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no entities.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many distinct keys there are, those that follow from items not counted.
    pub fn key_count(&self) -> usize {
        self.dictionary.keys.len()
    }

    /// Applies changes in their order.
    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Put(entity) => self.put(entity),
                Change::Remove(entity_ref) => _ = self.remove(entity_ref),
            }
        }
    }

    /// Makes the orders that most requests need, by uid, by ref and by the values of `keys`, which otherwise the first
    /// request that needs one waits for. To be called after loading.
    pub fn warm(&self, keys: &[&str]) {
        self.uid_order();
        self.ref_order();
        for name in keys {
            let key = self.dictionary.find_key(&lowercase(name));
            if let Some(key) = key.and_then(|key| self.dictionary.key(key)) {
                self.dictionary.order(key);
            }
        }
    }

    /// The slot of a canonical ref.
    pub(crate) fn find(&self, entity_ref: &str) -> Option<u32> {
        self.refs.find(self.hasher.hash_one(entity_ref), |slot| self.entity_ref(slot) == entity_ref)
    }

    pub(crate) fn entity_ref(&self, slot: u32) -> &str {
        self.slots.get(slot).map_or("", |slot| &slot.entity_ref)
    }

    /// Compares by uid. Uids are unique; if they are not, the slot decides, so that each entity keeps its place.
    pub(crate) fn cmp_uid(&self, a: u32, b: u32) -> Ordering {
        cmp_uid(&self.slots, a, b)
    }

    pub(crate) fn uid_order(&self) -> &OrderedList {
        self.by_uid.get_or_init(|| self.sorted(|a, b| self.cmp_uid(*a, *b)))
    }

    pub(crate) fn ref_order(&self) -> &OrderedList {
        self.by_ref.get_or_init(|| self.sorted(|a, b| self.entity_ref(*a).cmp(self.entity_ref(*b))))
    }

    fn sorted(&self, compare: impl Fn(&u32, &u32) -> Ordering) -> OrderedList {
        let mut slots: Vec<u32> = self.live.iter().collect();
        slots.sort_unstable_by(compare);
        OrderedList::from_sorted(&slots)
    }

    pub(crate) fn hit(&self, slot: u32) -> Option<Hit> {
        let Slot { id, uid, entity_ref, .. } = self.slots.get(slot)?;
        Some(Hit { id: *id, entity_ref: entity_ref.to_string(), uid: uid.to_string() })
    }

    /// The entries of a slot that belong to a key.
    pub(crate) fn rows_of(&self, slot: u32, key: u32) -> &[u32] {
        let rows = self.slots.get(slot).map_or(&[][..], |slot| &slot.rows);
        let start = rows.partition_point(|row| self.dictionary.entry(*row).key < key);
        let rest = rows.get(start..).unwrap_or_default();
        let len = rest.iter().take_while(|row| self.dictionary.entry(**row).key == key).count();
        rest.get(..len).unwrap_or_default()
    }
}

fn cmp_uid(slots: &Slab<Slot>, a: u32, b: u32) -> Ordering {
    let uid = |slot| slots.get(slot).map(|slot: &Slot| &slot.uid);
    uid(a).cmp(&uid(b)).then(a.cmp(&b))
}
