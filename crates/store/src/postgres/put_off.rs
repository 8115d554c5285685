//! Outcomes that change nothing but the time of the next run: nearly all of a catalog at rest.

use super::PostgresStore;
use super::row::{uuid, whole_micros};
use super::schedule::beginning;
use super::session::Args;
use super::texts::escaped;
use crate::rules::outcome::only_puts_off;
use crate::rules::statement::{count_written, statements};
use crate::{Outcome, StoreError};

statements! {
    // All or none. It waits for nobody: rows that somebody has locked are missing, and the general way is taken. Nor is
    // the disk waited for: what is lost is one more run. Whatever changes content or key sets `wished`, so reading these
    // in the statement that locks is safe.
    PUT_OFF =
        "WITH off AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)), \
         fit AS MATERIALIZED ( \
           SELECT s.id, j.due FROM unnest($1, $2, $3, $4, $5, $6) j(id, token, due, key, digest, fp) \
             JOIN schedule s ON s.id = j.id JOIN refresh_state r ON r.id = s.id \
           WHERE s.lease_token = j.token AND NOT s.wished AND r.location_key IS NOT DISTINCT FROM j.key \
             AND s.result_digest = j.digest AND s.fingerprint = j.fp \
             AND NOT EXISTS (SELECT FROM meta WHERE key = 'applied_fingerprint' AND value <> $8) \
           FOR NO KEY UPDATE OF s SKIP LOCKED), \
         n AS MATERIALIZED (SELECT count(DISTINCT id) AS n FROM fit) \
         UPDATE schedule s SET next_update_at = fit.due, lane = 3, lease_until = NULL, lease_token = NULL \
         FROM fit, n, off WHERE s.id = fit.id AND n.n = $7 RETURNING s.id";
}

impl PostgresStore {
    /// Writes a batch of outcomes if all of them only put off. Answers whether it did.
    pub(super) async fn put_off(&self, batch: &[Outcome]) -> Result<bool, StoreError> {
        let Some(Outcome { fingerprint, .. }) = batch.first() else { return Ok(false) };
        if !batch.iter().all(|outcome| only_puts_off(outcome) && outcome.fingerprint == *fingerprint) {
            return Ok(false);
        }
        let started = std::time::Instant::now();
        let args = Args::new()
            .list(batch.iter().map(|outcome| outcome.id.0))
            .list(batch.iter().map(|outcome| outcome.token.0))
            .list(batch.iter().map(|outcome| outcome.next_update_at.map(whole_micros)))
            .list(batch.iter().map(|outcome| outcome.location_key.as_deref().map(escaped)))
            .list(batch.iter().map(|outcome| uuid(&outcome.result_digest)))
            .list(batch.iter().map(|outcome| uuid(&outcome.fingerprint)))
            .with(i64::try_from(batch.len()).unwrap_or(i64::MAX))
            .with(beginning(fingerprint));
        let written = self.connections.writer_rows(PUT_OFF, args).await?;
        if written.is_empty() {
            return Ok(false);
        }
        count_written("schedule", written.len() as u64);
        metrics::histogram!("callboard_store_commit_seconds").record(started.elapsed());
        Ok(true)
    }
}
