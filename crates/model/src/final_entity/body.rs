//! The part of a final entity that comes from processing alone.

use serde_json::{Map, Value};

use crate::annotations::{EDIT_URL, VIEW_URL};
use crate::entity::Entity;
use crate::hash::Digest;
use crate::json_text::{push_object, push_value};
use crate::script_url::is_script_url;

/// Stands in for links that browsers would run as a script.
const REJECTED_URL: &str = "https://backstage.io/annotation-rejected-for-security-reasons";

/// A processed entity as JSON text, prepared for [`assemble`](super::assemble).
///
/// The text holds neither `relations` nor `status` nor `metadata.uid`, and always `metadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The entity as compact JSON.
    pub json: String,
    /// Byte offset of the `}` that closes `metadata`.
    pub metadata_end: u32,
    /// Byte offset of the `}` that closes `metadata.annotations`. Zero if there are no annotations; an empty
    /// `annotations` object counts as being there.
    pub annotations_end: u32,
    /// Whether the entity brings its own `metadata.etag`, which is then part of the text.
    pub own_etag: bool,
    /// The JSON of the entity's own `status` object, if it has one.
    pub status: Option<String>,
}

/// A [`Body`] whose texts live elsewhere, such as in a row of a store.
#[derive(Debug, Clone, Copy)]
pub struct BodyRef<'a> {
    /// See [`Body::json`].
    pub json: &'a str,
    /// See [`Body::metadata_end`].
    pub metadata_end: u32,
    /// See [`Body::annotations_end`].
    pub annotations_end: u32,
    /// See [`Body::own_etag`].
    pub own_etag: bool,
    /// See [`Body::status`].
    pub status: Option<&'a str>,
}

/// A body's text cut up at the places of insertion. The braces that close the three objects are left out or lead
/// the next piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pieces<'a> {
    /// Up to the end of the annotations; `None` if there are none.
    pub(super) head: Option<&'a str>,
    /// From there to the end of the metadata.
    pub(super) middle: &'a str,
    /// From there to the end of the entity.
    pub(super) tail: &'a str,
}

impl Body {
    /// Prepares a processed entity.
    ///
    /// Takes `status` out; drops `relations` and `metadata.uid`, which only the catalog writes, and what is not of
    /// the right type in `status`, `metadata`, `metadata.annotations` and `metadata.etag`; disarms `javascript:`
    /// links in the view and edit annotations.
    pub fn from_processed(mut entity: Entity) -> Self {
        let root = entity.as_map_mut();
        root.shift_remove("relations");
        let status = root.shift_remove("status").filter(Value::is_object).map(|status| status.to_string());
        let own_etag = tidy_metadata(entity.metadata_mut());

        let (json, metadata_end, annotations_end) = write(entity.as_map());
        // Offsets beyond u32 would need a text of 4 GiB, far above any limit on input. Should it ever happen, the
        // zeros make assembly take the slow way.
        let offset = |at: usize| u32::try_from(at).unwrap_or_default();
        Self {
            metadata_end: offset(metadata_end),
            annotations_end: offset(annotations_end),
            json,
            own_etag,
            status,
        }
    }

    /// Borrows the body.
    pub fn as_body_ref(&self) -> BodyRef<'_> {
        BodyRef {
            json: &self.json,
            metadata_end: self.metadata_end,
            annotations_end: self.annotations_end,
            own_etag: self.own_etag,
            status: self.status.as_deref(),
        }
    }
}

impl<'a> BodyRef<'a> {
    /// Names the body's text. The own status is left out, since it goes into the final status.
    pub fn digest(&self) -> Digest {
        Digest::of(self.json)
    }

    /// `None` if the offsets do not fit the text.
    pub(super) fn split(&self) -> Option<Pieces<'a>> {
        let (annotations_end, metadata_end) = (self.annotations_end as usize, self.metadata_end as usize);
        let end = self.json.len().checked_sub(1)?;
        let piece = |from: usize, to: usize| {
            let closes = self.json.as_bytes().get(to) == Some(&b'}');
            self.json.get(from..to).filter(|_| closes)
        };
        let head = if annotations_end == 0 { None } else { Some(piece(0, annotations_end)?) };
        Some(Pieces { head, middle: piece(annotations_end, metadata_end)?, tail: piece(metadata_end, end)? })
    }
}

/// Returns whether the metadata holds an etag of its own.
fn tidy_metadata(metadata: &mut Map<String, Value>) -> bool {
    metadata.shift_remove("uid");
    let own_etag = metadata.get("etag").and_then(Value::as_str).is_some_and(|etag| !etag.is_empty());
    if !own_etag {
        metadata.shift_remove("etag");
    }
    match metadata.get_mut("annotations") {
        Some(Value::Object(annotations)) => {
            for key in [VIEW_URL, EDIT_URL] {
                if let Some(Value::String(url)) = annotations.get_mut(key)
                    && is_script_url(url)
                {
                    REJECTED_URL.clone_into(url);
                }
            }
        }
        Some(_) => drop(metadata.shift_remove("annotations")),
        None => {}
    }
    own_etag
}

/// The entity's JSON, and the offsets of the braces that close its metadata and its annotations.
fn write(entity: &Map<String, Value>) -> (String, usize, usize) {
    let (mut metadata_end, mut annotations_end) = (0, 0);
    let mut json = String::new();
    push_object(&mut json, entity, |json, key, value| match value {
        Value::Object(metadata) if key == "metadata" => {
            push_object(json, metadata, |json, key, value| {
                push_value(json, value);
                if key == "annotations" {
                    annotations_end = json.len().saturating_sub(1);
                }
            });
            metadata_end = json.len().saturating_sub(1);
        }
        other => push_value(json, other),
    });
    (json, metadata_end, annotations_end)
}
