//! What a mutation offers from a provider's bucket.

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::intake::{Edge, Offer};
use super::names::Interned;
use crate::{Lane, NewEntity, StoreError};

/// The numbers of the entities that are to be in the bucket; their refs are in `names`.
pub(crate) fn targets(entities: &[NewEntity], names: &Interned) -> Result<HashSet<i64>, StoreError> {
    entities.iter().map(|entity| names.id(&entity.entity_ref)).collect()
}

/// The offers of a mutation. Of several entities with the same ref the last one counts. `kept` are the edges to these
/// entities that there are already.
pub(crate) fn offers<'a>(
    provider: i64,
    entities: &'a [NewEntity],
    kept: Vec<Edge>,
    lane: Lane,
    names: &Interned,
) -> Result<Vec<Offer<'a>>, StoreError> {
    let kept: HashMap<i64, Edge> = kept.into_iter().map(|edge| (edge.target, edge)).collect();
    let mut last: HashMap<i64, usize> = HashMap::with_capacity(entities.len());
    for (index, entity) in entities.iter().enumerate() {
        last.insert(names.id(&entity.entity_ref)?, index);
    }
    let mut offers = Vec::with_capacity(last.len());
    for (index, entity) in entities.iter().enumerate() {
        let target = names.id(&entity.entity_ref)?;
        if last.get(&target) == Some(&index) {
            offers.push(Offer {
                source: provider,
                target,
                entity,
                previous: kept.get(&target).copied(),
                lane,
            });
        }
    }
    Ok(offers)
}

#[cfg(test)]
#[cfg(feature = "testsuite")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::suite::world::entity;

    #[test]
    fn the_last_of_equal_refs_is_offered() {
        let mut names = Interned::default();
        for (id, name) in [(10, "component:default/a"), (11, "component:default/b")] {
            names.insert(Arc::from(name), id);
        }
        let [a, b] = ["component:default/a", "component:default/b"];
        let entities = [entity(a, "first"), entity(b, "x"), entity(a, "last")];
        let edge = Edge { source: 1, target: 11, is_refused: true, group: 0, position: None };
        let offers = offers(1, &entities, vec![edge], Lane::Event, &names).unwrap();
        let found: Vec<_> =
            offers.iter().map(|offer| (offer.target, offer.entity.digest, offer.previous)).collect();
        assert_eq!(found, [(11, entities[1].digest, Some(edge)), (10, entities[2].digest, None)]);
        assert_eq!(targets(&entities, &names).unwrap().len(), 2);
    }
}
