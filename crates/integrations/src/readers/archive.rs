//! Unpacks the archives of repositories in memory, within limits.

use std::io::{self, Read};

use bytes::Bytes;
use callboard_sdk::{CancellationToken, ReadError, TreeFile, TreeFilter};
use chrono::DateTime;
use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::FetchSettings;

/// What to take out of an archive.
pub(crate) struct Unpack<'a> {
    /// A directory below the archive's single top directory, without slashes at its ends; empty for all.
    pub(crate) subpath: &'a str,
    /// Which files are wanted; sees paths relative to `subpath`.
    pub(crate) filter: Option<&'a TreeFilter>,
    /// The limits.
    pub(crate) settings: &'a FetchSettings,
    /// Ends the work.
    pub(crate) cancellation: &'a CancellationToken,
}

impl Unpack<'_> {
    /// The wanted files, in the archive's order; `url` is for messages. Blocks for as long as the unpacking
    /// takes.
    ///
    /// Symbolic links are files of size zero. A path that leads out of the archive fails all of it, as does
    /// any damage: half a tree would look as if the other half had been deleted.
    pub(crate) fn tar_gz(&self, url: &str, archive: &Bytes) -> Result<Vec<TreeFile>, ReadError> {
        self.entries(archive).map_err(|error| {
            ReadError::failed(format!("Failed to read tree from {}, {error}", crate::redact::shown(url)))
        })
    }

    fn entries(&self, archive: &Bytes) -> io::Result<Vec<TreeFile>> {
        let unpacked =
            Bounded { inner: MultiGzDecoder::new(&**archive), left: self.settings.unpacked_bytes_max };
        let mut archive = Archive::new(unpacked);
        let mut files = Vec::new();
        for (index, entry) in archive.entries()?.enumerate() {
            if index >= self.settings.archive_entries_max {
                return Err(io::Error::other(
                    "it has too many entries (callboard.reading.maxArchiveEntries)",
                ));
            }
            if self.cancellation.is_cancelled() {
                return Err(io::Error::other("the read was cancelled"));
            }
            files.extend(self.file(entry?)?);
        }
        Ok(files)
    }

    fn file(&self, mut entry: Entry<'_, impl Read>) -> io::Result<Option<TreeFile>> {
        let kind = entry.header().entry_type();
        // Sparse files are left out: their holes would not count towards the limit, and git has none.
        let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous);
        if !is_file && kind != EntryType::Symlink {
            return Ok(None);
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if path.starts_with('/') || path.split('/').any(|segment| segment == "..") {
            return Err(io::Error::other(format!("it holds a path that leads out of it: {path:?}")));
        }
        let size = if is_file { entry.size() } else { 0 };
        let Some(path) = self.wanted(&path, size) else {
            return Ok(None);
        };
        let mut data = Vec::new();
        if is_file {
            entry.read_to_end(&mut data)?;
        }
        let changed = entry.header().mtime().ok().and_then(|seconds| i64::try_from(seconds).ok());
        let last_modified_at = changed.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        Ok(Some(TreeFile { path, data: data.into(), last_modified_at }))
    }

    /// The path relative to the subpath, if the file is below it and passes the filter.
    fn wanted(&self, path: &str, size: u64) -> Option<String> {
        let (_, path) = path.split_once('/')?;
        let path = match self.subpath {
            "" => path,
            subpath => path.strip_prefix(subpath)?.strip_prefix('/')?,
        };
        let is_wanted = !path.is_empty() && self.filter.is_none_or(|filter| filter(path, size));
        is_wanted.then(|| path.to_owned())
    }
}

