//! Final entities as functions of rows: the processed body, the relations that start at the entity, the errors of its
//! last run, and whether it is an orphan. The etag is a digest of these, so an equal etag means that nothing has to be
//! written.
//!
//! An entity whose rows make no sense does not hold up the others: it keeps its final entity, gets an error of its
//! own, and leaves the queue. As nothing but other rows would help, it is tried again when one of them changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use callboard_model::{Digest, SerializedError, etag, relations_json, status_json};
use foldhash::{HashMap, HashSet};
use uuid::Uuid;

use super::codec::unpack_relations;
use super::names::relation_type;
use crate::{ErrorCategory, NewError, StitchFailure, StoreError};

/// Stable id of the rule that an entity breaks whose final entity cannot be made.
const RULE: &str = "stitching/unreadable";

/// What a final entity is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) id: i64,
    /// Of a new final entity.
    pub(crate) uid: Option<Uuid>,
    pub(crate) body_digest: Digest,
    pub(crate) own_status: Option<String>,
    pub(crate) stored_etag: Option<String>,
    pub(crate) is_orphan: bool,
    pub(crate) has_errors: bool,
    /// Types and targets, by number.
    pub(crate) relations: BTreeSet<(i64, i64)>,
}

/// An entity whose parts cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) id: i64,
    pub(crate) error: StoreError,
    /// If at least that can be read.
    pub(crate) body_digest: Option<Digest>,
}

/// A row of `final_entities`.
#[derive(Debug)]
pub(crate) struct FinalRow {
    pub(crate) id: i64,
    /// Of a new one.
    pub(crate) uid: Option<Uuid>,
    pub(crate) etag: String,
    pub(crate) is_orphan: bool,
    pub(crate) relations: String,
    pub(crate) status: Option<String>,
}

/// Errors of the entities of a batch.
#[derive(Debug, Default)]
pub(crate) struct PartsErrors {
    /// Those of their last runs, in order.
    of_runs: HashMap<i64, Vec<SerializedError>>,
    /// The entities that could not be stitched the last time.
    of_stitching: HashSet<i64>,
}

impl PartsErrors {
    /// Adds one, after those of the same owner that come before it.
    pub(crate) fn add(&mut self, owner: i64, category: i64, error: impl FnOnce() -> SerializedError) {
        if category == ErrorCategory::Stitching as i64 {
            self.of_stitching.insert(owner);
        } else {
            self.of_runs.entry(owner).or_default().push(error());
        }
    }

    fn of_run(&self, owner: i64) -> &[SerializedError] {
        self.of_runs.get(&owner).map(Vec::as_slice).unwrap_or_default()
    }
}

/// What came of the entities of a batch. Entities that never had a good run are in none of the lists.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// To be written.
    pub(crate) finals: Vec<FinalRow>,
    /// Came out as they are.
    pub(crate) unchanged: Vec<i64>,
    /// Cannot be made.
    pub(crate) failures: Vec<(i64, NewError)>,
    /// Could not be made the last time.
    recovered: Vec<i64>,
}

impl Round {
    /// The parts of an entity cannot be read. Its body's digest is told if at least that can.
    pub(crate) fn fail(&mut self, id: i64, error: &StoreError, body_digest: Option<Digest>) {
        self.failures.push((id, failure(error, body_digest)));
    }

    /// Makes final entities. `texts` has all that the relations name.
    pub(crate) fn finish(&mut self, all: Vec<Parts>, texts: &HashMap<i64, Arc<str>>, errors: &PartsErrors) {
        for parts in all {
            let (id, body_digest) = (parts.id, parts.body_digest);
            match parts.make(texts, errors) {
                Ok(row) => {
                    if errors.of_stitching.contains(&id) {
                        self.recovered.push(id);
                    }
                    if parts.stored_etag.as_ref() == Some(&row.etag) {
                        self.unchanged.push(id);
                    } else {
                        self.finals.push(row);
                    }
                }
                Err(error) => self.fail(id, &error, Some(body_digest)),
            }
        }
    }

    /// The stitching errors that the entities have from now on, as far as they are others than before.
    pub(crate) fn errors(&self) -> Vec<(i64, &[NewError])> {
        let failures = self.failures.iter().map(|(id, error)| (*id, std::slice::from_ref(error)));
        failures.chain(self.recovered.iter().map(|id| (*id, [].as_slice()))).collect()
    }

    /// The entities that have a final one, those that changed first.
    pub(crate) fn stitched(&self) -> Vec<i64> {
        self.finals.iter().map(|row| row.id).chain(self.unchanged.iter().copied()).collect()
    }
}

/// What is told of failures. `texts` has the refs of their entities.
pub(crate) fn name_failures(
    failures: Vec<(i64, NewError)>,
    texts: &HashMap<i64, Arc<str>>,
) -> Vec<StitchFailure> {
    let named = failures.into_iter().map(|(id, error)| StitchFailure {
        entity_ref: texts.get(&id).map(ToString::to_string).unwrap_or_default(),
        error: error.error.summary(),
    });
    named.collect()
}

/// The error of an entity whose final entity cannot be made.
fn failure(error: &StoreError, body_digest: Option<Digest>) -> NewError {
    NewError {
        error: SerializedError::new("Error", error.to_string()),
        location: None,
        document: None,
        line: None,
        column: None,
        pointer: None,
        rule: Some(RULE.to_owned()),
        digest: body_digest.unwrap_or_else(|| Digest::of("")),
    }
}

