//! Registered locations. Their rows and their entities in the provider's bucket change together.
//!
//! Whoever changes them has the provider's bucket to itself, and so all its locations. Targets may be longer than an index
//! takes, so they are found by the digest of their specification.

use callboard_model::{Digest, LocationSpec};
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::again::Tries;
use super::error::violates;
use super::locks::Graph;
use super::provider::bucket_names;
use super::row::{RowExt as _, uuid};
use super::session::{Args, Session};
use super::texts::{escaped, key};
use super::writer::Writer;
use crate::rules::intake::new_uid;
use crate::rules::messages::{location_exists, location_not_found, location_ref_taken};
use crate::rules::schedule::Run;
use crate::rules::statement::statements;
use crate::{Lane, LocationConflict, NewEntity, StoreError, StoredLocation, Timestamp};

statements! {
    SELECT_LOCATION =
        "SELECT l.id, l.type, l.target, coalesce(f.long_ref, f.entity_ref) FROM locations l JOIN refs f ON f.id = l.entity WHERE l.id = $1";
    SELECT_LOCATION_BY_SPEC =
        "SELECT l.id, l.type, l.target, coalesce(f.long_ref, f.entity_ref) FROM locations l JOIN refs f ON f.id = l.entity WHERE l.spec = $1";
    SELECT_LOCATION_BY_REF =
        "SELECT l.id, l.type, l.target, coalesce(f.long_ref, f.entity_ref) FROM refs f JOIN locations l ON l.entity = f.id \
         WHERE f.entity_ref = $1";
    SELECT_LOCATIONS =
        "SELECT l.id, l.type, l.target, coalesce(f.long_ref, f.entity_ref) FROM locations l JOIN refs f ON f.id = l.entity \
         WHERE l.id > $1 ORDER BY l.id LIMIT $2";
    PUT_LOCATION =
        "INSERT INTO locations (id, type, target, entity, spec) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO UPDATE SET type = excluded.type, target = excluded.target, entity = excluded.entity, \
             spec = excluded.spec";
    DELETE_LOCATION = "DELETE FROM locations WHERE id = $1";
}

