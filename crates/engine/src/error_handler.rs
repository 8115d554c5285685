//! Telling others of entities that cannot be processed.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use callboard_sdk::{Entity, ProcessorError};

type Handle = dyn Fn(&Entity, &[ProcessorError]) + Send + Sync;

/// Is told when the errors of an entity begin or change, with the unprocessed entity; not again while they stay the
/// same. Called on the loop's threads, for several entities at a time, just before the errors are stored: it must not
/// block. What it does has no effect on the entity, not even a panic.
#[derive(Clone)]
pub struct ProcessingErrorHandler(Arc<Handle>);

impl ProcessingErrorHandler {
    /// A handler that calls `handle`.
    pub fn new(handle: impl Fn(&Entity, &[ProcessorError]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(handle))
    }

    pub(crate) fn tell(&self, entity: &Entity, errors: &[ProcessorError]) {
        if std::panic::catch_unwind(AssertUnwindSafe(|| (self.0)(entity, errors))).is_err() {
            let entity_ref = entity.entity_ref().to_canonical();
            tracing::debug!("the handler of processing errors panicked over {entity_ref}");
        }
    }
}

impl fmt::Debug for ProcessingErrorHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessingErrorHandler")
    }
}
