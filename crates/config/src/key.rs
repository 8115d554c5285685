//! Key paths: parts joined by dots.

use crate::error::ConfigError;

/// The parts of a key path; none for the empty path, which is the object itself.
pub(crate) fn parts(key: &str) -> Result<Vec<&str>, ConfigError> {
    if key.is_empty() {
        return Ok(Vec::new());
    }
    let parts: Vec<_> = key.split('.').collect();
    if parts.iter().all(|part| is_part(part)) {
        return Ok(parts);
    }
    Err(ConfigError::InvalidKey { key: key.to_owned() })
}

/// A letter, then letters and digits in groups that `-`, `_` or `:` separate. What does not match, such as a proxy
/// route or an index, can only be read as a part of a whole object.
pub(crate) fn is_part(part: &str) -> bool {
    let starts_with_letter = part.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_group = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_alphanumeric());
    starts_with_letter && part.split(['-', '_', ':']).all(is_group)
}

/// The path of `key` below `prefix`.
pub(crate) fn join(prefix: &str, key: &str) -> String {
    match (prefix.is_empty(), key.is_empty()) {
        (true, _) => key.to_owned(),
        (false, true) => prefix.to_owned(),
        (false, false) => format!("{prefix}.{key}"),
    }
}
