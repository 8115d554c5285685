//! What is known about keys: which exist, which are secret, and which are gone.
//!
//! Built from the table in `known`. A pattern is a key path; `*` is any key, `/*` any key that begins with a slash, `[]` the
//! elements of a list, `**` at the end anything below.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::known;

/// How a key stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Fine to use, or an object on the way to such keys.
    #[default]
    Known,
    /// Works, but something else is meant to be used; the text says what.
    Deprecated(&'static str),
    /// Read by nobody. `false` needs no mention: it switches off what is not there.
    Ignored(&'static str),
    /// The program does not start with it.
    Refused(&'static str),
}

/// One place in the tree of known keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    members: BTreeMap<String, Schema>,
    any_member: Option<Box<Schema>>,
    any_route: Option<Box<Schema>>,
    element: Option<Box<Schema>>,
    is_open: bool,
    is_secret: bool,
    standing: Standing,
}

impl Schema {
    /// Adds a pattern, with everything on the way to it.
    pub(crate) fn add(&mut self, pattern: &str) -> &mut Self {
        let mut place = self;
        for part in pattern.split('.') {
            let (name, lists) = match part.find("[]") {
                Some(end) => (part.get(..end).unwrap_or(part), (part.len() - end) / "[]".len()),
                None => (part, 0),
            };
            place = match name {
                "**" => {
                    place.is_open = true;
                    return place;
                }
                "*" => place.any_member.get_or_insert_default(),
                "/*" => place.any_route.get_or_insert_default(),
                _ => place.members.entry(name.to_owned()).or_default(),
            };
            for _ in 0..lists {
                place = place.element.get_or_insert_default();
            }
        }
        place
    }

    /// What is known about a member of an object here.
    pub(crate) fn member(&self, key: &str) -> Option<&Self> {
        let route = || self.any_route.as_deref().filter(|_| key.starts_with('/'));
        self.members.get(key).or_else(route).or(self.any_member.as_deref())
    }

    /// What is known about the elements of a list here.
    pub(crate) fn element(&self) -> Option<&Self> {
        self.element.as_deref()
    }

    pub(crate) fn member_names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Whether keys that are not listed here are mistakes: not where anything is allowed, nor where nothing is said.
    pub(crate) fn is_closed(&self) -> bool {
        !self.is_open && !self.members.is_empty()
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.is_secret
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }
}

/// The keys of Backstage and of this program.
pub(crate) fn backstage() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(build);
    &SCHEMA
}

fn build() -> Schema {
    let mut schema = Schema::default();
    for pattern in known::KEYS.split_whitespace() {
        schema.add(pattern);
    }
    for pattern in known::DURATIONS.split_whitespace() {
        for unit in known::DURATION_UNITS {
            schema.add(&format!("{pattern}.{unit}"));
        }
    }
    for pattern in known::SECRETS.split_whitespace() {
        schema.add(pattern).is_secret = true;
    }
    for (pattern, standing) in known::STANDINGS {
        schema.add(pattern).standing = *standing;
    }
    schema
}
