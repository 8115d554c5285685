//! Finds the files that a target stands for.
//!
//! The rules are those of the glob library that Backstage uses: `*` and `?` stay within one name, `**` goes through
//! directories (not through links to some), names that start with a dot are found only by patterns that start with
//! one. Two things are different on purpose: a directory that cannot be listed is an error and not an empty one,
//! and a directory that a pattern happens to match is passed over instead of failing the location.

use std::collections::BTreeSet;
use std::io;

use callboard_sdk::CancellationToken;
use globset::{GlobBuilder, GlobMatcher};

use super::braces;
use crate::file_threads::FileThreadsError;
use crate::files::{FileError, join, says_absent};

/// Bytes of a target; no path can be longer.
const TARGET_BYTES_MAX: usize = 4096;
/// Directory entries that may be looked at for one target.
const ENTRIES_MAX: usize = 1_000_000;
/// Files that one target may stand for.
const FILES_MAX: usize = 100_000;
/// Directories inside each other that `**` goes through.
const DEPTH_MAX: usize = 128;

/// Why it is not known which files a target stands for. Displays as a JavaScript error does.
#[derive(Debug, thiserror::Error)]
pub(super) enum GlobError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("Error: {0}")]
    Threads(#[from] FileThreadsError),
    #[error("Error: {0} are not supported")]
    Unsupported(&'static str),
    #[error("Error: more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
    #[error("Error: the name of '{0}' is not valid UTF-8")]
    NotUtf8(String),
    #[error("Error: the run was cancelled")]
    Cancelled,
}

/// The paths of all files that `target` stands for, in bytewise order.
pub(super) fn find(target: &str, cancellation: &CancellationToken) -> Result<Vec<String>, GlobError> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(GlobError::TooMany { what: "bytes in a target", limit: TARGET_BYTES_MAX });
    }
    if ["+(", "@(", "!(", "?(", "*("].iter().any(|opening| target.contains(opening)) {
        return Err(GlobError::Unsupported("extended glob patterns"));
    }
    let mut walk = Walk { files: BTreeSet::new(), entries: 0, is_glob: false, cancellation };
    for pattern in braces::expand(target)? {
        let segments = segments(&pattern);
        walk.is_glob = segments.iter().any(|segment| !matches!(segment, Segment::Name(_)));
        walk.enter(if pattern.starts_with('/') { "/" } else { "" }, &segments, 0)?;
    }
    Ok(walk.files.into_iter().collect())
}

/// One part of a pattern, between slashes.
enum Segment {
    /// Exactly this name.
    Name(String),
    /// Names that match; only those that start with a dot if the pattern does.
    Match { matcher: GlobMatcher, is_dotted: bool },
    /// Any number of directories.
    Directories,
}

fn segments(pattern: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    for text in pattern.split('/').filter(|text| !text.is_empty()) {
        let segment = segment(text);
        let is_repeated =
            matches!((&segment, segments.last()), (Segment::Directories, Some(Segment::Directories)));
        if !is_repeated {
            segments.push(segment);
        }
    }
    segments
}

fn segment(text: &str) -> Segment {
    if text == "**" {
        return Segment::Directories;
    }
    if text.contains(['*', '?', '[']) {
        // Braces that are left over at this point are ordinary characters.
        let escaped = text.replace('{', "\\{").replace('}', "\\}");
        if let Ok(glob) = GlobBuilder::new(&escaped).literal_separator(true).backslash_escape(true).build() {
            return Segment::Match { matcher: glob.compile_matcher(), is_dotted: text.starts_with('.') };
        }
    }
    Segment::Name(unescape(text))
}

fn unescape(text: &str) -> String {
    let mut characters = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        plain.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    plain
}

struct Walk<'a> {
    files: BTreeSet<String>,
    entries: usize,
    is_glob: bool,
    cancellation: &'a CancellationToken,
}

struct Entry {
    path: String,
    name: String,
    is_directory: bool,
    is_link: bool,
    is_utf8: bool,
}

impl Entry {
    /// The path, for an entry that matched: a name that is no text cannot be written into a location.
    fn into_path(self) -> Result<String, GlobError> {
        if self.is_utf8 { Ok(self.path) } else { Err(GlobError::NotUtf8(self.path)) }
    }
}

