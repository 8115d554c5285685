//! String rules of JavaScript that differ from those of Rust's standard library.
//!
//! Names, refs and sorted arrays are visible to clients, so they follow the language they were defined in.

use std::cmp::Ordering;

/// Trims as `String.prototype.trim` does: the byte order mark counts as blank, NEL (U+0085) does not.
pub(crate) fn js_trim(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}'))
}

/// Compares by UTF-16 code units, as `Array.prototype.sort` does without a comparator.
pub(crate) fn js_cmp(a: &str, b: &str) -> Ordering {
    // Below U+D800 bytes, code points and code units sort alike; only the rest needs the slow way.
    if a.is_ascii() || b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Escapes one segment of a JSON pointer (RFC 6901).
pub(crate) fn pointer_segment(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_what_javascript_calls_blank() {
        assert_eq!(js_trim("\u{feff}\u{a0}\t a \u{2028}"), "a");
        assert_eq!(js_trim("\u{85}a"), "\u{85}a");
    }

    #[test]
    fn sorts_by_code_units() {
        // U+1F600 is D83D DE00 in UTF-16, and so comes before U+FF5E.
        assert_eq!(js_cmp("\u{1f600}", "\u{ff5e}"), Ordering::Less);
        assert_eq!("\u{1f600}".cmp("\u{ff5e}"), Ordering::Greater);
        assert_eq!(js_cmp("B", "a"), Ordering::Less);
        assert_eq!(js_cmp("z", "ä"), Ordering::Less);
    }

    #[test]
    fn escapes_pointer_segments() {
        assert_eq!(pointer_segment("a/b~c"), "a~1b~0c");
    }
}
