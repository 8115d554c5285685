//! Leases of jobs that one process at a time does.

use super::PostgresStore;
use super::claim::nonce;
use super::row::{RowExt as _, whole_micros};
use super::session::Args;
use super::texts::key;
use crate::rules::statement::statements;
use crate::{LeaseToken, StoreError, Timestamp};

statements! {
    TAKE_JOB =
        "INSERT INTO job_leases AS j (name, token, until) VALUES ($1, (nextval('lease_tokens') << 20) | $4, $2) \
         ON CONFLICT (name) DO UPDATE SET token = excluded.token, until = excluded.until WHERE j.until <= $3 \
         RETURNING token";
    EXTEND_JOB = "UPDATE job_leases SET until = $3 WHERE name = $1 AND token = $2 RETURNING token";
    END_JOB = "DELETE FROM job_leases WHERE name = $1 AND token = $2";
}

impl PostgresStore {
    pub(super) async fn take_job(
        &self,
        job: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<LeaseToken>, StoreError> {
        let args = Args::new().with(key(job)).with(whole_micros(until)).with(whole_micros(now)).with(nonce());
        let rows = self.connections.writer_rows(TAKE_JOB, args).await?;
        rows.first().map(|row| row.int(0).map(LeaseToken)).transpose()
    }

    pub(super) async fn extend_job(
        &self,
        job: &str,
        token: LeaseToken,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let args = Args::new().with(key(job)).with(token.0).with(whole_micros(until));
        Ok(!self.connections.writer_rows(EXTEND_JOB, args).await?.is_empty())
    }

    pub(super) async fn end_job(&self, job: &str, token: LeaseToken) -> Result<(), StoreError> {
        self.connections.writer_rows(END_JOB, Args::new().with(key(job)).with(token.0)).await.map(drop)
    }
}
