//! Files of this machine that placeholders may read.
//!
//! Backstage refuses all of them, because whoever writes an entity could then read whatever the daemon can. The one
//! exception here is safe: an entity that came out of a `file` location *of the configuration* may refer to files
//! at or below the directory of that location. The operator has named that directory; links that lead out of it are
//! not followed; entities from elsewhere never touch the disk.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use callboard_sdk::{LocationSpec, ReadError};

use crate::file_threads::{FileThreads, FileThreadsError};
use crate::files::{self, FILE_BYTES_MAX, FileError, says_absent};

/// The `file` locations of the configuration. Clones share them, so that a changed configuration reaches everybody.
#[derive(Debug, Clone)]
pub struct LocalFiles {
    origins: Arc<RwLock<BTreeSet<String>>>,
    bytes_max: u64,
    threads: FileThreads,
}

impl Default for LocalFiles {
    fn default() -> Self {
        Self::new([])
    }
}

impl LocalFiles {
    /// `targets` are the absolute targets of the configured `file` locations; without any nothing is read.
    pub fn new(targets: impl IntoIterator<Item = String>) -> Self {
        Self {
            origins: Arc::new(RwLock::new(targets.into_iter().collect())),
            bytes_max: FILE_BYTES_MAX,
            threads: FileThreads::default(),
        }
    }

    /// Reads files of at most `bytes_max` bytes.
    #[must_use]
    pub fn with_bytes_max(self, bytes_max: u64) -> Self {
        Self { bytes_max, ..self }
    }

    /// Replaces the targets.
    pub fn set(&self, targets: impl IntoIterator<Item = String>) {
        *self.origins.write().unwrap_or_else(PoisonError::into_inner) = targets.into_iter().collect();
    }

    /// The files that an entity from `location` may refer to.
    pub(super) fn tree(&self, location: &LocationSpec, origin: &LocationSpec) -> Option<LocalTree> {
        let are_files = location.kind == "file" && origin.kind == "file";
        if !are_files || !location.target.starts_with('/') || !origin.target.starts_with('/') {
            return None;
        }
        if !self.origins.read().unwrap_or_else(PoisonError::into_inner).contains(&origin.target) {
            return None;
        }
        let root = root_of(&origin.target);
        // The whole disk is no directory that anybody meant to open.
        (root != "/").then(|| LocalTree { root, bytes_max: self.bytes_max, threads: self.threads.clone() })
    }
}

/// The directory of a target: of a glob, the part before the first wildcard.
fn root_of(target: &str) -> String {
    let end = target.find(['*', '?', '[', '{', '\\']).unwrap_or(target.len());
    let literal = target.get(..end).unwrap_or(target);
    let directory = literal.rsplit_once('/').map_or("", |(directory, _)| directory);
    files::normalize(&format!("{directory}/"))
}

/// A directory whose files may be read.
#[derive(Debug, Clone)]
pub(super) struct LocalTree {
    root: String,
    bytes_max: u64,
    threads: FileThreads,
}

impl From<FileThreadsError> for ReadError {
    fn from(error: FileThreadsError) -> Self {
        Self::failed(error.to_string())
    }
}

impl LocalTree {
    /// The path of `reference` as seen from the file `base`; `None` if it leads out of the tree.
    pub(super) fn resolve(&self, reference: &str, base: &str) -> Option<String> {
        if reference.is_empty() || reference.starts_with('/') || has_scheme(reference) {
            return None;
        }
        let path = files::normalize(&files::join(files::directory(base), reference));
        Path::new(&path).starts_with(&self.root).then_some(path)
    }

    /// Reads a file of the tree.
    pub(super) async fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let (root, inside, bytes_max) = (self.root.clone(), path.to_owned(), self.bytes_max);
        self.threads.run(path, move || read(&root, &inside, bytes_max)).await
    }
}

fn read(root: &str, path: &str, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    let canonical = |path: &str| {
        std::fs::canonicalize(path).map_err(|error| {
            let is_absent = says_absent(&error);
            let text = without_class(&FileError::io("open", path, error));
            if is_absent { ReadError::NotFound(text) } else { ReadError::failed(text) }
        })
    };
    let (canonical_root, path) = (canonical(root)?, canonical(path)?);
    let inside = path
        .to_str()
        .filter(|_| path.starts_with(&canonical_root))
        .ok_or_else(|| ReadError::NotAllowed(format!("a link leads out of the directory '{root}'")))?;
    let (data, _) =
        files::read(inside, bytes_max).map_err(|error| ReadError::failed(without_class(&error)))?;
    Ok(data)
}

/// A [`ReadError`] has a class of its own.
fn without_class(error: &FileError) -> String {
    let text = error.to_string();
    text.strip_prefix("Error: ").unwrap_or(&text).to_owned()
}

/// Whether a reference is a URL rather than a path.
fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_threads::tests::hang;

    fn tree(root: &str) -> LocalTree {
        LocalTree { root: root.to_owned(), bytes_max: FILE_BYTES_MAX, threads: FileThreads::default() }
    }

    #[test]
    fn the_root_of_a_target_is_its_directory() {
        for (target, root) in [
            ("/srv/catalog/all.yaml", "/srv/catalog"),
            ("/srv/catalog/**/*.yaml", "/srv/catalog"),
            ("/srv/cat*/all.yaml", "/srv"),
            ("/srv/../etc/all.yaml", "/etc"),
            ("/all.yaml", "/"),
        ] {
            assert_eq!(root_of(target), root, "{target}");
        }
    }

    #[test]
    fn only_configured_file_locations_open_a_directory() {
        let files = LocalFiles::new(["/srv/all.yaml".to_owned(), "/root.yaml".to_owned()]);
        let all = LocationSpec::new("file", "/srv/all.yaml");
        let is_open = |location: &LocationSpec, origin: &LocationSpec| files.tree(location, origin).is_some();
        assert!(is_open(&LocationSpec::new("file", "/srv/x/a.yaml"), &all));
        assert!(!is_open(&LocationSpec::new("url", "/srv/x/a.yaml"), &all));
        assert!(!is_open(&LocationSpec::new("file", "a.yaml"), &all));
        assert!(!is_open(&all, &LocationSpec::new("url", "/srv/all.yaml")));
        assert!(!is_open(&all, &LocationSpec::new("file", "/srv/other.yaml")));
        let root = LocationSpec::new("file", "/root.yaml");
        assert!(!is_open(&root, &root));
        files.set([]);
        assert!(!is_open(&all, &all));
    }

    #[test]
    fn references_stay_in_the_tree() {
        let tree = tree("/srv/catalog");
        let base = "/srv/catalog/apis/a.yaml";
        for (reference, expected) in [
            ("./x.yaml", Some("/srv/catalog/apis/x.yaml")),
            ("x.yaml", Some("/srv/catalog/apis/x.yaml")),
            ("../x.yaml", Some("/srv/catalog/x.yaml")),
            ("../../x.yaml", None),
            ("../../catalog-2/x.yaml", None),
            ("/srv/catalog/x.yaml", None),
            ("https://example.com/x", None),
            ("file:///etc/passwd", None),
            ("", None),
        ] {
            assert_eq!(tree.resolve(reference, base).as_deref(), expected, "{reference}");
        }
    }

    #[tokio::test]
    async fn a_file_that_hangs_is_not_read_again() {
        let tree = tree("/srv");
        let _held = hang(&tree.threads, "/srv/a.yaml").await;
        let error = tree.read("/srv/a.yaml").await.unwrap_err();
        assert_eq!(error, ReadError::failed("an earlier read of it has not come back yet"));
    }
}
