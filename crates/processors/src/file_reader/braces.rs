//! Braces in globs: `{a,b}` stands for two patterns, also across slashes and inside each other.

use super::glob::GlobError;

/// Patterns that one target may stand for.
const ALTERNATIVES_MAX: usize = 1024;

/// All patterns that `pattern` stands for, in order. A brace without a comma is an ordinary character.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, GlobError> {
    let mut expanded = Vec::new();
    let mut pending = vec![pattern.to_owned()];
    while let Some(pattern) = pending.pop() {
        match first_group(&pattern)? {
            None => expanded.push(pattern),
            Some(alternatives) => pending.extend(alternatives.into_iter().rev()),
        }
        if expanded.len() + pending.len() > ALTERNATIVES_MAX {
            return Err(GlobError::Unsupported("braces that stand for more than 1024 patterns"));
        }
    }
    Ok(expanded)
}

/// The patterns that result from choosing each alternative of the first group.
fn first_group(pattern: &str) -> Result<Option<Vec<String>>, GlobError> {
    for (start, _) in unescaped(pattern).filter(|(_, character)| *character == '{') {
        let Some((commas, end)) = group(pattern, start) else {
            continue;
        };
        let (Some(before), Some(inside), Some(after)) =
            (pattern.get(..start), pattern.get(start + 1..end), pattern.get(end + 1..))
        else {
            continue;
        };
        if commas.is_empty() {
            if inside.contains("..") {
                return Err(GlobError::Unsupported("ranges in braces"));
            }
            continue;
        }
        let mut alternatives = Vec::with_capacity(commas.len() + 1);
        let mut from = start + 1;
        for to in commas.into_iter().chain([end]) {
            let part = pattern.get(from..to).unwrap_or_default();
            alternatives.push(format!("{before}{part}{after}"));
            from = to + 1;
        }
        return Ok(Some(alternatives));
    }
    Ok(None)
}

/// The commas and the end of the group that starts at `start`.
fn group(pattern: &str, start: usize) -> Option<(Vec<usize>, usize)> {
    let mut depth = 0_usize;
    let mut commas = Vec::new();
    for (at, character) in unescaped(pattern).skip_while(|(at, _)| *at < start) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => commas.push(at),
            _ => {}
        }
        if depth == 0 {
            return Some((commas, at));
        }
    }
    None
}

/// The characters that have no backslash before them, with their places.
fn unescaped(pattern: &str) -> impl Iterator<Item = (usize, char)> {
    let mut is_escaped = false;
    pattern.char_indices().filter(move |(_, character)| {
        let is_plain = !is_escaped && *character != '\\';
        is_escaped = !is_escaped && *character == '\\';
        is_plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_expand_in_order() {
        let cases: &[(&str, &[&str])] = &[
            ("a", &["a"]),
            ("a{b,c}d", &["abd", "acd"]),
            ("{a,b}/{c,d}", &["a/c", "a/d", "b/c", "b/d"]),
            ("{a/b,c}/d", &["a/b/d", "c/d"]),
            ("{a,{b,c}}", &["a", "b", "c"]),
            ("{a}", &["{a}"]),
            ("{a{b,c}}", &["{ab}", "{ac}"]),
            ("{a,b", &["{a,b"]),
            (r"\{a,b}", &[r"\{a,b}"]),
            ("x{,y}", &["x", "xy"]),
        ];
        for (pattern, expected) in cases {
            assert_eq!(expand(pattern).unwrap(), *expected, "{pattern}");
        }
    }

    #[test]
    fn ranges_and_explosions_are_errors() {
        assert!(expand("{1..3}").is_err());
        assert!(expand(&"{a,b}".repeat(11)).is_err());
    }
}
