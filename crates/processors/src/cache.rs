//! What a reader remembers of a target from its last good run: the validator that it got, or made, for what it read,
//! and whether there was anything.
//!
//! A validator may say "unchanged" only about the run that stored it. So a good run without a new one has to drop the
//! old one, or else a later run would take its word for a result that has been replaced since.

use callboard_sdk::{ProcessorContext, ProcessorError};
use serde_json::Value;

const VALIDATOR: &str = "validator";
const FILLED: &str = "filled";

/// The validator of the last good run.
pub(crate) fn validator(cx: &mut ProcessorContext<'_>) -> Option<String> {
    cx.cache().get(VALIDATOR)
}

/// Whether the last good run found any entities.
pub(crate) fn was_filled(cx: &mut ProcessorContext<'_>) -> bool {
    cx.cache().get(FILLED).unwrap_or(false)
}

/// Remembers this run; without a validator, the last one is forgotten.
pub(crate) fn remember(
    cx: &mut ProcessorContext<'_>,
    validator: Option<&str>,
    is_filled: bool,
) -> Result<(), ProcessorError> {
    let cache = cx.cache();
    let is_known = |key| cache.get::<Value>(key).is_some();
    // A memory with nothing in it is left alone.
    if validator.is_some() || is_filled || is_known(VALIDATOR) || is_known(FILLED) {
        cache.set(VALIDATOR, &validator)?;
        cache.set(FILLED, &is_filled)?;
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
