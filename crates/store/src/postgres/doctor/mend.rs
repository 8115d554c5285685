//! Mending what was found, in one transaction.

use std::collections::BTreeSet;

use foldhash::HashSet;

use super::super::PostgresStore;
use super::super::again::Tries;
use super::super::locks::Graph;
use super::super::names::Wanted;
use super::super::row::{RowExt as _, whole_micros};
use super::super::session::{Args, Session};
use super::super::writer::Writer;
use crate::doctor::{Invariant, Mended, Site, Violation};
use crate::rules::doctor::{EntityRows, Work};
use crate::rules::schedule::Run;
use crate::rules::statement::{Statement, statements};
use crate::rules::stitch_work::Urgency;
use crate::{Lane, StoreError, Timestamp};

statements! {
    // Whatever the time, the lane and the lease were.
    RESCHEDULE =
        "UPDATE schedule SET next_update_at = $2, lane = $3, wished = true, lease_until = NULL, lease_token = NULL \
         WHERE id = ANY($1)";
    // Other content than any, so that what is handed over next is written.
    FORGET_UNPROCESSED =
        "UPDATE refresh_state SET digest = '00000000-0000-0000-0000-000000000000' WHERE id = ANY($1)";
    DROP_CACHES = "DELETE FROM caches WHERE id = ANY($1)";
    // Another body than any, so that the one of the next run is written.
    FORGET_BODIES = "UPDATE results SET body_digest = '00000000-0000-0000-0000-000000000000' WHERE id = ANY($1)";
    FORGET_FINALS =
        "UPDATE final_entities f SET etag = '', uid = r.uid FROM refresh_state r WHERE r.id = f.id AND f.id = ANY($1)";
    // Without those of which a full run is wanted already.
    SELECT_LOCATIONS_TO_RUN =
        "SELECT s.id FROM refs i JOIN schedule s ON s.id = i.id \
         WHERE i.entity_ref >= 'location:' AND i.entity_ref < 'location;' AND s.fingerprint IS NOT NULL";
    DELETE_WORK = "DELETE FROM stitch_queue WHERE seq = ANY($1)";
    DELETE_CHANGES = "DELETE FROM change_log WHERE position = ANY($1)";
    CORRECT_COUNT =
        "UPDATE counters SET relations = relations + $1 \
         WHERE shard = 0 AND (SELECT sum(c.relations)::bigint FROM counters c) = $2";
    // Whoever looked a number up before does so again.
    BEGIN_EPOCH = "UPDATE meta SET value = value + 1 WHERE key = 'refs_epoch'";
    SET_HEAD = "UPDATE change_head SET position = greatest(position, $1)";
    INSERT_HEAD =
        "INSERT INTO change_head (position) SELECT $1::bigint WHERE NOT EXISTS (SELECT 1 FROM change_head)";
}

