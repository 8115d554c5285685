//! How texts stand in columns.
//!
//! The database's texts have no place for NUL, and its indexes none for texts of more than some 2,700 bytes. Descriptor
//! files hold both, and one such text must not keep an entity out. So NUL is written as something else, in a way that keeps
//! texts apart and in their order; and the index of `refs` holds of a long text its beginning and its digest.

use std::borrow::Cow;

use callboard_model::Digest;

/// Begins what stands for a character that cannot stand for itself.
const ESCAPE: char = '\u{1}';
const ESCAPED_NUL: &str = "\u{1}\u{1}";
const ESCAPED_ESCAPE: &str = "\u{1}\u{2}";
/// Goes before the digest of a text that was cut. No other text has these two in a row.
const CUT: &str = "\u{1}\u{3}";

/// The longest text that is its own key, in bytes.
const KEY_BYTES_MAX: usize = 2_000;
/// How much of a longer one is in its key.
const BEGINNING_BYTES_MAX: usize = 1_900;

/// A text as a column takes it.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains(['\0', ESCAPE]) {
        Cow::Owned(text.replace(ESCAPE, ESCAPED_ESCAPE).replace('\0', ESCAPED_NUL))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text that a column holds.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if text.contains(ESCAPE) {
        Cow::Owned(text.replace(ESCAPED_NUL, "\0").replace(ESCAPED_ESCAPE, "\u{1}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// What an index knows a text by.
pub(super) fn key(text: &str) -> Cow<'_, str> {
    let whole = escaped(text);
    if whole.len() <= KEY_BYTES_MAX {
        return whole;
    }
    let end = whole.floor_char_boundary(BEGINNING_BYTES_MAX);
    let beginning = whole.get(..end).unwrap_or_default();
    Cow::Owned(format!("{beginning}{CUT}{}", Digest::of(text)))
}

/// The text as a column takes it, if that is longer than its key.
pub(super) fn beyond_key(text: &str) -> Option<Cow<'_, str>> {
    let whole = escaped(text);
    (whole.len() > KEY_BYTES_MAX).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_as_they_are_and_in_their_order() {
        let texts =
            ["", "\0", "\0\0", "\0a", "\u{1}", "\u{1}\0", "\u{1}\u{1}", "\u{2}", "a", "a\0", "a\u{fffd}"];
        for text in texts {
            assert_eq!(unescaped(&escaped(text)), text);
            assert!(!escaped(text).contains('\0'));
        }
        assert!(texts.is_sorted_by(|one, other| escaped(one) < escaped(other)));
        assert!(matches!(escaped("ab"), Cow::Borrowed("ab")));
    }

    #[test]
    fn long_texts_have_short_keys_of_their_own() {
        let long = "é".repeat(KEY_BYTES_MAX / 2);
        assert_eq!((key(&long), beyond_key(&long)), (Cow::Borrowed(long.as_str()), None));
        let longer = [format!("{long}a"), format!("{long}b"), format!("a{long}"), format!("{long}\0")];
        for text in &longer {
            assert!(key(text).len() <= KEY_BYTES_MAX);
            assert_eq!(beyond_key(text), Some(escaped(text)));
            assert_eq!(longer.iter().filter(|other| key(other) == key(text)).count(), 1);
        }
    }
}
