//! A key as a query sees it: the rows that are there, and those that follow from the items of arrays.
//!
//! `metadata.tags.java` has the value `true` for whoever has the item `java` under `metadata.tags`. Such keys are not
//! stored: there would be as many as there are tags, refs and URLs in all arrays. They are computed by cutting the
//! asked-for key at each of its dots.

use std::borrow::Cow;

use roaring::RoaringBitmap;

use crate::index::Index;
use crate::key::{Key, NONE};
use crate::limits::KEY_UNITS_MAX;
use crate::posting::Union;
use crate::text::fits;

/// The value of a key that follows from an item.
const TRUE: &str = "true";

/// One key of a query.
#[derive(Debug)]
pub(crate) struct KeyView<'a> {
    pub(crate) index: &'a Index,
    /// The key that has rows.
    pub(crate) stored: Option<(u32, &'a Key)>,
    /// Who has the value `true` because of an item.
    pub(crate) items: RoaringBitmap,
}

pub(crate) type Set<'a> = Cow<'a, RoaringBitmap>;

impl<'a> KeyView<'a> {
    /// The view of a key in lower case.
    pub(crate) fn of(index: &'a Index, name: &str) -> Self {
        // Nothing has such a key, and to look at each part of one that has a hundred thousand dots would take long.
        if !fits(name, KEY_UNITS_MAX) {
            return Self { index, stored: None, items: RoaringBitmap::new() };
        }
        let dictionary = &index.dictionary;
        let stored = dictionary.find_key(name).and_then(|key| Some((key, dictionary.key(key)?)));
        let mut items = Union::of(&dictionary.postings);
        for (dot, _) in name.match_indices('.') {
            let (path, item) = name.split_at(dot);
            let item = item.get(1..).unwrap_or_default();
            let head = dictionary.find_key(path).and_then(|key| dictionary.find_value(key, item.as_bytes()));
            let Some(head) = head else { continue };
            for (_, entry) in dictionary.spellings(head).filter(|(_, entry)| entry.is_item) {
                items.add(entry.posting);
            }
        }
        Self { index, stored, items: items.finish() }
    }

    /// Who has a row with this key.
    pub(crate) fn present(&self) -> Set<'a> {
        let nulls = self.stored.map_or(NONE, |(_, key)| key.nulls);
        if nulls == NONE {
            return self.valued();
        }
        let mut present = self.valued().into_owned();
        let dictionary = &self.index.dictionary;
        present |= &*dictionary.postings.set(dictionary.entry(nulls).posting);
        Cow::Owned(present)
    }

    /// Who has a value.
    pub(crate) fn valued(&self) -> Set<'a> {
        match self.stored {
            Some((_, key)) if self.items.is_empty() => Cow::Borrowed(&key.valued),
            Some((_, key)) => Cow::Owned(&key.valued | &self.items),
            None => Cow::Owned(self.items.clone()),
        }
    }

    /// Who has one of these values, given in lower case.
    pub(crate) fn one_of<T: AsRef<str>>(&self, values: impl IntoIterator<Item = T>) -> Set<'a> {
        let dictionary = &self.index.dictionary;
        let mut union = Union::of(&dictionary.postings);
        let mut with_items = false;
        let mut only = None;
        let mut heads = 0;
        for value in values {
            let value = value.as_ref();
            with_items |= value == TRUE;
            let head = self.stored.and_then(|(key, _)| dictionary.find_value(key, value.as_bytes()));
            if let Some(head) = head {
                heads += 1;
                only = Some(dictionary.entry(head));
                self.add_value(&mut union, head);
            }
        }
        with_items &= !self.items.is_empty();
        // A single value in a single spelling is there as it is; most filters ask for just that.
        match only {
            Some(entry) if heads == 1 && !with_items && !entry.has_next() => {
                dictionary.postings.set(entry.posting)
            }
            _ if with_items => Cow::Owned(union.finish() | &self.items),
            _ => Cow::Owned(union.finish()),
        }
    }

    /// Who has a value that begins with `prefix`, given in lower case.
    pub(crate) fn with_prefix(&self, prefix: &str) -> Set<'a> {
        if prefix.is_empty() {
            return self.valued();
        }
        let mut union = Union::of(&self.index.dictionary.postings);
        if let Some((_, key)) = self.stored {
            let dictionary = &self.index.dictionary;
            let order = dictionary.order(key);
            let value = |head: u32| dictionary.value(dictionary.entry(head)).unwrap_or_default();
            let prefix = prefix.as_bytes();
            let start = order.position(|head| value(head) < prefix);
            let end = order.position(|head| value(head) < prefix || value(head).starts_with(prefix));
            for head in order.between(start, end) {
                self.add_value(&mut union, head);
            }
        }
        let mut set = union.finish();
        if TRUE.starts_with(prefix) {
            set |= &self.items;
        }
        Cow::Owned(set)
    }

    /// Who has a value that contains `needle`, given in lower case.
    pub(crate) fn containing(&self, needle: &str) -> RoaringBitmap {
        let mut union = Union::of(&self.index.dictionary.postings);
        if let Some((_, key)) = self.stored {
            key.texts.search(needle.as_bytes(), |head| self.add_value(&mut union, head));
        }
        let mut set = union.finish();
        if TRUE.contains(needle) {
            set |= &self.items;
        }
        set
    }

    /// Who of a set has the value of a head.
    pub(crate) fn holders_within(&self, head: u32, set: &RoaringBitmap) -> RoaringBitmap {
        let dictionary = &self.index.dictionary;
        let mut holders = RoaringBitmap::new();
        for (_, entry) in dictionary.spellings(head) {
            dictionary.postings.add_within(entry.posting, set, &mut holders);
        }
        holders
    }

    fn add_value(&self, union: &mut Union<'a>, head: u32) {
        for (_, entry) in self.index.dictionary.spellings(head) {
            union.add(entry.posting);
        }
    }

    /// The values of an entity, in lower case and in no particular order.
    pub(crate) fn values_of(&self, slot: u32) -> impl Iterator<Item = &'a [u8]> {
        let dictionary = &self.index.dictionary;
        let rows = self.stored.map_or(&[][..], |(key, _)| self.index.rows_of(slot, key));
        let item = self.items.contains(slot).then_some(TRUE.as_bytes());
        rows.iter().filter_map(|row| dictionary.value(dictionary.entry(*row))).chain(item)
    }
}
