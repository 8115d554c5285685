//! Claiming due entities.

use std::sync::Arc;

use callboard_model::Digest;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json, lane, micros, timestamp, unpack};
use super::leases::Lease;
use super::session::Args;
use super::statement::statements;
use crate::{Claim, ClaimRequest, EntityId, Lane, LeaseToken, StoreError, Timestamp};

statements! {
    // One lane at a time: the index then leads straight to the due rows of that lane, in order, and never walks
    // over those that are not due yet.
    SELECT_DUE =
        "SELECT s.id, s.lane, s.next_update_at, s.wish, s.result_digest, s.fingerprint, \
                f.entity_ref, r.uid, r.digest, r.location_key, r.unprocessed, c.json, c.ttl \
         FROM (SELECT * FROM schedule \
               WHERE lane = ?1 AND next_update_at <= ?2 AND id NOT IN (SELECT value FROM json_each(?3)) \
               ORDER BY next_update_at, id LIMIT ?4) s \
         CROSS JOIN refresh_state r ON r.id = s.id CROSS JOIN refs f ON f.id = s.id LEFT JOIN caches c ON c.id = s.id \
         ORDER BY s.next_update_at, s.id";
    SELECT_NEXT_DUE =
        "SELECT next_update_at FROM schedule \
         WHERE lane = ?1 AND next_update_at IS NOT NULL AND id NOT IN (SELECT value FROM json_each(?2)) \
         ORDER BY next_update_at LIMIT 1";
}

/// Lanes in the order in which they are served.
const LANES: [Lane; 4] = [Lane::Interactive, Lane::Event, Lane::New, Lane::Periodic];

impl SqliteStore {
    pub(super) async fn claim_due(&self, request: &ClaimRequest) -> Result<Vec<Claim>, StoreError> {
        let now = micros(request.now);
        let until = micros(request.now + request.lease);
        let mut writer = self.writer().await?;
        let running = ids_json(writer.state.leases.running(now));
        let mut claims = Vec::new();
        for lane in LANES.into_iter().filter(|lane| *lane <= request.lane_max) {
            let missing = request.limit.saturating_sub(claims.len());
            if missing == 0 {
                break;
            }
            let missing = i64::try_from(missing).unwrap_or(i64::MAX);
            let args = Args::new().with(lane as i64).with(now).with(running.clone()).with(missing);
            for row in writer.db.rows(SELECT_DUE, args).await? {
                let token = writer.state.leases.next_token();
                claims.push(claim(&row, token)?);
                writer.grant(row.int(0)?, Lease { token, until, wish: row.int(3)? });
            }
        }
        writer.finish().await?;
        Ok(claims)
    }

    pub(super) async fn earliest_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut writer = self.writer().await?;
        // A lease that runs out makes its entity claimable, so the end of each counts, and its due time does not.
        let leased = ids_json(writer.state.leases.running(i64::MIN));
        let mut earliest = writer.state.leases.first_end();
        for lane in LANES {
            let args = Args::new().with(lane as i64).with(leased.clone());
            if let Some(row) = writer.db.row(SELECT_NEXT_DUE, args).await? {
                let due = row.int(0)?;
                earliest = Some(earliest.map_or(due, |earliest| earliest.min(due)));
            }
        }
        earliest.map(timestamp).transpose()
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
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut writer = self.writer().await?;
        let marked = writer.mark_due_by_fingerprint(fingerprint, now).await?;
        writer.finish().await?;
        Ok(marked)
    }

    pub(super) async fn mark_keys(&self, keys: &[String], now: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.writer().await?;
        let marked =
            writer.mark_due_by_keys(keys.iter().map(|key| super::codec::refresh_key(key)), now).await?;
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
