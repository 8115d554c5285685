//! An entity's JSON, parsed where somebody looks and nowhere else.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value of the entity.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    /// Those of an object, once somebody asked.
    pub(super) members: OnceCell<Vec<(Cow<'a, str>, Source<'a>)>>,
}

/// A value that a path led to.
pub(super) struct Found<'s> {
    /// The members on the way to it, each of which may have dots in its name.
    pub(super) names: Vec<&'s str>,
    pub(super) text: &'s str,
}

impl Source<'_> {
    /// The value at a path. At each object the shortest name that is there is the one that counts, and there is no way
    /// back: with `a` and `a.b` in one object, `a.b` means the member `b` of `a`.
    pub(super) fn find<'s>(&'s self, path: &'s str) -> Option<Found<'s>> {
        let mut names = Vec::new();
        let mut source = self;
        let mut rest = path;
        loop {
            let mut dots = rest.match_indices('.').map(|(dot, _)| dot).chain([rest.len()]);
            let (end, name, member) = dots.find_map(|end| {
                let (name, member) = source.member(rest.get(..end)?)?;
                Some((end, name, member))
            })?;
            names.push(name);
            source = member;
            match rest.get(end + 1..) {
                Some(more) => rest = more,
                None => return Some(Found { names, text: source.text }),
            }
        }
    }

    fn member(&self, name: &str) -> Option<(&str, &Self)> {
        let members = self.members.get_or_init(|| members_of(self.text));
        // Of equal names the last one counts.
        members.iter().rfind(|(other, _)| other == name).map(|(name, member)| (&**name, member))
    }
}

/// The members of an object, in their order; none of anything else.
fn members_of(text: &str) -> Vec<(Cow<'_, str>, Source<'_>)> {
    if text.starts_with('{') {
        serde_json::from_str::<Members<'_>>(text).map_or_else(|_| Vec::new(), |members| members.0)
    } else {
        Vec::new()
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, Source<'a>)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Self)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(Cow<'de, str>, Source<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            members.push((name.0, Source { text: value.get(), members: OnceCell::new() }));
        }
        Ok(members)
    }
}

/// A member's name, borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
