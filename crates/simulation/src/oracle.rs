//! The promises, checked when faults are over and everything has come to rest.

#![expect(clippy::indexing_slicing, reason = "what a JSON value does not have is null")]

use std::collections::{BTreeMap, BTreeSet};

use callboard_store::ErrorCategory;
use callboard_store::memory::{ErrorRow, Source, Tables};
use serde_json::Value;

use crate::expected::{Expected, Wanted, expected};
use crate::world::World;

/// What is in the catalog is what should be, except that `unread` files cannot be read: they change nothing, but their
/// parents say so.
pub(crate) fn check(world: &World, tables: &Tables, unread: &[String]) -> Result<(), String> {
    let expected = expected(world, tables)?;
    let restless = expected.restless(tables);
    if let Some(entity_ref) = tables.stitch_queue.keys().find(|it| !restless.contains(it.as_ref())) {
        return Err(format!("{entity_ref} still waits for stitching"));
    }
    for entity_ref in tables.rows.keys() {
        if !expected.wanted.contains_key(entity_ref.as_ref()) {
            return Err(format!("P2: {entity_ref} is there, and nobody hands it over"));
        }
    }
    for (entity_ref, wanted) in &expected.wanted {
        check_sources(tables, entity_ref, wanted)?;
        check_final(tables, &expected, entity_ref, unread)?;
        if !restless.contains(entity_ref) {
            check_processors(tables, entity_ref)?;
        }
    }
    check_errors(tables, &expected, unread)
}

/// Whoever comes with the key of the entity has it, and all others are told.
fn check_sources(tables: &Tables, entity_ref: &str, wanted: &[Wanted]) -> Result<(), String> {
    let key = tables.rows.get(entity_ref).and_then(|row| row.location_key.as_deref());
    let stored = tables.edges.get(entity_ref).cloned().unwrap_or_default();
    let sources: BTreeSet<&Source> = wanted.iter().map(|it| &it.source).collect();
    if !stored.keys().eq(sources) {
        return Err(format!("P2: {entity_ref} should come from {wanted:#?} and has {stored:#?}"));
    }
    for Wanted { source, key: own, .. } in wanted {
        let is_refused = stored.get(source).is_some_and(|edge| edge.is_refused);
        if is_refused == (own.as_deref() == key) {
            return Err(format!(
                "P2: {entity_ref} has the key {key:?}, and {source:?} with {own:?} is refused: {is_refused}"
            ));
        }
    }
    Ok(())
}

