//! Looking for rows that break a promise of the store, and mending them.
//!
//! Each method of a store is one transaction, so no moment should exist at which one of these invariants does not hold;
//! what is normally under way (an entity that is due, leased, or queued for stitching) is written into the invariants
//! themselves. What breaks one is damage: a disk, a restored half, a hand in the tables, or a defect of this program.
//!
//! A pass looks at everything, in pages: a page reads a limited number of rows in one short snapshot, which is the truth
//! about the entities in it, so a page finds no violation that is not there. Nothing is held between two pages. The one
//! exception is the sum of all relations, where the pages do not add up to what is counted: as this may have changed
//! meanwhile, all results are read once more, in one snapshot.
//!
//! Mending looks once more, under the locks of whoever writes, and changes nothing that is in order by then. It writes
//! what can be derived; what cannot is made due, so that the loop brings it back. So a pass may find less than the whole
//! of a damage, and the next one finds the rest.

use std::fmt;

use crate::rules::codec::Triple;
use crate::rules::doctor::RelationSum;

/// Declares the invariants, each with what it means and what mending does.
macro_rules! invariants {
    ($($(#[$doc:meta])* $name:ident, $id:literal, $meaning:literal, $remedy:expr;)*) => {
        /// What has to hold of what is stored.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Invariant {
            $($(#[$doc])* #[doc = $meaning] $name,)*
        }

        impl Invariant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Stable, for metrics and scripts.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// What is wrong where it does not hold.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// What mending does; `None` if only a person can.
            pub fn remedy(self) -> Option<&'static str> {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

invariants! {
    UnscheduledEntity, "unscheduled-entity", "an entity that nothing makes due",
        Some("made due");
    LostDueTime, "lost-due-time", "an entity that was never processed well and that nothing makes due, or not in this life",
        Some("made due");
    NamelessEntity, "nameless-entity", "an entity whose ref is lost",
        Some("deleted; those who hand it over are due and bring it back");
    UnreadableEntity, "unreadable-entity", "an unprocessed entity that cannot be read or is not what was handed over",
        Some("those who hand it over are due and write it anew");
    UnreadableCache, "unreadable-cache", "memories of processors that cannot be read",
        Some("forgotten; the next run does without");
    LostResult, "lost-result", "an entity whose last good result is gone",
        Some("made due for a full run");
    LostBody, "lost-body", "a processed entity that is gone or is not the one of the last good result",
        Some("made due for a full run");
    UnreadableResult, "unreadable-result", "a result of which no final entity can be made",
        Some("made due for a full run");
    MissingFinalEntity, "missing-final-entity", "an entity that was processed and is not served, and not queued for stitching",
        Some("queued for stitching");
    StaleFinalEntity, "stale-final-entity",
        "an entity that is served otherwise than its rows say, and not queued for stitching",
        Some("queued for stitching");
    MissingOrphanMark, "missing-orphan-mark", "an entity that nobody hands over and that counts as handed over",
        Some("marked");
    StrayOrphanMark, "stray-orphan-mark", "an entity that somebody hands over and that counts as an orphan",
        Some("the mark is taken away");
    RowsWithoutEntity, "rows-without-entity", "rows of an entity that is not there",
        Some("deleted; those who hand the entity over are due and bring it back");
    MissingPeerRelation, "missing-peer-relation",
        "a relation that an entity emitted and that its source does not show",
        Some("written; the source is queued for stitching");
    StrayPeerRelation, "stray-peer-relation", "a relation that no entity emitted",
        Some("deleted; its source is queued for stitching");
    MissingRefreshKey, "missing-refresh-key", "an entity that a refresh key does not lead to",
        Some("written");
    StrayRefreshKey, "stray-refresh-key", "a refresh key of an entity that does not carry it",
        Some("deleted");
    DanglingEdge, "dangling-edge", "something is handed over that is not there, or by somebody who is not there",
        Some("deleted; the one who hands over is due, the entity may be an orphan");
    UnexplainedConflict, "unexplained-conflict", "somebody may not hand an entity over, and no error says so",
        Some("forgotten; who was refused is due and is told again");
    StrayError, "stray-error", "an error of an entity that is not there, or of a conflict that is over",
        Some("deleted");
    StrayStitchWork, "stray-stitch-work", "stitch work for a number that is nobody's",
        Some("deleted");
    NamelessChange, "nameless-change", "a change of which nobody can tell whose it is",
        Some("deleted; the query index is compared with the store");
    NamelessLocation, "nameless-location", "a registered location whose Location entity has no ref, so that no list has it",
        None;
    UnheldLocation, "unheld-location", "a registered location whose Location entity is there and not held by it",
        Some("all registered locations are handed over again");
    UnregisteredLocation, "unregistered-location", "a Location entity that is held by a registered location which is not there",
        Some("all registered locations are handed over again");
    RelationCount, "relation-count", "relations are counted wrong",
        Some("counted anew");
    ChangeHead, "change-head", "the change log would use positions twice",
        Some("set to the newest position");
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// A canonical ref, `provider:<name>`, the id of a location, `#<number>` of what has no name, or `store`.
    pub subject: String,
    /// What was found.
    pub detail: String,
    pub(crate) site: Site,
}

/// The rows that a violation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Site {
    Entity(i64),
    /// Source and target.
    Edge(i64, i64),
    /// The relation and who emitted it.
    Peer(Triple, i64),
    /// The key and who carries it.
    Key(i64, i64),
    Error(i64),
    /// By the number of the row.
    Work(i64),
    Change(i64),
    Location,
    Store,
}

impl Site {
    /// The numbers whose locks guard these rows; those that are no entities have none.
    pub(crate) fn entities(&self) -> Vec<i64> {
        match *self {
            Self::Entity(id) | Self::Key(_, id) | Self::Peer(_, id) => vec![id],
            Self::Edge(source, target) => vec![source, target],
            Self::Error(_) | Self::Work(_) | Self::Change(_) | Self::Location | Self::Store => Vec::new(),
        }
    }

    /// Where a page of one row begins that has this one, for rows that have a key of their own.
    pub(crate) fn cursor(&self) -> Option<InspectCursor> {
        let before = |key: i64| key.saturating_sub(1);
        let (part, after) = match *self {
            Self::Edge(source, target) => (Part::Edges, [source, before(target), 0, 0]),
            Self::Peer((source, kind, target), id) => (Part::Peers, [source, kind, target, before(id)]),
            Self::Key(key, id) => (Part::Keys, [key, before(id), 0, 0]),
            Self::Error(id) => (Part::Errors, [before(id), 0, 0, 0]),
            Self::Work(id) => (Part::Work, [before(id), 0, 0, 0]),
            Self::Change(position) => (Part::Changes, [before(position), 0, 0, 0]),
            Self::Entity(_) | Self::Location | Self::Store => return None,
        };
        Some(InspectCursor { after, ..InspectCursor::new(part) })
    }
}

/// Where a pass goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectCursor {
    pub(crate) part: Part,
    /// The key of the last row that was looked at.
    pub(crate) after: [i64; 4],
    pub(crate) after_text: String,
    /// How many relations the entities had that were looked at.
    pub(crate) relations: RelationSum,
}

impl InspectCursor {
    /// The beginning of a part.
    pub(crate) fn new(part: Part) -> Self {
        // Keys are hashes, so they are negative as well.
        Self { part, after: [i64::MIN; 4], after_text: String::new(), relations: RelationSum::default() }
    }

    /// What is looked at from here on.
    pub fn part(&self) -> &'static str {
        self.part.name()
    }
}

/// The beginning of a pass.
impl Default for InspectCursor {
    fn default() -> Self {
        Self::new(Part::default())
    }
}

/// The parts of a pass, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Part {
    #[default]
    Entities,
    Edges,
    Peers,
    Keys,
    Errors,
    Work,
    Changes,
    Locations,
    Store,
}

impl Part {
    const ALL: [Self; 9] = [
        Self::Entities,
        Self::Edges,
        Self::Peers,
        Self::Keys,
        Self::Errors,
        Self::Work,
        Self::Changes,
        Self::Locations,
        Self::Store,
    ];

    pub(crate) fn next(self) -> Option<Self> {
        let place = Self::ALL.iter().position(|part| *part == self)?;
        Self::ALL.get(place + 1).copied()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Entities => "entities",
            Self::Edges => "who hands over what",
            Self::Peers => "relations",
            Self::Keys => "refresh keys",
            Self::Errors => "errors",
            Self::Work => "stitch work",
            Self::Changes => "changes",
            Self::Locations => "locations",
            Self::Store => "sums",
        }
    }
}

/// A page of a pass.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// How many rows were looked at.
    pub rows: usize,
    /// Where to go on; `None` at the end of the pass.
    pub next: Option<InspectCursor>,
}

/// What mending did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mended {
    /// Of the violations those that were mended, as places in the list.
    pub mended: Vec<usize>,
    /// Those that were no violations any more.
    pub gone: Vec<usize>,
    /// Whether registered locations have to be handed over again, which is the engine's to do.
    pub needs_locations: bool,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_distinct_and_in_kebab_case() {
        let ids: BTreeSet<_> = Invariant::ALL.iter().map(|invariant| invariant.id()).collect();
        assert_eq!(ids.len(), Invariant::ALL.len());
        assert!(ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    }

    #[test]
    fn the_parts_follow_each_other_to_the_end() {
        let mut part = Part::default();
        let mut names = BTreeSet::from([part.name()]);
        while let Some(next) = part.next() {
            part = next;
            names.insert(part.name());
        }
        assert_eq!((names.len(), part), (Part::ALL.len(), Part::Store));
    }
}
