//! Which kinds of entities may come in through which location: `catalog.rules` and `catalog.locations[].rules`.
//!
//! Any rule that matches allows; nothing denies. The location is the origin, the one that was registered, so that a
//! file further down cannot widen what its root may bring in.

use std::path::{Component, Path, PathBuf};

use callboard_sdk::{Entity, LocationSpec};
use globset::{GlobBuilder, GlobMatcher};
use serde_json::{Map, Value};

use crate::RulesEnforcer;

/// Allowed everywhere if `catalog.rules` says nothing.
const DEFAULT_KINDS: [&str; 3] = ["Component", "API", "Location"];

/// Why rules were refused. The texts name the place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Two ways to match a target contradict each other.
    #[error("A catalog rule location cannot have both exact and pattern values")]
    ExactAndPattern,
    /// Something is not there.
    #[error("Missing required config value at '{0}'")]
    Missing(String),
    /// Something is of a wrong type.
    #[error("Invalid type in config for key '{key}', got {got}, wanted {wanted}")]
    Type {
        /// Where it stands.
        key: String,
        /// What it is.
        got: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// A pattern cannot be understood.
    #[error("Invalid pattern in config for key '{key}', {reason}")]
    Pattern {
        /// Where it stands.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The rules of a configuration.
#[derive(Debug, Clone)]
pub struct CatalogRules {
    rules: Vec<Rule>,
    fingerprint: String,
}

#[derive(Debug, Clone)]
struct Rule {
    allow: Vec<EntityMatcher>,
    /// `None`: every location.
    locations: Option<Vec<LocationMatcher>>,
}

#[derive(Debug, Clone)]
struct EntityMatcher {
    kind: String,
    spec_type: Option<String>,
}

#[derive(Debug, Clone)]
struct LocationMatcher {
    kind: String,
    target: TargetMatcher,
}

#[derive(Debug, Clone)]
enum TargetMatcher {
    Any,
    Exact(String),
    Pattern(Pattern),
}

impl CatalogRules {
    /// Takes the values of `catalog.rules`, if there is one, and of `catalog.locations`. `cwd` is what relative
    /// targets of `file` locations are relative to.
    pub fn parse(global: Option<&Value>, locations: &[Value], cwd: &Path) -> Result<Self, RulesError> {
        let mut rules = match global {
            None | Some(Value::Null) => {
                vec![Rule { allow: DEFAULT_KINDS.map(kind_alone).into(), locations: None }]
            }
            Some(global) => {
                objects(global, "catalog.rules")?.map(|rule| global_rule(&rule?)).collect::<Result<_, _>>()?
            }
        };
        for (index, location) in locations.iter().enumerate() {
            let location = Section::new(location, format!("catalog.locations[{index}]"))?;
            let Some(own) = location.get("rules") else {
                continue;
            };
            let matcher = LocationMatcher {
                kind: location.required("type")?.to_owned(),
                target: TargetMatcher::Exact(absolute(
                    location.required("type")?,
                    location.required("target")?,
                    cwd,
                )),
            };
            for rule in objects(own, &location.key("rules"))? {
                let allow = rule?.allow(EntityMatcher::of_kind)?;
                rules.push(Rule { allow, locations: Some(vec![matcher.clone()]) });
            }
        }
        let fingerprint = fingerprint(&rules);
        Ok(Self { rules, fingerprint })
    }
}

impl RulesEnforcer for CatalogRules {
    fn is_allowed(&self, entity: &Entity, origin: &LocationSpec) -> bool {
        self.rules.iter().any(|rule| {
            rule.locations
                .as_ref()
                .is_none_or(|locations| locations.iter().any(|matcher| matcher.matches(origin)))
                && rule.allow.iter().any(|matcher| matcher.matches(entity))
        })
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
}

impl EntityMatcher {
    /// A plain kind.
    fn of_kind(value: &Value, key: String) -> Result<Self, RulesError> {
        Ok(kind_alone(text(value, key)?))
    }

    /// A kind, or `{kind, spec.type}`.
    fn of_kind_or_type(value: &Value, key: String) -> Result<Self, RulesError> {
        if !value.is_object() {
            return Self::of_kind(value, key);
        }
        let section = Section::new(value, key)?;
        Ok(Self {
            kind: section.required("kind")?.to_lowercase(),
            spec_type: section.optional("spec.type")?.map(str::to_lowercase),
        })
    }

    fn matches(&self, entity: &Entity) -> bool {
        let has_type =
            |wanted: &String| entity.spec_str("type").is_some_and(|it| it.to_lowercase() == *wanted);
        entity.kind().to_lowercase() == self.kind && self.spec_type.as_ref().is_none_or(has_type)
    }
}

impl LocationMatcher {
    fn parse(section: &Section<'_>) -> Result<Self, RulesError> {
        let target = match (section.optional("exact")?, section.optional("pattern")?) {
            (Some(_), Some(_)) => return Err(RulesError::ExactAndPattern),
            (Some(exact), None) => TargetMatcher::Exact(exact.to_owned()),
            (None, Some(pattern)) => {
                TargetMatcher::Pattern(Pattern::parse(pattern, &section.key("pattern"))?)
            }
            (None, None) => TargetMatcher::Any,
        };
        Ok(Self { kind: section.required("type")?.to_owned(), target })
    }

    fn matches(&self, location: &LocationSpec) -> bool {
        self.kind == location.kind
            && match &self.target {
                TargetMatcher::Any => true,
                TargetMatcher::Exact(target) => *target == location.target,
                TargetMatcher::Pattern(pattern) => pattern.matches(&location.target),
            }
    }
}

/// A glob as the minimatch library of Backstage reads it: case does not matter, `*` stays between slashes, names
/// with a leading dot are like others.
#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    is_negated: bool,
    /// `None` matches nothing.
    matcher: Option<GlobMatcher>,
}

impl Pattern {
    fn parse(text: &str, key: &str) -> Result<Self, RulesError> {
        let glob = text.trim_start_matches('!');
        let is_negated = (text.len() - glob.len()) % 2 == 1;
        let matcher = if text.starts_with('#') { None } else { Some(Self::compile(glob, key)?) };
        Ok(Self { text: text.to_owned(), is_negated, matcher })
    }

    fn compile(glob: &str, key: &str) -> Result<GlobMatcher, RulesError> {
        let failed = |reason: String| RulesError::Pattern { key: key.to_owned(), reason };
        if ["+(", "@(", "!(", "?(", "*("].iter().any(|opening| glob.contains(opening)) {
            return Err(failed("extended glob patterns are not supported".to_owned()));
        }
        // A star that stands alone between slashes has to match something.
        let parts: Vec<_> = parts(glob).map(|part| if part == "*" { "?*" } else { part }).collect();
        GlobBuilder::new(&parts.join("/"))
            .literal_separator(true)
            .backslash_escape(true)
            .case_insensitive(true)
            .build()
            .map(|glob| glob.compile_matcher())
            .map_err(|error| failed(error.kind().to_string()))
    }

    fn matches(&self, target: &str) -> bool {
        let Some(matcher) = &self.matcher else {
            return false;
        };
        let target = parts(target).collect::<Vec<_>>().join("/");
        let is_match = matcher.is_match(&target)
            || target.strip_suffix('/').is_some_and(|target| matcher.is_match(target));
        is_match != self.is_negated
    }
}

/// The parts between slashes, where several slashes in a row count as one.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let last = text.matches('/').count();
    text.split('/')
        .enumerate()
        .filter(move |(at, part)| !part.is_empty() || *at == 0 || *at == last)
        .map(|(_, part)| part)
}

fn kind_alone(kind: &str) -> EntityMatcher {
    EntityMatcher { kind: kind.to_lowercase(), spec_type: None }
}

fn global_rule(section: &Section<'_>) -> Result<Rule, RulesError> {
    let allow = section.allow(EntityMatcher::of_kind_or_type)?;
    let locations = match section.get("locations") {
        None => None,
        Some(locations) => Some(
            objects(locations, &section.key("locations"))?
                .map(|location| LocationMatcher::parse(&location?))
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(Rule { allow, locations })
}

/// The target as it is in the annotations of entities: `file` targets are absolute there.
fn absolute(kind: &str, target: &str, cwd: &Path) -> String {
    if kind != "file" {
        return target.to_owned();
    }
    let mut path = PathBuf::new();
    for component in cwd.join(target).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            component => path.push(component),
        }
    }
    path.to_string_lossy().into_owned()
}

/// An object of the configuration, and where it stands.
struct Section<'a> {
    object: &'a Map<String, Value>,
    at: String,
}

