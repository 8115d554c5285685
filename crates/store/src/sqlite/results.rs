//! What good runs emitted: processed entities, relations, refresh keys. Written by difference.
//!
//! A stored result that cannot be read counts as none: what it left in other tables is then searched for, so that the
//! next result heals the entity.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt as _};
use sqlx::sqlite::SqliteRow;

use super::codec::{
    RowExt as _, Triple, ids_json, pack_keys, pack_relations, refresh_key, unpack_keys, unpack_relations,
};
use super::session::Args;
use super::statement::{bulk_statements, statements};
use super::writer::Writer;
use crate::{PackedBody, Processed, RelationKey, StoreError};

statements! {
    // Readers may see the new body before it is stitched. So that they hear of it if it becomes the old one again until
    // then, stitching must not find that nothing changed.
    FORGET_ETAGS = "UPDATE final_entities SET etag = '' WHERE id IN (SELECT value FROM json_each(?1))";
    SELECT_RESULTS =
        "SELECT r.id, r.body_digest, r.relations, r.refresh_keys, r.status \
         FROM json_each(?1) j CROSS JOIN results r ON r.id = j.value";
    DELETE_PEER_RELATIONS_OF =
        "DELETE FROM peer_relations WHERE originator IN (SELECT value FROM json_each(?1)) RETURNING source";
    DELETE_REFRESH_KEYS_OF = "DELETE FROM refresh_keys WHERE id IN (SELECT value FROM json_each(?1))";
}

bulk_statements! {
    PUT_BODIES("bodies", 6) =
        "INSERT INTO bodies (id, digest, metadata_end, annotations_end, own_etag, json) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, metadata_end = excluded.metadata_end, \
             annotations_end = excluded.annotations_end, own_etag = excluded.own_etag, json = excluded.json";
    PUT_RESULTS("results", 5) =
        "INSERT INTO results (id, body_digest, relations, refresh_keys, status) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET body_digest = excluded.body_digest, relations = excluded.relations, \
             refresh_keys = excluded.refresh_keys, status = excluded.status";
    INSERT_PEER_RELATIONS("peer_relations", 4) =
        "INSERT INTO peer_relations (source, type, target, originator) VALUES {rows} ON CONFLICT DO NOTHING";
    DELETE_PEER_RELATIONS("peer_relations", 4) =
        "DELETE FROM peer_relations WHERE (source, type, target, originator) IN (VALUES {rows})";
    INSERT_REFRESH_KEYS("refresh_keys", 2) =
        "INSERT INTO refresh_keys (key, id) VALUES {rows} ON CONFLICT DO NOTHING";
    DELETE_REFRESH_KEYS("refresh_keys", 2) = "DELETE FROM refresh_keys WHERE (key, id) IN (VALUES {rows})";
}

/// A good run of one entity.
#[derive(Debug, Clone, Copy)]
pub(super) struct GoodRun<'a> {
    pub(super) id: i64,
    pub(super) processed: &'a Processed,
    /// Whether somebody waits for it.
    pub(super) is_awaited: bool,
}

/// A row of `results`.
#[derive(Debug, Default, PartialEq, Eq)]
struct ResultRow {
    body_digest: Vec<u8>,
    relations: Vec<u8>,
    refresh_keys: Vec<u8>,
    status: Option<String>,
}

impl ResultRow {
    fn from_row(row: &SqliteRow) -> Result<Self, StoreError> {
        Ok(Self {
            body_digest: row.blob(1)?.to_vec(),
            relations: row.blob(2)?.to_vec(),
            refresh_keys: row.blob(3)?.to_vec(),
            status: row.text_opt(4)?.map(str::to_owned),
        })
    }

    fn emitted(&self, id: i64) -> Result<Emitted, StoreError> {
        Ok(Emitted {
            relations: unpack_relations(id, &self.relations)?,
            keys: unpack_keys(&self.refresh_keys)?,
        })
    }
}

/// What a row of `results` stands for in other tables.
#[derive(Debug, Default)]
struct Emitted {
    relations: Vec<Triple>,
    keys: Vec<i64>,
}

/// Collects the differences.
#[derive(Debug, Default)]
struct Difference<'a> {
    /// The entities whose stored results cannot be read.
    unreadable: BTreeSet<i64>,
    bodies: Vec<(i64, &'a PackedBody)>,
    results: Vec<(i64, ResultRow)>,
    relations_added: Vec<(Triple, i64)>,
    relations_removed: Vec<(Triple, i64)>,
    keys_added: Vec<(i64, i64)>,
    keys_removed: Vec<(i64, i64)>,
}