/// Fails once more has been read than allowed, so that a small archive cannot unpack without end.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::other("it exceeds the limit on its unpacked size (callboard.reading.maxUnpackedBytes)")
        })?;
        Ok(read)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    fn header(kind: EntryType, path: &str, size: u64) -> Header {
        let mut header = Header::new_gnu();
        // Written by hand: the tar crate refuses to make the paths that are refused here.
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        header.set_cksum();
        header
    }

    /// A gzipped tar with these regular files.
    pub(crate) fn archive(files: &[(&str, &[u8])]) -> Bytes {
        let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, data) in files {
            tar.append(&header(EntryType::Regular, path, data.len() as u64), *data).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap().into()
    }

    fn unpack(
        archive: &Bytes,
        subpath: &str,
        filter: Option<&TreeFilter>,
        settings: &FetchSettings,
    ) -> Result<Vec<TreeFile>, ReadError> {
        let cancellation = CancellationToken::new();
        Unpack { subpath, filter, settings, cancellation: &cancellation }.tar_gz("https://e.com/a", archive)
    }

    fn paths(files: &[TreeFile]) -> Vec<&str> {
        files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn takes_files_below_the_subpath_relative_to_it() {
        let archive = archive(&[
            ("top/a.yaml", b"a"),
            ("top/docs/b.yaml", b"bb"),
            ("top/docs/deep/c.yaml", b""),
            ("top/docs2/d.yaml", b"d"),
            ("top/docs", b"a file of that name"),
        ]);
        let settings = FetchSettings::default();
        let files = unpack(&archive, "docs", None, &settings).unwrap();
        assert_eq!(paths(&files), ["b.yaml", "deep/c.yaml"]);
        assert_eq!(&*files[0].data, b"bb");
        assert_eq!(files[0].last_modified_at.unwrap().timestamp(), 1_700_000_000);
        let filter: TreeFilter = Arc::new(|path, size| path.contains('.') && size == 1);
        assert_eq!(
            paths(&unpack(&archive, "", Some(&filter), &settings).unwrap()),
            ["a.yaml", "docs2/d.yaml"]
        );
    }

    #[test]
    fn links_are_empty_files_and_directories_are_none() {
        let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        tar.append(&header(EntryType::XGlobalHeader, "pax_global_header", 0), io::empty()).unwrap();
        tar.append(&header(EntryType::Directory, "top/", 0), io::empty()).unwrap();
        let mut link = header(EntryType::Symlink, "top/link", 0);
        link.set_link_name("/etc/passwd").unwrap();
        link.set_cksum();
        tar.append(&link, io::empty()).unwrap();
        let archive = tar.into_inner().unwrap().finish().unwrap().into();
        let files = unpack(&archive, "", None, &FetchSettings::default()).unwrap();
        assert_eq!(paths(&files), ["link"]);
        assert!(files[0].data.is_empty());
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for path in ["top/../../x", "/etc/x", "../x"] {
            let error = unpack(&archive(&[(path, b"x")]), "", None, &FetchSettings::default()).unwrap_err();
            assert!(error.to_string().contains("leads out of it"), "{error}");
        }
    }

    #[test]
    fn limits_on_size_and_entries_hold() {
        let settings = FetchSettings { unpacked_bytes_max: 100_000, ..FetchSettings::default() };
        let bomb = archive(&[("top/zeros", &vec![0; 1_000_000])]);
        assert!(bomb.len() < 10_000);
        let error = unpack(&bomb, "", None, &settings).unwrap_err();
        assert!(error.to_string().contains("callboard.reading.maxUnpackedBytes"), "{error}");
        let error = unpack(&bomb, "elsewhere", None, &settings).unwrap_err();
        assert!(error.to_string().contains("callboard.reading.maxUnpackedBytes"), "{error}");

        let settings = FetchSettings { archive_entries_max: 1, ..FetchSettings::default() };
        let error = unpack(&archive(&[("t/a", b""), ("t/b", b"")]), "", None, &settings).unwrap_err();
        assert!(error.to_string().contains("callboard.reading.maxArchiveEntries"), "{error}");
    }

    #[test]
    fn damage_is_an_error_with_the_url() {
        let whole = archive(&[("top/a", &[7; 5000])]);
        let mut garbage = GzEncoder::new(Vec::new(), Compression::fast());
        garbage.write_all(&[b'x'; 2000]).unwrap();
        for damaged in
            [whole.slice(..whole.len() - 20), Bytes::from_static(b"<html>"), garbage.finish().unwrap().into()]
        {
            let error = unpack(&damaged, "", None, &FetchSettings::default()).unwrap_err();
            assert!(error.to_string().starts_with("Failed to read tree from https://e.com/a, "), "{error}");
        }
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        let settings = FetchSettings::default();
        let unpack = Unpack { subpath: "", filter: None, settings: &settings, cancellation: &cancelled };
        assert!(unpack.tar_gz("https://e.com/a", &whole).is_err());
    }
}
