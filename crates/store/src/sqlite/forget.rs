//! Forgetting refs that nothing mentions any more.
//!
//! Telling which these are takes a look at every row, so it happens on a snapshot, beside the writer. Whoever writes a
//! ref anew meanwhile has to look up its number, so what was looked up since the snapshot is left alone.

use super::SqliteStore;
use foldhash::{HashSet, HashSetExt as _};

use super::codec::{RowExt as _, ids_json};
use super::session::{Args, Session};
use super::writer::Writer;
use crate::StoreError;
use crate::rules::statement::statements;
use crate::rules::unused::{CANDIDATES_MAX, FORGOTTEN_MAX, FORGOTTEN_MIN, RELATIONS_PAGE, keep_related};

statements! {
    // Refs that no row mentions, save for the packed relations.
    SELECT_UNUSED_REFS =
        "SELECT i.id FROM refs i \
         WHERE i.id NOT IN (SELECT id FROM schedule) \
           AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.source = i.id) \
           AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.target = i.id) \
           AND NOT EXISTS (SELECT 1 FROM errors e WHERE e.owner = i.id) \
           AND NOT EXISTS (SELECT 1 FROM peer_relations p WHERE p.source = i.id) \
           AND i.id NOT IN (SELECT id FROM change_log) \
           AND i.id NOT IN (SELECT id FROM stitch_queue) \
           AND i.id NOT IN (SELECT entity FROM locations) \
         LIMIT ?1";
    SELECT_PACKED_RELATIONS = "SELECT id, relations FROM results WHERE id > ?1 ORDER BY id LIMIT ?2";
    DELETE_REFS = "DELETE FROM refs WHERE id IN (SELECT value FROM json_each(?1))";
}

impl Writer<'_> {
    /// So many mentions of refs are gone. Counted even if the transaction fails: at worst it is searched in vain.
    pub(super) fn let_go(&mut self, mentions: usize) {
        self.state.mentions_gone = self.state.mentions_gone.saturating_add(mentions);
    }
}

impl SqliteStore {
    pub(super) async fn forget_refs(&self) -> Result<(), StoreError> {
        let gone = {
            let mut state = self.state.lock().await;
            if state.mentions_gone < FORGOTTEN_MIN {
                return Ok(());
            }
            state.looked_up = Some(HashSet::new());
            state.mentions_gone
        };
        let unused = self.unused_refs().await;
        let mut writer = self.writer().await?;
        let looked_up = writer.state.looked_up.take().unwrap_or_default();
        let mut unused = unused?;
        unused.retain(|id| !looked_up.contains(id));
        if unused.len() <= FORGOTTEN_MAX {
            writer.state.mentions_gone -= gone;
        }
        if unused.len() < FORGOTTEN_MIN {
            return Ok(());
        }
        let forgotten = ids_json(unused.into_iter().take(FORGOTTEN_MAX));
        writer.db.run(DELETE_REFS, Args::new().with(forgotten)).await?;
        // It is forgotten even if the transaction fails; that costs some lookups.
        writer.state.refs.clear();
        writer.finish().await
    }

    /// Refs that nothing mentions in a snapshot of now.
    async fn unused_refs(&self) -> Result<HashSet<i64>, StoreError> {
        let mut db = self.reader().await?;
        let rows = db.rows(SELECT_UNUSED_REFS, Args::new().with(CANDIDATES_MAX)).await?;
        let mut unused: HashSet<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        drop_related(&mut db, &mut unused).await?;
        Ok(unused)
    }
}

/// Takes out those that the packed relations mention.
async fn drop_related(db: &mut Session, unused: &mut HashSet<i64>) -> Result<(), StoreError> {
    let mut after = 0;
    while !unused.is_empty() {
        let page = db.rows(SELECT_PACKED_RELATIONS, Args::new().with(after).with(RELATIONS_PAGE)).await?;
        if page.is_empty() {
            break;
        }
        for row in &page {
            after = row.int(0)?;
            keep_related(unused, after, row.blob(1).ok());
        }
    }
    Ok(())
}