impl Writer<'_> {
    /// Replaces what the entities' last good runs emitted. Queues them for stitching, and those at which relations
    /// begin that came or went.
    pub(super) async fn results_replace(&mut self, runs: Vec<GoodRun<'_>>) -> Result<(), StoreError> {
        let mut stored = HashMap::new();
        let mut difference = Difference::default();
        let ids = ids_json(runs.iter().map(|run| run.id));
        for row in self.db.rows(SELECT_RESULTS, Args::new().with(ids)).await? {
            let id = row.int(0)?;
            match ResultRow::from_row(&row) {
                Ok(result) => drop(stored.insert(id, result)),
                Err(_) => drop(difference.unreadable.insert(id)),
            }
        }
        self.intern(
            runs.iter().flat_map(|run| &run.processed.relations).flat_map(|r| [&r.source, &r.target]),
        )
        .await?;
        self.intern_relation_types(runs.iter().flat_map(|run| &run.processed.relations).map(|r| &r.kind))
            .await?;
        let mut rewritten = Vec::new();
        for run in runs {
            let before = stored.get(&run.id);
            if before.is_some_and(|before| before.body_digest != run.processed.body.digest.as_bytes()) {
                rewritten.push(run.id);
            }
            if run.is_awaited {
                self.stitch_awaited(run.id);
            } else {
                self.stitch(run.id);
            }
            self.compare(run, &stored, &mut difference)?;
        }
        if !rewritten.is_empty() {
            self.db.run(FORGET_ETAGS, Args::new().with(ids_json(rewritten))).await?;
        }
        self.write_difference(difference).await
    }

    fn compare<'a>(
        &mut self,
        run: GoodRun<'a>,
        stored: &HashMap<i64, ResultRow>,
        difference: &mut Difference<'a>,
    ) -> Result<(), StoreError> {
        let GoodRun { id, processed, .. } = run;
        let body = &processed.body;
        let before = stored.get(&id);
        let triple = |r: &RelationKey| {
            Ok((self.interned(&r.source)?, self.relation_type_id(&r.kind)?, self.interned(&r.target)?))
        };
        let relations =
            processed.relations.iter().map(triple).collect::<Result<Vec<Triple>, StoreError>>()?;
        let relations = sorted(relations);
        let keys = sorted(processed.refresh_keys.iter().map(|key| refresh_key(key)).collect());
        let after = ResultRow {
            body_digest: body.digest.as_bytes().to_vec(),
            relations: pack_relations(id, &relations),
            refresh_keys: pack_keys(&keys),
            status: body.status.clone(),
        };
        if before == Some(&after) {
            return Ok(());
        }
        if before.is_none_or(|before| before.body_digest != after.body_digest) {
            difference.bodies.push((id, body));
        }
        let emitted = before.map_or_else(|| Ok(Emitted::default()), |before| before.emitted(id));
        let emitted = emitted.unwrap_or_else(|_| {
            difference.unreadable.insert(id);
            Emitted::default()
        });
        let is_unreadable = difference.unreadable.contains(&id);
        diff(&emitted.keys, &keys, |key, is_new| {
            if is_new { &mut difference.keys_added } else { &mut difference.keys_removed }.push((key, id));
        });
        let (mut count, mut gone) = (0, 0);
        diff(&emitted.relations, &relations, |relation, is_new| {
            // Nobody can tell how many of its own there were; most likely as many as now.
            if is_unreadable && relation.0 == id {
                return;
            }
            count += if is_new { 1 } else { -1 };
            gone += usize::from(!is_new);
            // The entity's own are read from its result.
            if relation.0 != id {
                self.stitch_peer(relation.0);
                if is_new { &mut difference.relations_added } else { &mut difference.relations_removed }
                    .push((relation, id));
            }
        });
        self.let_go(gone);
        self.count_relations(count);
        difference.results.push((id, after));
        Ok(())
    }

    async fn write_difference(&mut self, difference: Difference<'_>) -> Result<(), StoreError> {
        let Difference {
            unreadable,
            bodies,
            results,
            relations_added,
            relations_removed,
            keys_added,
            keys_removed,
        } = difference;
        self.unreadable_retract(unreadable).await?;
        let bind_body = |args: &mut Args, (id, body): (i64, &PackedBody)| {
            args.push(id);
            args.push(body.digest.as_bytes().to_vec());
            args.push(body.metadata_end);
            args.push(body.annotations_end);
            args.push(body.own_etag);
            args.push(body.json.clone());
        };
        let bind_result = |args: &mut Args, (id, row): (i64, ResultRow)| {
            args.push(id);
            args.push(row.body_digest);
            args.push(row.relations);
            args.push(row.refresh_keys);
            args.push(row.status);
        };
        self.db.bulk(&PUT_BODIES, bodies, bind_body).await?;
        self.db.bulk(&PUT_RESULTS, results, bind_result).await?;
        self.peer_relations_delete(relations_removed).await?;
        let mut relations_added = relations_added;
        // In the order of the index, each page of it is visited once.
        relations_added.sort_unstable();
        self.db.bulk(&INSERT_PEER_RELATIONS, relations_added, bind_relation).await?;
        self.refresh_keys_delete(keys_removed).await?;
        self.db.bulk(&INSERT_REFRESH_KEYS, keys_added, bind_key).await?;
        Ok(())
    }

    /// Removes all traces that the entities' results left outside their own rows, and queues those at which their
    /// relations began.
    pub(super) async fn results_retract(&mut self, ids: &BTreeSet<i64>) -> Result<(), StoreError> {
        let (mut relations, mut keys, mut unreadable) = (Vec::new(), Vec::new(), BTreeSet::new());
        for row in self.db.rows(SELECT_RESULTS, Args::new().with(ids_json(ids.iter().copied()))).await? {
            let id = row.int(0)?;
            let Ok(emitted) = ResultRow::from_row(&row).and_then(|result| result.emitted(id)) else {
                unreadable.insert(id);
                continue;
            };
            self.count_relations(-i64::try_from(emitted.relations.len()).unwrap_or_default());
            for relation in emitted.relations.into_iter().filter(|relation| relation.0 != id) {
                self.stitch_peer(relation.0);
                relations.push((relation, id));
            }
            keys.extend(emitted.keys.into_iter().map(|key| (key, id)));
        }
        self.unreadable_retract(unreadable).await?;
        self.peer_relations_delete(relations).await?;
        self.refresh_keys_delete(keys).await
    }

    /// Does the same for results that do not say what these traces are. No index leads from an entity to them.
    async fn unreadable_retract(&mut self, ids: BTreeSet<i64>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let json = ids_json(ids);
        for row in self.db.rows(DELETE_PEER_RELATIONS_OF, Args::new().with(json.clone())).await? {
            self.stitch_peer(row.int(0)?);
            self.count_relations(-1);
            self.let_go(1);
        }
        self.db.run(DELETE_REFRESH_KEYS_OF, Args::new().with(json)).await.map(drop)
    }

    async fn peer_relations_delete(&mut self, relations: Vec<(Triple, i64)>) -> Result<(), StoreError> {
        self.db.bulk(&DELETE_PEER_RELATIONS, relations, bind_relation).await.map(drop)
    }

    async fn refresh_keys_delete(&mut self, keys: Vec<(i64, i64)>) -> Result<(), StoreError> {
        self.db.bulk(&DELETE_REFRESH_KEYS, keys, bind_key).await.map(drop)
    }
}

