//! Registered locations.

use callboard_model::LocationSpec;

use super::tables::Tables;
use crate::rules::messages::{location_exists, location_not_found, location_ref_taken};
use crate::rules::schedule::Run;
use crate::{Lane, LocationConflict, NewEntity, StoreError, StoredLocation, Timestamp};

impl Tables {
    pub(super) fn location_by_spec(&self, spec: &LocationSpec) -> Option<&StoredLocation> {
        let is_it = |it: &LocationSpec| it.kind == spec.kind && it.target == spec.target;
        self.locations.values().find(|location| is_it(&location.spec))
    }

    pub(super) fn location_by_ref(&self, entity_ref: &str) -> Option<&StoredLocation> {
        self.locations.values().find(|location| location.entity_ref == entity_ref)
    }

    pub(super) fn location_create(
        &mut self,
        provider: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        on_conflict: LocationConflict,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        let location = match (self.location_by_spec(spec), on_conflict) {
            (Some(_), LocationConflict::Reject) => return Err(location_exists(spec)),
            (Some(existing), LocationConflict::Refresh) if *existing.entity_ref == *entity.entity_ref => {
                existing.clone()
            }
            (Some(_), LocationConflict::Refresh) => return Err(location_ref_taken(&entity.entity_ref)),
            (None, _) if self.location_by_ref(&entity.entity_ref).is_some() => {
                return Err(location_ref_taken(&entity.entity_ref));
            }
            (None, _) => StoredLocation {
                id: self.next_uid().to_string(),
                spec: LocationSpec::new(&spec.kind, &spec.target),
                entity_ref: entity.entity_ref.to_string(),
            },
        };
        self.locations.insert(location.id.clone(), location.clone());
        self.change_location_bucket(provider, &[entity], None, now)?;
        // Registering again asks for a fresh look, also where nothing seems to have changed.
        self.mark_due(&location.entity_ref, Lane::Interactive, Run::InFull, now);
        Ok(location)
    }

    pub(super) fn location_update(
        &mut self,
        provider: &str,
        id: &str,
        spec: &LocationSpec,
        entity: NewEntity,
        now: Timestamp,
    ) -> Result<StoredLocation, StoreError> {
        let before = self.locations.get(id).ok_or_else(|| location_not_found(id))?.entity_ref.clone();
        if self.location_by_spec(spec).is_some_and(|other| other.id != id) {
            return Err(location_exists(spec));
        }
        let location = StoredLocation {
            id: id.to_owned(),
            spec: LocationSpec::new(&spec.kind, &spec.target),
            entity_ref: entity.entity_ref.to_string(),
        };
        self.locations.insert(location.id.clone(), location.clone());
        self.change_location_bucket(provider, &[entity], Some(&before), now)?;
        Ok(location)
    }

    pub(super) fn location_delete(
        &mut self,
        provider: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let location = self.locations.remove(id).ok_or_else(|| location_not_found(id))?;
        self.change_location_bucket(provider, &[], Some(&location.entity_ref), now)
    }

    fn change_location_bucket(
        &mut self,
        provider: &str,
        added: &[NewEntity],
        removed: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let is_removed = |target: &str| removed == Some(target);
        self.change_bucket(provider, added, is_removed, Lane::Interactive, now).map(drop)
    }
}
