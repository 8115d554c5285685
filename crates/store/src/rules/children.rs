//! What the children of good runs are compared with: the edges that the store has from their parents.

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::intake::{Edge, Offer};
use super::names::Interned;
use super::outcome::GoodRun;
use crate::{NewEntity, StoreError};

/// The children of a batch of runs, compared with those of the runs before.
#[derive(Debug, Default)]
pub(crate) struct Children<'a> {
    /// In the order in which they were emitted.
    pub(crate) offers: Vec<Offer<'a>>,
    /// Edges to children that are no longer emitted.
    pub(crate) withdrawn: Vec<Edge>,
    /// Runs, once for each child that they have already from a target that was not read this time. Which of the two
    /// counts can only be said by a run that reads both: a full one.
    pub(crate) contested: Vec<i64>,
}

impl<'a> Children<'a> {
    /// `edges` are all that start at the runs' entities; the refs of the children are in `names`.
    pub(crate) fn compare(
        runs: &[GoodRun<'a>],
        edges: Vec<Edge>,
        names: &Interned,
    ) -> Result<Self, StoreError> {
        let mut stored: HashMap<i64, HashMap<i64, Edge>> = HashMap::new();
        for edge in edges {
            stored.entry(edge.source).or_default().insert(edge.target, edge);
        }
        let count = runs.iter().map(|run| run.processed.children.len()).sum();
        let mut children = Self { offers: Vec::with_capacity(count), ..Self::default() };
        for run in runs {
            let mut edges = stored.remove(&run.id).unwrap_or_default();
            let kept: HashSet<i64> = run.processed.kept_groups.iter().copied().collect();
            for entity in &run.processed.children {
                let target = names.id(&entity.entity_ref)?;
                let previous = edges.remove(&target);
                if previous.is_some_and(|edge| is_from_another(&edge, entity, &kept)) {
                    children.contested.push(run.id);
                } else {
                    children.offers.push(Offer { source: run.id, target, entity, previous, lane: run.lane });
                }
            }
            children.withdrawn.extend(edges.into_values().filter(|edge| !kept.contains(&edge.group)));
        }
        children.withdrawn.sort_unstable_by_key(|edge| (edge.source, edge.target));
        Ok(children)
    }
}

/// Whether the run has the child already from a target that was not read this time. Also if it was refused: an edge has
/// one target, and would go with this one although the other describes the child as before.
fn is_from_another(stored: &Edge, child: &NewEntity, kept: &HashSet<i64>) -> bool {
    stored.group != child.group && kept.contains(&stored.group)
}

#[cfg(test)]
#[cfg(feature = "testsuite")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::suite::world::{entity, processed};
    use crate::{Lane, Processed};

    const PARENT: i64 = 1;

    fn edge(target: i64, group: i64) -> Edge {
        Edge { source: PARENT, target, is_refused: false, group, position: None }
    }

    #[test]
    fn children_are_offered_withdrawn_or_contested() {
        let mut names = Interned::default();
        let refs = ["a", "b", "c", "d", "e"].map(|name| format!("component:default/{name}"));
        for (id, entity_ref) in (10..).zip(&refs) {
            names.insert(Arc::from(entity_ref.as_str()), id);
        }
        // `a` as before; `b` from another target than the one that was not read; `c` too, which was refused; `d` is new.
        let children = refs.iter().take(4).map(|name| NewEntity { group: 1, ..entity(name, "x") });
        let processed = Processed {
            children: children.collect(),
            kept_groups: vec![2],
            ..processed("location:default/root", "x")
        };
        let run = GoodRun { id: PARENT, processed: &processed, lane: Lane::New, is_awaited: false };
        let refused = Edge { is_refused: true, ..edge(12, 2) };
        // `e` is kept, as its target was not read; the last two are gone.
        let stored = vec![edge(21, 1), edge(10, 1), edge(11, 2), refused, edge(14, 2), edge(20, 1)];
        let children = Children::compare(&[run], stored, &names).unwrap();
        let offers: Vec<_> = children.offers.iter().map(|offer| (offer.target, offer.previous)).collect();
        assert_eq!(offers, [(10, Some(edge(10, 1))), (13, None)]);
        assert_eq!(children.withdrawn, [edge(20, 1), edge(21, 1)]);
        assert_eq!(children.contested, [PARENT; 2]);
    }
}
