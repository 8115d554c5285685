//! Appending to the change log.
//!
//! Positions are dense and in the order of commits: whoever appends holds the head of the log until its commit is
//! visible. So whoever sees a position has seen all before it.

use super::session::{Args, Session};
use crate::StoreError;
use crate::rules::statement::statements;

statements! {
    APPEND_CHANGES =
        "WITH h AS (UPDATE change_head SET position = position + cardinality($1) \
                    RETURNING position - cardinality($1) AS base) \
         INSERT INTO change_log (position, id, kind, stamp) \
         SELECT h.base + j.n, j.id, j.kind, $3 FROM h, unnest($1, $2) WITH ORDINALITY j(id, kind, n)";
}

impl Session {
    /// Appends changes, each with its kind. Comes last before the commit.
    pub(super) async fn append_changes(&mut self, changes: &[(i64, i64)]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let args = Args::new()
            .list(changes.iter().map(|(id, _)| *id))
            .list(changes.iter().map(|(_, kind)| i16::try_from(*kind).unwrap_or_default()))
            .with(super::nonce().cast_signed());
        self.write("change_log", APPEND_CHANGES, args).await.map(drop)
    }
}
