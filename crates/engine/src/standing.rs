//! Whether the processors of this process are those that are to work on the store. Of several processes with different ones
//! those of the process that started last are, and the others get no claims.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use callboard_model::Digest;

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

/// A gauge is there from the start.
pub(crate) fn begin_gauge() {
    gauge().set(0.0);
}

fn gauge() -> metrics::Gauge {
    metrics::gauge!("callboard_processing_superseded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Warnings;

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
