//! Reads locations of type `file`: the path of a file, or a glob, on the machine that the daemon runs on.
//!
//! A file that did not change since the last good run is not read again: the cache holds a digest of what the file
//! system says about all files of the target (path, size, times, inode). Nothing is remembered about a file that
//! changed just before it was read, because a second change within the resolution of the file system's clock would
//! stay unseen.

mod braces;
mod glob;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use callboard_sdk::{
    Address, CancellationToken, CatalogProcessor, Entity, FileContent, Handled, LocationSpec, Presence,
    ProcessorContext, ProcessorError, Timestamp, async_trait, results,
};

use self::glob::GlobError;
use crate::cache::{emptied, remember, validator};
use crate::file_threads::FileThreads;
use crate::files::{self, FILE_BYTES_MAX, FileError, Stamp};

const TYPE: &str = "file";
/// How old the last change of a file has to be for its times to be trusted: the coarsest clock of a file system in
/// use (FAT) counts in steps of two seconds.
const SETTLED_AFTER_NS: i128 = 2_000_000_000;

/// Files that are read at once: to wait for a thread takes longer than to read a file of ordinary size, or to parse it.
const FILES_AT_ONCE: usize = 256;
/// Text that is read at once. As much waits to be parsed while the next files are read.
const BYTES_AT_ONCE: usize = 512 * 1024;
/// After this time what was read is emitted, so that it is seen that the reading gets on.
const TIME_AT_ONCE: Duration = Duration::from_millis(500);

type FileRead = Result<(Vec<u8>, Option<Stamp>), FileError>;

/// `FileReaderProcessor`: reads `file` locations.
///
/// The entities and errors of each file in order, and a refresh key `file:<path>` for each. Nothing found is a
/// `NotFoundError` unless the location is optional; anything that keeps a file from being read is an error.
#[derive(Debug)]
pub struct FileReaderProcessor {
    bytes_max: u64,
    threads: FileThreads,
}

impl Default for FileReaderProcessor {
    fn default() -> Self {
        Self::new(FILE_BYTES_MAX)
    }
}

/// A file that belongs to a target.
#[derive(Debug)]
struct FoundFile {
    path: String,
    /// `None`: cannot be looked at, which reading it will explain.
    stamp: Option<Stamp>,
}

impl FileReaderProcessor {
    /// A reader for files of at most `bytes_max` bytes each.
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes_max, threads: FileThreads::default() }
    }

    async fn read_files(
        &self,
        location: &LocationSpec,
        found: &[FoundFile],
        read_at: Timestamp,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<(), ProcessorError> {
        let mut may_remember = found.iter().all(|file| is_settled(file.stamp, read_at));
        let was_filled = found.len() == 1 && cx.has_emitted_before();
        let mut rest = found;
        let mut ahead = self.read_first(location, rest).await;
        while !rest.is_empty() {
            let read = match ahead {
                Ok(read) => read,
                Err(error) => return cx.emit(unreadable(location, None, &error)),
            };
            let (files, after) = rest.split_at(read.len().clamp(1, rest.len()));
            rest = after;
            let mut contents = Vec::with_capacity(files.len());
            let mut failure = None;
            for (file, read) in files.iter().zip(read) {
                match read {
                    Ok((data, _)) if data.is_empty() && was_filled => {
                        failure = Some(unreadable(location, Some(&file.path), &emptied(&file.path)));
                    }
                    Ok((data, stamp)) => {
                        may_remember &= stamp == file.stamp;
                        let location = LocationSpec::new(TYPE, files::normalize(&file.path));
                        contents.push(FileContent { data, location });
                    }
                    Err(error) => failure = Some(unreadable(location, Some(&file.path), &error)),
                }
            }
            // Nothing is read after what cannot be read. Reading is begun first: parsing may not wait for anything.
            let next = if failure.is_some() { &[] } else { rest };
            let summaries;
            (ahead, summaries) =
                tokio::join!(biased; self.read_first(location, next), cx.emit_parsed_files(contents));
            let summaries = summaries?;
            may_remember &= summaries.iter().all(|summary| summary.is_all_entities());
            for (file, _) in files.iter().zip(summaries) {
                cx.emit(refresh_key(&file.path))?;
            }
            if let Some(failure) = failure {
                return cx.emit(failure);
            }
        }
        let digest = may_remember.then(|| digest(found));
        remember(cx, digest.as_deref())
    }

    /// Reads the first of these files.
    async fn read_first(
        &self,
        location: &LocationSpec,
        files: &[FoundFile],
    ) -> Result<Vec<FileRead>, FileError> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let paths = files.iter().take(FILES_AT_ONCE).map(|file| file.path.clone()).collect();
        let bytes_max = self.bytes_max;
        let read = move || {
            let until = Instant::now() + TIME_AT_ONCE;
            Ok(read_some(paths, until, |path| files::read(path, bytes_max)))
        };
        self.threads.run(&location.target, read).await
    }
}

