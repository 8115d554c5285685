//! Sizes, for metrics.

use super::SqliteStore;
use super::codec::RowExt as _;
use super::session::Args;
use crate::rules::codec::micros;
use crate::rules::statement::statements;
use crate::{Counts, StoreError, Timestamp};

statements! {
    COUNT_KINDS =
        "SELECT substr(i.entity_ref, 1, instr(i.entity_ref, ':') - 1), count(*) \
         FROM final_entities f CROSS JOIN refs i ON i.id = f.id GROUP BY 1 ORDER BY 1";
    COUNT_OTHERS =
        "SELECT (SELECT count(*) FROM locations), (SELECT value FROM meta WHERE key = 'relations'), \
                (SELECT count(*) FROM stitch_queue), \
                (SELECT count(*) FROM schedule WHERE lane IN (0, 1, 2, 3) AND next_update_at <= ?1), \
                (SELECT count(*) FROM errors WHERE category <> 3)";
}

impl SqliteStore {
    pub(super) async fn count_kinds(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let kinds = self.read_rows(COUNT_KINDS, Args::new()).await?;
        kinds.iter().map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?))).collect()
    }

    pub(super) async fn count(&self, now: Timestamp) -> Result<Counts, StoreError> {
        let Some(row) = self.read_row(COUNT_OTHERS, Args::new().with(micros(now))).await? else {
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
