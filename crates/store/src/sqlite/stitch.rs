//! Stitching: making final entities from what processing left, one batch per transaction.
//!
//! A final entity is a function of rows: the processed body, the relations that start at the entity, the errors of
//! its last run, and whether it is an orphan. Its etag is a digest of these, so an equal etag means that nothing has
//! to be written.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use callboard_model::{Digest, SerializedError, etag, relations_json, status_json};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json, pack, unpack_relations};
use super::refs::relation_type;
use super::session::Args;
use super::statement::{bulk_statements, statements};
use super::writer::{UPSERTED, Writer};
use crate::{StitchReport, StoreError, Timestamp};

statements! {
    SELECT_QUEUE = "SELECT id FROM stitch_queue ORDER BY rank LIMIT ?1";
    SELECT_PARTS =
        "SELECT r.id, r.body_digest, r.relations, r.status, f.etag, \
                EXISTS (SELECT 1 FROM orphans o WHERE o.id = r.id), \
                EXISTS (SELECT 1 FROM errors e WHERE e.owner = r.id AND e.category = 0), \
                (SELECT group_concat(p.type || ' ' || p.target, ' ') FROM peer_relations p WHERE p.source = r.id), \
                (SELECT s.uid FROM refresh_state s WHERE f.id IS NULL AND s.id = r.id) \
         FROM json_each(?1) j CROSS JOIN results r ON r.id = j.value LEFT JOIN final_entities f ON f.id = r.id";
    SELECT_STATUS_ERRORS =
        "SELECT e.owner, e.error FROM json_each(?1) j CROSS JOIN errors e ON e.owner = j.value AND e.category = 0 \
         ORDER BY e.owner, e.position";
    DELETE_QUEUED = "DELETE FROM stitch_queue WHERE id IN (SELECT value FROM json_each(?1))";
}

bulk_statements! {
    // The uid never changes, so it is read and written only for a new row.
    PUT_FINAL("final_entities", 6) =
        "INSERT INTO final_entities (id, uid, etag, is_orphan, relations, status) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET etag = excluded.etag, is_orphan = excluded.is_orphan, \
             relations = excluded.relations, status = excluded.status";
}

/// What a final entity is made of.
struct Parts {
    id: i64,
    /// Of a new final entity.
    uid: Option<Uuid>,
    body_digest: Digest,
    own_status: Option<String>,
    stored_etag: Option<String>,
    is_orphan: bool,
    has_errors: bool,
    /// Types and targets, by number.
    relations: BTreeSet<(i64, i64)>,
}

/// A row of `final_entities`.
struct FinalRow {
    id: i64,
    uid: Option<Uuid>,
    etag: String,
    is_orphan: bool,
    relations: String,
    status: Option<String>,
}

impl SqliteStore {
    pub(super) async fn stitch_queued(
        &self,
        limit: usize,
        _now: Timestamp,
    ) -> Result<StitchReport, StoreError> {
        let mut writer = self.writer().await?;
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let rows = writer.db.rows(SELECT_QUEUE, Args::new().with(one_more)).await?;
        let has_more = rows.len() > limit;
        let queued: Vec<i64> = rows.iter().take(limit).map(|row| row.int(0)).collect::<Result<_, _>>()?;
        if queued.is_empty() {
            return Ok(StitchReport { has_more, ..StitchReport::default() });
        }
        let parts = writer.parts(&queued).await?;
        let stitched = parts.len();
        let changed = writer.stitch_parts(parts).await?;
        writer.db.run(DELETE_QUEUED, Args::new().with(ids_json(queued.iter().copied()))).await?;
        writer.finish().await?;
        Ok(StitchReport {
            changed,
            unchanged: stitched - changed,
            abandoned: queued.len() - stitched,
            has_more,
        })
    }
}