impl PostgresStore {
    pub(super) async fn create_location(
        &self,
        provider: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        on_conflict: LocationConflict,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        let mut tries = Tries::new(Graph::Shared);
        loop {
            let result = self.create_once(provider, spec, &entity, on_conflict, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn create_once(
        &self,
        provider: &str,
        spec: &LocationSpec,
        entity: &NewEntity,
        on_conflict: LocationConflict,
        now: Timestamp,
        graph: Graph,
    ) -> Result<StoredLocation, StoreError> {
        let entities = std::slice::from_ref(entity);
        let mut writer = self.writer(graph, &bucket_names(provider, entities)).await?;
        let bucket = writer.lock_bucket(provider).await?;
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
        writer.bucket_change(bucket, entities, &[], Lane::Interactive, now).await?;
        let id = writer.location_put(&location).await?;
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
        let mut tries = Tries::new(Graph::Shared);
        loop {
            let result = self.update_once(provider, id, spec, &entity, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn update_once(
        &self,
        provider: &str,
        id: &str,
        spec: &LocationSpec,
        entity: &NewEntity,
        now: Timestamp,
        graph: Graph,
    ) -> Result<StoredLocation, StoreError> {
        let entities = std::slice::from_ref(entity);
        let mut writer = self.writer(graph, &bucket_names(provider, entities)).await?;
        let bucket = writer.lock_bucket(provider).await?;
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
        writer.bucket_change(bucket, entities, removed, Lane::Interactive, now).await?;
        writer.location_put(&location).await?;
        writer.finish().await?;
        Ok(location)
    }

    pub(super) async fn delete_location(
        &self,
        provider: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tries = Tries::new(Graph::Exclusive);
        loop {
            let result = self.delete_location_once(provider, id, now, tries.graph()).await;
            if let Some(result) = tries.settle(result).await {
                return result;
            }
        }
    }

    async fn delete_location_once(
        &self,
        provider: &str,
        id: &str,
        now: Timestamp,
        graph: Graph,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer(graph, &bucket_names(provider, &[])).await?;
        let bucket = writer.lock_bucket(provider).await?;
        let location = location_by_id(&mut writer.db, id).await?.ok_or_else(|| location_not_found(id))?;
        writer.db.run(DELETE_LOCATION, Args::new().with(escaped(id))).await?;
        writer.bucket_change(bucket, &[], &[location.entity_ref], Lane::Interactive, now).await?;
        writer.finish().await
    }

    pub(super) async fn find_location(
        &self,
        spec: &LocationSpec,
    ) -> Result<Option<StoredLocation>, StoreError> {
        let row = self.read_row(SELECT_LOCATION_BY_SPEC, Args::new().with(uuid(&digest(spec)))).await?;
        row.as_ref().map(location).transpose()
    }

    pub(super) async fn find_location_by_ref(
        &self,
        entity_ref: &str,
    ) -> Result<Option<StoredLocation>, StoreError> {
        let row = self.read_row(SELECT_LOCATION_BY_REF, Args::new().with(key(entity_ref))).await?;
        row.as_ref().map(location).transpose()
    }

    pub(super) async fn get_location(&self, id: &str) -> Result<Option<StoredLocation>, StoreError> {
        let row = self.read_row(SELECT_LOCATION, Args::new().with(escaped(id))).await?;
        row.as_ref().map(location).transpose()
    }

    pub(super) async fn list_locations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredLocation>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let args = Args::new().with(escaped(after.unwrap_or_default())).with(limit);
        self.read_rows(SELECT_LOCATIONS, args).await?.iter().map(location).collect()
    }
}

impl Writer<'_> {
    /// Inserts or overwrites a location; answers the number of its entity.
    async fn location_put(&mut self, location: &StoredLocation) -> Result<i64, StoreError> {
        let entity_ref = std::sync::Arc::from(location.entity_ref.as_str());
        if self.names.find(&entity_ref).is_none() {
            self.look_up(std::slice::from_ref(&entity_ref)).await?;
        }
        let entity = self.names.id(&entity_ref)?;
        let args = Args::new()
            .with(escaped(&location.id))
            .with(escaped(&location.spec.kind))
            .with(escaped(&location.spec.target))
            .with(entity)
            .with(uuid(&digest(&location.spec)));
        match self.db.run(PUT_LOCATION, args).await {
            // Somebody else registered it through another provider.
            Err(error) if violates(&error, "locations_spec") => Err(location_exists(&location.spec)),
            done => done.map(|_| entity),
        }
    }
}

fn digest(spec: &LocationSpec) -> Digest {
    Digest::of_parts([spec.kind.as_str(), spec.target.as_str()])
}

async fn location_by_id(db: &mut Session, id: &str) -> Result<Option<StoredLocation>, StoreError> {
    db.row(SELECT_LOCATION, Args::new().with(escaped(id))).await?.as_ref().map(location).transpose()
}

async fn location_by_ref(db: &mut Session, entity_ref: &str) -> Result<Option<StoredLocation>, StoreError> {
    let args = Args::new().with(key(entity_ref));
    db.row(SELECT_LOCATION_BY_REF, args).await?.as_ref().map(location).transpose()
}

async fn location_by_spec(
    db: &mut Session,
    spec: &LocationSpec,
) -> Result<Option<StoredLocation>, StoreError> {
    let args = Args::new().with(uuid(&digest(spec)));
    db.row(SELECT_LOCATION_BY_SPEC, args).await?.as_ref().map(location).transpose()
}

fn location(row: &PgRow) -> Result<StoredLocation, StoreError> {
    Ok(StoredLocation {
        id: row.text(0)?.into_owned(),
        spec: LocationSpec::new(row.text(1)?, row.text(2)?),
        entity_ref: row.text(3)?.into_owned(),
    })
}
