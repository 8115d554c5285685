//! Writing what an intake decided. The targets are locked, and those that are new have their row of `schedule`.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::again::Interrupted;
use super::row::{RowExt as _, uuid};
use super::session::{Args, chunks};
use super::texts::escaped;
use super::writer::Writer;
use crate::packed::pack;
use crate::rules::intake::{Intake, Offer, Plan, Stored, Written};
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::{Conflict, Lane, StoreError, Timestamp};

statements! {
    // The key of an orphan is nobody's.
    SELECT_STORED =
        "SELECT r.id, r.uid, r.digest, CASE WHEN o.id IS NULL THEN r.location_key END \
         FROM refresh_state r LEFT JOIN orphans o ON o.id = r.id WHERE r.id = ANY($1)";
    INSERT_UNPROCESSED =
        "INSERT INTO refresh_state (id, uid, digest, location_key, unprocessed) \
         SELECT * FROM unnest($1, $2, $3, $4, $5)";
    UPDATE_UNPROCESSED =
        "UPDATE refresh_state r SET digest = j.digest, location_key = j.key, unprocessed = j.json \
         FROM unnest($1, $2, $3, $4) j(id, digest, key, json) WHERE r.id = j.id";
}

/// The lane in which the target of each offer is due if it is new.
pub(super) fn lanes(offers: &[Offer<'_>]) -> BTreeMap<i64, Lane> {
    let mut lanes: BTreeMap<i64, Lane> = BTreeMap::new();
    for offer in offers {
        lanes.entry(offer.target).and_modify(|lane| *lane = offer.lane.min(*lane)).or_insert(offer.lane);
    }
    lanes
}

impl Writer<'_> {
    /// Begins an intake with what the store has of these targets.
    pub(super) async fn intake<'a>(
        &mut self,
        targets: impl IntoIterator<Item = i64>,
        now: Timestamp,
    ) -> Result<Intake<'a>, StoreError> {
        let mut stored = HashMap::new();
        for row in self.db.rows(SELECT_STORED, Args::new().list(targets)).await? {
            let location_key = row.text_opt(3)?.map(Arc::from);
            stored.insert(row.int(0)?, Stored { uid: row.uid(1)?, digest: row.digest(2)?, location_key });
        }
        Ok(Intake::new(stored, now))
    }

    /// Has an intake decide about offers.
    pub(super) async fn offer<'a>(
        &mut self,
        intake: &mut Intake<'a>,
        offers: &[Offer<'a>],
    ) -> Result<(), StoreError> {
        let rekeyable = intake.rekeyable(offers);
        let sole = if rekeyable.is_empty() {
            HashSet::new()
        } else {
            self.with_sole_source(rekeyable).await?.into_iter().collect()
        };
        intake.offer(offers, &sole);
        Ok(())
    }

    /// Writes all that follows from an intake. Answers who was refused, sources by name.
    pub(super) async fn write_plan(
        &mut self,
        plan: &Plan<'_>,
        now: Timestamp,
    ) -> Result<Vec<Conflict>, StoreError> {
        self.write_entities(plan, now).await?;
        // Orphans are told by their edges, so these come first.
        self.edges_delete(&plan.dropped).await?;
        self.edges_put(&plan.edges).await?;
        self.conflicts_settle(&plan.settled).await?;
        self.sources_lost(&plan.lost, now).await?;
        self.sources_gained(&plan.gained).await?;
        if !plan.rekeyed.is_empty() {
            let waiting = self.refused_sources(plan.rekeyed.iter().copied()).await?;
            self.mark_due(waiting, Lane::Event, Run::InFull, now).await?;
        }
        self.write_conflicts(plan, now).await
    }

    async fn write_entities(&mut self, plan: &Plan<'_>, now: Timestamp) -> Result<(), StoreError> {
        let (added, changed): (Vec<&Written<'_>>, Vec<&Written<'_>>) =
            plan.written.iter().partition(|written| written.is_new);
        if plan.written.iter().any(|written| !self.locked.contains(&written.id)) {
            return Err(Interrupted::Overtaken.into());
        }
        let size = |written: &&Written<'_>| written.entity.json.len();
        for rows in chunks(&added, size) {
            let args = Args::new()
                .list(rows.iter().map(|row| row.id))
                .list(rows.iter().map(|row| row.uid))
                .list(rows.iter().map(|row| uuid(&row.entity.digest)))
                .list(rows.iter().map(|row| row.entity.location_key.as_deref().map(escaped)))
                .list(rows.iter().map(|row| pack(&row.entity.json)));
            self.db.write("refresh_state", INSERT_UNPROCESSED, args).await?;
        }
        for rows in chunks(&changed, size) {
            let args = Args::new()
                .list(rows.iter().map(|row| row.id))
                .list(rows.iter().map(|row| uuid(&row.entity.digest)))
                .list(rows.iter().map(|row| row.entity.location_key.as_deref().map(escaped)))
                .list(rows.iter().map(|row| pack(&row.entity.json)));
            self.db.write("refresh_state", UPDATE_UNPROCESSED, args).await?;
        }
        for (lane, ids) in plan.changed() {
            self.mark_due(ids, lane, Run::IfChanged, now).await?;
        }
        Ok(())
    }

    async fn write_conflicts(
        &mut self,
        plan: &Plan<'_>,
        now: Timestamp,
    ) -> Result<Vec<Conflict>, StoreError> {
        if plan.refused_sources().len() == 0 {
            return Ok(Vec::new());
        }
        let names = self.ref_texts(plan.refused_sources()).await?;
        self.conflicts_put(&plan.errors(&names), now).await?;
        Ok(plan.conflicts(&names))
    }
}