impl Writer<'_> {
    /// What there is of the entities; those that never had a good run are left out.
    async fn parts(&mut self, ids: &[i64]) -> Result<Vec<Parts>, StoreError> {
        let args = Args::new().with(ids_json(ids.iter().copied()));
        self.db.rows(SELECT_PARTS, args).await?.iter().map(Parts::from_row).collect()
    }

    /// Writes the final entities that come out other than they are; answers how many.
    async fn stitch_parts(&mut self, parts: Vec<Parts>) -> Result<usize, StoreError> {
        let numbers =
            parts.iter().flat_map(|parts| &parts.relations).flat_map(|(kind, target)| [*kind, *target]);
        let numbers: BTreeSet<i64> = numbers.collect();
        let texts = self.ref_texts(numbers).await?;
        let errors = self.status_errors(&parts).await?;
        let mut finals = Vec::with_capacity(parts.len());
        for parts in parts {
            let errors = errors.get(&parts.id).map(Vec::as_slice).unwrap_or_default();
            let stored_etag = parts.stored_etag.clone();
            let row = parts.finish(&texts, errors);
            if stored_etag.as_ref() != Some(&row.etag) {
                self.log_change(row.id, UPSERTED);
                finals.push(row);
            }
        }
        let changed = finals.len();
        let bind = |args: &mut Args, row: FinalRow| {
            args.push(row.id);
            args.push(row.uid.unwrap_or_default().as_bytes().to_vec());
            args.push(row.etag);
            args.push(row.is_orphan);
            args.push(pack(&row.relations));
            args.push(row.status);
        };
        self.db.bulk(&PUT_FINAL, finals, bind).await?;
        Ok(changed)
    }

    async fn status_errors(
        &mut self,
        parts: &[Parts],
    ) -> Result<HashMap<i64, Vec<SerializedError>>, StoreError> {
        let mut errors: HashMap<i64, Vec<SerializedError>> = HashMap::new();
        let failing: Vec<i64> = parts.iter().filter(|parts| parts.has_errors).map(|parts| parts.id).collect();
        if failing.is_empty() {
            return Ok(errors);
        }
        for row in self.db.rows(SELECT_STATUS_ERRORS, Args::new().with(ids_json(failing))).await? {
            errors.entry(row.int(0)?).or_default().push(super::errors::serialized(row.text(1)?)?);
        }
        Ok(errors)
    }
}

impl Parts {
    fn from_row(row: &SqliteRow) -> Result<Self, StoreError> {
        let id = row.int(0)?;
        let own = unpack_relations(id, row.blob(2)?)?;
        let mut relations: BTreeSet<(i64, i64)> = own
            .into_iter()
            .filter(|relation| relation.0 == id)
            .map(|(_, kind, target)| (kind, target))
            .collect();
        let mut numbers =
            row.text_opt(7)?.unwrap_or_default().split_ascii_whitespace().map(str::parse::<i64>);
        while let (Some(Ok(kind)), Some(Ok(target))) = (numbers.next(), numbers.next()) {
            relations.insert((kind, target));
        }
        Ok(Self {
            id,
            uid: row.uid_opt(8)?,
            body_digest: row.digest(1)?,
            own_status: row.text_opt(3)?.map(str::to_owned),
            stored_etag: row.text_opt(4)?.map(str::to_owned),
            is_orphan: row.flag(5)?,
            has_errors: row.flag(6)?,
            relations,
        })
    }

    fn finish(self, texts: &HashMap<i64, Arc<str>>, errors: &[SerializedError]) -> FinalRow {
        let text = |id: i64| texts.get(&id).map(AsRef::as_ref).unwrap_or_default();
        let mut relations: Vec<(&str, &str)> =
            self.relations.iter().map(|(kind, target)| (relation_type(text(*kind)), text(*target))).collect();
        relations.sort_unstable();
        let relations = relations_json(&relations);
        let status = status_json(self.own_status.as_deref(), errors);
        FinalRow {
            id: self.id,
            uid: self.uid,
            etag: etag(&self.body_digest, &relations, status.as_deref(), self.is_orphan),
            is_orphan: self.is_orphan,
            relations,
            status,
        }
    }
}
