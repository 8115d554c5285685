//! Reading final entities. Their text is put together here, out of slices.

use std::collections::{BTreeMap, HashMap};

use callboard_model::{BodyRef, assemble, etag};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::SqliteStore;
use super::codec::{RowExt as _, ids_json, texts_json};
use super::session::{Args, Session};
use super::statement::statements;
use crate::packed::unpack;
use crate::{Ancestor, EntityId, EntityPage, FinalEntity, FoundEntities, StoreError};

/// The columns that make a final entity, and the tables that they come from, beside `refs` under the name `i`.
macro_rules! final_entity_query {
    ($from:literal, $where:literal) => {
        concat!(
            "SELECT i.id, i.entity_ref, f.uid, b.metadata_end, b.annotations_end, b.own_etag, b.json, \
                    b.digest, f.relations, f.status, f.is_orphan \
             FROM ",
            $from,
            " CROSS JOIN final_entities f ON f.id = i.id CROSS JOIN bodies b ON b.id = i.id ",
            $where
        )
    };
}

statements! {
    SELECT_FINAL_BY_REF = final_entity_query!("refs i", "WHERE i.entity_ref = ?1");
    SELECT_FINAL_BY_UID =
        final_entity_query!("refresh_state u CROSS JOIN refs i ON i.id = u.id", "WHERE u.uid = ?1");
    SELECT_FINAL_BY_IDS = final_entity_query!("json_each(?1) j CROSS JOIN refs i ON i.id = j.value", "");
    SELECT_FINAL_BY_REFS =
        final_entity_query!("json_each(?1) j CROSS JOIN refs i ON i.entity_ref = j.value", "ORDER BY j.key");
    SELECT_SIZES_BY_REFS =
        "SELECT j.key, length(b.json) FROM json_each(?1) j CROSS JOIN refs i ON i.entity_ref = j.value \
           CROSS JOIN bodies b ON b.id = i.id ORDER BY j.key";
    SELECT_FINAL_PAGE = final_entity_query!("refs i", "WHERE i.entity_ref > ?1 ORDER BY i.entity_ref LIMIT ?2 + 0");
    // Packed, but the length is known without reading the text.
    SELECT_PAGE_SIZES =
        "SELECT length(b.json) FROM refs i CROSS JOIN final_entities f ON f.id = i.id CROSS JOIN bodies b ON b.id = i.id \
         WHERE i.entity_ref > ?1 ORDER BY i.entity_ref LIMIT ?2 + 0";
    // The nearest first: SQLite takes the rows of a recursive query in the order in which they were found.
    SELECT_ANCESTORS =
        "WITH RECURSIVE up (id) AS ( \
           SELECT f.id FROM refs i CROSS JOIN final_entities f ON f.id = i.id WHERE i.entity_ref = ?1 UNION \
           SELECT e.source FROM up CROSS JOIN edges e ON e.target = up.id AND e.refused = 0 \
             CROSS JOIN final_entities f ON f.id = e.source) \
         SELECT id FROM up LIMIT ?2";
    SELECT_PARENTS =
        "SELECT e.target, i.entity_ref FROM json_each(?1) j CROSS JOIN edges e ON e.target = j.value AND e.refused = 0 \
           CROSS JOIN final_entities f ON f.id = e.source CROSS JOIN refs i ON i.id = e.source \
         ORDER BY e.target, i.entity_ref";
}

/// How many ancestors are followed. Real entities have a handful; the limit is for cycles of generated ones.
const ANCESTORS_MAX: i64 = 1000;

/// A page of larger entities has fewer of them, but at least one.
const PAGE_BYTES_MAX: usize = 4 << 20;

impl SqliteStore {
    pub(super) async fn final_by_ref(&self, entity_ref: &str) -> Result<Option<FinalEntity>, StoreError> {
        let row = self.read_row(SELECT_FINAL_BY_REF, Args::new().with(entity_ref)).await?;
        row.as_ref().map(final_entity).transpose()
    }

    pub(super) async fn final_by_uid(&self, uid: Uuid) -> Result<Option<FinalEntity>, StoreError> {
        let args = Args::new().with(uid.as_bytes().to_vec());
        let row = self.read_row(SELECT_FINAL_BY_UID, args).await?;
        row.as_ref().map(final_entity).transpose()
    }