fn check_final(
    tables: &Tables,
    expected: &Expected,
    entity_ref: &str,
    unread: &[String],
) -> Result<(), String> {
    let row = tables.rows.get(entity_ref);
    let json = row.and_then(callboard_store::memory::Row::final_json);
    let json = json.ok_or_else(|| format!("P1: {entity_ref} has no final entity"))?;
    let entity: Value = serde_json::from_str(&json).map_err(|error| format!("{entity_ref}: {error}"))?;
    if let Some(document) = expected.documents.get(entity_ref) {
        let description = &entity["metadata"]["description"];
        let expected = document.description();
        if !description.is_null() && *description != *expected {
            return Err(format!("P2: {entity_ref} says {description}, and its source {expected}"));
        }
        let spec = &document.to_value()["spec"];
        if !description.is_null() && entity["spec"] != *spec {
            return Err(format!("P2: {entity_ref} has the spec {}, and its source {spec}", entity["spec"]));
        }
    }
    if !entity["metadata"]["annotations"]["backstage.io/orphan"].is_null() {
        return Err(format!("P2: {entity_ref} says that it is an orphan"));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let relations: Vec<(String, String)> = entity["relations"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|relation| (text(&relation["type"]), text(&relation["targetRef"])))
        .collect();
    let wanted = expected.relations.get(entity_ref).cloned().unwrap_or_default();
    if !relations.iter().eq(&wanted) {
        return Err(format!("P2: {entity_ref} has the relations {relations:?}, and should have {wanted:?}"));
    }
    let is_failing = entity.get("status").is_some();
    if is_failing != cannot_be_read(expected, entity_ref, unread) {
        return Err(format!("P4: {entity_ref} has the status {}", entity["status"]));
    }
    Ok(())
}

/// Of replicas with different processors, those of the last one that started gave what there is.
fn check_processors(tables: &Tables, entity_ref: &str) -> Result<(), String> {
    let is_owner = |row: &ErrorRow| {
        row.category == ErrorCategory::Processing
            && matches!(&row.owner, Source::Entity(owner) if owner.as_ref() == entity_ref)
    };
    let fingerprint = tables.rows.get(entity_ref).and_then(callboard_store::memory::Row::fingerprint);
    // A run that fails leaves what an earlier one gave.
    if fingerprint == tables.applied || tables.errors.values().any(is_owner) {
        return Ok(());
    }
    Err(format!(
        "P2: {entity_ref} was processed with {fingerprint:?}, and {:?} was applied last",
        tables.applied
    ))
}

fn cannot_be_read(expected: &Expected, entity_ref: &str, unread: &[String]) -> bool {
    expected.files_of.get(entity_ref).is_some_and(|files| unread.iter().any(|url| files.contains(url)))
}

/// Each error has a cause, and each cause an error.
fn check_errors(tables: &Tables, expected: &Expected, unread: &[String]) -> Result<(), String> {
    let owner = |row: &ErrorRow| match &row.owner {
        Source::Entity(entity_ref) => entity_ref.to_string(),
        Source::Provider(name) => format!("provider:{name}"),
    };
    let mut found: BTreeMap<(u8, String), usize> = BTreeMap::new();
    for row in tables.errors.values() {
        *found.entry((row.category as u8, owner(row))).or_default() += 1;
    }
    let mut wanted: BTreeMap<(u8, String), usize> = BTreeMap::new();
    for entity_ref in expected.wanted.keys() {
        if cannot_be_read(expected, entity_ref, unread) {
            let key = (ErrorCategory::Processing as u8, entity_ref.clone());
            let count = found.get(&key).copied().unwrap_or_default();
            // One for each target that cannot be read; which these are is the reader's business.
            wanted.insert(key, count.max(1));
        }
        if expected.with_duplicates.contains(entity_ref) {
            let key = (ErrorCategory::Warning as u8, entity_ref.clone());
            let count = found.get(&key).copied().unwrap_or_default();
            wanted.insert(key, count.max(1));
        }
    }
    for (entity_ref, sources) in &expected.wanted {
        let key = tables.rows.get(entity_ref.as_str()).and_then(|row| row.location_key.as_deref());
        for source in sources.iter().filter(|it| it.key.as_deref() != key) {
            let name = match &source.source {
                Source::Entity(parent) => parent.to_string(),
                Source::Provider(name) => format!("provider:{name}"),
            };
            *wanted.entry((ErrorCategory::Conflict as u8, name)).or_default() += 1;
        }
    }
    if found == wanted {
        return Ok(());
    }
    let all: Vec<String> = tables.errors.values().map(|row| format!("{row:?}")).collect();
    Err(format!("P4: there are the errors {found:?}, and should be {wanted:?}: {}", all.join("\n")))
}

/// Every reader of the change log sees what the store has, but for what changed a moment ago.
pub(crate) fn check_view(
    tables: &Tables,
    replica: usize,
    view: &BTreeMap<String, String>,
    restless: &BTreeSet<String>,
) -> Result<(), String> {
    let finals = tables.rows.iter().filter_map(|(entity_ref, row)| Some((entity_ref, row.final_json()?)));
    let finals: BTreeMap<String, String> = finals.map(|(it, json)| (it.to_string(), json)).collect();
    let refs: BTreeSet<&String> = view.keys().chain(finals.keys()).collect();
    let is_other = |it: &&String| view.get(*it) != finals.get(*it) && !restless.contains(*it);
    let other: Vec<_> = refs.into_iter().filter(is_other).collect();
    if other.is_empty() {
        return Ok(());
    }
    Err(format!("P2: replica {replica} followed the change log and sees {other:?} in another way"))
}
