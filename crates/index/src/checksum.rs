//! A number that says what an index holds, to compare it with what it should hold.
//!
//! Entities' numbers are added up, so the order in which they came plays no part, and a part of the catalog can be
//! compared like the whole. It is made of what queries see: the rows as they are found through the dictionary.

use std::hash::BuildHasher;
use std::iter::Sum;
use std::ops::Add;

use foldhash::quality::FixedState;

use crate::flatten::RowRef;
use crate::index::Index;
use crate::prepared::Prepared;

/// Seeds of the two halves.
const SEEDS: [u64; 2] = [0x5bd1_e995, 0x27d4_eb2f];

/// What entities say. Equal for equal content, within one version of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checksum {
    /// How many entities.
    pub entities: u64,
    /// The sum of their numbers.
    pub sum: u128,
}

impl Add for Checksum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { entities: self.entities + other.entities, sum: self.sum.wrapping_add(other.sum) }
    }
}

impl Sum for Checksum {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

impl Checksum {
    fn of<'a>(entity_ref: &str, uid: &str, rows: impl Iterator<Item = RowRef<'a>>) -> Self {
        let hashers = SEEDS.map(FixedState::with_seed);
        let mut halves = [0_u64; 2];
        for row in rows {
            for (half, hasher) in halves.iter_mut().zip(&hashers) {
                *half = half.wrapping_add(hasher.hash_one(row));
            }
        }
        let mut sum = 0;
        for (half, hasher) in halves.iter().zip(&hashers) {
            sum = sum << 64 | u128::from(hasher.hash_one((entity_ref, uid, half)));
        }
        Self { entities: 1, sum }
    }
}

impl Prepared {
    /// The checksum that an index has that holds nothing but this entity.
    pub fn checksum(&self) -> Checksum {
        Checksum::of(&self.entity_ref, &self.uid, self.rows.iter())
    }
}

impl Index {
    /// The checksum of everything. It takes some microseconds for each entity: while others write,
    /// [`Self::checksum_of`] is the better choice.
    pub fn checksum(&self) -> Checksum {
        self.live.iter().map(|slot| self.slot_checksum(slot)).sum()
    }

    /// The checksum of one entity.
    pub fn checksum_of(&self, entity_ref: &str) -> Option<Checksum> {
        self.find(entity_ref).map(|slot| self.slot_checksum(slot))
    }

    fn slot_checksum(&self, slot: u32) -> Checksum {
        let Some(slot) = self.slots.get(slot) else { return Checksum::default() };
        let dictionary = &self.dictionary;
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let rows = slot.rows.iter().map(|row| {
            let entry = dictionary.entry(*row);
            let value = dictionary.value(entry).zip(dictionary.original(entry));
            RowRef {
                key: dictionary.key(entry.key).map_or("", |key| &key.name),
                value: value.map(|(lower, original)| (text(lower), text(original))),
                is_item: entry.is_item,
            }
        });
        Checksum::of(&slot.entity_ref, &slot.uid.to_string(), rows)
    }
}
