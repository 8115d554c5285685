//! Who handed over what: edges from parents and providers to entities, and the orphans that they leave.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteRow;

use super::codec::{RowExt as _, ids_json};
use super::session::Args;
use super::statement::bulk_statements;
use super::writer::Writer;
use crate::rules::intake::{Edge, heirs};
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::rules::stitch_work::Urgency;
use crate::{Lane, StoreError, Timestamp};

statements! {
    SELECT_EDGES_FROM =
        "SELECT e.source, e.target, e.refused, e.grp, e.document, e.line \
         FROM json_each(?1) j CROSS JOIN edges e ON e.source = j.value";
    SELECT_EDGES_BETWEEN =
        "SELECT e.source, e.target, e.refused, e.grp, e.document, e.line \
         FROM json_each(?2) j CROSS JOIN edges e ON e.source = ?1 AND e.target = j.value";
    SELECT_EDGES_TO =
        "SELECT e.source, e.target, e.refused, e.grp, e.document, e.line \
         FROM json_each(?1) j CROSS JOIN edges e ON e.target = j.value";
    SELECT_SOLE_SOURCE =
        "SELECT e.target FROM json_each(?1) j CROSS JOIN edges e ON e.target = j.value AND e.refused = 0 \
         GROUP BY e.target HAVING count(*) = 1";
    SELECT_REFUSED_SOURCES =
        "SELECT DISTINCT e.source FROM json_each(?1) j CROSS JOIN edges e ON e.target = j.value AND e.refused = 1";
    INSERT_ORPHANS =
        "INSERT INTO orphans (id) \
         SELECT r.id FROM json_each(?1) j CROSS JOIN schedule r ON r.id = j.value \
         WHERE NOT EXISTS (SELECT 1 FROM edges e WHERE e.target = r.id AND e.refused = 0) \
         ON CONFLICT DO NOTHING RETURNING id";
    DELETE_ORPHANS = "DELETE FROM orphans WHERE id IN (SELECT value FROM json_each(?1)) RETURNING id";
}

bulk_statements! {
    PUT_EDGES("edges", 6) =
        "INSERT INTO edges (source, target, refused, grp, document, line) VALUES {rows} \
         ON CONFLICT (source, target) DO UPDATE SET refused = excluded.refused, grp = excluded.grp, \
             document = excluded.document, line = excluded.line";
    DELETE_EDGES("edges", 2) = "DELETE FROM edges WHERE (source, target) IN (VALUES {rows})";
}

fn edge(row: &SqliteRow) -> Result<Edge, StoreError> {
    Ok(Edge {
        source: row.int(0)?,
        target: row.int(1)?,
        is_refused: row.flag(2)?,
        group: row.int(3)?,
        position: row.small_opt(4)?.zip(row.small_opt(5)?),
    })
}

impl Writer<'_> {
    /// All edges that start at these sources.
    pub(super) async fn edges_from(
        &mut self,
        sources: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<Edge>, StoreError> {
        let args = Args::new().with(ids_json(sources));
        self.db.rows(SELECT_EDGES_FROM, args).await?.iter().map(edge).collect()
    }

    /// The edges from one source to some targets.
    pub(super) async fn edges_between(
        &mut self,
        source: i64,
        targets: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<Edge>, StoreError> {
        let args = Args::new().with(source).with(ids_json(targets));
        self.db.rows(SELECT_EDGES_BETWEEN, args).await?.iter().map(edge).collect()
    }

    /// All edges that end at these targets.
    pub(super) async fn edges_to(
        &mut self,
        targets: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<Edge>, StoreError> {
        let args = Args::new().with(ids_json(targets));
        self.db.rows(SELECT_EDGES_TO, args).await?.iter().map(edge).collect()
    }

    /// Those of the targets that have exactly one source.
    pub(super) async fn with_sole_source(
        &mut self,
        targets: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<i64>, StoreError> {
        let args = Args::new().with(ids_json(targets));
        self.db.rows(SELECT_SOLE_SOURCE, args).await?.iter().map(|row| row.int(0)).collect()
    }

    /// Those who wait for one of the targets to become free.
    pub(super) async fn refused_sources(
        &mut self,
        targets: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<i64>, StoreError> {
        let args = Args::new().with(ids_json(targets));
        self.db.rows(SELECT_REFUSED_SOURCES, args).await?.iter().map(|row| row.int(0)).collect()
    }

    /// Inserts or overwrites edges.
    pub(super) async fn edges_put(&mut self, edges: &[Edge]) -> Result<(), StoreError> {
        let bind = |args: &mut Args, edge: &Edge| {
            args.push(edge.source);
            args.push(edge.target);
            args.push(edge.is_refused);
            args.push(edge.group);
            args.push(edge.position.map(|(document, _)| document));
            args.push(edge.position.map(|(_, line)| line));
        };
        self.db.bulk(&PUT_EDGES, edges, bind).await.map(drop)
    }

    /// Deletes edges, by source and target.
    pub(super) async fn edges_delete(&mut self, edges: &[(i64, i64)]) -> Result<(), StoreError> {
        let bind = |args: &mut Args, (source, target): &(i64, i64)| {
            args.push(*source);
            args.push(*target);
        };
        self.let_go(edges.len());
        self.db.bulk(&DELETE_EDGES, edges, bind).await.map(drop)
    }

    /// Takes down which of the targets are orphans now; their final entities say so. Whoever has something to say about
    /// the targets is due.
    pub(super) async fn sources_lost(
        &mut self,
        targets: &BTreeSet<i64>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if targets.is_empty() {
            return Ok(());
        }
        let args = Args::new().with(ids_json(targets.iter().copied()));
        let orphans = self.db.rows(INSERT_ORPHANS, args).await?;
        // Whoever has another source left may have it from a cycle that nothing else holds.
        self.state.may_have_cycles |= orphans.len() < targets.len();
        let orphans: Vec<i64> = orphans.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        for id in &orphans {
            self.work.add(*id, Urgency::Own);
        }
        let left = self.edges_to(targets.iter().copied()).await?;
        self.mark_due(heirs(&left, &orphans), Lane::Event, Run::InFull, now).await?;
        Ok(())
    }

    /// The targets have a source; those that were orphans no longer say so.
    pub(super) async fn sources_gained(&mut self, targets: &BTreeSet<i64>) -> Result<(), StoreError> {
        if targets.is_empty() {
            return Ok(());
        }
        let args = Args::new().with(ids_json(targets.iter().copied()));
        let adopted = self.db.rows(DELETE_ORPHANS, args).await?;
        // The new source may be one that the orphan itself brought in.
        self.state.may_have_cycles |= !adopted.is_empty();
        for row in adopted {
            self.work.add(row.int(0)?, Urgency::Own);
        }
        Ok(())
    }
}
