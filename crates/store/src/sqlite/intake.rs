//! Writing what an intake decided.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::codec::{RowExt as _, ids_json};
use super::session::Args;
use super::statement::bulk_statements;
use super::writer::Writer;
use crate::packed::pack;
use crate::rules::codec::micros;
use crate::rules::intake::{Intake, Offer, Plan, Stored, Written};
use crate::rules::schedule::{Run, Schedule};
use crate::rules::statement::statements;
use crate::{Conflict, Lane, StoreError, Timestamp};

statements! {
    // The key of an orphan is nobody's.
    SELECT_STORED =
        "SELECT r.id, r.uid, r.digest, iif(o.id IS NULL, r.location_key, NULL) \
         FROM json_each(?1) j CROSS JOIN refresh_state r ON r.id = j.value LEFT JOIN orphans o ON o.id = r.id";
}

bulk_statements! {
    PUT_UNPROCESSED("refresh_state", 5) =
        "INSERT INTO refresh_state (id, uid, digest, location_key, unprocessed) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, location_key = excluded.location_key, \
             unprocessed = excluded.unprocessed";
}

impl Writer<'_> {
    /// Begins an intake with what the store has of these targets.
    pub(super) async fn intake<'a>(
        &mut self,
        targets: impl IntoIterator<Item = i64>,
        now: Timestamp,
    ) -> Result<Intake<'a>, StoreError> {
        let mut stored = HashMap::new();
        for row in self.db.rows(SELECT_STORED, Args::new().with(ids_json(targets))).await? {
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
        let bind = |args: &mut Args, written: &Written<'_>| {
            args.push(written.id);
            args.push(written.uid.as_bytes().to_vec());
            args.push(written.entity.digest.as_bytes().to_vec());
            args.push(written.entity.location_key.clone());
            args.push(pack(&written.entity.json));
        };
        self.db.bulk(&PUT_UNPROCESSED, &plan.written, bind).await?;
        let due = micros(now);
        let new = plan.added().map(|written| Schedule::new(written.id, written.lane, due));
        self.schedule_put(new.collect()).await?;
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
