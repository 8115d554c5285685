//! All keys, all their values, and who has them.
//!
//! An [`Entry`] is one spelling of one value of one key; a row of an entity is the handle of an entry, four bytes. The
//! first spelling of a value heads a chain of the others. There is rarely a second one, but facets tell `Service` from
//! `service`, while filters do not. A string that came from an array counts as another spelling than one that did not,
//! because only the former makes a key `path.value`.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use crate::flatten::RowRef;
use crate::handle_table::HandleTable;
use crate::key::{Key, NONE};
use crate::ordered::OrderedList;
use crate::posting::{Posting, Postings};
use crate::slab::Slab;
use crate::text_store::TextStore;

/// A spelling of a value.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Entry {
    pub(crate) key: u32,
    /// Where the value is among its key's texts; of a further spelling, the entry that heads its chain.
    text: u32,
    /// Where the original spelling is, if it is another one.
    original: u32,
    /// The next spelling of the same value.
    next: u32,
    pub(crate) posting: Posting,
    text_len: u16,
    original_len: u16,
    form: Form,
    pub(crate) is_item: bool,
    has_original: bool,
}

impl Entry {
    /// The only entity that has its value in any spelling, if the entry heads its chain and there is just one.
    pub(crate) fn only_holder(&self) -> Option<u32> {
        match self.posting {
            Posting::One(slot) if !self.has_next() => Some(slot),
            _ => None,
        }
    }

    /// Whether there is another spelling of its value after it.
    pub(crate) fn has_next(&self) -> bool {
        self.next != NONE
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Form {
    #[default]
    Vacant,
    /// Rows without a value.
    Null,
    Head,
    Further,
}

/// Keys, entries and postings.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    pub(crate) keys: Slab<Key>,
    pub(crate) postings: Postings,
    entries: Slab<Entry>,
    originals: TextStore,
    key_table: HandleTable,
    value_table: HandleTable,
    hasher: RandomState,
}

impl Dictionary {
    pub(crate) fn entry(&self, handle: u32) -> Entry {
        self.entries.get(handle).copied().unwrap_or_default()
    }

    pub(crate) fn key(&self, key: u32) -> Option<&Key> {
        self.keys.get(key)
    }

    /// The key of a name in lower case.
    pub(crate) fn find_key(&self, name: &str) -> Option<u32> {
        self.key_table
            .find(self.hasher.hash_one(name), |key| self.keys.get(key).is_some_and(|key| &*key.name == name))
    }

    /// The head of a value in lower case.
    pub(crate) fn find_value(&self, key: u32, value: &[u8]) -> Option<u32> {
        self.value_table.find(self.hash(key, value), |head| {
            let entry = self.entry(head);
            entry.key == key && self.head_text(entry) == value
        })
    }

    /// All spellings of the value that an entry heads.
    pub(crate) fn spellings(&self, head: u32) -> impl Iterator<Item = (u32, Entry)> {
        let first = Some((head, self.entry(head)));
        std::iter::successors(first, |(_, entry)| {
            (entry.next != NONE).then(|| (entry.next, self.entry(entry.next)))
        })
    }

    /// The value in lower case; `None` for null.
    pub(crate) fn value(&self, entry: Entry) -> Option<&[u8]> {
        match entry.form {
            Form::Vacant | Form::Null => None,
            Form::Head => Some(self.head_text(entry)),
            Form::Further => Some(self.head_text(self.entry(entry.text))),
        }
    }

    /// The value as entities spell it; `None` for null.
    pub(crate) fn original(&self, entry: Entry) -> Option<&[u8]> {
        if entry.has_original {
            return Some(self.originals.get(entry.original, entry.original_len));
        }
        self.value(entry)
    }

    fn head_text(&self, head: Entry) -> &[u8] {
        self.keys.get(head.key).map_or(&[], |key| key.texts.get(head.text, head.text_len))
    }

    fn hash(&self, key: u32, value: &[u8]) -> u64 {
        self.hasher.hash_one((key, value))
    }

