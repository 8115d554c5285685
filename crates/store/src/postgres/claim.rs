//! Claiming due entities, and prolonging leases.

use std::collections::BTreeSet;
use std::sync::Arc;

use callboard_model::Digest;
use foldhash::{HashMap, HashMapExt as _};
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::again::Tries;
use super::locks::Graph;
use super::names::Wanted;
use super::row::{RowExt as _, whole_micros};
use super::schedule::beginning;
use super::session::Args;
use crate::packed::unpack;
use crate::rules::codec::{lane, refresh_key};
use crate::rules::statement::statements;
use crate::{Claim, ClaimRequest, Claimed, EntityId, LeaseToken, StoreError, Timestamp, error_chain};

/// The bits of a token that are drawn for each call. The rest is counted; should a server that took over count some of
/// it again, a token of the one before it still fits none of its leases.
pub(super) const NONCE_BITS: u32 = 20;

statements! {
    // One lane at a time: the index leads straight to the due rows of a lane, in order. Rows that somebody has locked are
    // passed over. Nobody waits for the disk: a claim that is lost is an entity that is due. The first column is there
    // also where nothing is leased.
    CLAIM_DUE =
        "WITH off AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)), \
         fit AS MATERIALIZED ( \
           SELECT NOT EXISTS (SELECT FROM meta WHERE key = 'applied_fingerprint' AND value <> $6) AS fits), \
         due AS MATERIALIZED ( \
           SELECT d.id FROM generate_series(0, CASE WHEN (SELECT fits FROM fit) THEN $1::integer ELSE -1 END) l \
           CROSS JOIN LATERAL ( \
             SELECT s.id FROM schedule s \
             WHERE s.lane = l AND s.next_update_at <= $2 AND (s.lease_until IS NULL OR s.lease_until <= $2) \
             ORDER BY s.next_update_at, s.id LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED) d \
           LIMIT $4), \
         leased AS ( \
           UPDATE schedule s \
           SET lease_until = $3, lease_token = (nextval('lease_tokens') << 20) | $5, wished = false \
           FROM due, off WHERE s.id = due.id \
           RETURNING s.id, s.lease_token, s.lane, s.next_update_at, s.result_digest, s.fingerprint) \
         SELECT fit.fits, l.id, l.lease_token, l.lane, l.next_update_at, l.result_digest, l.fingerprint \
         FROM fit LEFT JOIN leased l ON true";
    // In a statement of its own: it must see what was written before the rows were locked, as claiming took away the
    // wish that came with it.
    SELECT_CLAIMED =
        "SELECT r.id, coalesce(f.long_ref, f.entity_ref), r.uid, r.digest, r.location_key, r.unprocessed, c.json, c.ttl \
         FROM refresh_state r JOIN refs f ON f.id = r.id LEFT JOIN caches c ON c.id = r.id WHERE r.id = ANY($1)";
    RELEASE_CLAIMED =
        "UPDATE schedule s SET lease_until = NULL, lease_token = NULL FROM unnest($1, $2) j(id, token) \
         WHERE s.id = j.id AND s.lease_token = j.token";
    // Before the first row of a lane that is free there are only leased ones, so what is walked over is what is in flight.
    SELECT_NEXT_DUE =
        "SELECT min(least(free.due, leased.until)) FROM generate_series(0, 3) l \
         LEFT JOIN LATERAL (SELECT s.next_update_at AS due FROM schedule s \
                            WHERE s.lane = l AND s.next_update_at IS NOT NULL AND s.lease_token IS NULL \
                            ORDER BY s.next_update_at, s.id LIMIT 1) free ON true \
         LEFT JOIN LATERAL (SELECT min(s.lease_until) AS until FROM schedule s \
                            WHERE s.lane = l AND s.next_update_at <= coalesce(free.due, 'infinity') \
                              AND s.lease_token IS NOT NULL) leased ON true";
    EXTEND_LEASES =
        "WITH off AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)), \
         l AS MATERIALIZED (SELECT s.id FROM unnest($1, $2) j(id, token) \
                              JOIN schedule s ON s.id = j.id AND s.lease_token = j.token \
                            ORDER BY s.id FOR NO KEY UPDATE OF s) \
         UPDATE schedule s SET lease_until = $3 FROM l, off WHERE s.id = l.id RETURNING s.id";
}

/// A number for [`NONCE_BITS`].
pub(super) fn nonce() -> i64 {
    i64::try_from(super::nonce() & ((1 << NONCE_BITS) - 1)).unwrap_or_default()
}

