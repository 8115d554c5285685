//! Which invariants the rows of a page break. What the invariants are is told in [`crate::doctor`].

mod entity;

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashSet;

use super::codec::{Triple, unpack_keys, unpack_relations};
use super::names::{provider_name, provider_text};
use crate::ErrorCategory;
use crate::doctor::{InspectCursor, Inspection, Invariant, Site, Violation};

pub(crate) use entity::{
    EntityRows, Expected, ScheduleState, StoredBody, StoredFinal, StoredResult, entity_rows,
};

/// How many entities are looked at at once; what they emitted is in memory meanwhile.
pub(crate) const ENTITIES_MAX: usize = 50;
/// How many results' lists are in memory at once.
pub(crate) const RESULTS_MAX: usize = 16;
/// How many results are read at once to count their relations.
pub(crate) const COUNT_PAGE: i64 = 5_000;

/// What was found in the rows that follow a cursor.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) violations: Vec<Violation>,
    pub(crate) rows: usize,
    /// The key of the last row.
    pub(crate) last: [i64; 4],
    pub(crate) last_text: String,
    /// How many relations the entities have.
    pub(crate) relations: RelationSum,
}

impl Page {
    /// The page after `cursor`, which was to have so many rows.
    pub(crate) fn inspection(self, cursor: &InspectCursor, limit: usize) -> Inspection {
        let Self { violations, rows, last, last_text, relations } = self;
        let relations = cursor.relations.plus(relations);
        let next = if rows < limit {
            cursor.part.next().map(|part| InspectCursor { relations, ..InspectCursor::new(part) })
        } else {
            Some(InspectCursor { part: cursor.part, after: last, after_text: last_text, relations })
        };
        Inspection { violations, rows, next }
    }
}

/// The violations of a batch that are to be mended, by what is done about them.
#[derive(Debug, Default)]
pub(crate) struct Work {
    sites: BTreeMap<Invariant, Vec<Site>>,
}

impl Work {
    pub(crate) fn add(&mut self, violation: &Violation) {
        self.sites.entry(violation.invariant).or_default().push(violation.site.clone());
    }

    pub(crate) fn has(&self, invariant: Invariant) -> bool {
        self.sites.contains_key(&invariant)
    }

    /// The entities that are to be deleted; from here on no other work is left about them.
    pub(crate) fn take_gone(&mut self) -> BTreeSet<i64> {
        let gone = self.entities_of_any(&[Invariant::NamelessEntity, Invariant::RowsWithoutEntity]);
        for sites in self.sites.values_mut() {
            sites.retain(|site| !matches!(site, Site::Entity(id) if gone.contains(id)));
        }
        gone
    }

    /// Whether numbers may have lost their texts.
    pub(crate) fn is_about_numbers(&self) -> bool {
        let about = [Invariant::UnreadableResult, Invariant::DanglingEdge, Invariant::NamelessChange];
        about.into_iter().any(|invariant| self.has(invariant))
    }

    /// The entities that break an invariant.
    pub(crate) fn entities(&self, invariant: Invariant) -> BTreeSet<i64> {
        let of = |site: &Site| if let Site::Entity(id) = site { Some(*id) } else { None };
        self.of(invariant, of).into_iter().collect()
    }

    /// The entities that break one of some invariants.
    pub(crate) fn entities_of_any(&self, invariants: &[Invariant]) -> BTreeSet<i64> {
        invariants.iter().flat_map(|invariant| self.entities(*invariant)).collect()
    }

    /// The edges that break an invariant.
    pub(crate) fn edges(&self, invariant: Invariant) -> Vec<(i64, i64)> {
        self.of(invariant, |site| {
            if let Site::Edge(source, target) = site { Some((*source, *target)) } else { None }
        })
    }

    /// Relations from elsewhere that nobody emitted.
    pub(crate) fn stray_peers(&self) -> Vec<(Triple, i64)> {
        self.of(Invariant::StrayPeerRelation, |site| {
            if let Site::Peer(relation, originator) = site { Some((*relation, *originator)) } else { None }
        })
    }

    /// Refresh keys that nobody carries.
    pub(crate) fn stray_keys(&self) -> Vec<(i64, i64)> {
        self.of(Invariant::StrayRefreshKey, |site| {
            if let Site::Key(key, id) = site { Some((*key, *id)) } else { None }
        })
    }

    /// Numbers of errors, of stitch work, or of changes.
    pub(crate) fn rows(&self, invariant: Invariant) -> Vec<i64> {
        self.of(invariant, |site| match site {
            Site::Error(id) | Site::Work(id) | Site::Change(id) => Some(*id),
            _ => None,
        })
    }

    fn of<T>(&self, invariant: Invariant, site: impl Fn(&Site) -> Option<T>) -> Vec<T> {
        self.sites.get(&invariant).into_iter().flatten().filter_map(site).collect()
    }
}