    /// The values of a key in bytewise order.
    pub(crate) fn order<'a>(&'a self, key: &'a Key) -> &'a OrderedList {
        key.order.get_or_init(|| {
            let mut heads: Vec<u32> = key.texts.owners().collect();
            heads.sort_unstable_by_key(|head| self.head_text(self.entry(*head)));
            OrderedList::from_sorted(&heads)
        })
    }

    /// The entry of a row, made if there is none. An entry that nobody is put into must be released.
    pub(crate) fn intern(&mut self, row: RowRef<'_>) -> u32 {
        let key = self.intern_key(row.key);
        let Some((value, original)) = row.value else { return self.intern_null(key) };
        let original = (original != value).then_some(original);
        let Some(head) = self.find_value(key, value.as_bytes()) else {
            return self.insert_head(key, value, original, row.is_item);
        };
        let same = self.spellings(head).find(|(_, entry)| {
            entry.is_item == row.is_item
                && entry.has_original == original.is_some()
                && original.is_none_or(|text| self.original(*entry) == Some(text.as_bytes()))
        });
        if let Some((handle, _)) = same {
            return handle;
        }
        let next = self.entry(head).next;
        let entry =
            Entry { key, text: head, next, form: Form::Further, is_item: row.is_item, ..Entry::default() };
        let handle = self.entries.insert(entry);
        self.set_original(handle, original);
        self.set_next(head, handle);
        handle
    }

    fn intern_key(&mut self, name: &str) -> u32 {
        if let Some(key) = self.find_key(name) {
            return key;
        }
        let key = self.keys.insert(Key { name: name.into(), ..Key::default() });
        let Self { keys, key_table, hasher, .. } = self;
        key_table.insert(hasher.hash_one(name), key, |other| {
            keys.get(other).map_or(0, |key| hasher.hash_one(&*key.name))
        });
        key
    }

    fn intern_null(&mut self, key: u32) -> u32 {
        let Some(nulls) = self.keys.get(key).map(|key| key.nulls) else { return NONE };
        if nulls != NONE {
            return nulls;
        }
        let nulls = self.entries.insert(Entry { key, next: NONE, form: Form::Null, ..Entry::default() });
        if let Some(key) = self.keys.get_mut(key) {
            key.nulls = nulls;
        }
        nulls
    }

    fn insert_head(&mut self, key: u32, value: &str, original: Option<&str>, is_item: bool) -> u32 {
        let entry = Entry {
            key,
            next: NONE,
            text_len: u16::try_from(value.len()).unwrap_or(u16::MAX),
            form: Form::Head,
            is_item,
            ..Entry::default()
        };
        let handle = self.entries.insert(entry);
        self.set_original(handle, original);
        let hash = self.hash(key, value.as_bytes());
        let Self { keys, entries, value_table, hasher, .. } = self;
        if let Some(data) = keys.get_mut(key) {
            let text = data.texts.push(value.as_bytes(), handle);
            if let Some(entry) = entries.get_mut(handle) {
                entry.text = text;
            }
            data.values += 1;
            let Key { order, texts, .. } = data;
            if let Some(order) = order.get_mut() {
                order.insert(handle, |other| text_of(entries, texts, other).cmp(value.as_bytes()));
            }
        }
        value_table.insert(hash, handle, |other| {
            let key = entries.get(other).map_or(NONE, |entry| entry.key);
            let text = keys.get(key).map_or(&[][..], |data| text_of(entries, &data.texts, other));
            hasher.hash_one((key, text))
        });
        handle
    }

    fn set_original(&mut self, handle: u32, original: Option<&str>) {
        let Some(original) = original else { return };
        let at = self.originals.push(original.as_bytes(), handle);
        if let Some(entry) = self.entries.get_mut(handle) {
            entry.original = at;
            entry.original_len = u16::try_from(original.len()).unwrap_or(u16::MAX);
            entry.has_original = true;
        }
    }

    fn set_next(&mut self, handle: u32, next: u32) {
        if let Some(entry) = self.entries.get_mut(handle) {
            entry.next = next;
        }
    }

    pub(crate) fn add(&mut self, handle: u32, slot: u32) {
        if let Some(entry) = self.entries.get_mut(handle) {
            entry.posting = self.postings.insert(entry.posting, slot);
        }
    }