impl<'a> Section<'a> {
    fn new(value: &'a Value, at: String) -> Result<Self, RulesError> {
        match value {
            Value::Object(object) => Ok(Self { object, at }),
            other => Err(wrong_type(other, at, "object")),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.at)
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn optional(&self, name: &str) -> Result<Option<&'a str>, RulesError> {
        self.get(name).map(|value| text(value, self.key(name))).transpose()
    }

    fn required(&self, name: &str) -> Result<&'a str, RulesError> {
        self.optional(name)?.ok_or_else(|| RulesError::Missing(self.key(name)))
    }

    fn allow(
        &self,
        parse: impl Fn(&Value, String) -> Result<EntityMatcher, RulesError>,
    ) -> Result<Vec<EntityMatcher>, RulesError> {
        let key = self.key("allow");
        match self.get("allow") {
            None => Err(RulesError::Missing(key)),
            Some(Value::Array(items)) => {
                items.iter().enumerate().map(|(index, item)| parse(item, format!("{key}[{index}]"))).collect()
            }
            Some(other) => Err(wrong_type(other, key, "array")),
        }
    }
}

fn objects<'a>(
    value: &'a Value,
    at: &str,
) -> Result<impl Iterator<Item = Result<Section<'a>, RulesError>>, RulesError> {
    let Value::Array(items) = value else {
        return Err(wrong_type(value, at.to_owned(), "object-array"));
    };
    Ok(items.iter().enumerate().map(move |(index, item)| Section::new(item, format!("{at}[{index}]"))))
}

fn text(value: &Value, key: String) -> Result<&str, RulesError> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        other => Err(wrong_type(other, key, "string")),
    }
}

fn wrong_type(value: &Value, key: String, wanted: &'static str) -> RulesError {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(text) if text.is_empty() => "empty-string",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    RulesError::Type { key, got, wanted }
}

/// The rules as a text that is the same for the same rules.
fn fingerprint(rules: &[Rule]) -> String {
    let rules: Vec<Value> = rules
        .iter()
        .map(|rule| {
            let allow: Vec<_> =
                rule.allow.iter().map(|it| serde_json::json!([it.kind, it.spec_type])).collect();
            let locations: Option<Vec<_>> = rule.locations.as_ref().map(|locations| {
                let shown = locations.iter().map(|it| match &it.target {
                    TargetMatcher::Any => serde_json::json!([it.kind]),
                    TargetMatcher::Exact(target) => serde_json::json!([it.kind, "exact", target]),
                    TargetMatcher::Pattern(pattern) => serde_json::json!([it.kind, "pattern", pattern.text]),
                });
                shown.collect()
            });
            serde_json::json!([allow, locations])
        })
        .collect();
    Value::Array(rules).to_string()
}

#[cfg(test)]
mod tests;
