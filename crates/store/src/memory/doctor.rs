//! Looking for what is wrong, by the rules of all stores, and mending it.
//!
//! What other stores keep twice (marks of orphans, relations and keys by their ends, counts) is made up here when it is
//! asked for, so that none of it can be wrong.

use std::sync::Arc;

use callboard_model::{Digest, relations_json, status_json};
use foldhash::HashSet;

use super::edges::Source;
use super::tables::{GoodRun, Row, Shown, Tables};
use crate::doctor::{InspectCursor, Inspection, Invariant, Mended, Part, Site, Violation};
use crate::packed::pack;
use crate::rules::codec::micros;
use crate::rules::doctor::{
    EdgeRow, EntityRows, ErrorOf, Expected, LocationRow, Named, Page, ScheduleState, StoredBody, StoredFinal,
    StoredResult, wrong_head,
};
use crate::rules::errors::conflict_key;
use crate::rules::final_entity::FinalRow;
use crate::rules::names::provider_text;
use crate::rules::schedule::Run;
use crate::rules::stitch_work::Urgency;
use crate::{ErrorCategory, Lane, Timestamp};

impl Tables {
    pub(super) fn inspect(
        &mut self,
        from: Option<&InspectCursor>,
        limit: usize,
        location_store: Option<&str>,
        now: Timestamp,
    ) -> Inspection {
        let first = InspectCursor::default();
        let cursor = from.unwrap_or(&first);
        self.look(cursor, limit, location_store, now).inspection(cursor, limit)
    }

    fn look(
        &mut self,
        cursor: &InspectCursor,
        limit: usize,
        location_store: Option<&str>,
        now: Timestamp,
    ) -> Page {
        match cursor.part {
            Part::Entities => self.look_at_entities(cursor, limit, now),
            Part::Edges => self.look_at_edges(cursor, limit, location_store),
            Part::Errors => self.look_at_errors(cursor, limit),
            Part::Locations => self.look_at_locations(cursor, limit, location_store),
            Part::Store => self.look_at_head(),
            Part::Peers | Part::Keys | Part::Work | Part::Changes => Page::default(),
        }
    }

    fn look_at_entities(&self, cursor: &InspectCursor, limit: usize, now: Timestamp) -> Page {
        let mut rows: Vec<(i64, &Arc<str>, &Row)> =
            self.rows.iter().map(|(entity_ref, row)| (row.id.0, entity_ref, row)).collect();
        rows.sort_unstable_by_key(|(id, ..)| *id);
        let mut page = Page::default();
        for (id, entity_ref, row) in
            rows.into_iter().filter(|(id, ..)| [*id, 0, 0, 0] > cursor.after).take(limit)
        {
            let (entity, expected) = self.entity_rows(id, entity_ref, row);
            page.rows += 1;
            page.last = [id, 0, 0, 0];
            page.violations.extend(entity.check(&expected, micros(now)));
        }
        page
    }

    /// The rows that other stores have of an entity, and what stitching would make of them.
    fn entity_rows(&self, id: i64, entity_ref: &Arc<str>, row: &Row) -> (EntityRows, Expected) {
        let (is_orphan, errors) = (self.is_orphan(entity_ref), self.errors_of_run(entity_ref));
        let entity = EntityRows {
            id,
            entity_ref: Some(entity_ref.to_string()),
            uid: Ok(row.uid),
            digest: Ok(row.digest),
            unprocessed: Ok(pack(&row.unprocessed)),
            cache: Ok(row.cache.as_ref().map(|(json, _)| pack(json))),
            schedule: Some(ScheduleState {
                due: Ok(row.schedule.next_update_at),
                lane: Ok(row.schedule.lane),
                was_run: row.schedule.result_digest.is_some(),
                has_fingerprint: row.schedule.fingerprint.is_some(),
                leased_until: row.lease.map(|lease| micros(lease.until)),
            }),
            is_marked_orphan: is_orphan,
            has_source: !is_orphan,
            is_queued: self.stitch_queue.contains_key(entity_ref),
            has_stitching_error: false,
            has_run_error: !errors.is_empty(),
            result: row.good.as_ref().map(|good| Ok(stored_result(good))),
            body: row.good.as_ref().map(|good| Ok(stored_body(good))),
            final_entity: row.shown.as_ref().map(|shown| Ok(row.stored_final(shown))),
        };
        let mut expected = Expected::default();
        let shown = self.to_show(entity_ref);
        let made = row.final_row(id, &shown).ok_or_else(|| "its body cannot be read".to_owned());
        expected.finals.insert(id, made);
        (entity, expected)
    }

