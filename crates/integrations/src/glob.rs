//! Globs over paths, by the rules of the library that Backstage uses: `*` stays within a segment, `**` spans
//! any number of them, neither matches a name that begins with a dot, and braces are alternatives.

use globset::{GlobBuilder, GlobMatcher};

/// Patterns that one pattern with braces may stand for.
const ALTERNATIVES_MAX: usize = 1000;

/// A compiled glob.
#[derive(Debug, Clone)]
pub(crate) struct PathGlob {
    alternatives: Vec<Vec<Segment>>,
}

#[derive(Debug, Clone)]
enum Segment {
    AnyDepth,
    Name { matcher: GlobMatcher, admits_dot: bool },
}

impl PathGlob {
    /// Whether a path has anything of a glob in it.
    pub(crate) fn is_glob(path: &str) -> bool {
        let has_pair =
            |open: char, close: char| path.split_once(open).is_some_and(|(_, rest)| rest.contains(close));
        path.contains(['*', '?']) || has_pair('[', ']') || has_pair('{', '}')
    }

    /// Compiles a glob; leading slashes do not count.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let mut expanded = Vec::new();
        expand(pattern.trim_start_matches('/'), &mut expanded)?;
        let alternatives = expanded.iter().map(|pattern| segments(pattern)).collect::<Result<_, _>>()?;
        Ok(Self { alternatives })
    }

    /// Whether the whole path matches.
    pub(crate) fn is_match(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        self.alternatives.iter().any(|segments| matches(segments, &names))
    }
}

fn segments(pattern: &str) -> Result<Vec<Segment>, String> {
    let segment = |text: &str| {
        if text == "**" {
            return Ok::<_, String>(Segment::AnyDepth);
        }
        // Braces are expanded by now; what is left of them stands for itself.
        let text = text.replace('{', "[{]").replace('}', "[}]");
        let glob = GlobBuilder::new(&text).literal_separator(true).backslash_escape(true).build();
        let matcher = glob.map_err(|error| error.to_string())?.compile_matcher();
        Ok(Segment::Name { matcher, admits_dot: text.starts_with('.') })
    };
    let mut segments: Vec<Segment> = pattern.split('/').map(segment).collect::<Result<_, _>>()?;
    // At the end, `a/**` wants at least one name below `a`.
    if matches!(segments.last(), Some(Segment::AnyDepth)) {
        segments.push(segment("*")?);
    }
    Ok(segments)
}

impl Segment {
    fn admits(&self, name: &str) -> bool {
        match self {
            Self::AnyDepth => !name.starts_with('.'),
            Self::Name { matcher, admits_dot } => {
                (*admits_dot || !name.starts_with('.')) && matcher.is_match(name)
            }
        }
    }
}

/// Fills the table "do the first i segments match the first j names" row by row, so that the time is bounded
/// by pattern times path, however many `**` there are.
fn matches(segments: &[Segment], names: &[&str]) -> bool {
    let mut is_prefix_open = true;
    let mut row: Vec<bool> = segments
        .iter()
        .map(|segment| {
            is_prefix_open &= matches!(segment, Segment::AnyDepth);
            is_prefix_open
        })
        .collect();
    for (index, name) in names.iter().enumerate() {
        let mut without_both = index == 0;
        let mut without_segment = false;
        for (segment, cell) in segments.iter().zip(&mut row) {
            let without_name = *cell;
            *cell = match segment {
                Segment::AnyDepth => without_segment || (without_name && segment.admits(name)),
                Segment::Name { .. } => without_both && segment.admits(name),
            };
            without_both = without_name;
            without_segment = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Adds all patterns without alternatives that this one stands for.
fn expand(pattern: &str, expanded: &mut Vec<String>) -> Result<(), String> {
    let mut pending = vec![pattern.to_owned()];
    while let Some(pattern) = pending.pop() {
        if expanded.len() + pending.len() >= ALTERNATIVES_MAX {
            return Err(format!("the glob stands for more than {ALTERNATIVES_MAX} patterns"));
        }
        match first_alternatives(&pattern) {
            None => expanded.push(pattern),
            Some((before, alternatives, after)) => {
                let each = alternatives.iter().rev().map(|one| format!("{before}{one}{after}"));
                pending.extend(each);
            }
        }
    }
    Ok(())
}

/// The first pair of braces with a comma of its own: what is before it, the alternatives, what is after it.
fn first_alternatives(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    for (open, _) in pattern.match_indices('{') {
        let (mut depth, mut from, mut alternatives) = (0_usize, open + 1, Vec::new());
        for (at, c) in pattern.get(open + 1..)?.char_indices().map(|(at, c)| (at + open + 1, c)) {
            match c {
                '{' => depth += 1,
                ',' if depth == 0 => {
                    alternatives.push(pattern.get(from..at)?);
                    from = at + 1;
                }
                '}' if depth > 0 => depth -= 1,
                '}' if alternatives.is_empty() => break,
                '}' => {
                    alternatives.push(pattern.get(from..at)?);
                    return Some((pattern.get(..open)?, alternatives, pattern.get(at + 1..)?));
                }
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_the_table_says() {
        let table = [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "d/a.yaml", false),
            ("*.yaml", ".a.yaml", false),
            (".*.yaml", ".a.yaml", true),
            ("/*.yaml", "a.yaml", true),
            ("a?.yaml", "ab.yaml", true),
            ("a?b", "a/b", false),
            ("{mk,zz}.yml", "mk.yml", true),
            ("{mk,zz}.yml", "mkdocs.yml", false),
            ("{a/b,c}/d{1,2}", "a/b/d2", true),
            ("{a,{b,c}}", "c", true),
            ("{a}", "{a}", true),
            ("{a}", "a", false),
            ("a{,b}", "a", true),
            ("[ab].yaml", "b.yaml", true),
            ("[!ab].yaml", "b.yaml", false),
            ("**/c.yaml", "c.yaml", true),
            ("**/c.yaml", "a/b/c.yaml", true),
            ("**/c.yaml", "a/.b/c.yaml", false),
            ("**/.b/c.yaml", "a/.b/c.yaml", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/x/y", false),
            ("a/**", "a", false),
            ("a/**", "a/b", true),
            ("a/**", "a/b/c", true),
            ("a/**", "a/.b", false),
            ("**", "a/b", true),
            ("**/**/x/**/**", "x/y", true),
            ("a**b", "axxb", true),
            ("a**b", "ax/xb", false),
            ("A.yaml", "a.yaml", false),
        ];
        for (pattern, path, expected) in table {
            assert_eq!(PathGlob::new(pattern).unwrap().is_match(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn many_wildcards_and_braces_end_in_time() {
        let deep = "a/".repeat(100);
        assert!(!PathGlob::new(&"**/a/".repeat(60)).unwrap().is_match(&format!("{deep}b")));
        assert!(PathGlob::new(&"{a,b}".repeat(12)).unwrap_err().contains("1000"));
    }

    #[test]
    fn a_glob_shows() {
        for glob in ["*", "a?", "{a,b}", "[a]"] {
            assert!(PathGlob::is_glob(glob), "{glob}");
        }
        for plain in ["a/b.yaml", "", "a]b[", "}a{"] {
            assert!(!PathGlob::is_glob(plain), "{plain}");
        }
    }
}