    /// Takes an entity out of an entry. The entry is gone when nobody is left.
    pub(crate) fn take(&mut self, handle: u32, slot: u32) {
        let Some(entry) = self.entries.get_mut(handle) else { return };
        entry.posting = self.postings.remove(entry.posting, slot);
        if entry.posting == Posting::Empty {
            self.release(handle);
        }
    }

    /// Removes an entry that nobody is in. A head stays for as long as it has a chain.
    fn release(&mut self, handle: u32) {
        let entry = self.entry(handle);
        match entry.form {
            Form::Null => {
                if let Some(key) = self.keys.get_mut(entry.key) {
                    key.nulls = NONE;
                }
                self.entries.remove(handle);
                self.release_key(entry.key);
            }
            Form::Further => {
                let head = entry.text;
                let before = self.spellings(head).find(|(_, other)| other.next == handle);
                if let Some((before, _)) = before {
                    self.set_next(before, entry.next);
                }
                self.remove_entry(handle, entry);
                if self.entry(head).posting == Posting::Empty {
                    self.release(head);
                }
            }
            Form::Head if entry.next == NONE => self.remove_head(handle, entry),
            Form::Vacant | Form::Head => {}
        }
    }

    fn remove_entry(&mut self, handle: u32, entry: Entry) {
        if entry.has_original {
            for (owner, at) in self.originals.remove(entry.original, entry.original_len) {
                if let Some(entry) = self.entries.get_mut(owner) {
                    entry.original = at;
                }
            }
        }
        self.entries.remove(handle);
    }

    fn remove_head(&mut self, handle: u32, entry: Entry) {
        let hash = self.hash(entry.key, self.head_text(entry));
        self.value_table.remove(hash, handle);
        let Self { keys, entries, .. } = self;
        if let Some(Key { texts, order, values, .. }) = keys.get_mut(entry.key) {
            if let Some(order) = order.get_mut() {
                let text = texts.get(entry.text, entry.text_len);
                order.remove(handle, |other| text_of(entries, texts, other).cmp(text));
            }
            for (owner, at) in texts.remove(entry.text, entry.text_len) {
                if let Some(entry) = entries.get_mut(owner) {
                    entry.text = at;
                }
            }
            *values -= 1;
        }
        self.remove_entry(handle, entry);
        self.release_key(entry.key);
    }

    fn release_key(&mut self, key: u32) {
        let Some(data) = self.keys.get(key) else { return };
        if data.values > 0 || data.nulls != NONE {
            return;
        }
        let hash = self.hasher.hash_one(&*data.name);
        self.key_table.remove(hash, key);
        self.keys.remove(key);
    }
}

/// The value of a head.
fn text_of<'a>(entries: &Slab<Entry>, texts: &'a TextStore, head: u32) -> &'a [u8] {
    entries.get(head).map_or(&[], |entry| texts.get(entry.text, entry.text_len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_no_more_than_32_bytes() {
        assert!(size_of::<Entry>() <= 32, "{}", size_of::<Entry>());
    }

    #[test]
    fn nothing_is_left_of_what_nobody_has() {
        let mut dictionary = Dictionary::default();
        let row = |value, is_item| RowRef { key: "metadata.tags", value, is_item };
        let rows = [
            row(Some(("java", "Java")), true),
            row(Some(("java", "java")), true),
            row(Some(("java", "java")), false),
            row(Some(("go", "go")), false),
            row(None, false),
        ];
        let handles: Vec<u32> = rows.iter().map(|row| dictionary.intern(*row)).collect();
        for handle in &handles {
            dictionary.add(*handle, 1);
        }
        let key = dictionary.find_key("metadata.tags").unwrap();
        let head = dictionary.find_value(key, b"java").unwrap();
        assert_eq!(dictionary.spellings(head).count(), 3);
        for handle in handles {
            dictionary.take(handle, 1);
        }
        assert_eq!(dictionary.find_key("metadata.tags"), None);
        assert_eq!((dictionary.entries.len(), dictionary.keys.len()), (0, 0));
        assert_eq!(dictionary.originals.owners().count(), 0);
    }
}
