//! Sizes, for metrics.

use super::PostgresStore;
use super::row::{RowExt as _, whole_micros};
use super::session::Args;
use crate::rules::statement::statements;
use crate::{Counts, StoreError, Timestamp};

statements! {
    COUNT_KINDS =
        "SELECT split_part(i.entity_ref, ':', 1) AS kind, count(*) \
         FROM final_entities f JOIN refs i ON i.id = f.id GROUP BY kind ORDER BY kind";
    COUNT_OTHERS =
        "SELECT (SELECT count(*) FROM locations), \
                (SELECT coalesce(sum(relations), 0)::bigint FROM counters), \
                (SELECT count(DISTINCT id) FROM stitch_queue), \
                (SELECT count(*) FROM schedule WHERE lane IN (0, 1, 2, 3) AND next_update_at <= $1), \
                (SELECT count(*) FROM errors WHERE category <> 3)";
}

impl PostgresStore {
    pub(super) async fn count_kinds(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let kinds = self.read_rows(COUNT_KINDS, Args::new()).await?;
        kinds.iter().map(|row| Ok((row.text(0)?.into_owned(), row.int(1)?))).collect()
    }

    pub(super) async fn count(&self, now: Timestamp) -> Result<Counts, StoreError> {
        let Some(row) = self.read_row(COUNT_OTHERS, Args::new().with(whole_micros(now))).await? else {
            return Ok(Counts::default());
        };
        Ok(Counts {
            locations: row.int(0)?,
            relations: row.int(1)?,
            stitch_queue: row.int(2)?,
            due: row.int(3)?,
            errors: row.int(4)?,
        })
    }
}
