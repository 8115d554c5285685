//! What holds after every unit of work, whatever goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callboard_store::memory::{Source, Tables};
use callboard_store::{ChangeKind, CommitReport, ErrorCategory, Outcome, OutcomeKind};

/// The change log has no gaps and tells the truth; what is shown is what the rows give, or is queued to be made anew;
/// errors have owners.
pub(crate) fn check_tables(tables: &Tables) -> Result<(), String> {
    check_log(tables)?;
    check_shown(tables)?;
    for row in tables.errors.values() {
        if let Source::Entity(owner) = &row.owner
            && !tables.rows.contains_key(owner)
        {
            return Err(format!("P4: an error of {owner}, which is gone"));
        }
    }
    Ok(())
}

fn check_log(tables: &Tables) -> Result<(), String> {
    let mut expected = tables.trimmed_to;
    let mut last: BTreeMap<&str, ChangeKind> = BTreeMap::new();
    for change in &tables.changes {
        expected += 1;
        if change.position != expected {
            return Err(format!("the change log has {} in the place of {expected}", change.position));
        }
        last.insert(&change.entity_ref, change.kind);
    }
    if tables.position != expected {
        return Err(format!("the change log ends at {expected} and not at {}", tables.position));
    }
    for (entity_ref, kind) in last {
        let is_there = tables.rows.get(entity_ref).is_some_and(|row| row.shown.is_some());
        if is_there != (kind == ChangeKind::Upserted) {
            return Err(format!("P2: the change log says last that {entity_ref} was {kind:?}"));
        }
    }
    Ok(())
}

/// Kept as plain and quick as can be: it runs after every call.
fn check_shown(tables: &Tables) -> Result<(), String> {
    let mut relations: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for relation in tables.rows.values().filter_map(|row| row.good.as_ref()).flat_map(|it| &it.relations) {
        relations.entry(&relation.source).or_default().insert((&relation.kind, &relation.target));
    }
    let mut failing: BTreeMap<&str, usize> = BTreeMap::new();
    for row in tables.errors.values().filter(|row| row.category == ErrorCategory::Processing) {
        if let Source::Entity(owner) = &row.owner {
            *failing.entry(owner).or_default() += 1;
        }
    }
    for (entity_ref, row) in &tables.rows {
        if row.good.is_none() || tables.stitch_queue.contains_key(entity_ref) {
            continue;
        }
        let Some(shown) = &row.shown else {
            return Err(format!("P1: {entity_ref} ran well, is not shown and not queued for stitching"));
        };
        let current = relations.remove(entity_ref.as_ref()).unwrap_or_default();
        let is_same =
            shown.relations.iter().map(|(kind, target)| (kind.as_ref(), target.as_ref())).eq(current);
        let has_source = |entity_ref: &str| {
            tables.edges.get(entity_ref).is_some_and(|by| by.values().any(|edge| !edge.is_refused))
        };
        let errors = failing.get(entity_ref.as_ref()).copied().unwrap_or_default();
        let is_right = is_same && shown.is_orphan != has_source(entity_ref) && shown.errors.len() == errors;
        if !is_right || shown.etag.is_none() {
            return Err(format!(
                "P2: {entity_ref} is shown as it was and not queued for stitching: relations {is_same}, orphan {}, \
                 errors {} of {errors}, etag {:?}",
                shown.is_orphan,
                shown.errors.len(),
                shown.etag
            ));
        }
    }
    Ok(())
}

/// What there was before a commit.
#[derive(Debug)]
pub(crate) struct Commit {
    outcomes: Vec<Before>,
}

#[derive(Debug)]
struct Before {
    entity_ref: Option<Arc<str>>,
    /// The outcome came under the lease in force.
    is_held: bool,
    what: &'static str,
    /// What it handed over, if its run fails.
    children: Option<BTreeSet<Arc<str>>>,
    has_result: bool,
}

fn children(tables: &Tables, parent: &Arc<str>) -> BTreeSet<Arc<str>> {
    let source = Source::Entity(Arc::clone(parent));
    tables
        .edges
        .iter()
        .filter(|(_, by)| by.contains_key(&source))
        .map(|(child, _)| Arc::clone(child))
        .collect()
}

impl Commit {
    pub(crate) fn begin(tables: &Tables, batch: &[Outcome]) -> Self {
        let before = |outcome: &Outcome| {
            let found = tables.rows.iter().find(|(_, row)| row.id == outcome.id);
            let has_failed = matches!(outcome.kind, OutcomeKind::Failed(_));
            Before {
                entity_ref: found.map(|(entity_ref, _)| Arc::clone(entity_ref)),
                is_held: found
                    .is_some_and(|(_, row)| row.lease.is_some_and(|lease| lease.token == outcome.token)),
                what: match outcome.kind {
                    OutcomeKind::Unchanged => "unchanged",
                    OutcomeKind::Processed(_) => "processed",
                    OutcomeKind::Failed(_) => "failed",
                    OutcomeKind::Abandoned => "abandoned",
                },
                children: found.filter(|_| has_failed).map(|(it, _)| children(tables, it)),
                has_result: found.is_some_and(|(_, row)| row.good.is_some()),
            }
        };
        Self { outcomes: batch.iter().map(before).collect() }
    }

    pub(crate) fn describe(&self, report: &CommitReport) -> impl Iterator<Item = String> {
        self.outcomes.iter().enumerate().map(|(index, Before { entity_ref, what, .. })| {
            let refused = if report.refused.contains(&index) { " (refused)" } else { "" };
            format!("{} as {what}{refused}", entity_ref.as_deref().unwrap_or("nothing"))
        })
    }

    /// Only who holds the lease may write, and a run that failed takes nothing away.
    pub(crate) fn check(&self, tables: &Tables, report: &CommitReport) -> Result<(), String> {
        for (index, before) in self.outcomes.iter().enumerate() {
            if report.refused.contains(&index) {
                continue;
            }
            let Some(entity_ref) = &before.entity_ref else {
                return Err("P1: an outcome of an entity that is gone was accepted".to_owned());
            };
            if !before.is_held {
                return Err(format!("P1: an outcome of {entity_ref} was accepted under a lost lease"));
            }
            let has_result = tables.rows.get(entity_ref).is_some_and(|row| row.good.is_some());
            if let Some(children_before) = &before.children
                && (!children_before.is_subset(&children(tables, entity_ref))
                    || before.has_result != has_result)
            {
                return Err(format!("P3: {entity_ref} lost something because a run of it failed"));
            }
        }
        Ok(())
    }
}
