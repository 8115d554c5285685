//! Jobs that one of all processes on a store does.

use std::time::Duration;

use callboard_store::{LeaseToken, StoreError, error_chain};

use crate::engine::Shared;

/// A job, and the lease that this process may have on it. Whoever has it keeps it from one time to the next, so that the
/// job is not done as often as there are processes.
#[derive(Debug)]
pub(crate) struct Job {
    name: &'static str,
    token: Option<LeaseToken>,
}

impl Job {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, token: None }
    }

    /// Whether this process is to do the job now. If so, it is for this process alone for so long, and as much longer as a
    /// lease lasts.
    pub(crate) async fn is_ours(&mut self, shared: &Shared, period: Duration) -> Result<bool, StoreError> {
        let now = shared.clock.now();
        let until = now + period + shared.settings.lease;
        if let Some(token) = self.token
            && shared.store.lease_extend(self.name, token, until).await?
        {
            return Ok(true);
        }
        self.token = shared.store.lease_take(self.name, until, now).await?;
        Ok(self.token.is_some())
    }

    /// Lets others do it from now on.
    pub(crate) async fn give_back(self, shared: &Shared) {
        let Some(token) = self.token else { return };
        if let Err(error) = shared.store.lease_end(self.name, token).await {
            let error = error_chain(&error);
            tracing::warn!(
                error,
                job = self.name,
                "the job is not given back: nobody does it until its lease is over"
            );
        }
    }
}

#[cfg(test)]
mod tests;
