//! Who handed over what: edges from parents and providers to entities, and the orphans that they leave.
//!
//! Whoever holds a source's lease, or has the graph alone, is the only one who writes its edges. Whether a target is an
//! orphan is decided by whoever has locked the target.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgRow;

use super::row::RowExt as _;
use super::session::Args;
use super::writer::Writer;
use crate::rules::intake::{Edge, heirs};
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::rules::stitch_work::Urgency;
use crate::{Lane, StoreError, Timestamp};

statements! {
    SELECT_EDGES_FROM =
        "SELECT source, target, refused, grp, document, line FROM edges WHERE source = ANY($1)";
    SELECT_EDGES_BETWEEN =
        "SELECT source, target, refused, grp, document, line FROM edges WHERE source = $1 AND target = ANY($2)";
    SELECT_EDGES_TO =
        "SELECT source, target, refused, grp, document, line FROM edges WHERE target = ANY($1)";
    SELECT_SOLE_SOURCE =
        "SELECT target FROM edges WHERE target = ANY($1) AND NOT refused GROUP BY target HAVING count(*) = 1";
    SELECT_REFUSED_SOURCES = "SELECT DISTINCT source FROM edges WHERE target = ANY($1) AND refused";
    INSERT_ORPHANS =
        "INSERT INTO orphans (id) SELECT s.id FROM schedule s WHERE s.id = ANY($1) \
           AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.target = s.id AND NOT e.refused) \
         ON CONFLICT DO NOTHING RETURNING id";
    DELETE_ORPHAN_MARKS = "DELETE FROM orphans WHERE id = ANY($1) RETURNING id";
    PUT_EDGES =
        "INSERT INTO edges (source, target, refused, grp, document, line) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (source, target) DO UPDATE SET refused = excluded.refused, grp = excluded.grp, \
             document = excluded.document, line = excluded.line";
    DELETE_EDGES =
        "DELETE FROM edges e USING unnest($1, $2) j(source, target) \
         WHERE e.source = j.source AND e.target = j.target";
}

fn edge(row: &PgRow) -> Result<Edge, StoreError> {
    Ok(Edge {
        source: row.int(0)?,
        target: row.int(1)?,
        is_refused: row.flag(2)?,
        group: row.int(3)?,
        position: row.int4_opt(4)?.zip(row.int4_opt(5)?),
    })
}

impl Writer<'_> {
    /// All edges that start at these sources.
    pub(super) async fn edges_from(
        &mut self,
        sources: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<Edge>, StoreError> {
        let args = Args::new().list(sources);
        self.db.rows(SELECT_EDGES_FROM, args).await?.iter().map(edge).collect()
    }

    /// The edges from one source to some targets.
    pub(super) async fn edges_between(
        &mut self,
        source: i64,
        targets: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<Edge>, StoreError> {
        let args = Args::new().with(source).list(targets);
        self.db.rows(SELECT_EDGES_BETWEEN, args).await?.iter().map(edge).collect()
    }

    /// All edges that end at these targets.
    pub(super) async fn edges_to(
        &mut self,
        targets: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<Edge>, StoreError> {
        let args = Args::new().list(targets);
        self.db.rows(SELECT_EDGES_TO, args).await?.iter().map(edge).collect()
    }

    /// Those of the targets that have exactly one source.
    pub(super) async fn with_sole_source(
        &mut self,
        targets: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<i64>, StoreError> {
        let args = Args::new().list(targets);
        self.db.rows(SELECT_SOLE_SOURCE, args).await?.iter().map(|row| row.int(0)).collect()
    }

    /// Those who wait for one of the targets to become free.
    pub(super) async fn refused_sources(
        &mut self,
        targets: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<i64>, StoreError> {
        let args = Args::new().list(targets);
        self.db.rows(SELECT_REFUSED_SOURCES, args).await?.iter().map(|row| row.int(0)).collect()
    }

    /// Inserts or overwrites edges. Of equal ones the last counts.
    pub(super) async fn edges_put(&mut self, edges: &[Edge]) -> Result<(), StoreError> {
        if edges.is_empty() {
            return Ok(());
        }
        // No row may come twice in one statement.
        let edges: BTreeMap<(i64, i64), &Edge> =
            edges.iter().map(|edge| ((edge.source, edge.target), edge)).collect();
        let number = |number: Option<u32>| number.map(|number| i32::try_from(number).unwrap_or(i32::MAX));
        let args = Args::new()
            .list(edges.values().map(|edge| edge.source))
            .list(edges.values().map(|edge| edge.target))
            .list(edges.values().map(|edge| edge.is_refused))
            .list(edges.values().map(|edge| edge.group))
            .list(edges.values().map(|edge| number(edge.position.map(|(document, _)| document))))
            .list(edges.values().map(|edge| number(edge.position.map(|(_, line)| line))));
        self.db.write("edges", PUT_EDGES, args).await.map(drop)
    }

    /// Deletes edges, by source and target.
    pub(super) async fn edges_delete(&mut self, edges: &[(i64, i64)]) -> Result<(), StoreError> {
        if edges.is_empty() {
            return Ok(());
        }
        self.let_go(edges.len());
        let args = Args::new()
            .list(edges.iter().map(|(source, _)| *source))
            .list(edges.iter().map(|(_, target)| *target));
        self.db.write("edges", DELETE_EDGES, args).await.map(drop)
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
        let orphans = self.db.rows(INSERT_ORPHANS, Args::new().list(targets.iter().copied())).await?;
        if orphans.len() < targets.len() {
            // Whoever has another source left may have it from a cycle that nothing else holds.
            self.hint_cycle();
        }
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
        let args = Args::new().list(targets.iter().copied());
        let adopted = self.db.rows(DELETE_ORPHAN_MARKS, args).await?;
        if !adopted.is_empty() {
            // The new source may be one that the orphan itself brought in.
            self.hint_cycle();
        }
        for row in adopted {
            self.work.add(row.int(0)?, Urgency::Own);
        }
        Ok(())
    }
}