/// What a text of `refs` names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named {
    pub(crate) id: i64,
    pub(crate) text: Option<String>,
    pub(crate) is_entity: bool,
}

impl Named {
    /// Whether it is an entity that is there, or a provider.
    fn is_source(&self) -> bool {
        self.is_entity && self.text.is_some() || self.is_provider()
    }

    pub(crate) fn is_provider(&self) -> bool {
        self.text.as_deref().is_some_and(|text| provider_name(text).is_some())
    }

    fn subject(&self) -> String {
        subject(self.id, self.text.as_deref())
    }
}

/// What a violation is about.
fn subject(id: i64, text: Option<&str>) -> String {
    text.map_or_else(|| format!("#{id}"), super::errors::subject)
}

/// That somebody hands something over.
#[derive(Debug)]
pub(crate) struct EdgeRow {
    pub(crate) source: Named,
    pub(crate) target: Named,
    pub(crate) is_refused: bool,
    pub(crate) has_error: bool,
    /// Whether a registered location has the target as its entity.
    pub(crate) is_registered: bool,
}

impl EdgeRow {
    /// `location_store` is the provider that hands over registered locations, if they are.
    pub(crate) fn check(&self, location_store: Option<&str>) -> Vec<Violation> {
        let Self { source, target, is_refused, has_error, is_registered } = self;
        let site = Site::Edge(source.id, target.id);
        let violation = |invariant, detail| Violation {
            invariant,
            subject: target.subject(),
            detail,
            site: site.clone(),
        };
        let by = source.subject();
        if !target.is_entity || target.text.is_none() {
            return vec![violation(
                Invariant::DanglingEdge,
                format!("{by} hands it over, and it is not there"),
            )];
        }
        if !source.is_source() {
            return vec![violation(Invariant::DanglingEdge, format!("{by} hands it over, and is not there"))];
        }
        let mut found = Vec::new();
        if *is_refused && !has_error {
            found.push(violation(Invariant::UnexplainedConflict, format!("{by} was refused")));
        }
        let is_of_locations =
            location_store.is_some_and(|name| source.text.as_deref() == Some(provider_text(name).as_ref()));
        if is_of_locations && !is_refused && !is_registered {
            let detail = "no registered location has it".to_owned();
            found.push(violation(Invariant::UnregisteredLocation, detail));
        }
        found
    }
}

/// A relation that starts at another entity than the one that emitted it.
#[derive(Debug)]
pub(crate) struct PeerRow {
    pub(crate) relation: Triple,
    pub(crate) source_text: Option<String>,
    pub(crate) originator: Named,
}

impl PeerRow {
    /// `emitted` are the relations of the originator's result, which may be any if it cannot be read.
    pub(crate) fn check(&self, emitted: Option<&Packed<Triple>>) -> Option<Violation> {
        let Self { relation, source_text, originator } = self;
        let is_emitted = emitted.is_some_and(|emitted| emitted.may_have(relation));
        (!is_emitted).then(|| Violation {
            invariant: Invariant::StrayPeerRelation,
            subject: subject(relation.0, source_text.as_deref()),
            detail: format!("{} is said to have emitted it", originator.subject()),
            site: Site::Peer(*relation, originator.id),
        })
    }
}

/// That a refresh key leads to an entity.
#[derive(Debug)]
pub(crate) struct KeyRow {
    pub(crate) key: i64,
    pub(crate) carrier: Named,
}

impl KeyRow {
    /// `carried` are the keys of the carrier's result, which may be any if it cannot be read.
    pub(crate) fn check(&self, carried: Option<&Packed<i64>>) -> Option<Violation> {
        let Self { key, carrier } = self;
        let is_carried = carried.is_some_and(|carried| carried.may_have(key));
        (!is_carried).then(|| Violation {
            invariant: Invariant::StrayRefreshKey,
            subject: carrier.subject(),
            detail: format!("the key number {key}"),
            site: Site::Key(*key, carrier.id),
        })
    }
}

/// A list of a result, sorted; `None` if it cannot be read.
#[derive(Debug)]
pub(crate) struct Packed<T>(Option<Vec<T>>);

impl<T: Ord> Packed<T> {
    fn may_have(&self, item: &T) -> bool {
        self.0.as_ref().is_none_or(|items| items.binary_search(item).is_ok())
    }
}

impl Packed<Triple> {
    pub(crate) fn relations(id: i64, packed: Option<&[u8]>) -> Self {
        Self(packed.and_then(|packed| unpack_relations(id, packed).ok()))
    }
}

impl Packed<i64> {
    pub(crate) fn keys(packed: Option<&[u8]>) -> Self {
        Self(packed.and_then(|packed| unpack_keys(packed).ok()))
    }
}

/// An error of something.
#[derive(Debug)]
pub(crate) struct ErrorOf {
    pub(crate) id: i64,
    pub(crate) owner: Named,
    pub(crate) category: i64,
    pub(crate) key: Vec<u8>,
}

