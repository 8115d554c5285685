//! Looking for what is wrong: one page of one part of a pass, in one snapshot.

mod mend;

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet};
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json};
use super::session::{Args, Session};
use crate::doctor::{InspectCursor, Inspection, Part, Site, Violation};
use crate::rules::codec::{Triple, micros};
use crate::rules::doctor::{
    COUNT_PAGE, ENTITIES_MAX, EdgeRow, EntityRows, ErrorOf, Expected, KeyRow, LocationRow, Mention, Named,
    Packed, Page, PeerRow, RESULTS_MAX, RelationSum, entity_rows, without_entity, wrong_count, wrong_head,
};
use crate::rules::final_entity::{Parts, Unreadable};
use crate::rules::names::provider_text;
use crate::rules::statement::{Statement, statements};
use crate::{StoreError, Timestamp};

#[cfg(test)]
pub(super) use mend::STATEMENTS as MENDING_STATEMENTS;

statements! {
    SELECT_ENTITIES_AFTER = "SELECT id FROM refresh_state WHERE id > ?1 ORDER BY id LIMIT ?2 + 0";
    SELECT_ENTITIES =
        "SELECT r.id, i.entity_ref, r.uid, r.digest, r.unprocessed, c.json, \
                s.id, s.next_update_at, s.lane, s.result_digest IS NOT NULL, s.fingerprint IS NOT NULL, NULL, \
                EXISTS (SELECT 1 FROM orphans o WHERE o.id = r.id), \
                EXISTS (SELECT 1 FROM edges e WHERE e.target = r.id AND e.refused = 0), \
                EXISTS (SELECT 1 FROM stitch_queue q WHERE q.id = r.id), \
                EXISTS (SELECT 1 FROM errors x WHERE x.owner = r.id AND x.category = 2), \
                EXISTS (SELECT 1 FROM errors x WHERE x.owner = r.id AND x.category = 0), \
                p.id, p.body_digest, p.relations, p.refresh_keys, b.id, b.digest, b.json, \
                f.id, f.uid, f.etag, f.is_orphan, f.relations, f.status \
         FROM json_each(?1) j CROSS JOIN refresh_state r ON r.id = j.value \
           LEFT JOIN refs i ON i.id = r.id LEFT JOIN caches c ON c.id = r.id LEFT JOIN schedule s ON s.id = r.id \
           LEFT JOIN results p ON p.id = r.id LEFT JOIN bodies b ON b.id = r.id \
           LEFT JOIN final_entities f ON f.id = r.id";
    SELECT_WITHOUT_ENTITY =
        "SELECT u.id, i.entity_ref FROM ( \
           SELECT id FROM schedule WHERE id > ?1 AND id <= ?2 UNION \
           SELECT id FROM caches WHERE id > ?1 AND id <= ?2 UNION \
           SELECT id FROM bodies WHERE id > ?1 AND id <= ?2 UNION \
           SELECT id FROM results WHERE id > ?1 AND id <= ?2 UNION \
           SELECT id FROM orphans WHERE id > ?1 AND id <= ?2 UNION \
           SELECT id FROM final_entities WHERE id > ?1 AND id <= ?2) u LEFT JOIN refs i ON i.id = u.id \
         WHERE NOT EXISTS (SELECT 1 FROM refresh_state r WHERE r.id = u.id) ORDER BY u.id LIMIT ?3 + 0";
    SELECT_TEXTS = "SELECT r.id, r.entity_ref FROM json_each(?1) j CROSS JOIN refs r ON r.id = j.value";
    SELECT_PEERS_THERE =
        "SELECT p.source, p.type, p.target, p.originator FROM json_each(?1) j CROSS JOIN peer_relations p \
           ON p.source = j.value ->> 0 AND p.type = j.value ->> 1 AND p.target = j.value ->> 2 \
              AND p.originator = j.value ->> 3";
    SELECT_KEYS_THERE =
        "SELECT k.key, k.id FROM json_each(?1) j CROSS JOIN refresh_keys k \
           ON k.key = j.value ->> 0 AND k.id = j.value ->> 1";
    SELECT_REFUSED_THERE =
        "SELECT e.source, e.target FROM json_each(?1) j CROSS JOIN edges e \
           ON e.source = j.value ->> 0 AND e.target = j.value ->> 1 AND e.refused = 1";
    SELECT_EDGES =
        "SELECT e.source, s.entity_ref, EXISTS (SELECT 1 FROM refresh_state r WHERE r.id = e.source), \
                e.target, t.entity_ref, EXISTS (SELECT 1 FROM refresh_state r WHERE r.id = e.target), e.refused, \
                e.refused AND EXISTS (SELECT 1 FROM errors x WHERE x.owner = e.source AND x.category = 1 \
                                        AND x.key = unhex(printf('%016x', e.target))), \
                EXISTS (SELECT 1 FROM locations l WHERE l.entity = e.target) \
         FROM edges e LEFT JOIN refs s ON s.id = e.source LEFT JOIN refs t ON t.id = e.target \
         WHERE (e.source, e.target) > (?1, ?2) ORDER BY e.source, e.target LIMIT ?3 + 0";
    SELECT_PEERS =
        "SELECT p.source, p.type, p.target, p.originator, s.entity_ref, o.entity_ref FROM peer_relations p \
           LEFT JOIN refs s ON s.id = p.source LEFT JOIN refs o ON o.id = p.originator \
         WHERE (p.source, p.type, p.target, p.originator) > (?1, ?2, ?3, ?4) \
           AND typeof(p.type) = 'integer' AND typeof(p.target) = 'integer' AND typeof(p.originator) = 'integer' \
         ORDER BY p.source, p.type, p.target, p.originator LIMIT ?5 + 0";
    SELECT_KEYS =
        "SELECT k.key, k.id, i.entity_ref FROM refresh_keys k LEFT JOIN refs i ON i.id = k.id \
         WHERE (k.key, k.id) > (?1, ?2) ORDER BY k.key, k.id LIMIT ?3 + 0";
    SELECT_EMITTED = "SELECT r.id, r.relations FROM json_each(?1) j CROSS JOIN results r ON r.id = j.value";
    SELECT_CARRIED = "SELECT r.id, r.refresh_keys FROM json_each(?1) j CROSS JOIN results r ON r.id = j.value";
    SELECT_ERRORS_AFTER =
        "SELECT x.id, x.owner, i.entity_ref, EXISTS (SELECT 1 FROM refresh_state r WHERE r.id = x.owner), x.category, x.key \
         FROM errors x LEFT JOIN refs i ON i.id = x.owner WHERE x.id > ?1 ORDER BY x.id LIMIT ?2 + 0";
    SELECT_WORK =
        "SELECT q.id, q.id, i.id IS NOT NULL FROM stitch_queue q LEFT JOIN refs i ON i.id = q.id \
         WHERE q.id > ?1 ORDER BY q.id LIMIT ?2 + 0";
    SELECT_CHANGES_OF =
        "SELECT c.position, c.id, i.id IS NOT NULL FROM change_log c LEFT JOIN refs i ON i.id = c.id \
         WHERE c.position > ?1 ORDER BY c.position LIMIT ?2 + 0";
    SELECT_LOCATIONS_AFTER =
        "SELECT l.id, l.entity, i.entity_ref, EXISTS (SELECT 1 FROM refresh_state r WHERE r.id = l.entity), \
                EXISTS (SELECT 1 FROM refs s CROSS JOIN edges e ON e.source = s.id AND e.target = l.entity \
                        WHERE s.entity_ref = ?3) \
         FROM locations l LEFT JOIN refs i ON i.id = l.entity WHERE l.id > ?1 ORDER BY l.id LIMIT ?2 + 0";
    SELECT_ALL_EMITTED = "SELECT id, relations FROM results WHERE id > ?1 ORDER BY id LIMIT ?2 + 0";
    SELECT_COUNTED = "SELECT coalesce((SELECT value FROM meta WHERE key = 'relations'), 0)";
    // Where the log goes on, and where it was already.
    SELECT_HEAD =
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change_log'), 0), \
                max(coalesce((SELECT max(position) FROM change_log), 0), \
                    coalesce((SELECT value FROM meta WHERE key = 'changes_trimmed_to'), 0))";
}