impl PostgresStore {
    pub(in super::super) async fn mend_found(
        &self,
        violations: &[Violation],
        now: Timestamp,
    ) -> Result<Mended, StoreError> {
        if violations.is_empty() {
            return Ok(Mended::default());
        }
        // Reads every result, so it is done beside everybody else. Whoever writes meanwhile changes the count and what is
        // counted by the same number.
        let is_miscounted = violations.iter().any(|found| found.invariant == Invariant::RelationCount);
        let miscounted =
            if is_miscounted { self.connections.snapshot().await?.miscounted().await? } else { None };
        // Damage is seldom, and may be anywhere.
        let mut tries = Tries::new(Graph::Exclusive);
        loop {
            let result = self.mend_once(violations, miscounted, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn mend_once(
        &self,
        violations: &[Violation],
        miscounted: Option<(i64, i64)>,
        now: Timestamp,
        graph: Graph,
    ) -> Result<Mended, StoreError> {
        let mut mended = Mended::default();
        let mut writer = self.writer(graph, &Wanted::none()).await?;
        writer.finds_strays = true;
        writer.lock(&violations.iter().flat_map(|found| found.site.entities()).collect()).await?;
        let still = writer.db.still(violations, now).await?;
        let mut work = Work::default();
        for (place, violation) in violations.iter().enumerate() {
            match violation.invariant {
                Invariant::NamelessLocation => {}
                Invariant::UnheldLocation | Invariant::UnregisteredLocation => mended.needs_locations = true,
                Invariant::RelationCount => {
                    let is_corrected = match miscounted {
                        Some((counted, missing)) => writer.correct_count(counted, missing).await?,
                        None => false,
                    };
                    if is_corrected { &mut mended.mended } else { &mut mended.gone }.push(place);
                }
                _ if writer.db.is_still(violation, &still, now).await? => {
                    work.add(violation);
                    mended.mended.push(place);
                }
                _ => mended.gone.push(place),
            }
        }
        writer.do_work(work, now).await?;
        writer.finish().await?;
        Ok(mended)
    }
}

impl Session {
    /// Looks at the rows of all entities again that break something; answers what they still do.
    async fn still(
        &mut self,
        violations: &[Violation],
        now: Timestamp,
    ) -> Result<HashSet<(Invariant, i64)>, StoreError> {
        let of = |found: &Violation| if let Site::Entity(id) = found.site { Some(id) } else { None };
        let ids: BTreeSet<i64> = violations.iter().filter_map(of).collect();
        let (found, _) = self.examine(&ids.into_iter().collect::<Vec<_>>(), now).await?;
        Ok(found.iter().filter_map(|found| Some((found.invariant, of(found)?))).collect())
    }

    /// Looks at the rows of a violation again. `still` is what entities break.
    async fn is_still(
        &mut self,
        violation: &Violation,
        still: &HashSet<(Invariant, i64)>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Violation { invariant, site, .. } = violation;
        if let Some(cursor) = site.cursor() {
            let page = self.look(&cursor, 1, None, now).await?;
            return Ok(page
                .violations
                .iter()
                .any(|found| found.invariant == *invariant && found.site == *site));
        }
        match *site {
            Site::Entity(id) if *invariant == Invariant::RowsWithoutEntity => {
                Ok(!self.without_entity(id.saturating_sub(1), id, 1).await?.is_empty())
            }
            Site::Entity(id) => Ok(still.contains(&(*invariant, id))),
            _ => Ok(self.head_behind().await?.is_some()),
        }
    }
}

impl Writer<'_> {
    /// Answers whether the count was still the one that was found to be wrong.
    async fn correct_count(&mut self, counted: i64, missing: i64) -> Result<bool, StoreError> {
        Ok(self.db.run(CORRECT_COUNT, Args::new().with(missing).with(counted)).await? > 0)
    }

    async fn do_work(&mut self, mut work: Work, now: Timestamp) -> Result<(), StoreError> {
        // First, as nothing may come to refer to them any more.
        let gone = work.take_gone();
        let bereft = self.sources_of(gone.clone()).await?;
        self.mark_due(bereft, Lane::New, Run::InFull, now).await?;
        self.entities_delete(&gone, now).await?;
        self.mend_schedules(&work, now).await?;
        self.mend_entities(&work, now).await?;
        self.mend_results(&work, now).await?;
        self.mend_edges(&work, now).await?;
        self.delete_strays(&work).await?;
        for id in &gone {
            self.work.remove(*id);
        }
        if work.is_about_numbers() || !gone.is_empty() {
            // Numbers that lost their texts are remembered with them.
            self.db.run(BEGIN_EPOCH, Args::new()).await?;
        }
        if work.has(Invariant::ChangeHead)
            && let Some((_, newest)) = self.db.head_behind().await?
        {
            self.db.run(SET_HEAD, Args::new().with(newest)).await?;
            self.db.run(INSERT_HEAD, Args::new().with(newest)).await?;
        }
        Ok(())
    }

    async fn run_for(&mut self, statement: Statement, ids: &BTreeSet<i64>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.db.run(statement, Args::new().list(ids.iter().copied())).await.map(drop)
    }

    async fn mend_schedules(&mut self, work: &Work, now: Timestamp) -> Result<(), StoreError> {
        let unscheduled = work.entities(Invariant::UnscheduledEntity);
        self.insert_schedule(&unscheduled.into_iter().map(|id| (id, Lane::New)).collect(), now).await?;
        let lost = work.entities(Invariant::LostDueTime);
        if !lost.is_empty() {
            let args = Args::new().list(lost).with(whole_micros(now)).with(Lane::New as i16);
            self.db.run(RESCHEDULE, args).await?;
        }
        Ok(())
    }

    async fn mend_entities(&mut self, work: &Work, now: Timestamp) -> Result<(), StoreError> {
        self.run_for(FORGET_UNPROCESSED, &work.entities(Invariant::UnreadableEntity)).await?;
        self.run_for(DROP_CACHES, &work.entities(Invariant::UnreadableCache)).await?;
        let unread = self.sources_of(work.entities(Invariant::UnreadableEntity)).await?;
        self.mark_due(unread, Lane::New, Run::InFull, now).await?;
        let bereft = work.entities(Invariant::MissingOrphanMark);
        if !bereft.is_empty() {
            // Whose the edge was that is gone, nobody can tell.
            let rows = self.db.rows(SELECT_LOCATIONS_TO_RUN, Args::new()).await?;
            let locations: Vec<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
            self.mark_due(locations, Lane::New, Run::InFull, now).await?;
        }
        self.sources_lost(&bereft, now).await?;
        self.sources_gained(&work.entities(Invariant::StrayOrphanMark)).await
    }

    async fn mend_results(&mut self, work: &Work, now: Timestamp) -> Result<(), StoreError> {
        let unreadable = work.entities(Invariant::UnreadableResult);
        self.run_for(FORGET_BODIES, &work.entities(Invariant::LostBody)).await?;
        let again = [Invariant::LostResult, Invariant::LostBody, Invariant::UnreadableResult];
        self.mark_due(work.entities_of_any(&again), Lane::New, Run::InFull, now).await?;
        let stitched = work.entities_of_any(&[Invariant::MissingFinalEntity, Invariant::StaleFinalEntity]);
        self.run_for(FORGET_FINALS, &stitched).await?;
        for id in stitched.into_iter().chain(unreadable) {
            self.work.add(id, Urgency::Own);
        }
        let incomplete: Vec<i64> = work
            .entities_of_any(&[Invariant::MissingPeerRelation, Invariant::MissingRefreshKey])
            .into_iter()
            .collect();
        let entities = self.db.entities(&incomplete).await?;
        let peers: Vec<_> = entities.iter().flat_map(EntityRows::peers).collect();
        for (relation, _) in &peers {
            self.work.add(relation.0, Urgency::Peer);
        }
        self.peer_relations_insert(peers).await?;
        self.refresh_keys_insert(&entities.iter().flat_map(EntityRows::keys).collect::<Vec<_>>()).await
    }

    async fn mend_edges(&mut self, work: &Work, now: Timestamp) -> Result<(), StoreError> {
        let mut edges = work.edges(Invariant::DanglingEdge);
        edges.extend(work.edges(Invariant::UnexplainedConflict));
        if edges.is_empty() {
            return Ok(());
        }
        self.edges_delete(&edges).await?;
        self.conflicts_settle(&edges).await?;
        self.mark_due(edges.iter().map(|edge| edge.0), Lane::New, Run::InFull, now).await?;
        self.sources_lost(&edges.iter().map(|edge| edge.1).collect(), now).await
    }

    async fn delete_strays(&mut self, work: &Work) -> Result<(), StoreError> {
        let peers = work.stray_peers();
        for (relation, _) in &peers {
            self.work.add(relation.0, Urgency::Peer);
        }
        self.let_go(peers.len());
        self.peer_relations_delete(&peers).await?;
        self.refresh_keys_delete(&work.stray_keys()).await?;
        self.errors_delete(work.rows(Invariant::StrayError)).await?;
        self.run_for(DELETE_WORK, &work.rows(Invariant::StrayStitchWork).into_iter().collect()).await?;
        self.run_for(DELETE_CHANGES, &work.rows(Invariant::NamelessChange).into_iter().collect()).await
    }

    /// Those who hand entities over, or would.
    async fn sources_of(&mut self, ids: BTreeSet<i64>) -> Result<BTreeSet<i64>, StoreError> {
        Ok(self.edges_to(ids).await?.into_iter().map(|edge| edge.source).collect())
    }
}
