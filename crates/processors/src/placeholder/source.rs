//! Where a placeholder's value points, and what is there.

use std::fmt;

use callboard_sdk::{
    Bytes, CancellationToken, PlaceholderParams, ProcessorError, Progress, ReadError, ReadUrlOptions,
    ScmResolver, UrlReader, results,
};

use super::local_files::{LocalFiles, LocalTree};

/// Something that can be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Url(String),
    /// A path on this machine.
    File(String),
}

/// As in a refresh key.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "url:{url}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

/// What an entity may read.
pub(crate) struct Sources<'a> {
    reader: &'a dyn UrlReader,
    scm: &'a dyn ScmResolver,
    tree: Option<LocalTree>,
    cancellation: CancellationToken,
    progress: &'a Progress,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(params: &PlaceholderParams<'a, '_>, local: &LocalFiles) -> Self {
        Self {
            reader: params.reader,
            scm: params.scm,
            tree: local.tree(params.cx.location(), params.cx.origin_location()),
            cancellation: params.cx.cancellation().clone(),
            progress: params.cx.progress(),
        }
    }

    /// Follows a reference that stands in `base`.
    pub(crate) fn resolve(&self, reference: &str, base: &Source) -> Result<Source, String> {
        let (Source::Url(base_text) | Source::File(base_text)) = base;
        if let (Source::File(path), Some(tree)) = (base, &self.tree)
            && let Some(path) = tree.resolve(reference, path)
        {
            return Ok(Source::File(path));
        }
        self.scm.resolve_url(reference, base_text).map(Source::Url)
    }

    pub(crate) async fn read(&self, source: &Source) -> Result<Bytes, ReadError> {
        self.progress.step();
        match (source, &self.tree) {
            (Source::Url(url), _) => {
                let options =
                    ReadUrlOptions { cancellation: self.cancellation.clone(), ..ReadUrlOptions::default() };
                Ok(self.reader.read_url(url, &options).await?.data)
            }
            (Source::File(path), Some(tree)) => tree.read(path).await.map(Bytes::from),
            (Source::File(path), None) => {
                Err(ReadError::NotAllowed(format!("'{path}' is not open to placeholders")))
            }
        }
    }
}

/// Reads what the value of a placeholder points at, and emits its refresh key.
pub(crate) async fn read_source(
    params: &mut PlaceholderParams<'_, '_>,
    local: &LocalFiles,
) -> Result<(Source, String), ProcessorError> {
    let key = params.key;
    let Some(value) = params.value.as_str() else {
        return Err(ProcessorError::general(format!(
            "Placeholder ${key} expected a string value parameter, in the form of an absolute URL or a relative path"
        )));
    };
    let sources = Sources::new(params, local);
    // Only a value that says so with a leading dot is a path; anything else is for the URL rules.
    let is_path = sources.tree.is_some() && value.starts_with('.');
    let base = if is_path { Source::File } else { Source::Url }(params.base_url.to_owned());
    let source = sources.resolve(value, &base).map_err(|error| {
        let base = params.base_url;
        ProcessorError::general(format!(
            "Placeholder ${key} could not form a URL out of {base} and {value}, {error}"
        ))
    })?;
    let data = sources.read(&source).await.map_err(|error| {
        let name = error.name();
        ProcessorError::general(format!(
            "Placeholder ${key} could not read location {value}, {name}: {error}"
        ))
    })?;
    params.cx.emit(results::refresh(source.to_string()))?;
    Ok((source, String::from_utf8_lossy(&data).into_owned()))
}
