//! Resolves the values of one file: `${NAME}` in texts, and the objects `$env`, `$file` and `$include`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callboard_yaml::Spans;
use serde_json::{Map, Value};

use crate::load::{Files, Parsed, parse};
use crate::node::{Content, Node, Place};
use crate::sources::Sources;
use crate::substitute::{Substituted, substitute};

/// Bounds the recursion over a file and those it includes; a file that includes itself ends here.
const DEPTH_MAX: usize = 256;

/// Includes while loading one layer: files that include each other twice would double their number at each step.
const INCLUDES_MAX: usize = 10_000;

const KEYWORDS: [&str; 3] = ["$env", "$file", "$include"];

/// Why a value could not be resolved.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Such as `.a.b[0]`.
    trail: String,
    message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trail = if self.trail.is_empty() { "." } else { &self.trail };
        write!(f, "error at {trail}, {}", self.message)
    }
}

/// Resolves the values of one layer and of everything it includes.
pub(crate) struct Resolver<'a> {
    sources: &'a Sources,
    files: &'a mut Files,
    path: &'a Path,
    context: Arc<str>,
    include_count: usize,
}

/// The file that a value stands in: the layer's own, or an included one.
#[derive(Clone, Copy)]
struct Home<'a> {
    name: &'a Arc<str>,
    dir: &'a Path,
    spans: &'a Spans,
}

/// A value and the ways to it.
#[derive(Clone, Copy)]
struct Spot<'a> {
    value: &'a Value,
    /// Within its file, for positions.
    pointer: &'a str,
    /// Within the layer, for messages.
    trail: &'a str,
    depth: usize,
}

impl Spot<'_> {
    fn failure(&self, message: impl Into<String>) -> Failure {
        Failure { trail: self.trail.to_owned(), message: message.into() }
    }
}

type Resolved = Result<Option<Arc<Node>>, Failure>;

impl<'a> Resolver<'a> {
    pub(crate) fn new(sources: &'a Sources, files: &'a mut Files, path: &'a Path) -> Self {
        let context = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into();
        Self { sources, files, path, context, include_count: 0 }
    }

    /// The layer's tree; None if the file's root value disappears.
    pub(crate) fn resolve(&mut self, parsed: &Parsed) -> Resolved {
        let name: Arc<str> = self.path.to_string_lossy().into();
        let dir = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let home = Home { name: &name, dir: &dir, spans: &parsed.spans };
        self.value(Spot { value: &parsed.value, pointer: "", trail: "", depth: 0 }, home)
    }

    fn value(&mut self, spot: Spot<'_>, home: Home<'_>) -> Resolved {
        match spot.value {
            Value::String(text) => Ok(match self.substituted(text) {
                Substituted::Text(text) => Some(self.scalar(Value::String(text), spot, home)),
                Substituted::Gone => None,
            }),
            Value::Object(map) => match map.keys().find(|key| KEYWORDS.contains(&key.as_str())) {
                Some(keyword) => self.keyword(keyword, map, spot, home),
                None => self.plain(spot, home),
            },
            _ => self.plain(spot, home),
        }
    }

    /// A value that is not itself a reference; those inside of it may be.
    fn plain(&mut self, spot: Spot<'_>, home: Home<'_>) -> Resolved {
        if spot.depth >= DEPTH_MAX {
            return Err(spot
                .failure(format!("values are nested more than {DEPTH_MAX} levels deep, includes followed")));
        }
        let content = match spot.value {
            Value::Array(items) => {
                let mut nodes = Vec::with_capacity(items.len());
                for (index, value) in items.iter().enumerate() {
                    let pointer = format!("{}/{index}", spot.pointer);
                    let trail = format!("{}[{index}]", spot.trail);
                    let item = Spot { value, pointer: &pointer, trail: &trail, depth: spot.depth + 1 };
                    nodes.extend(self.value(item, home)?);
                }
                Content::Array(nodes)
            }
            Value::Object(map) => {
                let mut nodes = indexmap::IndexMap::with_capacity(map.len());
                for (key, value) in map {
                    let pointer = format!("{}/{}", spot.pointer, key.replace('~', "~0").replace('/', "~1"));
                    let trail = format!("{}.{key}", spot.trail);
                    let member = Spot { value, pointer: &pointer, trail: &trail, depth: spot.depth + 1 };
                    if let Some(node) = self.value(member, home)? {
                        nodes.insert(key.clone(), node);
                    }
                }
                Content::Object(nodes)
            }
            scalar => Content::Scalar(scalar.clone()),
        };
        Ok(Some(Arc::new(Node { content, place: self.place(spot, home) })))
    }

