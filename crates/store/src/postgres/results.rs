//! What good runs emitted: processed entities, relations, refresh keys. Written by difference. All rows of an entity's
//! result, and those that carry it as their originator, are written by whoever holds its row of `schedule`.

use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt as _};
use sqlx::postgres::PgRow;

use super::row::{RowExt as _, uuid};
use super::session::{Args, chunks};
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
    FORGET_ETAGS = "UPDATE final_entities SET etag = '' WHERE id = ANY($1)";
    SELECT_RESULTS = "SELECT id, body_digest, relations, refresh_keys, status FROM results WHERE id = ANY($1)";
    PUT_BODIES =
        "INSERT INTO bodies (id, digest, metadata_end, annotations_end, own_etag, json) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, metadata_end = excluded.metadata_end, \
             annotations_end = excluded.annotations_end, own_etag = excluded.own_etag, json = excluded.json";
    PUT_RESULTS =
        "INSERT INTO results (id, body_digest, relations, refresh_keys, status) \
         SELECT * FROM unnest($1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO UPDATE SET body_digest = excluded.body_digest, relations = excluded.relations, \
             refresh_keys = excluded.refresh_keys, status = excluded.status";
    // To look for what cannot be there takes as long as to insert.
    INSERT_PEER_RELATIONS =
        "INSERT INTO peer_relations (source, type, target, originator) SELECT * FROM unnest($1, $2, $3, $4)";
    INSERT_MISSING_PEER_RELATIONS =
        "INSERT INTO peer_relations (source, type, target, originator) SELECT * FROM unnest($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING";
    DELETE_PEER_RELATIONS =
        "DELETE FROM peer_relations p USING unnest($1, $2, $3, $4) j(source, type, target, originator) \
         WHERE p.source = j.source AND p.type = j.type AND p.target = j.target AND p.originator = j.originator";
    INSERT_REFRESH_KEYS =
        "INSERT INTO refresh_keys (key, id) SELECT * FROM unnest($1, $2) ON CONFLICT DO NOTHING";
    DELETE_REFRESH_KEYS =
        "DELETE FROM refresh_keys k USING unnest($1, $2) j(key, id) WHERE k.key = j.key AND k.id = j.id";
    // No index leads to these; they are only looked for after damage.
    DELETE_PEER_RELATIONS_OF = "DELETE FROM peer_relations WHERE originator = ANY($1) RETURNING source";
    DELETE_REFRESH_KEYS_OF = "DELETE FROM refresh_keys WHERE id = ANY($1)";
}

fn result_row(row: &PgRow) -> Result<ResultRow, StoreError> {
    Ok(ResultRow {
        body_digest: row.digest(1).ok(),
        relations: row.blob(2)?.to_vec(),
        refresh_keys: row.blob(3)?.to_vec(),
        status: row.text_opt(4)?.map(std::borrow::Cow::into_owned),
    })
}

