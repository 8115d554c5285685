//! What a reader remembers of a target: the validator that its last good run got, or made, for what it read.
//!
//! A validator may say "unchanged" only about the run that stored it. So a good run without a new one has to drop the
//! old one, or else a later run would take its word for a result that has been replaced since.

use callboard_sdk::{ProcessorContext, ProcessorError};
use serde_json::Value;

const KEY: &str = "validator";

/// The validator of the last good run.
pub(crate) fn validator(cx: &mut ProcessorContext<'_>) -> Option<String> {
    cx.cache().get(KEY)
}

/// Remembers the validator of this run; without one, the last one is forgotten.
pub(crate) fn remember(cx: &mut ProcessorContext<'_>, validator: Option<&str>) -> Result<(), ProcessorError> {
    let cache = cx.cache();
    // A memory without one is left alone.
    if validator.is_some() || cache.get::<Value>(KEY).is_some_and(|known| !known.is_null()) {
        cache.set(KEY, &validator)?;
    }
    Ok(())
}

/// What is said about a file without a single byte where there were entities before. Somebody is writing it, or a server
/// has lost it; whoever wants the entities gone can say so in other ways.
pub(crate) fn emptied(target: &str) -> String {
    format!(
        "{target} is empty (0 bytes) and was not before, so its entities stay; to remove them, delete the file, \
         unregister the location, or leave a comment in the file"
    )
}
