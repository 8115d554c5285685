//! Registered locations. Their rows and their entities in the provider's bucket change together.

use std::sync::Arc;

use callboard_model::LocationSpec;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::codec::RowExt as _;
use super::session::{Args, Session};
use super::writer::Writer;
use crate::rules::intake::new_uid;
use crate::rules::messages::{location_exists, location_not_found, location_ref_taken};
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::{Lane, LocationConflict, NewEntity, StoreError, StoredLocation, Timestamp};

statements! {
    SELECT_LOCATION =
        "SELECT l.id, l.type, l.target, f.entity_ref FROM locations l JOIN refs f ON f.id = l.entity WHERE l.id = ?1";
    SELECT_LOCATION_BY_SPEC =
        "SELECT l.id, l.type, l.target, f.entity_ref FROM locations l JOIN refs f ON f.id = l.entity \
         WHERE l.type = ?1 AND l.target = ?2";
    SELECT_LOCATION_BY_REF =
        "SELECT l.id, l.type, l.target, f.entity_ref FROM refs f JOIN locations l ON l.entity = f.id \
         WHERE f.entity_ref = ?1";
    SELECT_LOCATIONS =
        "SELECT l.id, l.type, l.target, f.entity_ref FROM locations l JOIN refs f ON f.id = l.entity \
         WHERE l.id > ?1 ORDER BY l.id LIMIT ?2";
    PUT_LOCATION =
        "INSERT INTO locations (id, type, target, entity) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (id) DO UPDATE SET type = excluded.type, target = excluded.target, entity = excluded.entity";
    DELETE_LOCATION = "DELETE FROM locations WHERE id = ?1";
}

impl SqliteStore {
    pub(super) async fn create_location(
        &self,
        provider: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        on_conflict: LocationConflict,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        let mut writer = self.synced_writer().await?;
        let location = match (location_by_spec(&mut writer.db, spec).await?, on_conflict) {
            (Some(_), LocationConflict::Reject) => return Err(location_exists(spec)),
            (Some(existing), LocationConflict::Refresh) if *existing.entity_ref == *entity.entity_ref => {
                existing
            }
            (Some(_), LocationConflict::Refresh) => return Err(location_ref_taken(&entity.entity_ref)),
            (None, _) if location_by_ref(&mut writer.db, &entity.entity_ref).await?.is_some() => {
                return Err(location_ref_taken(&entity.entity_ref));
            }
            (None, _) => StoredLocation {
                id: new_uid(now).to_string(),
                spec: LocationSpec::new(&spec.kind, &spec.target),
                entity_ref: entity.entity_ref.to_string(),
            },
        };
        writer.location_put(provider, &location, &entity, &[], now).await?;
        let id = writer.names.id(&location.entity_ref)?;
        // Registering again asks for a fresh look, also where nothing seems to have changed.
        writer.mark_due([id], Lane::Interactive, Run::InFull, now).await?;
        writer.finish().await?;
        Ok(location)
    }

    pub(super) async fn update_location(
        &self,
        provider: &str,
        id: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        let mut writer = self.synced_writer().await?;
        let before = location_by_id(&mut writer.db, id).await?.ok_or_else(|| location_not_found(id))?;
        if location_by_spec(&mut writer.db, spec).await?.is_some_and(|other| other.id != id) {
            return Err(location_exists(spec));
        }
        let location = StoredLocation {
            id: id.to_owned(),
            spec: LocationSpec::new(&spec.kind, &spec.target),
            entity_ref: entity.entity_ref.to_string(),
        };
        let removed: &[String] = if before.entity_ref == location.entity_ref {
            &[]
        } else {
            std::slice::from_ref(&before.entity_ref)
        };
        writer.location_put(provider, &location, &entity, removed, now).await?;
        writer.finish().await?;
        Ok(location)
    }

    pub(super) async fn delete_location(
        &self,
        provider: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut writer = self.synced_writer().await?;
        let location = location_by_id(&mut writer.db, id).await?.ok_or_else(|| location_not_found(id))?;
        writer.db.run(DELETE_LOCATION, Args::new().with(id)).await?;
        writer.bucket_change(provider, &[], &[location.entity_ref], Lane::Interactive, now).await?;
        writer.finish().await
    }

    pub(super) async fn find_location(
        &self,
        spec: &LocationSpec,
    ) -> Result<Option<StoredLocation>, StoreError> {
        location_by_spec(&mut self.reader().await?, spec).await
    }

    pub(super) async fn find_location_by_ref(
        &self,
        entity_ref: &str,
    ) -> Result<Option<StoredLocation>, StoreError> {
        location_by_ref(&mut self.reader().await?, entity_ref).await
    }

    pub(super) async fn get_location(&self, id: &str) -> Result<Option<StoredLocation>, StoreError> {
        location_by_id(&mut self.reader().await?, id).await
    }

    pub(super) async fn list_locations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredLocation>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let args = Args::new().with(after.unwrap_or_default()).with(limit);
        self.read_rows(SELECT_LOCATIONS, args).await?.iter().map(location).collect()
    }
}

impl Writer<'_> {
    async fn location_put(
        &mut self,
        provider: &str,
        location: &StoredLocation,
        entity: &NewEntity,
        removed: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let added = std::slice::from_ref(entity);
        self.bucket_change(provider, added, removed, Lane::Interactive, now).await?;
        let entity_ref: Arc<str> = Arc::from(location.entity_ref.as_str());
        self.intern([&entity_ref]).await?;
        let args = Args::new()
            .with(location.id.as_str())
            .with(location.spec.kind.as_str())
            .with(location.spec.target.as_str())
            .with(self.names.id(&entity_ref)?);
        self.db.run(PUT_LOCATION, args).await.map(drop)
    }
}

async fn location_by_id(db: &mut Session, id: &str) -> Result<Option<StoredLocation>, StoreError> {
    db.row(SELECT_LOCATION, Args::new().with(id)).await?.as_ref().map(location).transpose()
}

async fn location_by_ref(db: &mut Session, entity_ref: &str) -> Result<Option<StoredLocation>, StoreError> {
    let args = Args::new().with(entity_ref);
    db.row(SELECT_LOCATION_BY_REF, args).await?.as_ref().map(location).transpose()
}

async fn location_by_spec(
    db: &mut Session,
    spec: &LocationSpec,
) -> Result<Option<StoredLocation>, StoreError> {
    let args = Args::new().with(spec.kind.as_str()).with(spec.target.as_str());
    db.row(SELECT_LOCATION_BY_SPEC, args).await?.as_ref().map(location).transpose()
}

fn location(row: &SqliteRow) -> Result<StoredLocation, StoreError> {
    Ok(StoredLocation {
        id: row.text(0)?.to_owned(),
        spec: LocationSpec::new(row.text(1)?, row.text(2)?),
        entity_ref: row.text(3)?.to_owned(),
    })
}