impl SqliteStore {
    pub(super) async fn inspect_page(
        &self,
        from: Option<&InspectCursor>,
        limit: usize,
        location_store: Option<&str>,
        now: Timestamp,
    ) -> Result<Inspection, StoreError> {
        let first = InspectCursor::default();
        let cursor = from.unwrap_or(&first);
        let mut db = self.reader().await?;
        let page = db.look(cursor, limit, location_store, now).await?;
        Ok(page.inspection(cursor, limit))
    }
}

impl Session {
    /// Looks at the rows that follow a cursor.
    async fn look(
        &mut self,
        cursor: &InspectCursor,
        limit: usize,
        location_store: Option<&str>,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        match cursor.part {
            Part::Entities => self.look_at_entities(cursor, limit, now).await,
            Part::Edges => self.look_at_edges(cursor, limit, location_store).await,
            Part::Peers => self.look_at_peers(cursor, limit).await,
            Part::Keys => self.look_at_keys(cursor, limit).await,
            Part::Errors => self.look_at_errors(cursor, limit).await,
            Part::Work => self.look_at_mentions(SELECT_WORK, cursor, limit, Mention::check_work).await,
            Part::Changes => {
                self.look_at_mentions(SELECT_CHANGES_OF, cursor, limit, Mention::check_change).await
            }
            Part::Locations => self.look_at_locations(cursor, limit, location_store).await,
            Part::Store => self.look_at_sums(&cursor.relations).await,
        }
    }