#[async_trait]
impl CatalogProcessor for FileReaderProcessor {
    fn name(&self) -> &'static str {
        "FileReaderProcessor"
    }

    fn is_pure(&self, entity: &Entity) -> bool {
        entity.kind() != "Location"
    }

    fn fingerprint(&self) -> String {
        format!("1 {}", self.bytes_max)
    }

    async fn read_location(
        &self,
        location: &LocationSpec,
        presence: Presence,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Handled, ProcessorError> {
        if location.kind != TYPE {
            return Ok(Handled::No);
        }
        let read_at = cx.clock().now();
        let (target, cancellation) = (location.target.clone(), cx.cancellation().clone());
        let found = self.threads.run(&location.target, move || find(&target, &cancellation)).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                cx.emit(unreadable(location, None, &error))?;
                return Ok(Handled::Yes);
            }
        };
        if found.is_empty() {
            remember(cx, None)?;
            if presence == Presence::Required {
                let message = format!("{TYPE} {} does not exist", location.target);
                cx.emit(results::not_found_error(location, message))?;
            }
        } else if validator(cx).is_some_and(|known| known == digest(&found)) {
            cx.emit(results::unchanged())?;
            for file in &found {
                cx.emit(refresh_key(&file.path))?;
            }
        } else {
            self.read_files(location, &found, read_at, cx).await?;
        }
        Ok(Handled::Yes)
    }
}

fn find(target: &str, cancellation: &CancellationToken) -> Result<Vec<FoundFile>, GlobError> {
    let paths = glob::find(target, cancellation)?;
    Ok(paths
        .into_iter()
        .map(|path| {
            let stamp = std::fs::metadata(&path).ok().map(|metadata| Stamp::of(&metadata));
            FoundFile { path, stamp }
        })
        .collect())
}

/// Reads the first of these files up to one that cannot be read: at least one, and further ones while they are little
/// text and come quickly.
fn read_some(paths: Vec<String>, until: Instant, read: impl Fn(&str) -> FileRead) -> Vec<FileRead> {
    let mut bytes = 0;
    let mut files = Vec::new();
    for path in paths {
        let file = read(&path);
        let is_read = file.is_ok();
        bytes += file.as_ref().map_or(0, |(data, _)| data.len());
        files.push(file);
        if !is_read || bytes >= BYTES_AT_ONCE || Instant::now() >= until {
            break;
        }
    }
    files
}

fn refresh_key(path: &str) -> results::Emit {
    results::refresh(format!("{TYPE}:{}", files::normalize(path)))
}

fn unreadable(location: &LocationSpec, path: Option<&str>, error: &dyn std::fmt::Display) -> results::Emit {
    let message = format!("{TYPE} {} could not be read, {error}", location.target);
    let at = path.map(|path| format!("{TYPE}:{}", files::normalize(path)));
    results::error(
        location,
        ProcessorError::general(message).at(Address { location: at, ..Address::default() }),
    )
}

fn is_settled(stamp: Option<Stamp>, read_at: Timestamp) -> bool {
    let (Some(stamp), Some(read_at)) = (stamp, read_at.timestamp_nanos_opt()) else {
        return false;
    };
    let latest = i128::from(read_at) - SETTLED_AFTER_NS;
    stamp.modified_ns <= latest && stamp.changed_ns <= latest
}

fn digest(found: &[FoundFile]) -> String {
    let mut hasher = blake3::Hasher::new();
    for FoundFile { path, stamp } in found {
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path.as_bytes());
        let Some(stamp) = stamp else {
            hasher.update(&[0]);
            continue;
        };
        hasher.update(&[1]);
        hasher.update(&stamp.modified_ns.to_le_bytes());
        hasher.update(&stamp.changed_ns.to_le_bytes());
        hasher.update(&stamp.size.to_le_bytes());
        hasher.update(&stamp.inode.to_le_bytes());
        hasher.update(&stamp.device.to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
