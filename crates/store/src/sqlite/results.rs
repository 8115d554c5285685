//! What good runs emitted: processed entities, relations, refresh keys. Written by difference.

use std::collections::BTreeSet;

use callboard_model::Digest;
use foldhash::{HashMap, HashMapExt as _};
use sqlx::sqlite::SqliteRow;

use super::codec::{RowExt as _, ids_json};
use super::session::Args;
use super::statement::bulk_statements;
use super::writer::Writer;
use crate::rules::codec::Triple;
use crate::rules::outcome::GoodRun;
use crate::rules::results::{Difference, ResultRow, Traces};
use crate::rules::statement::statements;
use crate::rules::stitch_work::Urgency;
use crate::{PackedBody, StoreError};

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

fn result_row(row: &SqliteRow) -> Result<ResultRow, StoreError> {
    Ok(ResultRow {
        body_digest: Digest::try_from(row.blob(1)?).ok(),
        relations: row.blob(2)?.to_vec(),
        refresh_keys: row.blob(3)?.to_vec(),
        status: row.text_opt(4)?.map(str::to_owned),
    })
}

impl Writer<'_> {
    /// Replaces what the entities' last good runs emitted. Queues them for stitching, and those at which relations
    /// begin that came or went.
    pub(super) async fn results_replace(&mut self, runs: &[GoodRun<'_>]) -> Result<(), StoreError> {
        let mut stored = HashMap::new();
        let mut unreadable = BTreeSet::new();
        let ids = ids_json(runs.iter().map(|run| run.id));
        for row in self.db.rows(SELECT_RESULTS, Args::new().with(ids)).await? {
            let id = row.int(0)?;
            match result_row(&row) {
                Ok(result) => drop(stored.insert(id, result)),
                Err(_) => drop(unreadable.insert(id)),
            }
        }
        self.intern(
            runs.iter().flat_map(|run| &run.processed.relations).flat_map(|r| [&r.source, &r.target]),
        )
        .await?;
        self.intern_relation_types(runs.iter().flat_map(|run| &run.processed.relations).map(|r| &r.kind))
            .await?;
        let difference = Difference::compare(runs, &stored, unreadable, &self.names)?;
        for run in runs {
            self.work.add(run.id, if run.is_awaited { Urgency::Awaited } else { Urgency::Own });
        }
        self.write_difference(difference).await
    }

    async fn write_difference(&mut self, difference: Difference<'_>) -> Result<(), StoreError> {
        let Difference { bodies, results, relations_added, relations_removed, .. } = difference;
        for (relation, _) in relations_added.iter().chain(&relations_removed) {
            self.work.add(relation.0, Urgency::Peer);
        }
        self.let_go(difference.relations_gone);
        self.count_relations(difference.relations_grown);
        if !difference.rewritten.is_empty() {
            self.db.run(FORGET_ETAGS, Args::new().with(ids_json(difference.rewritten))).await?;
        }
        self.unreadable_retract(difference.unreadable).await?;
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
            args.push(row.body_digest.map(|digest| digest.as_bytes().to_vec()));
            args.push(row.relations);
            args.push(row.refresh_keys);
            args.push(row.status);
        };
        self.db.bulk(&PUT_BODIES, bodies, bind_body).await?;
        self.db.bulk(&PUT_RESULTS, results, bind_result).await?;
        self.peer_relations_delete(relations_removed).await?;
        self.peer_relations_insert(relations_added).await?;
        self.refresh_keys_delete(difference.keys_removed).await?;
        self.refresh_keys_insert(difference.keys_added).await
    }

    /// Removes all traces that the entities' results left outside their own rows, and queues those at which their
    /// relations began.
    pub(super) async fn results_retract(&mut self, ids: &BTreeSet<i64>) -> Result<(), StoreError> {
        let mut traces = Traces::default();
        for row in self.db.rows(SELECT_RESULTS, Args::new().with(ids_json(ids.iter().copied()))).await? {
            traces.add(row.int(0)?, result_row(&row));
        }
        let Traces { relations, keys, unreadable, relations_count } = traces;
        self.count_relations(-i64::try_from(relations_count).unwrap_or_default());
        for (relation, _) in &relations {
            self.work.add(relation.0, Urgency::Peer);
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
            self.work.add(row.int(0)?, Urgency::Peer);
            self.count_relations(-1);
            self.let_go(1);
        }
        self.db.run(DELETE_REFRESH_KEYS_OF, Args::new().with(json)).await.map(drop)
    }

    /// Inserts those that are not there.
    pub(super) async fn peer_relations_insert(
        &mut self,
        mut relations: Vec<(Triple, i64)>,
    ) -> Result<(), StoreError> {
        // In the order of the index, each page of it is visited once.
        relations.sort_unstable();
        self.db.bulk(&INSERT_PEER_RELATIONS, relations, bind_relation).await.map(drop)
    }

    pub(super) async fn peer_relations_delete(
        &mut self,
        relations: Vec<(Triple, i64)>,
    ) -> Result<(), StoreError> {
        self.db.bulk(&DELETE_PEER_RELATIONS, relations, bind_relation).await.map(drop)
    }

    /// Inserts those that are not there.
    pub(super) async fn refresh_keys_insert(&mut self, keys: Vec<(i64, i64)>) -> Result<(), StoreError> {
        self.db.bulk(&INSERT_REFRESH_KEYS, keys, bind_key).await.map(drop)
    }

    pub(super) async fn refresh_keys_delete(&mut self, keys: Vec<(i64, i64)>) -> Result<(), StoreError> {
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