impl PostgresStore {
    pub(super) async fn claim_due(&self, request: &ClaimRequest) -> Result<Claimed, StoreError> {
        let args = Args::new()
            .with(request.lane_max as i16)
            .with(whole_micros(request.now))
            .with(whole_micros(request.now + request.lease))
            .with(i64::try_from(request.limit).unwrap_or(i64::MAX))
            .with(nonce())
            .with(beginning(&request.fingerprint));
        let leased = self.connections.writer_rows(CLAIM_DUE, args).await?;
        match leased.first() {
            Some(first) if !first.flag(0)? => return Ok(Claimed::Superseded),
            Some(first) if first.int_opt(1)?.is_some() => {}
            _ => return Ok(Claimed::Leased(Vec::new())),
        }
        let ids: Vec<i64> = leased.iter().map(|row| row.int(1)).collect::<Result<_, _>>()?;
        let found = match self.connections.writer_rows(SELECT_CLAIMED, Args::new().with(&ids)).await {
            Ok(found) => found,
            Err(error) => {
                self.give_back(&ids, &leased).await;
                return Err(error);
            }
        };
        let mut rows = HashMap::with_capacity(ids.len());
        for row in found {
            rows.insert(row.int(0)?, row);
        }
        let mut claims = Vec::with_capacity(leased.len());
        for lease in &leased {
            let id = lease.int(1)?;
            // An entity without content was deleted since.
            let Some(row) = rows.get(&id) else { continue };
            match claim(lease, row) {
                Ok(claim) => claims.push(claim),
                // It stays leased: until its lease runs out it stands in nobody's way.
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::error!(error, id, "a due entity cannot be read from the database");
                }
            }
        }
        claims.sort_by_key(|claim| (claim.lane, claim.due_at, claim.id));
        Ok(Claimed::Leased(claims))
    }

    /// Ends leases of which nobody will ever hear. Should this fail as well, they run out.
    async fn give_back(&self, ids: &[i64], leased: &[PgRow]) {
        let tokens: Result<Vec<i64>, StoreError> = leased.iter().map(|row| row.int(2)).collect();
        let released = match tokens {
            Ok(tokens) => {
                self.connections.writer_rows(RELEASE_CLAIMED, Args::new().with(ids).with(tokens)).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = released {
            let error = error_chain(&error);
            tracing::warn!(error, "claimed entities are not processed before their leases run out");
        }
    }

    pub(super) async fn earliest_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let rows = self.connections.writer_rows(SELECT_NEXT_DUE, Args::new()).await?;
        rows.first().map_or(Ok(None), |row| row.time_opt(0))
    }

    pub(super) async fn extend_leases(
        &self,
        leases: &[(EntityId, LeaseToken)],
        until: Timestamp,
    ) -> Result<Vec<EntityId>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let mut writer = self.writer(Graph::Shared, &Wanted::none()).await?;
        let args = Args::new()
            .list(leases.iter().map(|(id, _)| id.0))
            .list(leases.iter().map(|(_, token)| token.0))
            .with(whole_micros(until));
        let rows = writer.db.rows(EXTEND_LEASES, args).await?;
        let held: BTreeSet<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        writer.finish().await?;
        Ok(leases.iter().map(|(id, _)| *id).filter(|id| !held.contains(&id.0)).collect())
    }

    pub(super) async fn apply_fingerprint(
        &self,
        fingerprint: Digest,
        instead_of: Option<Digest>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        // No entity may come in that would be missed, nor a run end that does not know yet whether it counts.
        let mut tries = Tries::new(Graph::Exclusive);
        loop {
            let result = self.apply_fingerprint_once(fingerprint, instead_of, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn apply_fingerprint_once(
        &self,
        fingerprint: Digest,
        instead_of: Option<Digest>,
        now: Timestamp,
        graph: Graph,
    ) -> Result<u64, StoreError> {
        let mut writer = self.writer(graph, &Wanted::none()).await?;
        let marked = writer.mark_due_by_fingerprint(fingerprint, instead_of, now).await?;
        writer.finish().await?;
        Ok(marked)
    }

    pub(super) async fn mark_keys(&self, keys: &[String], now: Timestamp) -> Result<u64, StoreError> {
        let mut tries = Tries::new(Graph::Shared);
        loop {
            let result = self.mark_keys_once(keys, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn mark_keys_once(&self, keys: &[String], now: Timestamp, graph: Graph) -> Result<u64, StoreError> {
        let mut writer = self.writer(graph, &Wanted::none()).await?;
        let marked = writer.mark_due_by_keys(keys.iter().map(|key| refresh_key(key)), now).await?;
        writer.finish().await?;
        Ok(marked)
    }
}

fn claim(lease: &PgRow, row: &PgRow) -> Result<Claim, StoreError> {
    Ok(Claim {
        id: EntityId(lease.int(1)?),
        entity_ref: Arc::from(row.text(1)?),
        uid: row.uid(2)?,
        token: LeaseToken(lease.int(2)?),
        lane: lane(lease.int2(3)?)?,
        due_at: lease.time(4)?,
        unprocessed: Arc::from(unpack(row.blob(5)?)?),
        unprocessed_digest: row.digest(3)?,
        location_key: row.text_opt(4)?.map(Arc::from),
        cache: cache(row, 6)?,
        result_digest: lease.digest_opt(5)?,
        fingerprint: lease.digest_opt(6)?,
    })
}

/// Reads the columns `json` and `ttl` of `caches`, which are null where there is no cache.
pub(super) fn cache(row: &PgRow, at: usize) -> Result<Option<(String, i64)>, StoreError> {
    match (row.blob_opt(at)?, row.int_opt(at + 1)?) {
        (Some(json), Some(ttl)) => Ok(Some((unpack(json)?, ttl))),
        _ => Ok(None),
    }
}
