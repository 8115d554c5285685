//! How JavaScript trims, measures and prints: keys and values are compared with what it makes of them.

/// Trims as `String.prototype.trim` does: the byte order mark counts as blank, NEL (U+0085) does not.
pub(crate) fn js_trim(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}'))
}

/// Length in UTF-16 code units.
pub(crate) fn utf16_len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// Appends `text` in lower case.
pub(crate) fn push_lowercase(target: &mut String, text: &str) {
    if !text.is_ascii() {
        target.push_str(&text.to_lowercase());
        return;
    }
    let start = target.len();
    target.push_str(text);
    if let Some(tail) = target.get_mut(start..) {
        tail.make_ascii_lowercase();
    }
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
    }
}