    pub(super) async fn finals_by_refs(
        &self,
        refs: &[&str],
        bytes_max: usize,
    ) -> Result<FoundEntities, StoreError> {
        let mut db = self.reader().await?;
        let mut looked_at = refs.len();
        if refs.len() > 1 {
            let mut packed = 0;
            let args = Args::new().with(texts_json(refs.iter().copied()));
            for row in db.rows(SELECT_SIZES_BY_REFS, args).await? {
                packed += usize::try_from(row.int(1)?).unwrap_or(usize::MAX);
                let place = usize::try_from(row.int(0)?).unwrap_or_default();
                if packed > bytes_max && place > 0 {
                    looked_at = place;
                    break;
                }
            }
        }
        let asked = refs.get(..looked_at).unwrap_or(refs);
        let rows = db.rows(SELECT_FINAL_BY_REFS, Args::new().with(texts_json(asked.iter().copied()))).await?;
        let mut entities: Vec<FinalEntity> = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        for row in rows {
            let entity = final_entity(&row)?;
            bytes += entity.json.len();
            if bytes > bytes_max && !entities.is_empty() {
                let place = asked.iter().position(|entity_ref| *entity_ref == entity.entity_ref);
                looked_at = place.unwrap_or(looked_at);
                break;
            }
            entities.push(entity);
        }
        Ok(FoundEntities { entities, looked_at })
    }

    pub(super) async fn final_page(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<EntityPage, StoreError> {
        let mut db = self.reader().await?;
        let args = |limit| {
            Args::new().with(after.unwrap_or_default()).with(i64::try_from(limit).unwrap_or(i64::MAX))
        };
        let sizes = db.rows(SELECT_PAGE_SIZES, args(limit)).await?;
        let (mut packed, mut fitting) = (0, 0);
        for row in &sizes {
            packed += usize::try_from(row.int(0)?).unwrap_or(usize::MAX);
            if fitting > 0 && packed > PAGE_BYTES_MAX {
                break;
            }
            fitting += 1;
        }
        let mut entities: Vec<FinalEntity> = Vec::with_capacity(fitting);
        let mut bytes = 0;
        for row in db.rows(SELECT_FINAL_PAGE, args(fitting)).await? {
            if bytes > PAGE_BYTES_MAX {
                break;
            }
            let entity = final_entity(&row)?;
            bytes += entity.json.len();
            entities.push(entity);
        }
        let is_last = entities.len() < limit && entities.len() == sizes.len();
        let next_after = entities.last().filter(|_| !is_last).map(|last| last.entity_ref.clone());
        Ok(EntityPage { entities, next_after })
    }

    pub(super) async fn ancestors(&self, entity_ref: &str) -> Result<Vec<Ancestor>, StoreError> {
        let mut db = self.reader().await?;
        let args = Args::new().with(entity_ref).with(ANCESTORS_MAX);
        let rows = db.rows(SELECT_ANCESTORS, args).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        let mut parents: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        let args = Args::new().with(ids_json(ids.iter().copied()));
        for row in db.rows(SELECT_PARENTS, args).await? {
            parents.entry(row.int(0)?).or_default().push(row.text(1)?.to_owned());
        }
        let mut found: HashMap<String, Ancestor> = HashMap::with_capacity(ids.len());
        for (id, entity) in finals_by_ids(&mut db, &ids).await? {
            let parent_refs = parents.remove(&id).unwrap_or_default();
            found.insert(entity.entity_ref.clone(), Ancestor { entity, parent_refs });
        }
        // Depth first, each once.
        let mut ancestors = Vec::with_capacity(found.len());
        let mut stack = vec![entity_ref.to_owned()];
        while let Some(next) = stack.pop() {
            if let Some(ancestor) = found.remove(&next) {
                stack.extend(ancestor.parent_refs.iter().rev().cloned());
                ancestors.push(ancestor);
            }
        }
        Ok(ancestors)
    }
}

async fn finals_by_ids(db: &mut Session, ids: &[i64]) -> Result<HashMap<i64, FinalEntity>, StoreError> {
    let args = Args::new().with(ids_json(ids.iter().copied()));
    let rows = db.rows(SELECT_FINAL_BY_IDS, args).await?;
    rows.iter().map(|row| Ok((row.int(0)?, final_entity(row)?))).collect()
}

fn final_entity(row: &SqliteRow) -> Result<FinalEntity, StoreError> {
    let offset =
        |at: usize| u32::try_from(row.int(at)?).map_err(|error| StoreError::Inconsistent(error.to_string()));
    let uid = row.uid(2)?;
    let json = unpack(row.blob(6)?)?;
    let body = BodyRef {
        json: &json,
        metadata_end: offset(3)?,
        annotations_end: offset(4)?,
        own_etag: row.flag(5)?,
        status: None,
    };
    let relations = unpack(row.blob(8)?)?;
    let status = row.text_opt(9)?;
    let is_orphan = row.flag(10)?;
    // Between a commit and the next stitch the body is newer than the etag in the row. One that is computed from
    // what is served always tells contents apart, and is the same one once it is stitched.
    let etag = etag(&row.digest(7)?, &relations, status, is_orphan);
    Ok(FinalEntity {
        id: EntityId(row.int(0)?),
        entity_ref: row.text(1)?.to_owned(),
        uid,
        json: assemble(body, &uid.hyphenated().to_string(), &etag, &relations, status, is_orphan),
    })
}
