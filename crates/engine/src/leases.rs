//! The leases that this process holds, from the claim to the commit.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use callboard_store::{Claim, EntityId, LeaseToken};

/// Bounded by the queue, the workers and the commit channel together.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<HashMap<EntityId, LeaseToken>>);

impl Leases {
    pub(crate) fn add(&self, claims: &[Claim]) {
        self.held().extend(claims.iter().map(|claim| (claim.id, claim.token)));
    }

    /// The lease is over, unless the entity was leased anew meanwhile.
    pub(crate) fn remove(&self, id: EntityId, token: LeaseToken) {
        let mut held = self.held();
        if held.get(&id) == Some(&token) {
            held.remove(&id);
        }
    }

    pub(crate) fn all(&self) -> Vec<(EntityId, LeaseToken)> {
        self.held().iter().map(|(id, token)| (*id, *token)).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held().is_empty()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<EntityId, LeaseToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
