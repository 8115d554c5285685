//! Whether an index agrees with itself: every structure that queries use is derived from the entities' rows.

use std::cmp::Ordering;

use foldhash::{HashMap, HashMapExt};

use crate::index::Index;
use crate::key::Key;

impl Index {
    /// What does not agree, if anything. This looks at everything; it is for tests and for finding faults.
    pub fn check(&self) -> Result<(), String> {
        let mut rows: HashMap<u32, u64> = HashMap::new();
        let mut holdings: HashMap<(u32, u32), usize> = HashMap::new();
        for slot in &self.live {
            self.check_slot(slot, &mut rows, &mut holdings)?;
        }
        if self.live.len() != self.len() as u64 {
            return Err("the number of entities is wrong".to_owned());
        }
        for (row, count) in &rows {
            if self.dictionary.postings.len(self.dictionary.entry(*row).posting) != *count {
                return Err(format!("the posting of entry {row} has entities that do not have it"));
            }
        }
        let mut keys: HashMap<u32, u64> = HashMap::new();
        for ((key, _), _) in holdings.iter().filter(|(_, values)| **values > 0) {
            *keys.entry(*key).or_default() += 1;
        }
        for ((key, slot), values) in &holdings {
            let Some(data) = self.dictionary.key(*key) else { return Err(format!("key {key} is gone")) };
            if data.valued.contains(*slot) != (*values > 0) || data.multi.contains(*slot) != (*values > 1) {
                return Err(format!("key {} is wrong about slot {slot}", data.name));
            }
            if data.valued.len() != keys.get(key).copied().unwrap_or(0) {
                return Err(format!("key {} has entities that have no value", data.name));
            }
        }
        let mut names: Vec<u32> = holdings.into_keys().map(|(key, _)| key).collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .filter_map(|key| self.dictionary.key(key))
            .try_for_each(|key| self.check_key(key))?;
        is_sorted(self.uid_order().iter(), self.len(), |a, b| self.cmp_uid(a, b))?;
        is_sorted(self.ref_order().iter(), self.len(), |a, b| self.entity_ref(a).cmp(self.entity_ref(b)))
    }

    fn check_slot(
        &self,
        slot: u32,
        rows: &mut HashMap<u32, u64>,
        holdings: &mut HashMap<(u32, u32), usize>,
    ) -> Result<(), String> {
        let Some(entity) = self.slots.get(slot) else { return Err(format!("slot {slot} is gone")) };
        if self.find(&entity.entity_ref) != Some(slot) {
            return Err(format!("{} is not found", entity.entity_ref));
        }
        for row in &entity.rows {
            let entry = self.dictionary.entry(*row);
            if !self.dictionary.postings.set(entry.posting).contains(slot) {
                return Err(format!("the posting of entry {row} lacks {}", entity.entity_ref));
            }
            *rows.entry(*row).or_default() += 1;
            let value = self.dictionary.value(entry);
            *holdings.entry((entry.key, slot)).or_default() += usize::from(value.is_some());
            if let Some(value) = value {
                let head = self.dictionary.find_value(entry.key, value);
                let is_found = head
                    .is_some_and(|head| self.dictionary.spellings(head).any(|(handle, _)| handle == *row));
                if !is_found {
                    return Err(format!("entry {row} is not found by its value"));
                }
            }
        }
        Ok(())
    }

    fn check_key(&self, key: &Key) -> Result<(), String> {
        let value = |head| self.dictionary.value(self.dictionary.entry(head));
        if key.texts.owners().count() != key.values {
            return Err(format!("key {} has texts that are no values", key.name));
        }
        is_sorted(self.dictionary.order(key).iter(), key.values, |a, b| value(a).cmp(&value(b)))
    }
}

fn is_sorted(
    handles: impl Iterator<Item = u32>,
    len: usize,
    compare: impl Fn(u32, u32) -> Ordering,
) -> Result<(), String> {
    let handles: Vec<u32> = handles.collect();
    let sorted = handles.is_sorted_by(|a, b| compare(*a, *b) == Ordering::Less);
    if sorted && handles.len() == len {
        return Ok(());
    }
    Err(format!("an order of {} is out of order, or should have {len}", handles.len()))
}
