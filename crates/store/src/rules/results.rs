//! What good runs emitted, compared with what is stored: processed entities, relations, refresh keys.
//!
//! A stored result that cannot be read counts as none: what it left in other tables is then searched for, so that the
//! next result heals the entity.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use callboard_model::Digest;
use foldhash::HashMap;

use super::codec::{Triple, pack_keys, pack_relations, refresh_key, unpack_keys, unpack_relations};
use super::names::Interned;
use super::outcome::GoodRun;
use crate::{PackedBody, RelationKey, StoreError};

/// A row of `results`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ResultRow {
    /// `None` if what is stored is no digest.
    pub(crate) body_digest: Option<Digest>,
    /// Packed.
    pub(crate) relations: Vec<u8>,
    /// Packed.
    pub(crate) refresh_keys: Vec<u8>,
    pub(crate) status: Option<String>,
}

impl ResultRow {
    fn emitted(&self, id: i64) -> Result<Emitted, StoreError> {
        Ok(Emitted {
            relations: unpack_relations(id, &self.relations)?,
            keys: unpack_keys(&self.refresh_keys)?,
        })
    }
}

/// What a row of `results` stands for in other tables.
#[derive(Debug, Default)]
struct Emitted {
    relations: Vec<Triple>,
    keys: Vec<i64>,
}

/// What has to be written so that the stored results are those of a batch of runs. An entity's own relations are read
/// from its result; only those that start elsewhere are rows, each with the entity that emitted it.
#[derive(Debug, Default)]
pub(crate) struct Difference<'a> {
    /// The entities whose stored results cannot be read.
    pub(crate) unreadable: BTreeSet<i64>,
    /// The entities that have another body than before.
    pub(crate) rewritten: Vec<i64>,
    pub(crate) bodies: Vec<(i64, &'a PackedBody)>,
    pub(crate) results: Vec<(i64, ResultRow)>,
    pub(crate) relations_added: Vec<(Triple, i64)>,
    pub(crate) relations_removed: Vec<(Triple, i64)>,
    /// Key, and the entity that carries it.
    pub(crate) keys_added: Vec<(i64, i64)>,
    pub(crate) keys_removed: Vec<(i64, i64)>,
    /// How many relations there are more than before, of all kinds.
    pub(crate) relations_grown: i64,
    /// How many of those from before are gone, of all kinds.
    pub(crate) relations_gone: usize,
}

impl<'a> Difference<'a> {
    /// `unreadable` are the entities that have a result which is not among the `stored`. All that the relations name is
    /// in `names`.
    pub(crate) fn compare(
        runs: &[GoodRun<'a>],
        stored: &HashMap<i64, ResultRow>,
        unreadable: BTreeSet<i64>,
        names: &Interned,
    ) -> Result<Self, StoreError> {
        let mut difference = Self { unreadable, ..Self::default() };
        for run in runs {
            difference.add(run, stored.get(&run.id), names)?;
        }
        Ok(difference)
    }

    fn add(
        &mut self,
        run: &GoodRun<'a>,
        before: Option<&ResultRow>,
        names: &Interned,
    ) -> Result<(), StoreError> {
        let GoodRun { id, processed, .. } = *run;
        let body = &processed.body;
        let triple =
            |r: &RelationKey| Ok((names.id(&r.source)?, names.type_id(&r.kind)?, names.id(&r.target)?));
        let relations =
            processed.relations.iter().map(triple).collect::<Result<Vec<Triple>, StoreError>>()?;
        let relations = sorted(relations);
        let keys = sorted(processed.refresh_keys.iter().map(|key| refresh_key(key)).collect());
        let after = ResultRow {
            body_digest: Some(body.digest),
            relations: pack_relations(id, &relations),
            refresh_keys: pack_keys(&keys),
            status: body.status.clone(),
        };
        if before == Some(&after) {
            return Ok(());
        }
        let is_rewritten = before.is_some_and(|before| before.body_digest != after.body_digest);
        if is_rewritten {
            self.rewritten.push(id);
        }
        if is_rewritten || before.is_none() {
            self.bodies.push((id, body));
        }
        let emitted = before.map_or_else(|| Ok(Emitted::default()), |before| before.emitted(id));
        let emitted = emitted.unwrap_or_else(|_| {
            self.unreadable.insert(id);
            Emitted::default()
        });
        let is_unreadable = self.unreadable.contains(&id);
        diff(&emitted.keys, &keys, |key, is_new| {
            if is_new { &mut self.keys_added } else { &mut self.keys_removed }.push((key, id));
        });
        diff(&emitted.relations, &relations, |relation, is_new| {
            // Nobody can tell how many of its own there were; most likely as many as now.
            if is_unreadable && relation.0 == id {
                return;
            }
            self.relations_grown += if is_new { 1 } else { -1 };
            self.relations_gone += usize::from(!is_new);
            if relation.0 != id {
                if is_new { &mut self.relations_added } else { &mut self.relations_removed }
                    .push((relation, id));
            }
        });
        self.results.push((id, after));
        Ok(())
    }
}

/// What results left outside of their own rows, to be removed with them.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// The relations that start elsewhere, each with the entity that emitted it.
    pub(crate) relations: Vec<(Triple, i64)>,
    /// Key, and the entity that carries it.
    pub(crate) keys: Vec<(i64, i64)>,
    /// The entities whose results do not say what they left.
    pub(crate) unreadable: BTreeSet<i64>,
    /// How many relations the readable ones have, of all kinds.
    pub(crate) relations_count: usize,
}

