//! Forgetting what a validator said.

use callboard_sdk::{ProcessorContext, ProcessorError};
use serde_json::Value;

/// Drops the remembered validator, unless there is none.
///
/// A validator may say "unchanged" only about the run that stored it. So a good run that cannot store a new one has
/// to drop the old one, or else a later run would take its word for a result that has been replaced since.
pub(crate) fn forget(cx: &mut ProcessorContext<'_>, key: &str) -> Result<(), ProcessorError> {
    let cache = cx.cache();
    if cache.get::<Value>(key).is_some_and(|value| !value.is_null()) {
        cache.set(key, &Value::Null)?;
    }
    Ok(())
}
