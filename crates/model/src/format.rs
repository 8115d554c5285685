//! The formats of single fields: the nine that an installation may redefine, and two that are fixed.
//!
//! All patterns are ASCII only, so byte lengths equal the UTF-16 lengths that the limits are defined in.

use crate::text::js_trim;

/// Longest name, namespace, kind, label value, tag, and API version without its prefix.
pub const NAME_LENGTH_MAX: usize = 63;
/// Longest prefix of a key or of an API version.
pub const DNS_SUBDOMAIN_LENGTH_MAX: usize = 253;

/// A check of one text.
pub type Validator = fn(&str) -> bool;

/// The validators that an installation may replace.
#[derive(Debug, Clone)]
pub struct Validators {
    /// For `apiVersion`.
    pub api_version: Validator,
    /// For `kind`.
    pub kind: Validator,
    /// For `metadata.name`.
    pub entity_name: Validator,
    /// For `metadata.namespace`.
    pub namespace: Validator,
    /// For the keys of `metadata.labels`.
    pub label_key: Validator,
    /// For the values of `metadata.labels`.
    pub label_value: Validator,
    /// For the keys of `metadata.annotations`.
    pub annotation_key: Validator,
    /// For the values of `metadata.annotations`.
    pub annotation_value: Validator,
    /// For the items of `metadata.tags`.
    pub tag: Validator,
    /// Changes whenever a validator that was replaced may come to another answer; functions cannot be compared. All
    /// entities are processed afresh after a change.
    pub fingerprint: String,
}

impl Default for Validators {
    fn default() -> Self {
        Self {
            api_version: is_valid_api_version,
            kind: is_valid_kind,
            entity_name: is_valid_entity_name,
            namespace: is_valid_namespace,
            label_key: is_valid_label_key,
            label_value: is_valid_label_value,
            annotation_key: is_valid_annotation_key,
            annotation_value: is_valid_annotation_value,
            tag: is_valid_tag,
            fingerprint: String::new(),
        }
    }
}

/// `suffix` or `prefix/suffix`, where the suffix is letters and digits and the prefix a DNS subdomain.
pub fn is_valid_api_version(text: &str) -> bool {
    has_valid_parts(text, |suffix| {
        is_name_length(suffix) && suffix.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// A letter, then letters and digits.
pub fn is_valid_kind(text: &str) -> bool {
    is_name_length(text)
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Letters and digits, inside also `-`, `_` and `.` in any number.
pub fn is_valid_entity_name(text: &str) -> bool {
    let is_outer = |c: char| c.is_ascii_alphanumeric();
    is_name_length(text)
        && text.starts_with(is_outer)
        && text.ends_with(is_outer)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// A DNS label.
pub fn is_valid_namespace(text: &str) -> bool {
    is_dns_label(text)
}

/// `name` or `prefix/name`, where the prefix is a DNS subdomain.
pub fn is_valid_label_key(text: &str) -> bool {
    has_valid_parts(text, is_valid_entity_name)
}

/// Empty, or formed like a name.
pub fn is_valid_label_value(text: &str) -> bool {
    text.is_empty() || is_valid_entity_name(text)
}

/// `name` or `prefix/name`, where the prefix is a DNS subdomain.
pub fn is_valid_annotation_key(text: &str) -> bool {
    has_valid_parts(text, is_valid_entity_name)
}

/// Any text, of any length.
pub fn is_valid_annotation_value(_text: &str) -> bool {
    true
}

/// Groups of lower-case letters, digits, `:`, `+` and `#`, joined by single dashes.
pub fn is_valid_tag(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b':' | b'+' | b'#');
    is_name_length(text) && text.split('-').all(|group| !group.is_empty() && group.bytes().all(is_inner))
}

/// An absolute URL by the WHATWG rules. Of any scheme: what a client does with it is the client's care.
pub fn is_valid_url(text: &str) -> bool {
    url::Url::parse(text).is_ok()
}

/// A text with something to see in it.
pub fn is_non_blank(text: &str) -> bool {
    !js_trim(text).is_empty()
}

/// Lower-case letters and digits, inside also dashes in any number.
pub fn is_dns_label(text: &str) -> bool {
    is_name_length(text)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// DNS labels joined by dots.
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= DNS_SUBDOMAIN_LENGTH_MAX && text.split('.').all(is_dns_label)
}

fn is_name_length(text: &str) -> bool {
    (1..=NAME_LENGTH_MAX).contains(&text.len())
}

fn has_valid_parts(text: &str, is_suffix: impl Fn(&str) -> bool) -> bool {
    match text.split_once('/') {
        None => is_suffix(text),
        Some((prefix, suffix)) => is_dns_subdomain(prefix) && is_suffix(suffix),
    }
}

#[cfg(test)]
mod tests;