    fn named(&mut self, text: &Arc<str>) -> Named {
        let id = self.number(text);
        Named { id, text: Some(text.to_string()), is_entity: self.rows.contains_key(text) }
    }

    fn look_at_edges(&mut self, cursor: &InspectCursor, limit: usize, location_store: Option<&str>) -> Page {
        let mut edges = Vec::new();
        for (target, sources) in self.edges.clone() {
            for (source, edge) in sources {
                let (from, to) = (self.named(&source.text()), self.named(&target));
                let key = conflict_key(to.id);
                edges.push(EdgeRow {
                    is_refused: edge.is_refused,
                    has_error: self
                        .errors
                        .values()
                        .any(|row| row.is_of(&source, ErrorCategory::Conflict) && row.key == key),
                    is_registered: self.location_by_ref(&target).is_some(),
                    source: from,
                    target: to,
                });
            }
        }
        edges.sort_unstable_by_key(|edge| (edge.source.id, edge.target.id));
        let mut page = Page::default();
        let key = |edge: &EdgeRow| [edge.source.id, edge.target.id, 0, 0];
        for edge in edges.iter().filter(|edge| key(edge) > cursor.after).take(limit) {
            page.rows += 1;
            page.last = key(edge);
            page.violations.extend(edge.check(location_store));
        }
        page
    }

    fn look_at_errors(&mut self, cursor: &InspectCursor, limit: usize) -> Page {
        let mut refused = HashSet::default();
        for (target, sources) in self.edges.clone() {
            for (source, _) in sources.into_iter().filter(|(_, edge)| edge.is_refused) {
                refused.insert((self.number(&source.text()), self.number(&target)));
            }
        }
        let [after, ..] = cursor.after;
        let errors = self.errors.iter().filter(|(id, _)| **id > after).take(limit);
        let errors: Vec<_> =
            errors.map(|(id, row)| (*id, row.owner.text(), row.category, row.key.clone())).collect();
        let mut page = Page::default();
        for (id, owner, category, key) in errors {
            let error = ErrorOf { id, owner: self.named(&owner), category: category as i64, key };
            page.rows += 1;
            page.last = [id, 0, 0, 0];
            page.violations.extend(error.check(&refused));
        }
        page
    }

    fn look_at_locations(
        &mut self,
        cursor: &InspectCursor,
        limit: usize,
        location_store: Option<&str>,
    ) -> Page {
        let later = self.locations.iter().filter(|(id, _)| **id > cursor.after_text).take(limit);
        let locations: Vec<_> =
            later.map(|(id, location)| (id.clone(), Arc::from(location.entity_ref.as_str()))).collect();
        let holder = location_store.map(|name| Source::of(&provider_text(name)));
        let mut page = Page::default();
        for (id, entity_ref) in locations {
            let sources = self.edges.get(&entity_ref);
            let is_held =
                holder.as_ref().is_some_and(|holder| sources.is_some_and(|it| it.contains_key(holder)));
            let location = LocationRow { id, entity: self.named(&entity_ref), is_held };
            page.rows += 1;
            page.violations.extend(location.check(location_store.is_some()));
            page.last_text = location.id;
        }
        page
    }

    fn look_at_head(&self) -> Page {
        let newest = self.newest_change();
        let violations = (self.position < newest).then(|| wrong_head(self.position, newest));
        Page { violations: violations.into_iter().collect(), ..Page::default() }
    }

