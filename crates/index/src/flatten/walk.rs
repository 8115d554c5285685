//! Reads an entity's JSON and hands its leaves to the [`Flattener`], without building anything in between.

use std::borrow::Cow;
use std::fmt;

use callboard_model::DEFAULT_NAMESPACE;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Flattener;
use crate::text::js_number_text;

/// Subtrees that give no rows. Names, namespace, uid and relations are indexed in their own way; these are paths, so a
/// member whose name has a dot in it is meant as well.
const SKIPPED: [&str; 7] = [
    "attachments",
    "relations",
    "status",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.etag",
];

/// The largest integer up to which doubles are exact.
const EXACT_MAX: u64 = 1 << 53;

pub(super) fn entity<'de, D: Deserializer<'de>>(out: &mut Flattener, json: D) -> Result<(), D::Error> {
    Node { out: &mut *out, place: Place::Root }.deserialize(json)?;
    if !out.has_namespace {
        let metadata = out.enter("metadata");
        let namespace = out.enter("namespace");
        out.scalar(DEFAULT_NAMESPACE, false);
        out.leave(namespace);
        out.leave(metadata);
    }
    Ok(())
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// The entity's `metadata`.
    Metadata,
    /// The entity's `relations`.
    Relations,
    /// A member of `metadata` that is a row only if it is a scalar: name, namespace or uid.
    Own,
    Array,
    Elsewhere,
}

struct Node<'f> {
    out: &'f mut Flattener,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Node<'_> {
    fn leaf(self, text: &str, is_true: bool) {
        match self.place {
            Place::Relations => return,
            Place::Own if self.out.path == "metadata.namespace" => {
                if text.is_empty() {
                    return;
                }
                self.out.has_namespace = true;
            }
            _ => {}
        }
        self.out.scalar(text, is_true);
    }

    fn child_place(&self, member: &str) -> Option<Place> {
        match (self.place, member) {
            (Place::Root, "metadata") => Some(Place::Metadata),
            (Place::Root, "relations") => Some(Place::Relations),
            (Place::Metadata, "name" | "namespace" | "uid") => Some(Place::Own),
            _ => (!SKIPPED.contains(&self.out.path.as_str())).then_some(Place::Elsewhere),
        }
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.leaf(if value { "true" } else { "false" }, value);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        if value.unsigned_abs() <= EXACT_MAX {
            self.leaf(&value.to_string(), false);
        } else {
            #[expect(clippy::cast_precision_loss, reason = "JavaScript has no other numbers")]
            self.leaf(&js_number_text(value as f64), false);
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        if value <= EXACT_MAX {
            self.leaf(&value.to_string(), false);
        } else {
            #[expect(clippy::cast_precision_loss, reason = "JavaScript has no other numbers")]
            self.leaf(&js_number_text(value as f64), false);
        }
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.leaf(&js_number_text(value), false);
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        if self.place == Place::Array {
            self.out.item(value);
        } else {
            self.leaf(value, false);
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if !matches!(self.place, Place::Relations | Place::Own) {
            self.out.null();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        match self.place {
            Place::Own => while items.next_element::<IgnoredAny>()?.is_some() {},
            Place::Relations => {
                while let Some(item) = items.next_element::<&RawValue>()? {
                    if let Ok(relation) = serde_json::from_str::<Relation<'_>>(item.get()) {
                        self.out.relation(&relation.kind, &relation.target_ref);
                    }
                }
            }
            _ => {
                while items.next_element_seed(Node { out: &mut *self.out, place: Place::Array })?.is_some() {}
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        if matches!(self.place, Place::Own | Place::Relations) {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while let Some(member) = members.next_key_seed(Name)? {
            let mark = self.out.enter(&member);
            match self.child_place(&member) {
                Some(place) => members.next_value_seed(Node { out: &mut *self.out, place })?,
                None => _ = members.next_value::<IgnoredAny>()?,
            }
            self.out.leave(mark);
        }
        Ok(())
    }
}

/// One relation. What is not like one is passed over.
#[derive(Deserialize)]
struct Relation<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, rename = "targetRef")]
    target_ref: Cow<'a, str>,
}

/// A member's name, borrowed if it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}
