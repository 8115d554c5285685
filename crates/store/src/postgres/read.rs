//! Reading final entities.

use std::collections::{BTreeMap, HashMap};

use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::PostgresStore;
use super::row::RowExt as _;
use super::session::{Args, Session};
use super::texts::key;
use crate::rules::read::{ANCESTORS_MAX, FinalColumns, depth_first, fitting, found, page};
use crate::rules::statement::statements;
use crate::{Ancestor, EntityPage, FinalEntity, FoundEntities, StoreError};

/// The columns that make a final entity, and the tables that they come from, beside `refs` under the name `i`.
macro_rules! final_entity_query {
    ($from:literal, $where:literal) => {
        final_entity_query!("", $from, $where)
    };
    ($more_columns:literal, $from:literal, $where:literal) => {
        concat!(
            "SELECT i.id, coalesce(i.long_ref, i.entity_ref), f.uid, b.metadata_end, b.annotations_end, b.own_etag, b.json, \
                    b.digest, f.relations, f.status, f.is_orphan",
            $more_columns,
            " FROM ",
            $from,
            " JOIN final_entities f ON f.id = i.id JOIN bodies b ON b.id = i.id ",
            $where
        )
    };
}

statements! {
    SELECT_FINAL_BY_REF = final_entity_query!("refs i", "WHERE i.entity_ref = $1");
    SELECT_FINAL_BY_UID =
        final_entity_query!("refresh_state u JOIN refs i ON i.id = u.id", "WHERE u.uid = $1");
    SELECT_FINAL_BY_IDS = final_entity_query!("refs i", "WHERE i.id = ANY($1)");
    // The first of those that there are, up to so many packed bytes; with their places, and how many there are in all.
    SELECT_FINAL_BY_REFS = concat!(
        "SELECT * FROM (",
        final_entity_query!(
            ", j.n, count(*) OVER () AS there, sum(length(b.json)) OVER (ORDER BY j.n) - length(b.json) AS before",
            "unnest($1::text[]) WITH ORDINALITY j(t, n) JOIN refs i ON i.entity_ref = j.t",
            ""
        ),
        ") e WHERE before <= $2 ORDER BY n"
    );
    SELECT_FINAL_PAGE = final_entity_query!("refs i", "WHERE i.entity_ref > $1 ORDER BY i.entity_ref LIMIT $2");
    // Packed, but the length is known without reading the text.
    SELECT_PAGE_SIZES =
        "SELECT length(b.json) FROM refs i JOIN final_entities f ON f.id = i.id JOIN bodies b ON b.id = i.id \
         WHERE i.entity_ref > $1 ORDER BY i.entity_ref LIMIT $2";
    // Where there are more than so many, which of them are found is for the database to choose.
    SELECT_ANCESTORS =
        "WITH RECURSIVE up (id) AS ( \
           SELECT f.id FROM refs i JOIN final_entities f ON f.id = i.id WHERE i.entity_ref = $1 UNION \
           SELECT e.source FROM up JOIN edges e ON e.target = up.id AND NOT e.refused \
             JOIN final_entities f ON f.id = e.source) \
         SELECT id FROM up LIMIT $2";
    SELECT_PARENTS =
        "SELECT e.target, coalesce(i.long_ref, i.entity_ref) FROM edges e JOIN final_entities f ON f.id = e.source \
           JOIN refs i ON i.id = e.source \
         WHERE e.target = ANY($1) AND NOT e.refused ORDER BY e.target, i.entity_ref";
}

impl PostgresStore {
    pub(super) async fn final_by_ref(&self, entity_ref: &str) -> Result<Option<FinalEntity>, StoreError> {
        let row = self.read_row(SELECT_FINAL_BY_REF, Args::new().with(key(entity_ref))).await?;
        row.as_ref().map(final_entity).transpose()
    }

    pub(super) async fn final_by_uid(&self, uid: Uuid) -> Result<Option<FinalEntity>, StoreError> {
        let row = self.read_row(SELECT_FINAL_BY_UID, Args::new().with(uid)).await?;
        row.as_ref().map(final_entity).transpose()
    }

    pub(super) async fn finals_by_refs(
        &self,
        refs: &[&str],
        bytes_max: usize,
    ) -> Result<FoundEntities, StoreError> {
        let args = Args::new()
            .list(refs.iter().map(|text| key(text)))
            .with(i64::try_from(bytes_max).unwrap_or(i64::MAX));
        let rows = self.connections.rows(SELECT_FINAL_BY_REFS, args).await?;
        let mut asked = refs;
        if let Some(last) = rows.last() {
            let there = usize::try_from(last.int(12)?).unwrap_or_default();
            if rows.len() < there {
                let place = usize::try_from(last.int(11)?).unwrap_or_default();
                asked = refs.get(..place).unwrap_or(refs);
            }
        }
        found(asked, rows.into_iter().map(|row| final_entity(&row)), bytes_max)
    }

    pub(super) async fn final_page(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<EntityPage, StoreError> {
        let mut db = self.connections.snapshot().await?;
        let args = |limit| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            Args::new().with(key(after.unwrap_or_default())).with(limit)
        };
        let sizes = db.rows(SELECT_PAGE_SIZES, args(limit)).await?;
        let fitting = fitting(sizes.iter().map(|row| row.int4(0)))?;
        let rows = db.rows(SELECT_FINAL_PAGE, args(fitting)).await?;
        page(rows.into_iter().map(|row| final_entity(&row)), limit, sizes.len())
    }

    pub(super) async fn ancestors(&self, entity_ref: &str) -> Result<Vec<Ancestor>, StoreError> {
        let mut db = self.connections.snapshot().await?;
        let args = Args::new().with(key(entity_ref)).with(ANCESTORS_MAX);
        let rows = db.rows(SELECT_ANCESTORS, args).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        let mut parents: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for row in db.rows(SELECT_PARENTS, Args::new().with(ids.as_slice())).await? {
            parents.entry(row.int(0)?).or_default().push(row.text(1)?.into_owned());
        }
        let mut found: HashMap<String, Ancestor> = HashMap::with_capacity(ids.len());
        for (id, entity) in finals_by_ids(&mut db, &ids).await? {
            let parent_refs = parents.remove(&id).unwrap_or_default();
            found.insert(entity.entity_ref.clone(), Ancestor { entity, parent_refs });
        }
        Ok(depth_first(entity_ref, found))
    }
}

async fn finals_by_ids(db: &mut Session, ids: &[i64]) -> Result<HashMap<i64, FinalEntity>, StoreError> {
    let rows = db.rows(SELECT_FINAL_BY_IDS, Args::new().with(ids)).await?;
    rows.iter().map(|row| Ok((row.int(0)?, final_entity(row)?))).collect()
}

fn final_entity(row: &PgRow) -> Result<FinalEntity, StoreError> {
    let offset =
        |at: usize| u32::try_from(row.int4(at)?).map_err(|error| StoreError::Inconsistent(error.to_string()));
    let (entity_ref, status) = (row.text(1)?, row.text_opt(9)?);
    let columns = FinalColumns {
        id: row.int(0)?,
        entity_ref: &entity_ref,
        uid: row.uid(2)?,
        metadata_end: offset(3)?,
        annotations_end: offset(4)?,
        own_etag: row.flag(5)?,
        body: row.blob(6)?,
        body_digest: row.digest(7)?,
        relations: row.blob(8)?,
        status: status.as_deref(),
        is_orphan: row.flag(10)?,
    };
    columns.assemble()
}