    /// The rows that follow a key of so many columns.
    async fn rows_after<const N: usize>(
        &mut self,
        statement: Statement,
        cursor: &InspectCursor,
        limit: usize,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let key = cursor.after.iter().take(N).fold(Args::new(), |args, column| args.with(*column));
        self.rows(statement, key.with(i64::try_from(limit).unwrap_or(i64::MAX))).await
    }

    async fn look_at_entities(
        &mut self,
        cursor: &InspectCursor,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let [after, ..] = cursor.after;
        let found = self.rows_after::<1>(SELECT_ENTITIES_AFTER, cursor, limit).await?;
        let mut ids: Vec<i64> = found.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        let mut rows = ids.len();
        let mut last = ids.last().copied().filter(|_| rows >= limit).unwrap_or(i64::MAX);
        let mut violations = self.without_entity(after, last, limit).await?;
        if violations.len() >= limit
            && let Some(Site::Entity(id)) = violations.last().map(|found| &found.site)
        {
            // There may be more of them in the range.
            last = *id;
            ids.retain(|id| *id <= last);
            rows = limit;
        }
        let (broken, relations) = self.examine(&ids, now).await?;
        violations.extend(broken);
        Ok(Page { violations, rows, last: [last, 0, 0, 0], relations, ..Page::default() })
    }

