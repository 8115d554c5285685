//! Local files: read whole, within a size limit, with errors in the words that people know from Backstage.
//!
//! Everything here blocks and belongs on one of the [`FileThreads`](crate::file_threads::FileThreads).

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;

use callboard_sdk::ReadError;

use crate::FileReaderProcessor;
use crate::file_threads::FileThreadsError;

/// The largest file that is read if nothing else is configured: far above any descriptor that a person wrote,
/// far below what hurts.
pub const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Why a file was not read. Displays as Node's errors do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("Error: {}, {call} '{path}'", describe(.cause))]
    Io { call: &'static str, path: String, cause: io::Error },
    #[error("Error: EISDIR: illegal operation on a directory, read '{path}'")]
    Directory { path: String },
    #[error("Error: '{path}' is not a regular file")]
    NotRegular { path: String },
    #[error("Error: '{path}' is larger than the limit of {bytes_max} bytes (callboard.limits.fileBytes)")]
    TooLarge { path: String, bytes_max: u64 },
    #[error("Error: {0}")]
    Threads(#[from] FileThreadsError),
}

impl FileError {
    pub(crate) fn io(call: &'static str, path: &str, cause: io::Error) -> Self {
        Self::Io { call, path: path.to_owned(), cause }
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "ENOENT: no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "EACCES: permission denied".to_owned(),
        io::ErrorKind::NotADirectory => "ENOTDIR: not a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether an error of the operating system says that there is nothing at a path, rather than that it is not known.
pub(crate) fn says_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What the file system knows about a file: as long as it stays the same, so does the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) modified_ns: i128,
    /// Unlike the time of modification, nobody can set the time of change.
    pub(crate) changed_ns: i128,
    pub(crate) size: u64,
    pub(crate) inode: u64,
    pub(crate) device: u64,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}

/// Reads a regular file of at most `bytes_max` bytes. The stamp is the one from before the read; `None` if the file
/// changed while it was read.
pub(crate) fn read(path: &str, bytes_max: u64) -> Result<(Vec<u8>, Option<Stamp>), FileError> {
    let io_error = |cause| FileError::io("open", path, cause);
    let metadata = std::fs::metadata(path).map_err(io_error)?;
    if metadata.is_dir() {
        return Err(FileError::Directory { path: path.to_owned() });
    }
    // Opening a pipe waits for somebody to write to it.
    if !metadata.is_file() {
        return Err(FileError::NotRegular { path: path.to_owned() });
    }
    let mut file = File::open(path).map_err(io_error)?;
    let before = Stamp::of(&file.metadata().map_err(io_error)?);
    let mut data = Vec::with_capacity(usize::try_from(before.size.min(bytes_max)).unwrap_or_default());
    let read_error = |cause| FileError::io("read", path, cause);
    file.by_ref().take(bytes_max.saturating_add(1)).read_to_end(&mut data).map_err(read_error)?;
    if data.len() as u64 > bytes_max {
        return Err(FileError::TooLarge { path: path.to_owned(), bytes_max });
    }
    let after = Stamp::of(&file.metadata().map_err(read_error)?);
    Ok((data, (before == after).then_some(before)))
}

/// For those who look at files beside the daemon: what it refuses to read is no good file.
impl FileReaderProcessor {
    /// Reads the file at `path` by the rules of `file` locations: a regular file of at most `bytes_max` bytes. The
    /// error has the text that the daemon has for it. Blocks, on a file system that does not answer for ever.
    pub fn read_file(path: &str, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
        match read(path, bytes_max) {
            Ok((data, _)) => Ok(data),
            // A link that leads nowhere is there.
            Err(FileError::Io { cause, .. })
                if says_absent(&cause) && std::fs::symlink_metadata(path).is_err() =>
            {
                Err(ReadError::NotFound(format!("file {path} does not exist")))
            }
            Err(error) => Err(ReadError::failed(format!("file {path} could not be read, {error}"))),
        }
    }
}

/// The path without `.`, `..` and doubled slashes; no look at the file system.
pub(crate) fn normalize(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    match (is_absolute, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}

/// The directory part of a normalised path.
pub(crate) fn directory(path: &str) -> &str {
    match path.rsplit_once('/') {
        None => ".",
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
    }
}

/// `name` below `directory`, where an empty directory is the current one.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() || directory.ends_with('/') {
        format!("{directory}{name}")
    } else {
        format!("{directory}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalized_as_by_node() {
        for (path, expected) in [
            ("/a/./b/../c.yaml", "/a/c.yaml"),
            ("/../a", "/a"),
            ("./a//b", "a/b"),
            ("../../a", "../../a"),
            ("a/..", "."),
            ("/", "/"),
        ] {
            assert_eq!(normalize(path), expected, "{path}");
        }
    }

    #[test]
    fn a_file_of_exactly_the_limit_is_read_and_one_byte_more_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.yaml").to_str().unwrap().to_owned();
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap().0, b"12345");
        let error = read(&path, 4).unwrap_err().to_string();
        let expected =
            format!("Error: '{path}' is larger than the limit of 4 bytes (callboard.limits.fileBytes)");
        assert_eq!(error, expected);
    }

    #[test]
    fn a_directory_and_a_missing_file_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap().to_owned();
        assert!(read(&path, 9).unwrap_err().to_string().starts_with("Error: EISDIR: "));
        let missing = read(&format!("{path}/none"), 9).unwrap_err().to_string();
        assert_eq!(missing, format!("Error: ENOENT: no such file or directory, open '{path}/none'"));
    }
}
