//! Whether the processors of this process are those that are to work on the store. Of several processes with different ones
//! those of the process that started last are, and the others get no claims. Of those that do get claims one has a lease, by
//! which the others know that somebody does the work; where nobody does any more, they go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use callboard_model::Digest;
use callboard_sdk::Timestamp;
use callboard_store::StoreError;

use crate::engine::Shared;
use crate::job::Job;

/// For how many leases a process leaves others the time to take the one that says that they do the work.
const PATIENCE: u32 = 4;

/// What this process knows about that. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// The fingerprint that this process gave the store last.
    given: Mutex<Option<Digest>>,
    is_superseded: AtomicBool,
}

impl Standing {
    /// The fingerprint that this process gave the store last.
    pub(crate) fn given(&self) -> Option<Digest> {
        *self.0.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_given(&self, fingerprint: Digest) {
        *self.0.given.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint);
    }

    /// Whether others are to do the work.
    pub(crate) fn is_superseded(&self) -> bool {
        self.0.is_superseded.load(Ordering::Relaxed)
    }

    /// Takes note of whether a claim with this fingerprint was refused because of it, and tells when that begins and ends.
    pub(crate) fn note(&self, fingerprint: Digest, is_superseded: bool) {
        // It may have changed a moment ago, and the store does not know yet.
        if is_superseded && self.given() != Some(fingerprint) {
            return;
        }
        let was_superseded = self.0.is_superseded.swap(is_superseded, Ordering::Relaxed);
        if is_superseded == was_superseded {
            return;
        }
        gauge().set(if is_superseded { 1.0 } else { 0.0 });
        if is_superseded {
            tracing::warn!(
                "another process started with other processors, another version or another configuration; this one \
                 serves the API and processes nothing until it, or one like it, is started again"
            );
        } else {
            tracing::info!("the processors of this process are in force again; it goes on processing");
        }
    }
}

/// Says for as long as it is so that the processors of this process are in force, and sees to it that somebody's are.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut watch = Watch { job: Job::new("processors"), superseded_since: None };
    loop {
        tokio::select! {
            // The lease is not given back: whoever is restarted has it again before others make themselves at home.
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(shared.settings.lease / 2) => {}
        }
        // A store that does not answer is the business of those who need it more.
        drop(watch.look(&shared).await);
    }
}

/// What this process knows about who does the work.
#[derive(Debug)]
struct Watch {
    job: Job,
    superseded_since: Option<Timestamp>,
}

impl Watch {
    async fn look(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let lease = shared.settings.lease;
        if !shared.standing.is_superseded() {
            self.superseded_since = None;
            return self.job.is_ours(shared, lease).await.map(drop);
        }
        let now = shared.clock.now();
        let Some(since) = self.superseded_since else {
            self.superseded_since = Some(now);
            std::mem::replace(&mut self.job, Job::new("processors")).give_back(shared).await;
            return Ok(());
        };
        if now < since + lease * PATIENCE || !self.job.is_ours(shared, lease).await? {
            return Ok(());
        }
        tracing::warn!("nobody is left of those with other processors; this process goes on processing");
        let fingerprint = shared.processing.pipeline.fingerprint();
        shared.store.fingerprint_apply(fingerprint, None, now).await?;
        shared.standing.set_given(fingerprint);
        shared.standing.note(fingerprint, false);
        shared.wake.claim();
        Ok(())
    }
}

/// A gauge is there from the start.
pub(crate) fn begin_gauge() {
    gauge().set(0.0);
}

fn gauge() -> metrics::Gauge {
    metrics::gauge!("callboard_processing_superseded")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use callboard_sdk::testkit::FakeClock;
    use callboard_store::postgres::{PostgresOptions, PostgresStore};
    use callboard_store::{ClaimRequest, Claimed, Lane};

    use super::*;
    use crate::testing::{Fake, Warnings, cluster, pipeline};
    use crate::{Engine, EngineSettings};

    const LEASE: Duration = Duration::from_mins(1);

    /// A process with processors of this version, which has just begun.
    async fn begin(options: &PostgresOptions, clock: &Arc<FakeClock>, version: &str) -> (Arc<Shared>, Watch) {
        let store = Arc::new(PostgresStore::open(options.clone()).await.unwrap());
        let pipeline = pipeline([Fake::new("p").with_fingerprint(version)]);
        let settings = EngineSettings { lease: LEASE, ..EngineSettings::default() };
        let shared =
            Engine::new(store, pipeline, Vec::new(), Arc::clone(clock) as _, settings).unwrap().shared;
        let fingerprint = shared.processing.pipeline.fingerprint();
        shared.store.fingerprint_apply(fingerprint, None, shared.clock.now()).await.unwrap();
        shared.standing.set_given(fingerprint);
        (shared, Watch { job: Job::new("processors"), superseded_since: None })
    }

    async fn is_in_force(shared: &Shared) -> bool {
        let (fingerprint, now) = (shared.processing.pipeline.fingerprint(), shared.clock.now());
        let request = ClaimRequest { limit: 1, lane_max: Lane::Periodic, now, lease: LEASE, fingerprint };
        matches!(shared.store.claim(&request).await.unwrap(), Claimed::Leased(_))
    }

    #[tokio::test]
    async fn where_nobody_is_left_to_do_the_work_those_who_left_it_to_them_go_on() {
        let Some(cluster) = cluster() else { return };
        let options = PostgresOptions::new(cluster.database().await);
        let clock = Arc::new(FakeClock::default());
        let (old, mut old_watch) = begin(&options, &clock, "1").await;
        old_watch.look(&old).await.unwrap();
        let (new, mut new_watch) = begin(&options, &clock, "2").await;
        old.standing.note(old.processing.pipeline.fingerprint(), true);
        for _ in 0..4 * PATIENCE {
            old_watch.look(&old).await.unwrap();
            new_watch.look(&new).await.unwrap();
            clock.advance(LEASE / 2);
        }
        assert!(is_in_force(&new).await && !is_in_force(&old).await);
        old_watch.look(&old).await.unwrap();
        assert!(is_in_force(&new).await, "its lease is not over");
        clock.advance(2 * LEASE);
        old_watch.look(&old).await.unwrap();
        assert!(is_in_force(&old).await && !old.standing.is_superseded());
    }

    #[test]
    fn that_others_do_the_work_is_told_once() {
        let (warnings, _guard) = Warnings::collect();
        let [own, changed] = ["own", "changed"].map(Digest::of);
        let standing = Standing::default();
        standing.set_given(own);
        // The last column: how often it was told.
        let steps = [
            (own, false, 0),
            (changed, true, 0),
            (own, true, 1),
            (own, true, 1),
            (changed, true, 1),
            (own, false, 1),
            (own, true, 2),
        ];
        for (fingerprint, is_superseded, told) in steps {
            standing.note(fingerprint, is_superseded);
            assert_eq!(warnings.all().len(), told);
        }
        assert!(standing.is_superseded());
    }
}
