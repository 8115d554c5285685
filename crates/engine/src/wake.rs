//! Hints between the parts of the engine that there is work; the truth is in the store.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the parts of the engine that sleep until something is due. Waking without need is harmless.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    claim: Arc<Notify>,
    stitch: Arc<Notify>,
    stitch_at_once: Arc<Notify>,
    tidy: Arc<Notify>,
    changed: Arc<Notify>,
}

impl Wake {
    /// Something became due.
    pub fn claim(&self) {
        self.claim.notify_one();
    }

    /// Something waits for stitching.
    pub fn stitch(&self) {
        self.stitch.notify_one();
    }

    /// Something waits for stitching, and somebody for that.
    pub(crate) fn stitch_at_once(&self) {
        self.stitch();
        self.stitch_at_once.notify_one();
    }

    /// The change log grew.
    pub(crate) fn changed(&self) {
        self.changed.notify_one();
    }

    pub(crate) async fn change(&self) {
        self.changed.notified().await;
    }

    /// Much was written, and there is time to clean up.
    pub(crate) fn tidy(&self) {
        self.tidy.notify_one();
    }

    pub(crate) async fn tidy_wanted(&self) {
        self.tidy.notified().await;
    }

    pub(crate) async fn claim_wanted(&self) {
        self.claim.notified().await;
    }

    pub(crate) async fn stitch_wanted(&self) {
        self.stitch.notified().await;
    }

    pub(crate) async fn stitch_wanted_at_once(&self) {
        self.stitch_at_once.notified().await;
    }
}