impl Writer<'_> {
    /// Replaces what the entities' last good runs emitted. Queues them for stitching, and those at which relations
    /// begin that came or went. All that the relations name is in `names`.
    pub(super) async fn results_replace(&mut self, runs: &[GoodRun<'_>]) -> Result<(), StoreError> {
        let mut stored = HashMap::new();
        let mut unreadable = BTreeSet::new();
        for row in self.db.rows(SELECT_RESULTS, Args::new().list(runs.iter().map(|run| run.id))).await? {
            let id = row.int(0)?;
            match result_row(&row) {
                Ok(result) => drop(stored.insert(id, result)),
                Err(_) => drop(unreadable.insert(id)),
            }
        }
        let difference = Difference::compare(runs, &stored, unreadable, &self.names)?;
        for run in runs {
            self.work.add(run.id, if run.is_awaited { Urgency::Awaited } else { Urgency::Own });
        }
        self.write_difference(difference).await
    }

    async fn write_difference(&mut self, difference: Difference<'_>) -> Result<(), StoreError> {
        for (relation, _) in difference.relations_added.iter().chain(&difference.relations_removed) {
            self.work.add(relation.0, Urgency::Peer);
        }
        self.let_go(difference.relations_gone);
        self.count_relations(difference.relations_grown);
        if !difference.rewritten.is_empty() {
            self.db.run(FORGET_ETAGS, Args::new().list(difference.rewritten)).await?;
        }
        self.unreadable_retract(difference.unreadable).await?;
        self.put_bodies(&difference.bodies).await?;
        self.put_results(&difference.results).await?;
        self.peer_relations_delete(&difference.relations_removed).await?;
        self.peer_relations_insert(difference.relations_added).await?;
        self.refresh_keys_delete(&difference.keys_removed).await?;
        self.refresh_keys_insert(&difference.keys_added).await
    }

    async fn put_bodies(&mut self, bodies: &[(i64, &PackedBody)]) -> Result<(), StoreError> {
        let end = |end: u32| i32::try_from(end).unwrap_or(i32::MAX);
        for bodies in chunks(bodies, |(_, body)| body.json.len()) {
            let args = Args::new()
                .list(bodies.iter().map(|(id, _)| *id))
                .list(bodies.iter().map(|(_, body)| uuid(&body.digest)))
                .list(bodies.iter().map(|(_, body)| end(body.metadata_end)))
                .list(bodies.iter().map(|(_, body)| end(body.annotations_end)))
                .list(bodies.iter().map(|(_, body)| body.own_etag))
                .list(bodies.iter().map(|(_, body)| body.json.as_slice()));
            self.db.write("bodies", PUT_BODIES, args).await?;
        }
        Ok(())
    }

    async fn put_results(&mut self, results: &[(i64, ResultRow)]) -> Result<(), StoreError> {
        for rows in chunks(results, |(_, row)| row.relations.len() + row.refresh_keys.len()) {
            let args = Args::new()
                .list(rows.iter().map(|(id, _)| *id))
                .list(rows.iter().map(|(_, row)| row.body_digest.as_ref().map(uuid)))
                .list(rows.iter().map(|(_, row)| row.relations.as_slice()))
                .list(rows.iter().map(|(_, row)| row.refresh_keys.as_slice()))
                .list(rows.iter().map(|(_, row)| row.status.as_deref()));
            self.db.write("results", PUT_RESULTS, args).await?;
        }
        Ok(())
    }

    /// Removes all traces that the entities' results left outside their own rows, and queues those at which their
    /// relations began.
    pub(super) async fn results_retract(&mut self, ids: &BTreeSet<i64>) -> Result<(), StoreError> {
        let mut traces = Traces::default();
        for row in self.db.rows(SELECT_RESULTS, Args::new().list(ids.iter().copied())).await? {
            traces.add(row.int(0)?, result_row(&row));
        }
        let Traces { relations, keys, unreadable, relations_count } = traces;
        self.count_relations(-i64::try_from(relations_count).unwrap_or_default());
        for (relation, _) in &relations {
            self.work.add(relation.0, Urgency::Peer);
        }
        self.unreadable_retract(unreadable).await?;
        self.peer_relations_delete(&relations).await?;
        self.refresh_keys_delete(&keys).await
    }

    /// Does the same for results that do not say what these traces are. No index leads from an entity to them.
    async fn unreadable_retract(&mut self, ids: BTreeSet<i64>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = ids.into_iter().collect();
        for row in self.db.rows(DELETE_PEER_RELATIONS_OF, Args::new().with(&ids)).await? {
            self.work.add(row.int(0)?, Urgency::Peer);
            self.count_relations(-1);
            self.let_go(1);
        }
        self.db.run(DELETE_REFRESH_KEYS_OF, Args::new().with(ids)).await.map(drop)
    }

    pub(super) async fn peer_relations_insert(
        &mut self,
        mut added: Vec<(Triple, i64)>,
    ) -> Result<(), StoreError> {
        if added.is_empty() {
            return Ok(());
        }
        // In the order of the index, each page of it is visited once.
        added.sort_unstable();
        let insert = if self.finds_strays { INSERT_MISSING_PEER_RELATIONS } else { INSERT_PEER_RELATIONS };
        self.db.write("peer_relations", insert, relations(&added)).await.map(drop)
    }

    /// Inserts those that are not there.
    pub(super) async fn refresh_keys_insert(&mut self, added: &[(i64, i64)]) -> Result<(), StoreError> {
        if added.is_empty() {
            return Ok(());
        }
        self.db.write("refresh_keys", INSERT_REFRESH_KEYS, keys(added)).await.map(drop)
    }

    pub(super) async fn peer_relations_delete(&mut self, gone: &[(Triple, i64)]) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        self.db.write("peer_relations", DELETE_PEER_RELATIONS, relations(gone)).await.map(drop)
    }

    pub(super) async fn refresh_keys_delete(&mut self, gone: &[(i64, i64)]) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        self.db.write("refresh_keys", DELETE_REFRESH_KEYS, keys(gone)).await.map(drop)
    }
}

fn relations(rows: &[(Triple, i64)]) -> Args {
    Args::new()
        .list(rows.iter().map(|(relation, _)| relation.0))
        .list(rows.iter().map(|(relation, _)| relation.1))
        .list(rows.iter().map(|(relation, _)| relation.2))
        .list(rows.iter().map(|(_, originator)| *originator))
}

fn keys(rows: &[(i64, i64)]) -> Args {
    Args::new().list(rows.iter().map(|(key, _)| *key)).list(rows.iter().map(|(_, id)| *id))
}