/// The relations that start at an entity: those that it emitted itself, of its packed ones, and those of others.
pub(crate) fn relations_from(
    id: i64,
    packed: &[u8],
    peers: impl IntoIterator<Item = (i64, i64)>,
) -> Result<BTreeSet<(i64, i64)>, StoreError> {
    let own = unpack_relations(id, packed)?.into_iter().filter(|relation| relation.0 == id);
    let mut relations: BTreeSet<(i64, i64)> = own.map(|(_, kind, target)| (kind, target)).collect();
    relations.extend(peers);
    Ok(relations)
}

impl Parts {
    /// The numbers whose texts finishing these needs.
    pub(crate) fn numbers(all: &[Self]) -> BTreeSet<i64> {
        let relations = all.iter().flat_map(|parts| &parts.relations);
        relations.flat_map(|(kind, target)| [*kind, *target]).collect()
    }

    /// The row. `texts` has all that the relations name.
    pub(crate) fn make(
        &self,
        texts: &HashMap<i64, Arc<str>>,
        errors: &PartsErrors,
    ) -> Result<FinalRow, StoreError> {
        let text = |id: &i64| {
            let text = texts.get(id).map(AsRef::as_ref);
            text.ok_or_else(|| StoreError::Inconsistent(format!("no text has the number {id}")))
        };
        let relations =
            self.relations.iter().map(|(kind, target)| Ok((relation_type(text(kind)?), text(target)?)));
        let mut relations: Vec<(&str, &str)> = relations.collect::<Result<_, StoreError>>()?;
        relations.sort_unstable();
        let relations = relations_json(&relations);
        let status = status_json(self.own_status.as_deref(), errors.of_run(self.id));
        let etag = etag(&self.body_digest, &relations, status.as_deref(), self.is_orphan);
        let Self { id, uid, is_orphan, .. } = *self;
        Ok(FinalRow { id, uid, etag, is_orphan, relations, status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNED_BY: i64 = 1;
    const GROUP: i64 = 2;

    fn parts(id: i64, relations: impl IntoIterator<Item = (i64, i64)>) -> Parts {
        Parts {
            id,
            uid: None,
            body_digest: Digest::of("body"),
            own_status: None,
            stored_etag: None,
            is_orphan: false,
            has_errors: false,
            relations: relations.into_iter().collect(),
        }
    }

    fn texts() -> HashMap<i64, Arc<str>> {
        let texts = [(OWNED_BY, "::type:ownedBy"), (GROUP, "group:default/g")];
        texts.into_iter().map(|(id, text)| (id, Arc::from(text))).collect()
    }

    fn finish(all: Vec<Parts>, errors: &PartsErrors) -> Round {
        let mut round = Round::default();
        round.finish(all, &texts(), errors);
        round
    }

    #[test]
    fn what_comes_out_as_it_is_stored_is_not_written() {
        let first = finish(vec![parts(7, [(OWNED_BY, GROUP)])], &PartsErrors::default());
        assert_eq!(first.finals[0].relations, r#"[{"type":"ownedBy","targetRef":"group:default/g"}]"#);
        let stored = Some(first.finals[0].etag.clone());
        let same = Parts { stored_etag: stored.clone(), ..parts(7, [(OWNED_BY, GROUP)]) };
        let orphan = Parts { stored_etag: stored, is_orphan: true, ..parts(8, [(OWNED_BY, GROUP)]) };
        let second = finish(vec![same, orphan], &PartsErrors::default());
        assert_eq!((second.finals.len(), second.unchanged.as_slice()), (1, [7].as_slice()));
        assert_eq!(second.stitched(), [8, 7]);
    }

    #[test]
    fn a_failure_is_kept_until_the_entity_can_be_made() {
        let mut errors = PartsErrors::default();
        for id in [7, 8] {
            errors.add(id, ErrorCategory::Stitching as i64, || SerializedError::new("Error", "unread"));
        }
        errors.add(8, ErrorCategory::Processing as i64, || SerializedError::new("Error", "shown"));
        let unknown = 127;
        let round = finish(vec![parts(7, [(OWNED_BY, unknown)]), parts(8, []), parts(9, [])], &errors);
        let sets: Vec<_> = round.errors().iter().map(|(id, errors)| (*id, errors.len())).collect();
        assert_eq!(sets, [(7, 1), (8, 0)]);
        assert!(round.finals[0].status.as_ref().is_some_and(|status| status.contains("shown")));
        let named =
            name_failures(round.failures, &HashMap::from_iter([(7, Arc::from("component:default/a"))]));
        assert_eq!(named[0].entity_ref, "component:default/a");
        assert_eq!(named[0].error, "Error: inconsistent row: no text has the number 127");
    }

    #[test]
    fn relations_of_others_join_the_own_ones() {
        let packed = super::super::codec::pack_relations(7, &[(7, OWNED_BY, GROUP), (GROUP, 3, 7)]);
        let relations = relations_from(7, &packed, [(3, 9), (OWNED_BY, GROUP)]).unwrap();
        assert_eq!(relations, BTreeSet::from([(OWNED_BY, GROUP), (3, 9)]));
        assert!(relations_from(7, &[0x80], []).is_err());
    }
}
