//! Recognises `javascript:` URLs, also in the disguises that browsers see through.

/// Tells whether a browser would take the text for a `javascript:` URL.
///
/// Control characters and spaces may stand in front, CR, LF and TAB after any letter, and case does not matter.
pub fn is_script_url(text: &str) -> bool {
    let mut rest = text.trim_start_matches(|c: char| c <= ' ').chars();
    for letter in "javascript:".chars() {
        let next = if letter == 'j' { rest.next() } else { rest.find(|c| !matches!(c, '\r' | '\n' | '\t')) };
        if !next.is_some_and(|c| c.eq_ignore_ascii_case(&letter)) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_through_disguises() {
        for text in
            ["javascript:", "JavaScript:alert(1)", " \u{1}\u{1f}javascript:x", "j\na\r\nv\ta\tscript\n:x"]
        {
            assert!(is_script_url(text), "{text:?}");
        }
        for text in [
            "",
            "java script:x",
            "ajavascript:x",
            "javascript",
            "https://a/javascript:",
            "\u{a0}javascript:",
            "\njava\u{17f}cript:",
        ] {
            assert!(!is_script_url(text), "{text:?}");
        }
    }
}
