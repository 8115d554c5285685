//! An entity's JSON, parsed where somebody looks and nowhere else.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value of the entity.
pub(super) struct Source<'a> {
    text: &'a str,
    /// Those of an object, once somebody asked.
    members: OnceCell<Members<'a>>,
}

/// A value that a path led to.
pub(super) struct Found<'s> {
    /// The members on the way to it, each of which may have dots in its name.
    pub(super) names: Vec<&'s str>,
    pub(super) text: &'s str,
}

impl<'a> Source<'a> {
    /// A value of which nothing is parsed yet.
    pub(super) fn of(value: &'a RawValue) -> Self {
        Self { text: value.get(), members: OnceCell::new() }
    }

    /// The value at a path. At each object the shortest name that is there is the one that counts, and there is no way
    /// back: with `a` and `a.b` in one object, `a.b` means the member `b` of `a`.
    pub(super) fn find<'s>(&'s self, path: &'s str) -> Option<Found<'s>> {
        let mut names = Vec::new();
        let mut source = self;
        let mut rest = path;
        loop {
            let members = source.members();
            let ends = rest.match_indices('.').map(|(dot, _)| dot).chain([rest.len()]);
            let (end, name, member) =
                ends.take_while(|end| *end <= members.name_len_max).find_map(|end| {
                    let (name, member) = members.get(rest.get(..end)?)?;
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

    /// The members of an object; none of anything else.
    fn members(&self) -> &Members<'a> {
        self.members.get_or_init(|| {
            let is_object = self.text.starts_with('{');
            if is_object { serde_json::from_str(self.text).unwrap_or_default() } else { Members::default() }
        })
    }
}

/// The members of an object, in their order.
#[derive(Default)]
struct Members<'a> {
    list: Vec<(Cow<'a, str>, Source<'a>)>,
    /// The bytes of the longest name: no longer part of a path needs to be looked for.
    name_len_max: usize,
}

impl<'a> Members<'a> {
    fn get(&self, name: &str) -> Option<(&str, &Source<'a>)> {
        // Of equal names the last one counts.
        self.list.iter().rfind(|(other, _)| other == name).map(|(name, member)| (&**name, member))
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            members.name_len_max = members.name_len_max.max(name.len());
            members.list.push((name, Source::of(value)));
        }
        Ok(members)
    }
}

/// A member's name, borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
