//! Putting entities in, replacing them and taking them out.
//!
//! A replaced entity keeps its slot, and only the rows that differ are touched: most updates change a handful of them.

use std::hash::BuildHasher;

use super::{Index, Slot, cmp_uid};
use crate::dictionary::Dictionary;
use crate::prepared::Prepared;
use crate::uid::Uid;

/// What an entity has under one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Holding {
    values: usize,
}

impl Index {
    /// Puts an entity in, in place of the one that has the same ref.
    pub fn put(&mut self, entity: &Prepared) {
        let mut rows: Vec<(u32, u32)> = entity
            .rows
            .iter()
            .map(|row| {
                let handle = self.dictionary.intern(row);
                (self.dictionary.entry(handle).key, handle)
            })
            .collect();
        rows.sort_unstable();
        rows.dedup();
        let slot = self.place(entity);
        self.replace_rows(slot, &rows);
    }

    /// Takes an entity out. Whether it was there.
    pub fn remove(&mut self, entity_ref: &str) -> bool {
        let Some(slot) = self.find(entity_ref) else { return false };
        self.replace_rows(slot, &[]);
        self.forget_uid(slot);
        let Self { by_ref, slots, .. } = self;
        if let Some(order) = by_ref.get_mut() {
            order.remove(slot, |other| ref_of(slots, other).cmp(entity_ref));
        }
        self.refs.remove(self.hasher.hash_one(entity_ref), slot);
        self.live.remove(slot);
        self.slots.remove(slot);
        true
    }

    /// The slot for an entity, with everything in it but the rows.
    fn place(&mut self, entity: &Prepared) -> u32 {
        let uid = Uid::of(&entity.uid);
        if let Some(slot) = self.find(&entity.entity_ref) {
            let has_other_uid = self.slots.get(slot).is_some_and(|slot| slot.uid != uid);
            if has_other_uid {
                self.forget_uid(slot);
            }
            if let Some(place) = self.slots.get_mut(slot) {
                place.id = entity.id;
                place.uid = uid;
            }
            if has_other_uid {
                self.note_uid(slot);
            }
            return slot;
        }
        let slot = self.slots.insert(Slot {
            id: entity.id,
            uid,
            entity_ref: entity.entity_ref.clone(),
            rows: Box::default(),
        });
        self.live.insert(slot);
        self.note_uid(slot);
        let Self { by_ref, slots, refs, hasher, .. } = self;
        if let Some(order) = by_ref.get_mut() {
            order.insert(slot, |other| ref_of(slots, other).cmp(&entity.entity_ref));
        }
        refs.insert(hasher.hash_one(&*entity.entity_ref), slot, |other| {
            hasher.hash_one(ref_of(slots, other))
        });
        slot
    }

    fn note_uid(&mut self, slot: u32) {
        let Self { by_uid, slots, .. } = self;
        if let Some(order) = by_uid.get_mut() {
            order.insert(slot, |other| cmp_uid(slots, other, slot));
        }
    }

    fn forget_uid(&mut self, slot: u32) {
        let Self { by_uid, slots, .. } = self;
        if let Some(order) = by_uid.get_mut() {
            order.remove(slot, |other| cmp_uid(slots, other, slot));
        }
    }

    /// `rows` are keys and entries, in order.
    fn replace_rows(&mut self, slot: u32, rows: &[Row]) {
        let Some(place) = self.slots.get_mut(slot) else { return };
        let old = std::mem::take(&mut place.rows);
        place.rows = rows.iter().map(|(_, handle)| *handle).collect();
        let old: Vec<(u32, u32)> =
            old.iter().map(|handle| (self.dictionary.entry(*handle).key, *handle)).collect();
        let changes = differences(&old, rows);
        // What is new comes first, so that an entry that stays in use is never gone in between.
        for (_, handle) in changes.iter().filter_map(|change| change.1) {
            self.dictionary.add(handle, slot);
        }
        let mut keys: Vec<u32> =
            changes.iter().filter_map(|(gone, new)| gone.or(*new)).map(|(key, _)| key).collect();
        keys.dedup();
        for key in keys {
            self.hold(slot, key, holding(&self.dictionary, &old, key), holding(&self.dictionary, rows, key));
        }
        for (_, handle) in changes.iter().filter_map(|change| change.0) {
            self.dictionary.take(handle, slot);
        }
    }

    fn hold(&mut self, slot: u32, key: u32, old: Holding, new: Holding) {
        let Some(key) = self.dictionary.keys.get_mut(key) else { return };
        if (old.values > 0) != (new.values > 0) {
            set(&mut key.valued, slot, new.values > 0);
        }
        if (old.values > 1) != (new.values > 1) {
            set(&mut key.multi, slot, new.values > 1);
        }
    }
}

fn set(bitmap: &mut roaring::RoaringBitmap, slot: u32, is_member: bool) {
    if is_member {
        bitmap.insert(slot);
    } else {
        bitmap.remove(slot);
    }
}

fn ref_of(slots: &crate::slab::Slab<Slot>, slot: u32) -> &str {
    slots.get(slot).map_or("", |slot| &slot.entity_ref)
}

type Row = (u32, u32);

/// What is only in the first of two ordered lists, and what is only in the second.
fn differences(old: &[Row], new: &[Row]) -> Vec<(Option<Row>, Option<Row>)> {
    let mut changes = Vec::new();
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some(a), Some(b)) if a == b => {
                old.next();
                new.next();
            }
            (Some(a), Some(b)) if a < b => changes.push((old.next().copied(), None)),
            (Some(_), None) => changes.push((old.next().copied(), None)),
            _ => changes.push((None, new.next().copied())),
        }
    }
}

fn holding(dictionary: &Dictionary, rows: &[Row], key: u32) -> Holding {
    let start = rows.partition_point(|(other, _)| *other < key);
    let rows = rows.get(start..).unwrap_or_default();
    let rows = rows.iter().take_while(|(other, _)| *other == key);
    Holding {
        values: rows.filter(|(_, handle)| dictionary.value(dictionary.entry(*handle)).is_some()).count(),
    }
}
