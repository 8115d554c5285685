//! Who processes what at the moment.
//!
//! A SQLite database has one process that works on it, so leases are kept in memory: taking and returning one costs
//! no write, and when the process dies they are all released. What must outlive the process, that the entity is
//! due, stays in the `schedule` table until the outcome is committed.

use crate::LeaseToken;
use foldhash::HashMap;

/// A lease that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) token: LeaseToken,
    /// Others may claim the entity from this moment on, in microseconds.
    pub(super) until: i64,
    /// The `wish` number of the entity at that time. If it has grown since, the entity became due meanwhile.
    pub(super) wish: i64,
}

/// All leases.
#[derive(Debug, Default)]
pub(super) struct Leases {
    by_entity: HashMap<i64, Lease>,
    last_token: i64,
}

impl Leases {
    pub(super) fn next_token(&mut self) -> LeaseToken {
        self.last_token += 1;
        LeaseToken(self.last_token)
    }

    /// The lease of an entity, if it is this one.
    pub(super) fn held(&self, id: i64, token: LeaseToken) -> Option<Lease> {
        self.by_entity.get(&id).copied().filter(|lease| lease.token == token)
    }

    /// Whether somebody processes the entity.
    pub(super) fn is_leased(&self, id: i64, now: i64) -> bool {
        self.by_entity.get(&id).is_some_and(|lease| lease.until > now)
    }

    /// The entities that nobody else may claim.
    pub(super) fn running(&self, now: i64) -> impl Iterator<Item = i64> {
        self.by_entity.iter().filter(move |(_, lease)| lease.until > now).map(|(id, _)| *id)
    }

    /// When the first lease runs out.
    pub(super) fn first_end(&self) -> Option<i64> {
        self.by_entity.values().map(|lease| lease.until).min()
    }

    pub(super) fn grant(&mut self, id: i64, lease: Lease) {
        self.by_entity.insert(id, lease);
    }

    pub(super) fn release(&mut self, id: i64) {
        self.by_entity.remove(&id);
    }

    /// Prolongs a lease; answers whether it was still held.
    pub(super) fn extend(&mut self, id: i64, token: LeaseToken, until: i64) -> bool {
        match self.by_entity.get_mut(&id).filter(|lease| lease.token == token) {
            Some(lease) => {
                lease.until = until;
                true
            }
            None => false,
        }
    }
}
