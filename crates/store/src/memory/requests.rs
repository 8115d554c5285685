//! What users ask for.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::edges::Source;
use super::tables::Tables;
use crate::rules::messages::entity_not_found;
use crate::rules::read::REFRESH_DEPTH_MAX;
use crate::rules::schedule::Run;
use crate::{Lane, StoreError, Timestamp};

impl Tables {
    pub(super) fn refresh(&mut self, entity_ref: &str, now: Timestamp) -> Result<(), StoreError> {
        let Some((found, _)) = self.rows.get_key_value(entity_ref.to_lowercase().as_str()) else {
            return Err(entity_not_found(entity_ref));
        };
        let mut due = BTreeSet::from([Arc::clone(found)]);
        let mut above = due.clone();
        for _ in 0..REFRESH_DEPTH_MAX {
            let sources = above.iter().flat_map(|it| self.sources_of(it));
            above = sources.filter_map(parent).collect();
            due.extend(above.iter().filter(|it| it.starts_with("location:")).cloned());
        }
        for entity_ref in &due {
            self.mark_due(entity_ref, Lane::Interactive, Run::IfChanged, now);
        }
        Ok(())
    }

    pub(super) fn delete_by_uid(&mut self, uid: Uuid, now: Timestamp) {
        let Some(entity_ref) = self.ref_by_uid(uid) else { return };
        let sources = self.edges.get(&entity_ref).into_iter().flat_map(|sources| sources.keys());
        let parents: Vec<Arc<str>> = sources.filter_map(parent).collect();
        for parent in &parents {
            self.mark_due(parent, Lane::Interactive, Run::InFull, now);
        }
        self.delete(&BTreeSet::from([entity_ref]), now);
    }
}

fn parent(source: &Source) -> Option<Arc<str>> {
    match source {
        Source::Entity(entity_ref) => Some(Arc::clone(entity_ref)),
        Source::Provider(_) => None,
    }
}
