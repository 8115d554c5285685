//! Finds keys that nobody reads: misspelt, moved, or gone.
//!
//! A Backstage configuration holds the settings of a hundred plugins, so only sections that this program owns are looked
//! at; the rest is left alone.

use std::fmt;

use serde_json::Value;

use crate::config::Config;
use crate::key::join;
use crate::node::{Content, Node, Origin};
use crate::schema::{Schema, Standing, backstage};

/// Sections whose keys are all known.
const OWNED: [&str; 7] = ["backend", "callboard", "catalog", "events", "integrations", "permission", "proxy"];

/// Edits between two names that are probably the same name.
const TYPO_EDITS_MAX: usize = 2;

/// Shorter names are too close to each other to guess.
const TYPO_NAME_MIN: usize = 4;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The key has no effect, or will have none.
    Warning,
    /// The program refuses to start with it.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something to tell about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The full key.
    pub key: String,
    /// Where it was written.
    pub origin: Origin,
    /// What is wrong, and what to do if that is known.
    pub message: String,
}

/// `app-config.yaml:3:5: warning: unknown key 'catalog.rule', did you mean 'rules'?`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.origin, self.severity, self.message)
    }
}

impl Config {
    /// Unknown, deprecated and refused keys, in the order of the merged files.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        self.check_with(&[])
    }

    /// The same, with patterns for more keys that are read, such as `callboard.greeting` or `catalog.providers.mine.*.url`:
    /// `*` is any key, `[]` the elements of a list, `**` anything below.
    #[must_use]
    pub fn check_with(&self, known: &[&str]) -> Vec<Finding> {
        let mut schema = backstage().clone();
        for pattern in known {
            schema.add(pattern);
        }
        let mut findings = Vec::new();
        for (section, node) in self.node.children() {
            match schema.member(section) {
                Some(known) => walk(node, section, known, &mut findings),
                None => findings.extend(misspelt_section(section, node, self)),
            }
        }
        findings
    }
}

/// An unknown section is someone else's, unless it looks like one of ours that is not there.
fn misspelt_section(section: &str, node: &Node, config: &Config) -> Option<Finding> {
    let meant = nearest(section, OWNED.into_iter())?;
    (config.node.child(meant).is_none()).then(|| unknown(section, node, Some(meant)))
}

fn walk(node: &Node, key: &str, schema: &Schema, findings: &mut Vec<Finding>) {
    findings.extend(standing(node, key, schema));
    match &node.content {
        Content::Object(_) => {
            for (name, child) in node.children() {
                let key = join(key, name);
                match schema.member(name) {
                    Some(known) => walk(child, &key, known, findings),
                    None if schema.is_closed() => {
                        findings.push(unknown(&key, child, nearest(name, schema.member_names())));
                    }
                    None => {}
                }
            }
        }
        Content::Array(items) => {
            if let Some(element) = schema.element() {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &format!("{key}[{index}]"), element, findings);
                }
            }
        }
        Content::Scalar(_) => {}
    }
}

fn standing(node: &Node, key: &str, schema: &Schema) -> Option<Finding> {
    let (severity, message) = match schema.standing() {
        Standing::Known => return None,
        Standing::Deprecated(instead) => (Severity::Warning, format!("'{key}' is deprecated: {instead}")),
        Standing::Ignored(_) if matches!(node.content, Content::Scalar(Value::Bool(false))) => return None,
        Standing::Ignored(reason) => (Severity::Warning, format!("'{key}' has no effect: {reason}")),
        Standing::Refused(reason) => (Severity::Error, reason.to_owned()),
    };
    Some(Finding { severity, key: key.to_owned(), origin: node.origin(), message })
}

fn unknown(key: &str, node: &Node, meant: Option<&str>) -> Finding {
    let hint = meant.map(|name| format!(", did you mean '{name}'?")).unwrap_or_default();
    Finding {
        severity: Severity::Warning,
        key: key.to_owned(),
        origin: node.origin(),
        message: format!("unknown key '{key}'{hint}"),
    }
}

fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let name = plain(name);
    candidates
        .map(|candidate| (edits(&name, &plain(candidate)), candidate))
        .filter(|(edits, candidate)| {
            *edits == 0 || (*edits <= TYPO_EDITS_MAX && candidate.len().min(name.len()) >= TYPO_NAME_MIN)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, removals and replacements that turn one name into the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, symbol) in from.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut left = index + 1;
        next.push(left);
        for ((above_left, above), other) in row.iter().zip(row.iter().skip(1)).zip(&to) {
            left = (above_left + usize::from(symbol != *other)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
