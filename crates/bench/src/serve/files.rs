//! Files with strong validators. The validator is a hash of the content; it is remembered for as long as the file keeps
//! its time of modification and its length, so that a conditional request costs one `stat` and no read.
//!
//! Files are read on the thread that answers: they are small and in the page cache, where a read takes less time than
//! to hand it to another thread.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// How many validators are remembered. When there are more, all are forgotten and computed again as they are needed.
const VALIDATORS_MAX: usize = 1_000_000;

/// The largest file that is served.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    validators: RwLock<HashMap<PathBuf, Validator>>,
}

/// The validator of a file and the state of the file that it was computed from.
#[derive(Debug, Clone)]
struct Validator {
    modified: SystemTime,
    length: u64,
    etag: Arc<str>,
}

/// What there is at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Content { etag: Arc<str>, content: Vec<u8> },
    Unchanged { etag: Arc<str> },
    Nothing,
    Unreadable,
}

impl Files {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, validators: RwLock::default() }
    }

    /// The file at the path of a URL, or only its validator if the client `is_known` to have it.
    pub(super) fn find(&self, url_path: &str, is_known: impl Fn(&str) -> bool) -> Found {
        let Some(path) = self.resolve(url_path) else {
            return Found::Nothing;
        };
        match self.look_up(&path, is_known) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
            Err(_) => Found::Unreadable,
        }
    }

    fn look_up(&self, path: &Path, is_known: impl Fn(&str) -> bool) -> io::Result<Found> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Ok(Found::Nothing);
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if let Some(etag) = self.remembered(path, &metadata)?
            && is_known(&etag)
        {
            return Ok(Found::Unchanged { etag });
        }
        // The validator always is that of the bytes that were read, even if the file changed after the look at it.
        let content = fs::read(path)?;
        let etag: Arc<str> = format!("\"{}\"", blake3::hash(&content).to_hex()).into();
        self.remember(path, &metadata, &etag)?;
        Ok(if is_known(&etag) { Found::Unchanged { etag } } else { Found::Content { etag, content } })
    }

    /// Paths that leave the folder lead nowhere. Escapes are not decoded: generated names need none.
    fn resolve(&self, url_path: &str) -> Option<PathBuf> {
        let relative = Path::new(url_path.trim_start_matches('/'));
        let is_inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
        is_inside.then(|| self.root.join(relative))
    }

    fn remembered(&self, path: &Path, metadata: &Metadata) -> io::Result<Option<Arc<str>>> {
        let modified = metadata.modified()?;
        let validators = self.validators.read().unwrap_or_else(PoisonError::into_inner);
        let current = validators.get(path).filter(|v| v.modified == modified && v.length == metadata.len());
        Ok(current.map(|validator| Arc::clone(&validator.etag)))
    }

    fn remember(&self, path: &Path, metadata: &Metadata, etag: &Arc<str>) -> io::Result<()> {
        let validator =
            Validator { modified: metadata.modified()?, length: metadata.len(), etag: Arc::clone(etag) };
        let mut validators = self.validators.write().unwrap_or_else(PoisonError::into_inner);
        if validators.len() >= VALIDATORS_MAX {
            validators.clear();
        }
        validators.insert(path.to_path_buf(), validator);
        Ok(())
    }
}

/// Whether the value of an `If-None-Match` header covers `etag`. The comparison is the weak one, as the header asks for.
pub(super) fn matches_any(if_none_match: &str, etag: &str) -> bool {
    if_none_match.split(',').map(str::trim).any(|known| {
        let known = known.strip_prefix("W/").unwrap_or(known);
        known == "*" || known == etag
    })
}
