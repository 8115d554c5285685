//! What a transaction queues for stitching, collected until its end.
//!
//! An entity that changed itself is stitched before one at which somebody else's relations start: while a backlog is
//! processed, a group with thousands of members would otherwise be assembled again and again. An entity for which
//! somebody waits does not stand behind a backlog at all.

use std::collections::BTreeSet;

/// Lower is stitched first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    Awaited,
    Own,
    Peer,
}

/// Refs to be stitched.
#[derive(Debug, Default)]
pub(crate) struct StitchWork {
    awaited: BTreeSet<i64>,
    own: BTreeSet<i64>,
    peers: BTreeSet<i64>,
}

impl StitchWork {
    /// `Awaited`: somebody waits for what changed. `Own`: the entity changed itself. `Peer`: somebody else's relations
    /// start or started there.
    pub(crate) fn add(&mut self, id: i64, urgency: Urgency) {
        let ids = match urgency {
            Urgency::Awaited => &mut self.awaited,
            Urgency::Own => &mut self.own,
            Urgency::Peer => &mut self.peers,
        };
        ids.insert(id);
    }

    pub(crate) fn remove(&mut self, id: i64) {
        for ids in [&mut self.awaited, &mut self.own, &mut self.peers] {
            ids.remove(&id);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        [&self.awaited, &self.own, &self.peers].into_iter().all(BTreeSet::is_empty)
    }

    /// The most urgent ones first. Of several urgencies of one ref the first counts.
    pub(crate) fn by_urgency(&self) -> impl Iterator<Item = (i64, Urgency)> {
        let all =
            [(Urgency::Awaited, &self.awaited), (Urgency::Own, &self.own), (Urgency::Peer, &self.peers)];
        all.into_iter().flat_map(|(urgency, ids)| ids.iter().map(move |id| (*id, urgency)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_urgent_comes_first_and_what_is_removed_not_at_all() {
        let mut work = StitchWork::default();
        assert!(work.is_empty());
        for (id, urgency) in [
            (1, Urgency::Peer),
            (2, Urgency::Own),
            (3, Urgency::Awaited),
            (2, Urgency::Peer),
            (4, Urgency::Peer),
        ] {
            work.add(id, urgency);
        }
        work.remove(4);
        let order: Vec<_> = work.by_urgency().collect();
        assert_eq!(order, [(3, Urgency::Awaited), (2, Urgency::Own), (1, Urgency::Peer), (2, Urgency::Peer)]);
        for id in 1..=3 {
            work.remove(id);
        }
        assert!(work.is_empty());
    }
}