impl ErrorOf {
    /// The edge that is refused, if the error says that one is.
    pub(crate) fn refused(&self) -> Option<(i64, i64)> {
        let is_conflict = self.category == ErrorCategory::Conflict as i64;
        let target = <[u8; 8]>::try_from(self.key.as_slice()).ok().filter(|_| is_conflict)?;
        Some((self.owner.id, i64::from_be_bytes(target)))
    }

    /// `refused` has those of the refused edges that there are.
    pub(crate) fn check(&self, refused: &HashSet<(i64, i64)>) -> Option<Violation> {
        let Self { id, owner, category, .. } = self;
        let is_conflict = *category == ErrorCategory::Conflict as i64;
        let detail = if !owner.is_source() {
            "it is not there".to_owned()
        } else if super::errors::category(*category).is_err() {
            format!("{category} is not a category of errors")
        } else if is_conflict && self.refused().is_none_or(|edge| !refused.contains(&edge)) {
            "nothing of it is refused".to_owned()
        } else {
            return None;
        };
        let site = Site::Error(*id);
        Some(Violation { invariant: Invariant::StrayError, subject: owner.subject(), detail, site })
    }
}

/// A row that is about a number.
#[derive(Debug)]
pub(crate) struct Mention {
    /// The row's own number.
    pub(crate) key: i64,
    pub(crate) about: i64,
    pub(crate) has_text: bool,
}

impl Mention {
    pub(crate) fn check_work(&self) -> Option<Violation> {
        self.check(Invariant::StrayStitchWork, Site::Work(self.key), "row")
    }

    pub(crate) fn check_change(&self) -> Option<Violation> {
        self.check(Invariant::NamelessChange, Site::Change(self.key), "position")
    }

    fn check(&self, invariant: Invariant, site: Site, key: &str) -> Option<Violation> {
        (!self.has_text).then(|| Violation {
            invariant,
            subject: subject(self.about, None),
            detail: format!("{key} {}", self.key),
            site,
        })
    }
}

/// A registered location.
#[derive(Debug)]
pub(crate) struct LocationRow {
    pub(crate) id: String,
    pub(crate) entity: Named,
    /// Whether the provider of registered locations hands the entity over, or is refused.
    pub(crate) is_held: bool,
}

impl LocationRow {
    /// `is_handed_over` says whether registered locations are.
    ///
    /// One whose entity was deleted by hand is none: it comes back with the next start, as users may expect.
    pub(crate) fn check(&self, is_handed_over: bool) -> Option<Violation> {
        let Self { id, entity, is_held } = self;
        let (invariant, detail) = if entity.text.is_none() {
            let number = entity.subject();
            let detail =
                format!("its Location entity is {number}: delete the location and register it again");
            (Invariant::NamelessLocation, detail)
        } else if is_handed_over && entity.is_entity && !is_held {
            (Invariant::UnheldLocation, format!("its Location entity is {}", entity.subject()))
        } else {
            return None;
        };
        Some(Violation { invariant, subject: id.clone(), detail, site: Site::Location })
    }
}

/// Counts the relations of results; what cannot be read makes the sum unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RelationSum(Option<i64>);

impl Default for RelationSum {
    fn default() -> Self {
        Self(Some(0))
    }
}

impl RelationSum {
    pub(crate) fn add(&mut self, id: i64, packed: Option<&[u8]>) {
        let relations = packed.and_then(|packed| unpack_relations(id, packed).ok());
        let count = relations.and_then(|relations| i64::try_from(relations.len()).ok());
        self.0 = self.0.zip(count).map(|(sum, count)| sum + count);
    }

    fn plus(self, Self(other): Self) -> Self {
        Self(self.0.zip(other).map(|(sum, other)| sum + other))
    }

    /// By how much a count is too small, if that can be told and is not nothing.
    pub(crate) fn missing_in(&self, counted: i64) -> Option<i64> {
        self.0.map(|sum| sum - counted).filter(|missing| *missing != 0)
    }
}

/// That relations are counted wrong.
pub(crate) fn wrong_count(counted: i64, missing: i64) -> Violation {
    of_store(Invariant::RelationCount, format!("{} relations, and {counted} are counted", counted + missing))
}

/// That the change log goes on before its end.
pub(crate) fn wrong_head(head: i64, newest: i64) -> Violation {
    of_store(Invariant::ChangeHead, format!("the log goes on after {head}, and was at {newest} already"))
}

fn of_store(invariant: Invariant, detail: String) -> Violation {
    Violation { invariant, subject: "store".to_owned(), detail, site: Site::Store }
}

/// Rows of an entity that is not there.
pub(crate) fn without_entity(id: i64, text: Option<&str>) -> Violation {
    Violation {
        invariant: Invariant::RowsWithoutEntity,
        subject: subject(id, text),
        detail: "nothing says what it is made of".to_owned(),
        site: Site::Entity(id),
    }
}

#[cfg(test)]
mod tests;
