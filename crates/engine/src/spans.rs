//! Spans of a run, with the names and attributes of Backstage's traces, so that the log lines of processors say what
//! they are about. On the level `debug`: on others they cost nothing.

use callboard_model::Entity;
use tracing::{Span, debug_span};

/// The whole run of an unprocessed entity.
pub(crate) fn run(entity: &Entity) -> Span {
    debug_span!(
        "ProcessingRun",
        "backstage.entity.apiVersion" = entity.api_version(),
        "backstage.entity.kind" = entity.kind(),
        "backstage.entity.metadata.namespace" = entity.namespace(),
        "backstage.entity.metadata.name" = entity.name(),
    )
}

/// One stage of a run.
pub(crate) fn stage(name: &'static str) -> Span {
    debug_span!("ProcessingStage", "backstage.catalog.processor.stage" = name)
}