fn bind_relation(args: &mut Args, (relation, originator): (Triple, i64)) {
    args.push(relation.0);
    args.push(relation.1);
    args.push(relation.2);
    args.push(originator);
}

fn bind_key(args: &mut Args, (key, id): (i64, i64)) {
    args.push(key);
    args.push(id);
}

/// Sorts, and drops repetitions.
fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}

/// Walks two sorted lists; tells what is in one of them only, and whether that is the second.
fn diff<T: Copy + Ord>(before: &[T], after: &[T], mut tell: impl FnMut(T, bool)) {
    let (mut before, mut after) = (before.iter().copied().peekable(), after.iter().copied().peekable());
    loop {
        match (before.peek(), after.peek()) {
            (Some(old), Some(new)) => match old.cmp(new) {
                Ordering::Equal => {
                    before.next();
                    after.next();
                }
                Ordering::Less => before.next().into_iter().for_each(|old| tell(old, false)),
                Ordering::Greater => after.next().into_iter().for_each(|new| tell(new, true)),
            },
            (Some(_), None) => before.by_ref().for_each(|old| tell(old, false)),
            (None, Some(_)) => after.by_ref().for_each(|new| tell(new, true)),
            (None, None) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_difference_is_told() {
        let told = |before: &[i64], after: &[i64]| {
            let mut told = Vec::new();
            diff(before, after, |item, is_new| told.push((item, is_new)));
            told
        };
        assert_eq!(told(&[], &[]), []);
        assert_eq!(told(&[1, 2, 3], &[2, 3, 4]), [(1, false), (4, true)]);
        assert_eq!(told(&[1], &[]), [(1, false)]);
        assert_eq!(told(&[], &[1]), [(1, true)]);
        assert_eq!(told(&[1, 5], &[1, 5]), []);
    }
}
