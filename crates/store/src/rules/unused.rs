//! Refs that nothing mentions any more. Telling which these are takes a look at every row, so it is done seldom, and
//! for a limited number at once.

use foldhash::HashSet;

use super::codec::unpack_relations;

/// How many refs one round looks at.
pub(crate) const CANDIDATES_MAX: i64 = 100_000;
/// How many refs one round forgets.
pub(crate) const FORGOTTEN_MAX: usize = 10_000;
/// Fewer refs than these are not worth the search.
pub(crate) const FORGOTTEN_MIN: usize = 100;
/// How many entities' relations are read at once.
pub(crate) const RELATIONS_PAGE: i64 = 5_000;

/// Takes out the refs that the packed relations of an entity mention. If these cannot be read, they may mention any.
pub(crate) fn keep_related(unused: &mut HashSet<i64>, id: i64, packed: Option<&[u8]>) {
    let Some(relations) = packed.and_then(|packed| unpack_relations(id, packed).ok()) else {
        unused.clear();
        return;
    };
    for (source, kind, target) in relations {
        for id in [source, kind, target] {
            unused.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::pack_relations;
    use super::*;

    #[test]
    fn what_a_relation_mentions_is_used_and_so_is_all_that_it_might() {
        let mut unused: HashSet<i64> = (1..=5).collect();
        keep_related(&mut unused, 7, Some(&pack_relations(7, &[(7, 1, 2), (3, 1, 7)])));
        assert_eq!(unused, HashSet::from_iter([4, 5]));
        keep_related(&mut unused, 8, None);
        assert!(unused.is_empty());
    }
}