    /// Entities in a range of numbers that are not there, and have rows all the same, in order.
    async fn without_entity(
        &mut self,
        after: i64,
        last: i64,
        limit: usize,
    ) -> Result<Vec<Violation>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let args = Args::new().with(after).with(last).with(limit);
        let rows = self.rows(SELECT_WITHOUT_ENTITY, args).await?;
        rows.iter().map(|row| Ok(without_entity(row.int(0)?, row.text_opt(1).ok().flatten()))).collect()
    }

    /// What is wrong with entities, and how many relations they emitted.
    async fn examine(
        &mut self,
        ids: &[i64],
        now: Timestamp,
    ) -> Result<(Vec<Violation>, RelationSum), StoreError> {
        let (mut found, mut relations) = (Vec::new(), RelationSum::default());
        for ids in ids.chunks(ENTITIES_MAX) {
            let entities = self.entities(ids).await?;
            let mut expected = Expected {
                peers: self.peers_there(&entities).await?,
                keys: self.keys_there(&entities).await?,
                ..Expected::default()
            };
            self.expect_finals(ids, &mut expected).await?;
            for entity in &entities {
                found.extend(entity.check(&expected, micros(now)));
                entity.count_relations(&mut relations);
            }
        }
        Ok((found, relations))
    }

    async fn entities(&mut self, ids: &[i64]) -> Result<Vec<EntityRows>, StoreError> {
        let args = Args::new().with(ids_json(ids.iter().copied()));
        self.rows(SELECT_ENTITIES, args).await?.iter().map(|row| Ok(entity_rows!(row))).collect()
    }

    async fn peers_there(&mut self, entities: &[EntityRows]) -> Result<HashSet<(Triple, i64)>, StoreError> {
        let peers = entities.iter().flat_map(EntityRows::peers);
        let wanted = peers.map(|((source, kind, target), id)| serde_json::json!([source, kind, target, id]));
        let rows = self.rows_of(SELECT_PEERS_THERE, wanted.collect()).await?;
        rows.iter().map(|row| Ok(((row.int(0)?, row.int(1)?, row.int(2)?), row.int(3)?))).collect()
    }

    async fn keys_there(&mut self, entities: &[EntityRows]) -> Result<HashSet<(i64, i64)>, StoreError> {
        let wanted = entities.iter().flat_map(EntityRows::keys).map(|(key, id)| serde_json::json!([key, id]));
        let rows = self.rows_of(SELECT_KEYS_THERE, wanted.collect()).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
    }

    /// The rows that have one of these keys.
    async fn rows_of(
        &mut self,
        statement: Statement,
        wanted: Vec<serde_json::Value>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.rows(statement, Args::new().with(serde_json::Value::Array(wanted).to_string())).await
    }

    async fn expect_finals(&mut self, ids: &[i64], expected: &mut Expected) -> Result<(), StoreError> {
        let (all, unreadable) = self.parts(ids).await?;
        for Unreadable { id, error, .. } in unreadable {
            expected.finals.insert(id, Err(error.to_string()));
        }
        let mut texts: HashMap<i64, Arc<str>> = HashMap::new();
        let args = Args::new().with(ids_json(Parts::numbers(&all)));
        for row in self.rows(SELECT_TEXTS, args).await? {
            if let Ok(text) = row.text(1) {
                texts.insert(row.int(0)?, Arc::from(text));
            }
        }
        let errors = self.errors_of_parts(&all).await?;
        for parts in all {
            let made = parts.make(&texts, &errors).map_err(|error| error.to_string());
            expected.finals.insert(parts.id, made);
        }
        Ok(())
    }

    async fn look_at_edges(
        &mut self,
        cursor: &InspectCursor,
        limit: usize,
        location_store: Option<&str>,
    ) -> Result<Page, StoreError> {
        let mut page = Page::default();
        for row in self.rows_after::<2>(SELECT_EDGES, cursor, limit).await? {
            let edge = EdgeRow {
                source: named(&row, 0)?,
                target: named(&row, 3)?,
                is_refused: row.flag(6)?,
                has_error: row.flag(7)?,
                is_registered: row.flag(8)?,
            };
            page.rows += 1;
            page.last = [edge.source.id, edge.target.id, 0, 0];
            page.violations.extend(edge.check(location_store));
        }
        Ok(page)
    }

    async fn look_at_peers(&mut self, cursor: &InspectCursor, limit: usize) -> Result<Page, StoreError> {
        let mut peers = Vec::new();
        for row in self.rows_after::<4>(SELECT_PEERS, cursor, limit).await? {
            peers.push(PeerRow {
                relation: (row.int(0)?, row.int(1)?, row.int(2)?),
                source_text: row.text_opt(4).ok().flatten().map(str::to_owned),
                originator: Named { id: row.int(3)?, text: text(&row, 5), is_entity: true },
            });
        }
        let mut page = Page { rows: peers.len(), ..Page::default() };
        if let Some(PeerRow { relation, originator, .. }) = peers.last() {
            page.last = [relation.0, relation.1, relation.2, originator.id];
        }
        peers.sort_unstable_by_key(|peer| peer.originator.id);
        let originators: Vec<&[PeerRow]> =
            peers.chunk_by(|one, other| one.originator.id == other.originator.id).collect();
        for originators in originators.chunks(RESULTS_MAX) {
            let peers = || originators.iter().copied().flatten();
            let args = Args::new()
                .with(ids_json(originators.iter().filter_map(|peers| Some(peers.first()?.originator.id))));
            let mut emitted = HashMap::new();
            for row in self.rows(SELECT_EMITTED, args).await? {
                let id = row.int(0)?;
                emitted.insert(id, Packed::relations(id, row.blob(1).ok()));
            }
            page.violations.extend(peers().filter_map(|peer| peer.check(emitted.get(&peer.originator.id))));
        }
        Ok(page)
    }

    async fn look_at_keys(&mut self, cursor: &InspectCursor, limit: usize) -> Result<Page, StoreError> {
        let mut keys = Vec::new();
        for row in self.rows_after::<2>(SELECT_KEYS, cursor, limit).await? {
            let carrier = Named { id: row.int(1)?, text: text(&row, 2), is_entity: true };
            keys.push(KeyRow { key: row.int(0)?, carrier });
        }
        let mut page = Page { rows: keys.len(), ..Page::default() };
        if let Some(KeyRow { key, carrier }) = keys.last() {
            page.last = [*key, carrier.id, 0, 0];
        }
        keys.sort_unstable_by_key(|key| key.carrier.id);
        let carriers: Vec<&[KeyRow]> =
            keys.chunk_by(|one, other| one.carrier.id == other.carrier.id).collect();
        for carriers in carriers.chunks(RESULTS_MAX) {
            let keys = || carriers.iter().copied().flatten();
            let args =
                Args::new().with(ids_json(carriers.iter().filter_map(|keys| Some(keys.first()?.carrier.id))));
            let mut carried = HashMap::new();
            for row in self.rows(SELECT_CARRIED, args).await? {
                carried.insert(row.int(0)?, Packed::keys(row.blob(1).ok()));
            }
            page.violations.extend(keys().filter_map(|key| key.check(carried.get(&key.carrier.id))));
        }
        Ok(page)
    }

    async fn look_at_errors(&mut self, cursor: &InspectCursor, limit: usize) -> Result<Page, StoreError> {
        let mut errors = Vec::new();
        for row in self.rows_after::<1>(SELECT_ERRORS_AFTER, cursor, limit).await? {
            let (category, key) = (row.int(4).unwrap_or(-1), row.blob(5).unwrap_or_default().to_vec());
            errors.push(ErrorOf { id: row.int(0)?, owner: named(&row, 1)?, category, key });
        }
        let refused = errors.iter().filter_map(ErrorOf::refused);
        let wanted = refused.map(|(source, target)| serde_json::json!([source, target])).collect();
        let rows = self.rows_of(SELECT_REFUSED_THERE, wanted).await?;
        let refused: HashSet<(i64, i64)> =
            rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect::<Result<_, StoreError>>()?;
        let last = [errors.last().map_or(0, |error| error.id), 0, 0, 0];
        let violations = errors.iter().filter_map(|error| error.check(&refused)).collect();
        Ok(Page { violations, rows: errors.len(), last, ..Page::default() })
    }

    async fn look_at_mentions(
        &mut self,
        statement: Statement,
        cursor: &InspectCursor,
        limit: usize,
        check: fn(&Mention) -> Option<Violation>,
    ) -> Result<Page, StoreError> {
        let mut page = Page::default();
        for row in self.rows_after::<1>(statement, cursor, limit).await? {
            let mention = Mention { key: row.int(0)?, about: row.int(1)?, has_text: row.flag(2)? };
            page.rows += 1;
            page.last = [mention.key, 0, 0, 0];
            page.violations.extend(check(&mention));
        }
        Ok(page)
    }

    async fn look_at_locations(
        &mut self,
        cursor: &InspectCursor,
        limit: usize,
        location_store: Option<&str>,
    ) -> Result<Page, StoreError> {
        let mut page = Page::default();
        let args = Args::new()
            .with(cursor.after_text.as_str())
            .with(i64::try_from(limit).unwrap_or(i64::MAX))
            .with(provider_text(location_store.unwrap_or_default()));
        for row in self.rows(SELECT_LOCATIONS_AFTER, args).await? {
            let location =
                LocationRow { id: row.text(0)?.to_owned(), entity: named(&row, 1)?, is_held: row.flag(4)? };
            page.rows += 1;
            page.violations.extend(location.check(location_store.is_some()));
            page.last_text = location.id;
        }
        Ok(page)
    }

    /// `relations` is the sum of all pages.
    async fn look_at_sums(&mut self, relations: &RelationSum) -> Result<Page, StoreError> {
        let mut page = Page::default();
        if relations.missing_in(self.counted().await?).is_some()
            && let Some((counted, missing)) = self.miscounted().await?
        {
            page.violations.push(wrong_count(counted, missing));
        }
        if let Some((head, newest)) = self.head_behind().await? {
            page.violations.push(wrong_head(head, newest));
        }
        Ok(page)
    }

    async fn counted(&mut self) -> Result<i64, StoreError> {
        self.row(SELECT_COUNTED, Args::new()).await?.map_or(Ok(0), |row| row.int(0))
    }

    /// How many relations are counted, and how many are missing in that, if any. Reads all results.
    async fn miscounted(&mut self) -> Result<Option<(i64, i64)>, StoreError> {
        let counted = self.counted().await?;
        let (mut sum, mut after) = (RelationSum::default(), 0);
        loop {
            let page = self.rows(SELECT_ALL_EMITTED, Args::new().with(after).with(COUNT_PAGE)).await?;
            if page.is_empty() {
                return Ok(sum.missing_in(counted).map(|missing| (counted, missing)));
            }
            for row in &page {
                after = row.int(0)?;
                sum.add(after, row.blob(1).ok());
            }
        }
    }

    /// Where the change log goes on, and where it was, if it goes on before that.
    async fn head_behind(&mut self) -> Result<Option<(i64, i64)>, StoreError> {
        let Some(row) = self.row(SELECT_HEAD, Args::new()).await? else { return Ok(None) };
        let (head, newest) = (row.int(0)?, row.int(1)?);
        Ok((head < newest).then_some((head, newest)))
    }
}

/// A number, its text, and whether it is an entity, from this column on.
fn named(row: &SqliteRow, at: usize) -> Result<Named, StoreError> {
    Ok(Named { id: row.int(at)?, text: text(row, at + 1), is_entity: row.flag(at + 2)? })
}

fn text(row: &SqliteRow, at: usize) -> Option<String> {
    row.text_opt(at).ok().flatten().map(str::to_owned)
}
