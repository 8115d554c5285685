//! Leasing children to whoever committed their parents.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt as _};

use super::claim::{NONCE_BITS, cache, nonce};
use super::locks::ScheduleRow;
use super::row::{RowExt as _, whole_micros};
use super::session::Args;
use super::writer::Writer;
use crate::rules::intake::Written;
use crate::rules::statement::statements;
use crate::{CommitReport, LeaseToken, StoreError, Timestamp};

statements! {
    DRAW_TOKENS = "SELECT nextval('lease_tokens') FROM generate_series(1, $1)";
    SELECT_HANDED =
        "SELECT s.id, s.result_digest, s.fingerprint, c.json, c.ttl \
         FROM schedule s LEFT JOIN caches c ON c.id = s.id WHERE s.id = ANY($1)";
    LEASE_CHILDREN =
        "UPDATE schedule s SET lease_token = j.token, lease_until = $3, wished = false \
         FROM unnest($1, $2) j(id, token) WHERE s.id = j.id";
}

/// The children of a batch as they were before it, and how many of them are wanted.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) locked: BTreeMap<i64, ScheduleRow>,
    /// Those that are new.
    pub(super) added: BTreeSet<i64>,
    pub(super) limit: usize,
    pub(super) lease_until: Timestamp,
    pub(super) now: Timestamp,
}

impl Family {
    fn is_leased(&self, id: i64) -> bool {
        !self.added.contains(&id) && self.locked.get(&id).is_some_and(|row| row.is_leased(self.now))
    }
}

impl Writer<'_> {
    /// Leases the first of the children to the caller.
    pub(super) async fn hand_out(
        &mut self,
        children: &[Written<'_>],
        family: Family,
        report: &mut CommitReport,
    ) -> Result<(), StoreError> {
        let mut handed: Vec<&Written<'_>> = Vec::new();
        for child in children {
            if handed.len() < family.limit && !family.is_leased(child.id) {
                handed.push(child);
            } else {
                report.left_due += 1;
            }
        }
        if handed.is_empty() {
            return Ok(());
        }
        let known: Vec<i64> = handed.iter().filter(|child| !child.is_new).map(|child| child.id).collect();
        let mut rows = HashMap::new();
        if !known.is_empty() {
            for row in self.db.rows(SELECT_HANDED, Args::new().with(known)).await? {
                rows.insert(row.int(0)?, row);
            }
        }
        let tokens = self.draw_tokens(handed.len()).await?;
        let args = Args::new()
            .list(handed.iter().map(|child| child.id))
            .list(tokens.iter().map(|token| token.0))
            .with(whole_micros(family.lease_until));
        self.db.run(LEASE_CHILDREN, args).await?;
        for (child, token) in handed.into_iter().zip(tokens) {
            let mut claim = child.claim(token, family.now);
            if let Some(row) = rows.get(&child.id) {
                claim.result_digest = row.digest_opt(1)?;
                claim.fingerprint = row.digest_opt(2)?;
                claim.cache = cache(row, 3)?;
            }
            report.handed.push(claim);
        }
        Ok(())
    }

    async fn draw_tokens(&mut self, count: usize) -> Result<Vec<LeaseToken>, StoreError> {
        let nonce = nonce();
        let args = Args::new().with(i64::try_from(count).unwrap_or(i64::MAX));
        let rows = self.db.rows(DRAW_TOKENS, args).await?;
        rows.iter().map(|row| Ok(LeaseToken((row.int(0)? << NONCE_BITS) | nonce))).collect()
    }
}