    fn keyword(
        &mut self,
        keyword: &str,
        map: &Map<String, Value>,
        spot: Spot<'_>,
        home: Home<'_>,
    ) -> Resolved {
        if map.len() != 1 {
            return Err(spot.failure(format!("include key {keyword} should not have adjacent keys")));
        }
        let Some(Value::String(target)) = map.get(keyword) else {
            return Err(spot.failure(format!("{keyword} include value is not a string")));
        };
        let Substituted::Text(target) = self.substituted(target) else {
            return Err(spot.failure(format!("{keyword} substitution value was undefined")));
        };
        match keyword {
            "$env" => {
                Ok(self.sources.variable(&target).map(|text| self.scalar(Value::String(text), spot, home)))
            }
            "$file" => self.file(&target, spot, home).map(Some),
            _ => self.include(&target, spot, home),
        }
    }

    /// The text of a file, without white space at its end and without substitution.
    fn file(&mut self, target: &str, spot: Spot<'_>, home: Home<'_>) -> Result<Arc<Node>, Failure> {
        let failed = |reason: String| spot.failure(format!("failed to read file {target}, {reason}"));
        let content =
            self.read(&home.dir.join(target)).map_err(|reason| failed(format!("NotFoundError: {reason}")))?;
        let text = callboard_yaml::from_utf8(&content).map_err(|error| failed(error.to_string()))?;
        Ok(self.scalar(Value::String(text.trim_end().to_owned()), spot, home))
    }

    /// The value of a YAML or JSON file, or one inside of it that follows a `#`.
    fn include(&mut self, target: &str, spot: Spot<'_>, home: Home<'_>) -> Resolved {
        self.include_count += 1;
        if self.include_count > INCLUDES_MAX {
            return Err(spot.failure(format!("more than {INCLUDES_MAX} files are included")));
        }
        let (file, inner_path) = target.split_once('#').unwrap_or((target, ""));
        let path: PathBuf = home.dir.join(file);
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        if !matches!(extension.as_deref(), Some("json" | "yaml" | "yml")) {
            let message = format!("no configuration parser available for included file {file}");
            return Err(spot.failure(message));
        }
        let content = self.read(&path).map_err(|reason| spot.failure(reason))?;
        let parsed = parse(&content).map_err(|error| {
            spot.failure(format!("failed to parse included file {file}, YAMLParseError: {error}"))
        })?;
        let Some((value, pointer)) =
            select(&parsed.value, inner_path, file).map_err(|reason| spot.failure(reason))?
        else {
            return Ok(None);
        };
        let name: Arc<str> = path.to_string_lossy().into();
        let dir = path.parent().unwrap_or(home.dir);
        let inner = Spot { value, pointer: &pointer, trail: spot.trail, depth: spot.depth + 1 };
        let home = Home { name: &name, dir, spans: &parsed.spans };
        match value {
            Value::String(_) => self.value(inner, home),
            // What an include yields is not itself taken for a reference again.
            _ => self.plain(inner, home),
        }
    }

    fn read(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        match self.files.read(path) {
            Ok(Some(content)) => Ok(content),
            Ok(None) => Err(format!("failed to include \"{}\", file does not exist", path.display())),
            Err(error) => Err(format!("failed to include \"{}\", {error}", path.display())),
        }
    }

    fn substituted(&self, text: &str) -> Substituted {
        substitute(text, |name| self.sources.variable(name))
    }

    fn scalar(&self, value: Value, spot: Spot<'_>, home: Home<'_>) -> Arc<Node> {
        Arc::new(Node { content: Content::Scalar(value), place: self.place(spot, home) })
    }

    /// People look for a value where its key is.
    fn place(&self, spot: Spot<'_>, home: Home<'_>) -> Place {
        let position = home.spans.key(spot.pointer).unwrap_or_else(|| home.spans.nearest(spot.pointer));
        Place { context: Arc::clone(&self.context), file: Arc::clone(home.name), position: Some(position) }
    }
}

/// The value at a dotted path and its pointer. Absent leaves have no value; absent objects on the way are mistakes.
fn select<'v>(value: &'v Value, path: &str, file: &str) -> Result<Option<(&'v Value, String)>, String> {
    let mut value = value;
    let mut pointer = String::new();
    let parts: Vec<_> = if path.is_empty() { Vec::new() } else { path.split('.').collect() };
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        let Value::Object(map) = value else {
            let before = parts.iter().take(index).copied().collect::<Vec<_>>().join(".");
            return Err(format!("value at '{before}' in included file {file} is not an object"));
        };
        match map.get(*part) {
            Some(inner) => value = inner,
            None if is_last => return Ok(None),
            None => {
                let missing = parts.iter().take(index + 1).copied().collect::<Vec<_>>().join(".");
                return Err(format!("value at '{missing}' in included file {file} is not an object"));
            }
        }
        pointer.push('/');
        pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
    }
    Ok(Some((value, pointer)))
}