impl Walk<'_> {
    /// Follows the pattern below `directory`; an empty one is the current one.
    fn enter(&mut self, directory: &str, segments: &[Segment], depth: usize) -> Result<(), GlobError> {
        match segments {
            [] if self.is_glob => Ok(()),
            [] => self.add(directory.to_owned()),
            [Segment::Name(name), rest @ ..] => {
                let path = join(directory, name);
                if rest.is_empty() { self.add_if_present(path) } else { self.enter(&path, rest, depth) }
            }
            [Segment::Match { matcher, is_dotted }, rest @ ..] => {
                for entry in self.list(directory)? {
                    if !matcher.is_match(&entry.name) || entry.name.starts_with('.') != *is_dotted {
                        continue;
                    }
                    if rest.is_empty() {
                        self.add_if_present(entry.into_path()?)?;
                    } else if entry.is_directory || entry.is_link {
                        self.enter(&entry.into_path()?, rest, depth)?;
                    }
                }
                Ok(())
            }
            [Segment::Directories, rest @ ..] => self.descend(directory, segments, rest, depth),
        }
    }

    fn descend(
        &mut self,
        directory: &str,
        segments: &[Segment],
        rest: &[Segment],
        depth: usize,
    ) -> Result<(), GlobError> {
        if depth > DEPTH_MAX {
            return Err(GlobError::TooMany { what: "directories inside each other", limit: DEPTH_MAX });
        }
        if !rest.is_empty() {
            self.enter(directory, rest, depth)?;
        }
        for entry in self.list(directory)? {
            if entry.name.starts_with('.') {
                continue;
            }
            if entry.is_directory {
                self.enter(&entry.into_path()?, segments, depth + 1)?;
            } else if rest.is_empty() {
                self.add_if_present(entry.into_path()?)?;
            }
        }
        Ok(())
    }

    fn list(&mut self, directory: &str) -> Result<Vec<Entry>, GlobError> {
        if self.cancellation.is_cancelled() {
            return Err(GlobError::Cancelled);
        }
        let scan_error = |cause: io::Error| FileError::io("scandir", directory, cause);
        let listing = match std::fs::read_dir(if directory.is_empty() { "." } else { directory }) {
            Ok(listing) => listing,
            Err(error) if says_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(scan_error(error).into()),
        };
        let mut entries = Vec::new();
        for entry in listing {
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(GlobError::TooMany { what: "directory entries", limit: ENTRIES_MAX });
            }
            let entry = entry.map_err(scan_error)?;
            let kind = entry.file_type().map_err(scan_error)?;
            let name = entry.file_name();
            entries.push(Entry {
                path: join(directory, &name.to_string_lossy()),
                is_utf8: name.to_str().is_some(),
                name: name.to_string_lossy().into_owned(),
                is_directory: kind.is_dir(),
                is_link: kind.is_symlink(),
            });
        }
        Ok(entries)
    }

    fn add_if_present(&mut self, path: String) -> Result<(), GlobError> {
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() && self.is_glob => Ok(()),
            Ok(_) => self.add(path),
            // A link that leads nowhere is there; reading it says what is wrong with it.
            Err(error) if says_absent(&error) && std::fs::symlink_metadata(&path).is_ok() => self.add(path),
            Err(error) if says_absent(&error) => Ok(()),
            Err(error) => Err(FileError::io("stat", &path, error).into()),
        }
    }

    fn add(&mut self, path: String) -> Result<(), GlobError> {
        self.files.insert(path);
        if self.files.len() > FILES_MAX {
            return Err(GlobError::TooMany { what: "files for one target", limit: FILES_MAX });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn tree() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for path in ["a.yaml", "b.yml", ".hidden.yaml", "x/a.yaml", "x/y/a.yaml", ".git/a.yaml", "z/[b].yaml"]
        {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "kind: A").unwrap();
        }
        directory
    }

    fn found(directory: &Path, pattern: &str) -> Vec<String> {
        let root = directory.to_str().unwrap();
        find(&format!("{root}/{pattern}"), &CancellationToken::new())
            .unwrap()
            .into_iter()
            .map(|path| path.strip_prefix(root).unwrap().trim_start_matches('/').to_owned())
            .collect()
    }

    #[test]
    fn patterns_find_what_node_glob_finds() {
        let tree = tree();
        let cases: &[(&str, &[&str])] = &[
            ("a.yaml", &["a.yaml"]),
            ("none.yaml", &[]),
            ("none/a.yaml", &[]),
            ("a.yaml/b", &[]),
            ("*.yaml", &["a.yaml"]),
            (".*.yaml", &[".hidden.yaml"]),
            ("*", &["a.yaml", "b.yml"]),
            ("?.y*", &["a.yaml", "b.yml"]),
            ("[ab].yaml", &["a.yaml"]),
            ("[!a].yml", &["b.yml"]),
            ("{a.yaml,b.yml,x/a.yaml}", &["a.yaml", "b.yml", "x/a.yaml"]),
            ("*/a.yaml", &["x/a.yaml"]),
            ("**/a.yaml", &["a.yaml", "x/a.yaml", "x/y/a.yaml"]),
            ("x/**", &["x/a.yaml", "x/y/a.yaml"]),
            ("**/**/y/*", &["x/y/a.yaml"]),
            (r"z/\[b\].yaml", &["z/[b].yaml"]),
            (".git/*", &[".git/a.yaml"]),
        ];
        for (pattern, expected) in cases {
            assert_eq!(found(tree.path(), pattern), *expected, "{pattern}");
        }
    }

    #[test]
    fn links_to_directories_end_a_recursive_search_but_can_be_named() {
        let tree = tree();
        std::os::unix::fs::symlink(tree.path(), tree.path().join("loop")).unwrap();
        assert_eq!(found(tree.path(), "**/a.yaml"), ["a.yaml", "x/a.yaml", "x/y/a.yaml"]);
        assert_eq!(found(tree.path(), "loop/x/*"), ["loop/x/a.yaml"]);
    }

    #[test]
    fn a_directory_and_a_broken_link_are_found_when_named_so_that_reading_them_says_why_not() {
        let tree = tree();
        std::os::unix::fs::symlink("nowhere", tree.path().join("broken.yaml")).unwrap();
        assert_eq!(found(tree.path(), "x"), ["x"]);
        assert_eq!(found(tree.path(), "broken.yaml"), ["broken.yaml"]);
    }

    #[test]
    fn what_cannot_be_searched_is_an_error() {
        let token = CancellationToken::new();
        for target in ["/tmp/+(a|b).yaml", "/tmp/{1..3}.yaml", &"a".repeat(TARGET_BYTES_MAX + 1)] {
            assert!(find(target, &token).is_err(), "{target}");
        }
        token.cancel();
        assert!(matches!(find("/tmp/*", &token), Err(GlobError::Cancelled)));
    }
}