    fn newest_change(&self) -> i64 {
        self.changes.last().map_or(0, |change| change.position).max(self.trimmed_to)
    }

    pub(super) fn mend(&mut self, violations: &[Violation], now: Timestamp) -> Mended {
        let mut mended = Mended::default();
        let parts = [Part::Entities, Part::Edges, Part::Errors, Part::Store];
        let mut still = Vec::new();
        for part in parts {
            still.extend(self.look(&InspectCursor::new(part), usize::MAX, None, now).violations);
        }
        for (place, violation) in violations.iter().enumerate() {
            match violation.invariant {
                Invariant::UnheldLocation | Invariant::UnregisteredLocation => mended.needs_locations = true,
                _ if still.contains(violation) => {
                    self.mend_one(violation, now);
                    mended.mended.push(place);
                }
                _ => mended.gone.push(place),
            }
        }
        mended
    }

    fn mend_one(&mut self, Violation { invariant, site, .. }: &Violation, now: Timestamp) {
        match *site {
            Site::Entity(id) => self.mend_entity(*invariant, &self.text(id), now),
            Site::Edge(source, target) => {
                let (source, target_ref) = (self.text(source), self.text(target));
                self.edge_delete(&Source::of(&source), &target_ref);
                self.conflict_settle(&Source::of(&source), target);
                self.mark_due(&source, Lane::New, Run::InFull, now);
                self.sources_lost(&[target_ref].into(), now);
            }
            Site::Error(id) => drop(self.errors.remove(&id)),
            Site::Store => self.position = self.newest_change(),
            Site::Peer(..) | Site::Key(..) | Site::Work(_) | Site::Change(_) | Site::Location => {}
        }
    }

    fn mend_entity(&mut self, invariant: Invariant, entity_ref: &Arc<str>, now: Timestamp) {
        let Some(row) = self.rows.get_mut(entity_ref) else { return };
        match invariant {
            Invariant::LostDueTime => {
                row.lease = None;
                row.schedule.next_update_at = Some(micros(now));
                row.schedule.lane = Lane::New as i64;
                row.wishes += 1;
            }
            Invariant::UnreadableEntity => {
                row.digest = Digest::of("");
                for source in self.edges.get(entity_ref).cloned().unwrap_or_default().into_keys() {
                    self.mark_due(&source.text(), Lane::New, Run::InFull, now);
                }
            }
            Invariant::MissingFinalEntity | Invariant::StaleFinalEntity => {
                if let Some(shown) = &mut row.shown {
                    shown.etag = None;
                }
                self.queue(entity_ref, Urgency::Own);
            }
            _ => self.mark_due(entity_ref, Lane::New, Run::InFull, now),
        }
    }
}

/// Relations and keys are not kept apart from the result.
fn stored_result(good: &GoodRun) -> StoredResult {
    StoredResult { body_digest: good.body.digest, relations: Vec::new(), refresh_keys: Vec::new() }
}

fn stored_body(good: &GoodRun) -> StoredBody {
    StoredBody { digest: good.body.digest, json: good.body.json.clone() }
}

impl Row {
    /// What other stores keep of a final entity.
    fn final_row(&self, id: i64, shown: &Shown) -> Option<FinalRow> {
        let etag = self.finish(shown)?.etag;
        let own_status = self.good.as_ref()?.body.status.as_deref();
        Some(FinalRow {
            id,
            uid: None,
            etag,
            is_orphan: shown.is_orphan,
            relations: relations_json(&shown.relations),
            status: status_json(own_status, &shown.errors),
        })
    }

    fn stored_final(&self, shown: &Shown) -> StoredFinal {
        let own_status = self.good.as_ref().and_then(|good| good.body.status.as_deref());
        StoredFinal {
            uid: self.uid,
            etag: shown.etag.clone().unwrap_or_default(),
            is_orphan: shown.is_orphan,
            relations: pack(&relations_json(&shown.relations)),
            status: status_json(own_status, &shown.errors),
        }
    }
}

#[cfg(test)]
mod tests;
