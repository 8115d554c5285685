//! Reads the layers and merges them, remembering which files it looked at.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use callboard_yaml::{Limits, Spans, YamlError};
use serde_json::Value;

use crate::env;
use crate::error::ConfigError;
use crate::include::Resolver;
use crate::node::{Content, Node};
use crate::sources::{Layer, Sources};

/// No configuration is larger; a path that leads to something endless must not fill the memory.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Editors empty a file before they write it. One that is empty is read once more after this time.
const EMPTY_RETRY: Duration = Duration::from_millis(10);

/// The files a configuration came from, and what was in them; absent ones count, since they may appear.
pub(crate) type Seen = BTreeMap<PathBuf, Option<Fingerprint>>;

/// Tells contents apart. Never leaves the process and guards against nobody, so the standard hash is enough.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fingerprint {
    hash: u64,
    /// Whether there is nothing but white space.
    pub(crate) is_blank: bool,
    /// As long as the file has this, its content is the same.
    stamp: Option<Stamp>,
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        (self.hash, self.is_blank) == (other.hash, other.is_blank)
    }
}

impl Eq for Fingerprint {}

/// What the file system says of a file that changes whenever its content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    file: (u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The coarsest clock of a file system. A file changed within this time may change once more without it showing.
const CLOCK_TICK_MAX: Duration = Duration::from_secs(3);

impl Stamp {
    #[cfg(unix)]
    #[expect(clippy::disallowed_methods, reason = "the times of files are those of the machine's clock")]
    fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;

        let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(metadata.ctime()).ok()?);
        let newest = changed.max(metadata.modified().ok()?);
        let age = SystemTime::now().duration_since(newest).ok()?;
        (age > CLOCK_TICK_MAX).then(|| Self {
            len: metadata.len(),
            file: (metadata.dev(), metadata.ino()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Contents are read each time where no stamp can be relied on.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

/// Reads files, bounded, and remembers them.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) seen: Seen,
}

/// A parsed YAML or JSON file.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) value: Value,
    pub(crate) spans: Spans,
}

impl Files {
    /// The content of a file; None if there is no such file.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let found = read_bounded(path)?;
        self.seen.insert(path.to_owned(), found.as_ref().map(Found::fingerprint));
        Ok(found.map(|found| found.content))
    }
}

/// The merged tree of all layers, along with every file that was looked at, also if loading failed.
pub(crate) fn load(sources: &Sources) -> (Result<Arc<Node>, ConfigError>, Seen) {
    let mut files = Files::default();
    let root = load_layers(sources, &mut files);
    (root, files.seen)
}

fn load_layers(sources: &Sources, files: &mut Files) -> Result<Arc<Node>, ConfigError> {
    let mut layers = Vec::new();
    for layer in sources.layers()? {
        layers.extend(load_layer(&layer, sources, files)?);
    }
    layers.extend(env::layer(&sources.env)?);
    let root = layers.into_iter().reduce(|lower, upper| Node::merge(&lower, &upper));
    Ok(root.unwrap_or_else(|| Node::empty("app-config.yaml")))
}

fn load_layer(layer: &Layer, sources: &Sources, files: &mut Files) -> Result<Option<Arc<Node>>, ConfigError> {
    let path = &layer.path;
    let failed = |reason: String| ConfigError::File { path: path.clone(), reason };
    let mut content = files.read(path).map_err(|error| failed(error.to_string()))?;
    if content.as_ref().is_some_and(Vec::is_empty) {
        std::thread::sleep(EMPTY_RETRY);
        content = files.read(path).map_err(|error| failed(error.to_string()))?;
    }
    let Some(content) = content else {
        return if layer.is_required {
            Err(ConfigError::FileMissing { path: path.clone() })
        } else {
            Ok(None)
        };
    };
    let parsed = parse(&content).map_err(|error| failed(format!("YAMLParseError: {error}")))?;
    let node = Resolver::new(sources, files, path)
        .resolve(&parsed)
        .map_err(|failure| failed(failure.to_string()))?;
    match node {
        None => Ok(None),
        Some(node) if node.is_null() => Ok(None),
        Some(node) if matches!(node.content, Content::Object(_)) => Ok(Some(node)),
        Some(_) => Err(failed("expected object at config root".to_owned())),
    }
}

pub(crate) fn parse(content: &[u8]) -> Result<Parsed, YamlError> {
    let text = callboard_yaml::from_utf8(content)?;
    let (value, spans) = callboard_yaml::single_with_spans(text, Limits::default())?;
    Ok(Parsed { value, spans })
}

/// What [`Files::read`] would find now.
pub(crate) fn look_again(seen: &Seen) -> Seen {
    let now = |path: &PathBuf| read_bounded(path).ok().flatten().as_ref().map(Found::fingerprint);
    let is_as_before = |path: &PathBuf, fingerprint: &Fingerprint| {
        let stamp = fs::metadata(path).ok().as_ref().and_then(Stamp::of);
        stamp.is_some() && stamp == fingerprint.stamp
    };
    let look = |(path, before): (&PathBuf, &Option<Fingerprint>)| {
        let known = before.filter(|fingerprint| is_as_before(path, fingerprint));
        (path.clone(), known.or_else(|| now(path)))
    };
    seen.iter().map(look).collect()
}

/// A file that was read.
struct Found {
    content: Vec<u8>,
    stamp: Option<Stamp>,
}

impl Found {
    fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        self.content.hash(&mut hasher);
        let is_blank = self.content.trim_ascii().is_empty();
        Fingerprint { hash: hasher.finish(), is_blank, stamp: self.stamp }
    }
}

fn read_bounded(path: &Path) -> io::Result<Option<Found>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    // Before the content is read: what changes from now on changes the stamp as well.
    let stamp = Stamp::of(&file.metadata()?);
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("the file is larger than {FILE_BYTES_MAX} bytes"),
        ));
    }
    Ok(Some(Found { content, stamp }))
}
