//! How JavaScript trims, measures and prints: keys and values are compared with what it makes of them.

/// Trims as `String.prototype.trim` does: the byte order mark counts as blank, NEL (U+0085) does not.
pub(crate) fn js_trim(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}'))
}

/// Length in UTF-16 code units.
pub(crate) fn utf16_len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// Whether a text has at most so many UTF-16 code units.
pub(crate) fn fits(text: &str, units_max: usize) -> bool {
    // No code unit takes more than three bytes.
    text.len() <= units_max || (text.len() <= units_max * 3 && utf16_len(text) <= units_max)
}

/// Appends `text` in lower case.
///
/// Each letter has one lower case, wherever it stands. JavaScript's (and Rust's) depends on the neighbours in one case:
/// a sigma at the end of a word is another one. With that, `a.b` in lower case would not be `a` and `b` in lower case,
/// which keys and the items that they follow from have to be; and nobody would find a word by how it begins.
pub(crate) fn push_lowercase(target: &mut String, text: &str) {
    if !text.is_ascii() {
        for char in text.chars() {
            match char {
                '\u{3a3}' | '\u{3c2}' => target.push('\u{3c3}'),
                _ => target.extend(char.to_lowercase()),
            }
        }
        return;
    }
    let start = target.len();
    target.push_str(text);
    if let Some(tail) = target.get_mut(start..) {
        tail.make_ascii_lowercase();
    }
}

/// A text in lower case, as [`push_lowercase`] has it.
pub(crate) fn lowercase(text: &str) -> String {
    let mut lower = String::with_capacity(text.len());
    push_lowercase(&mut lower, text);
    lower
}

/// The text of `String(number)`.
pub(crate) fn js_number_text(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude == 0.0 {
        // Minus zero has no sign there.
        "0".to_owned()
    } else if magnitude >= 1e21 {
        format!("{number:e}").replacen('e', "e+", 1)
    } else if magnitude < 1e-6 {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

/// The text of a JSON number, which JavaScript reads as a double.
pub(crate) fn js_number(number: &serde_json::Number) -> String {
    number.as_f64().map_or_else(|| number.to_string(), js_number_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_javascript_does() {
        let cases = [
            (1.0, "1"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (1.5e300, "1.5e+300"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (-1.25e-9, "-1.25e-9"),
            (12_345_678_901_234_567_890.0, "12345678901234567000"),
        ];
        for (number, text) in cases {
            assert_eq!(js_number_text(number), text);
        }
    }

    #[test]
    fn blanks_are_those_of_javascript() {
        assert_eq!(js_trim("\u{feff}\u{a0} a \u{2028}"), "a");
        assert_eq!(js_trim("\u{85}a"), "\u{85}a");
    }

    #[test]
    fn lengths_are_counted_in_utf_16() {
        assert_eq!(utf16_len("a\u{e4}"), 2);
        assert_eq!(utf16_len("\u{1f600}"), 2);
        for (text, fitting) in
            [("ab", true), ("abc", false), ("\u{1f600}", true), ("\u{1f600}a", false), ("", true)]
        {
            assert_eq!(fits(text, 2), fitting, "{text}");
        }
    }

    #[test]
    fn letters_have_the_lower_case_of_javascript_but_for_one() {
        for char in '\0'..=char::MAX {
            let text = char.to_string();
            let lower = lowercase(&text);
            // Lengths are limited in lower case, and looked at before.
            assert!(utf16_len(&lower) >= utf16_len(&text), "{text}");
            assert_eq!(lowercase(&lower), lower);
            if char != '\u{3c2}' {
                assert_eq!(lower, text.to_lowercase());
            }
        }
        assert_eq!(lowercase("\u{3a3}A\u{3a3}.\u{3c2}\u{130}"), "\u{3c3}a\u{3c3}.\u{3c3}i\u{307}");
    }
}