impl Traces {
    /// Adds those of an entity; the result is an error if it could not be read.
    pub(crate) fn add(&mut self, id: i64, result: Result<ResultRow, StoreError>) {
        let Ok(emitted) = result.and_then(|result| result.emitted(id)) else {
            self.unreadable.insert(id);
            return;
        };
        self.relations_count += emitted.relations.len();
        let elsewhere = emitted.relations.into_iter().filter(|relation| relation.0 != id);
        self.relations.extend(elsewhere.map(|relation| (relation, id)));
        self.keys.extend(emitted.keys.into_iter().map(|key| (key, id)));
    }
}

/// Sorts, and drops repetitions.
fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}

/// Walks two sorted lists; tells what is in one of them only, and whether that is the second.
fn diff<T: Copy + Ord>(before: &[T], after: &[T], mut tell: impl FnMut(T, bool)) {
    let (mut before, mut after) = (before.iter().copied().peekable(), after.iter().copied().peekable());
    loop {
        match (before.peek(), after.peek()) {
            (Some(old), Some(new)) => match old.cmp(new) {
                Ordering::Equal => {
                    before.next();
                    after.next();
                }
                Ordering::Less => before.next().into_iter().for_each(|old| tell(old, false)),
                Ordering::Greater => after.next().into_iter().for_each(|new| tell(new, true)),
            },
            (Some(_), None) => before.by_ref().for_each(|old| tell(old, false)),
            (None, Some(_)) => after.by_ref().for_each(|new| tell(new, true)),
            (None, None) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_difference_is_told() {
        let told = |before: &[i64], after: &[i64]| {
            let mut told = Vec::new();
            diff(before, after, |item, is_new| told.push((item, is_new)));
            told
        };
        assert_eq!(told(&[], &[]), []);
        assert_eq!(told(&[1, 2, 3], &[2, 3, 4]), [(1, false), (4, true)]);
        assert_eq!(told(&[1], &[]), [(1, false)]);
        assert_eq!(told(&[], &[1]), [(1, true)]);
        assert_eq!(told(&[1, 5], &[1, 5]), []);
    }

    #[test]
    fn what_a_result_left_is_found_or_searched_for() {
        let mut traces = Traces::default();
        let relations = pack_relations(7, &[(7, 1, 9), (9, 2, 7)]);
        let readable = ResultRow { relations, refresh_keys: pack_keys(&[5]), ..ResultRow::default() };
        traces.add(7, Ok(readable));
        traces.add(8, Ok(ResultRow { refresh_keys: vec![0], ..ResultRow::default() }));
        traces.add(9, Err(StoreError::Inconsistent("a text that is none".to_owned())));
        assert_eq!((traces.relations, traces.keys), (vec![((9, 2, 7), 7)], vec![(5, 7)]));
        assert_eq!((traces.unreadable, traces.relations_count), (BTreeSet::from([8, 9]), 2));
    }
}
