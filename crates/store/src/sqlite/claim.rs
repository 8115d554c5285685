//! Claiming due entities.

use std::sync::Arc;

use callboard_model::Digest;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json};
use super::leases::Lease;
use super::session::Args;
use crate::packed::unpack;
use crate::rules::codec::{lane, micros, refresh_key, timestamp};
use crate::rules::statement::statements;
use crate::{Claim, ClaimRequest, Claimed, EntityId, Lane, LeaseToken, StoreError, Timestamp, error_chain};

statements! {
    // One lane at a time: the index then leads straight to the due rows of that lane, in order, and never walks
    // over those that are not due yet.
    SELECT_DUE =
        "SELECT s.id, s.lane, s.next_update_at, s.wish, s.result_digest, s.fingerprint, \
                f.entity_ref, r.uid, r.digest, r.location_key, r.unprocessed, c.json, c.ttl \
         FROM (SELECT * FROM schedule \
               WHERE lane = ?1 AND next_update_at <= ?2 AND id NOT IN (SELECT value FROM json_each(?3)) \
               ORDER BY next_update_at, id LIMIT ?4 + 0) s \
         CROSS JOIN refresh_state r ON r.id = s.id CROSS JOIN refs f ON f.id = s.id LEFT JOIN caches c ON c.id = s.id \
         ORDER BY s.next_update_at, s.id";
    // The earliest of each lane that has any.
    SELECT_NEXT_DUE =
        "SELECT l.value, (SELECT s.next_update_at FROM schedule s \
                          WHERE s.lane = l.value AND s.next_update_at IS NOT NULL \
                            AND s.id NOT IN (SELECT value FROM json_each(?1)) \
                          ORDER BY s.next_update_at LIMIT 1) AS due \
         FROM json_each('[0,1,2,3]') l WHERE due IS NOT NULL";
}

impl SqliteStore {
    // Neither of these two writes anything, so the lock on the leases is all that they need.
    pub(super) async fn claim_due(&self, request: &ClaimRequest) -> Result<Claimed, StoreError> {
        let now = micros(request.now);
        let until = micros(request.now + request.lease);
        let mut state = self.state.lock().await;
        if state.is_superseded(request.fingerprint) {
            return Ok(Claimed::Superseded);
        }
        let running = ids_json(state.leases.running(now));
        let mut rows = Vec::new();
        for (lane, due) in self.next_due(&running).await? {
            let missing = request.limit.saturating_sub(rows.len());
            if due > now || lane > request.lane_max || missing == 0 {
                continue;
            }
            let missing = i64::try_from(missing).unwrap_or(i64::MAX);
            let args = Args::new().with(lane as i64).with(now).with(running.clone()).with(missing);
            rows.extend(self.connections.writer_rows(SELECT_DUE, args).await?);
        }
        let mut claims = Vec::with_capacity(rows.len());
        for row in rows {
            let token = state.leases.next_token();
            // A damaged row is leased as well: until its lease runs out it stands in nobody's way.
            state.leases.grant(row.int(0)?, Lease { token, until, wish: row.int(3)? });
            match claim(&row, token) {
                Ok(claim) => claims.push(claim),
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::error!(error, id = row.int(0)?, "a due entity cannot be read from the database");
                }
            }
        }
        Ok(Claimed::Leased(claims))
    }

    pub(super) async fn earliest_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let state = self.state.lock().await;
        // A lease that runs out makes its entity claimable, so the end of each counts, and its due time does not.
        let leased = ids_json(state.leases.running(i64::MIN));
        let due = self.next_due(&leased).await?.into_iter().map(|(_, due)| due);
        due.chain(state.leases.first_end()).min().map(timestamp).transpose()
    }

    /// The lanes in which anything is due at some time, in the order in which they are served, each with the earliest
    /// time.
    async fn next_due(&self, leased: &str) -> Result<Vec<(Lane, i64)>, StoreError> {
        let rows = self.connections.writer_rows(SELECT_NEXT_DUE, Args::new().with(leased)).await?;
        rows.iter().map(|row| Ok((lane(row.int(0)?)?, row.int(1)?))).collect()
    }

    pub(super) async fn extend_leases(
        &self,
        leases: &[(EntityId, LeaseToken)],
        until: Timestamp,
    ) -> Vec<EntityId> {
        let mut state = self.state.lock().await;
        let until = micros(until);
        leases
            .iter()
            .filter(|(id, token)| !state.leases.extend(id.0, *token, until))
            .map(|(id, _)| *id)
            .collect()
    }

    pub(super) async fn apply_fingerprint(
        &self,
        fingerprint: Digest,
        instead_of: Option<Digest>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut writer = self.writer().await?;
        let is_superseded = |digest| writer.state.is_superseded(digest);
        if instead_of.is_some_and(is_superseded) && is_superseded(fingerprint) {
            return Ok(0);
        }
        let marked = writer.mark_due_by_fingerprint(fingerprint, now).await?;
        writer.finish().await?;
        Ok(marked)
    }

    pub(super) async fn mark_keys(&self, keys: &[String], now: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.writer().await?;
        let marked = writer.mark_due_by_keys(keys.iter().map(|key| refresh_key(key)), now).await?;
        writer.finish().await?;
        Ok(marked)
    }
}

fn claim(row: &SqliteRow, token: LeaseToken) -> Result<Claim, StoreError> {
    Ok(Claim {
        id: EntityId(row.int(0)?),
        entity_ref: Arc::from(row.text(6)?),
        uid: row.uid(7)?,
        token,
        lane: lane(row.int(1)?)?,
        due_at: timestamp(row.int(2)?)?,
        unprocessed: Arc::from(unpack(row.blob(10)?)?),
        unprocessed_digest: row.digest(8)?,
        location_key: row.text_opt(9)?.map(Arc::from),
        cache: cache(row, 11)?,
        result_digest: row.digest_opt(4)?,
        fingerprint: row.digest_opt(5)?,
    })
}

/// Reads the columns `json` and `ttl` of `caches`, which are null where there is no cache.
pub(super) fn cache(row: &SqliteRow, at: usize) -> Result<Option<(String, i64)>, StoreError> {
    match (row.blob_opt(at)?, row.int_opt(at + 1)?) {
        (Some(json), Some(ttl)) => Ok(Some((unpack(json)?, ttl))),
        _ => Ok(None),
    }
}
