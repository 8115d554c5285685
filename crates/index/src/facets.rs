//! `/entity-facets`: how often each value of a key is there.

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use roaring::RoaringBitmap;
use serde::Serialize;

use crate::error::QueryError;
use crate::index::Index;
use crate::key_view::KeyView;
use crate::limits::{FACET_VALUES_MAX, FACETS_MAX};
use crate::predicate::Predicate;
use crate::text::{js_trim, lowercase};

/// The values of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    /// The key as it was asked for.
    pub name: String,
    /// Ordered bytewise by value.
    pub values: Vec<FacetValue>,
}

/// A value and how many entities have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FacetValue {
    /// As entities spell it: `Service` and `service` are two.
    pub value: String,
    /// How many entities.
    pub count: u64,
}

impl Index {
    /// The facets with these names among the entities that fulfil the filters. Blank names are passed over.
    pub fn facets<T: AsRef<str>>(
        &self,
        names: &[T],
        filters: &[&Predicate],
    ) -> Result<Vec<Facet>, QueryError> {
        let mut known = HashSet::new();
        let names: Vec<&str> = names
            .iter()
            .map(AsRef::as_ref)
            .filter(|name| !js_trim(name).is_empty() && known.insert(*name))
            .collect();
        if names.is_empty() {
            return Err(QueryError::NoFacets);
        }
        if names.len() > FACETS_MAX {
            return Err(QueryError::TooManyFacets);
        }
        let set = self.matching(filters);
        let mut facets: Vec<Facet> = Vec::with_capacity(names.len());
        // One key in several spellings is counted once.
        let mut counted: HashMap<String, usize> = HashMap::new();
        let mut values = 0;
        for (place, name) in names.into_iter().enumerate() {
            let first = *counted.entry(lowercase(name)).or_insert(place);
            let found = match facets.get(first) {
                Some(facet) => facet.values.clone(),
                None => self.facet(name, &set),
            };
            values += found.len();
            if values > FACET_VALUES_MAX {
                return Err(QueryError::TooManyFacetValues);
            }
            facets.push(Facet { name: name.to_owned(), values: found });
        }
        Ok(facets)
    }

    /// How many entities there are of each kind, in lower case and ordered by it. It costs some microseconds, however
    /// many entities there are.
    pub fn count_by_kind(&self) -> Vec<(String, u64)> {
        let dictionary = &self.dictionary;
        let kinds = dictionary.find_key("kind").and_then(|key| dictionary.key(key));
        let heads = kinds.iter().flat_map(|kinds| kinds.texts.owners());
        let mut counts: Vec<(String, u64)> = heads
            .map(|head| {
                let kind = dictionary.value(dictionary.entry(head)).unwrap_or_default();
                let spellings = dictionary.spellings(head);
                let count = spellings.map(|(_, entry)| dictionary.postings.len(entry.posting)).sum();
                (String::from_utf8_lossy(kind).into_owned(), count)
            })
            .collect();
        counts.sort_unstable();
        counts
    }

    fn facet(&self, name: &str, set: &RoaringBitmap) -> Vec<FacetValue> {
        let key = KeyView::of(self, &lowercase(name));
        let dictionary = &self.dictionary;
        let mut counts: Vec<(&[u8], u64)> = self
            .entry_counts(&key, set)
            .into_iter()
            .filter_map(|(entry, count)| Some((dictionary.original(dictionary.entry(entry))?, count)))
            .collect();
        let items = self.item_count(&key, set);
        if items > 0 {
            counts.push((b"true", items));
        }
        counts.sort_unstable();
        counts
            .chunk_by(|(a, _), (b, _)| a == b)
            .filter_map(|spelled| {
                let (value, _) = spelled.first()?;
                let count = spelled.iter().map(|(_, count)| count).sum();
                Some(FacetValue { value: String::from_utf8_lossy(value).into_owned(), count })
            })
            .collect()
    }

    /// How many of the set are in each entry of a key. Either the entries are gone through or the set, whichever is
    /// shorter.
    fn entry_counts(&self, key: &KeyView<'_>, set: &RoaringBitmap) -> Vec<(u32, u64)> {
        let Some((number, stored)) = key.stored else { return Vec::new() };
        let dictionary = &self.dictionary;
        if set.len() < stored.values as u64 / 4 {
            let mut counts: HashMap<u32, u64> = HashMap::new();
            for row in set.iter().flat_map(|slot| self.rows_of(slot, number)) {
                *counts.entry(*row).or_default() += 1;
            }
            return counts.into_iter().collect();
        }
        let is_everything = set.len() == self.live.len();
        let spellings = stored.texts.owners().flat_map(|head| dictionary.spellings(head));
        let counts = spellings.map(|(handle, entry)| {
            let count = if is_everything {
                dictionary.postings.len(entry.posting)
            } else {
                dictionary.postings.len_within(entry.posting, set)
            };
            (handle, count)
        });
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// How many of the set have `true` because of an item alone.
    fn item_count(&self, key: &KeyView<'_>, set: &RoaringBitmap) -> u64 {
        let mut items = &key.items & set;
        if let Some((number, _)) = key.stored
            && !items.is_empty()
            && let Some(head) = self.dictionary.find_value(number, b"true")
        {
            items -= key.holders_within(head, set);
        }
        items.len()
    }
}
