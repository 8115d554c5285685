//! Claims and leases.

use std::sync::Arc;

use super::schedule::Lease;
use super::tables::{Row, Tables};
use crate::rules::codec::{lane, micros, timestamp};
use crate::{Claim, ClaimRequest, Claimed, EntityId, LeaseToken, StoreError, Timestamp};

impl Row {
    pub(super) fn is_leased(&self, now: Timestamp) -> bool {
        self.lease.is_some_and(|lease| lease.until > now)
    }
}

impl Tables {
    pub(super) fn claim(&mut self, request: &ClaimRequest) -> Result<Claimed, StoreError> {
        let ClaimRequest { limit, lane_max, now, lease, fingerprint } = *request;
        if self.is_superseded(fingerprint) {
            return Ok(Claimed::Superseded);
        }
        let mut due: Vec<_> = self
            .rows
            .iter()
            .filter(|(_, row)| row.schedule.lane <= lane_max as i64 && !row.is_leased(now))
            .filter_map(|(entity_ref, row)| {
                let due_at = row.schedule.next_update_at.filter(|due_at| *due_at <= micros(now))?;
                Some((row.schedule.lane, due_at, row.id, Arc::clone(entity_ref)))
            })
            .collect();
        due.sort();
        due.truncate(limit);
        let claims =
            due.iter().filter_map(|(.., entity_ref)| self.lease(entity_ref, now + lease).transpose());
        claims.collect::<Result<_, _>>().map(Claimed::Leased)
    }

    /// Leases an entity, whoever has it.
    pub(super) fn lease(
        &mut self,
        entity_ref: &Arc<str>,
        until: Timestamp,
    ) -> Result<Option<Claim>, StoreError> {
        let token = LeaseToken(self.next_number());
        let Some(row) = self.rows.get_mut(entity_ref) else { return Ok(None) };
        row.lease = Some(Lease { token, until, wishes: row.wishes });
        let Row { id, uid, schedule, .. } = *row;
        Ok(Some(Claim {
            id,
            entity_ref: Arc::clone(entity_ref),
            uid,
            token,
            lane: lane(schedule.lane)?,
            due_at: timestamp(schedule.next_update_at.unwrap_or_default())?,
            unprocessed: Arc::clone(&row.unprocessed),
            unprocessed_digest: row.digest,
            location_key: row.location_key.clone(),
            cache: row.cache.clone(),
            result_digest: schedule.result_digest,
            fingerprint: schedule.fingerprint,
        }))
    }

    pub(super) fn leases_extend(
        &mut self,
        leases: &[(EntityId, LeaseToken)],
        until: Timestamp,
    ) -> Vec<EntityId> {
        let mut lost = Vec::new();
        for (id, token) in leases {
            let lease = self.rows.values_mut().find(|row| row.id == *id).and_then(|row| row.lease.as_mut());
            match lease.filter(|lease| lease.token == *token) {
                Some(lease) => lease.until = until,
                None => lost.push(*id),
            }
        }
        lost
    }

    pub(super) fn job_take(&mut self, job: &str, until: Timestamp, now: Timestamp) -> Option<LeaseToken> {
        if self.jobs.get(job).is_some_and(|(_, until)| *until > now) {
            return None;
        }
        let token = LeaseToken(self.next_number());
        self.jobs.insert(job.to_owned(), (token, until));
        Some(token)
    }

    pub(super) fn job_extend(&mut self, job: &str, token: LeaseToken, until: Timestamp) -> bool {
        let held = self.jobs.get_mut(job).filter(|(held, _)| *held == token);
        held.map(|held| held.1 = until).is_some()
    }

    pub(super) fn job_end(&mut self, job: &str, token: LeaseToken) {
        if self.jobs.get(job).is_some_and(|(held, _)| *held == token) {
            self.jobs.remove(job);
        }
    }

    /// What is leased is due when its lease ends.
    pub(super) fn next_due_at(&self) -> Option<Timestamp> {
        let due_at = |row: &Row| row.lease.map(|lease| lease.until).or(row.due_at());
        self.rows.values().filter_map(due_at).min()
    }
}
