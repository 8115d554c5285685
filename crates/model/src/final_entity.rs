//! The final entity: the processed one, completed with uid, etag, relations and errors, as it is served.
//!
//! This runs for every entity whenever anything about it changes, so it works on text: a [`Body`] is serialised once,
//! with the places remembered where something is to be inserted, and [`assemble`] only copies slices.

use serde_json::{Map, Value, json};

use crate::annotations::ORPHAN;
use crate::entity::Entity;
use crate::hash::{Digest, update_part};
use crate::json_text::push_str;
use crate::serialized_error::SerializedError;

mod body;

pub use body::{Body, BodyRef};

/// The `type` of the status items that stand for processing errors.
pub const PROCESSING_STATUS_TYPE: &str = "backstage.io/catalog-processing";

/// Everything that a final entity is made of.
#[derive(Debug, Clone, Copy)]
pub struct FinalParts<'a> {
    /// The processed entity.
    pub body: BodyRef<'a>,
    /// The entity's uid.
    pub uid: &'a str,
    /// Type and target ref of the entity's relations, sorted bytewise, without duplicates.
    pub relations: &'a [(&'a str, &'a str)],
    /// The errors of the last processing.
    pub errors: &'a [SerializedError],
    /// Whether nothing refers to the entity any more.
    pub is_orphan: bool,
}

/// A final entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalEntity {
    /// The entity as JSON text.
    pub json: String,
    /// Fingerprint of the content. This is `metadata.etag`, unless the entity brought its own.
    pub etag: String,
}

impl FinalParts<'_> {
    /// Puts the final entity together.
    pub fn finish(&self) -> FinalEntity {
        let relations = relations_json(self.relations);
        let status = status_json(self.body.status, self.errors);
        let etag = etag(&self.body.digest(), &relations, status.as_deref(), self.is_orphan);
        let json = assemble(self.body, self.uid, &etag, &relations, status.as_deref(), self.is_orphan);
        FinalEntity { json, etag }
    }
}

/// The JSON of `relations`, from types and target refs in the order given.
pub fn relations_json<T: AsRef<str>, R: AsRef<str>>(relations: &[(T, R)]) -> String {
    let mut json = String::with_capacity(2 + relations.len() * 64);
    json.push('[');
    for (index, (kind, target_ref)) in relations.iter().enumerate() {
        json.push_str(if index == 0 { r#"{"type":"# } else { r#",{"type":"# });
        push_str(&mut json, kind.as_ref());
        json.push_str(r#","targetRef":"#);
        push_str(&mut json, target_ref.as_ref());
        json.push('}');
    }
    json.push(']');
    json
}

/// The JSON of `status`: the entity's own, with an item added for each error. `None` if there is neither.
pub fn status_json(own_status: Option<&str>, errors: &[SerializedError]) -> Option<String> {
    if errors.is_empty() {
        return own_status.map(str::to_owned);
    }
    let mut status: Map<String, Value> =
        own_status.and_then(|status| serde_json::from_str(status).ok()).unwrap_or_default();
    let mut items = match status.remove("items") {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    items.extend(errors.iter().map(|error| {
        json!({
            "type": PROCESSING_STATUS_TYPE,
            "level": "error",
            "message": error.summary(),
            "error": error,
        })
    }));
    status.insert("items".to_owned(), Value::Array(items));
    Some(Value::Object(status).to_string())
}

/// Fingerprint of a final entity's content: 40 hex digits. Clients take it as opaque.
pub fn etag(body: &Digest, relations_json: &str, status_json: Option<&str>, is_orphan: bool) -> String {
    let mut hasher = blake3::Hasher::new();
    update_part(&mut hasher, body.as_ref());
    update_part(&mut hasher, relations_json.as_bytes());
    update_part(&mut hasher, status_json.unwrap_or_default().as_bytes());
    hasher.update(&[u8::from(is_orphan)]);
    let mut bytes = [0; 20];
    hasher.finalize_xof().fill(&mut bytes);
    hex::encode(bytes)
}

/// The final entity's JSON text: the body with uid, etag and the orphan annotation spliced into its metadata, and
/// relations and status appended.
///
/// A body that was not made by [`Body::from_processed`] is parsed and put together the slow way; one that is no JSON
/// object at all comes back as it is.
pub fn assemble(
    body: BodyRef<'_>,
    uid: &str,
    etag: &str,
    relations_json: &str,
    status_json: Option<&str>,
    is_orphan: bool,
) -> String {
    let tail = Tail { uid, etag: (!body.own_etag).then_some(etag), relations_json, status_json, is_orphan };
    let overrides_annotation = is_orphan && body.json.contains(r#""backstage.io/orphan":"#);
    body.split()
        .filter(|_| !overrides_annotation)
        .map(|pieces| tail.splice(pieces))
        .or_else(|| tail.rebuild(body.json))
        .unwrap_or_else(|| body.json.to_owned())
}

/// What is added to a body.
struct Tail<'a> {
    uid: &'a str,
    etag: Option<&'a str>,
    relations_json: &'a str,
    status_json: Option<&'a str>,
    is_orphan: bool,
}

impl Tail<'_> {
    fn splice(&self, pieces: body::Pieces<'_>) -> String {
        let body::Pieces { head, middle, tail } = pieces;
        let body_len = head.map_or(0, str::len) + middle.len() + tail.len();
        let tail_len = self.relations_json.len() + self.status_json.map_or(0, str::len) + 256;
        let mut json = String::with_capacity(body_len + tail_len);
        if let Some(text) = head {
            json.push_str(text);
            if self.is_orphan {
                push_comma(&mut json);
                json.push_str(r#""backstage.io/orphan":"true""#);
            }
        }
        json.push_str(middle);
        if self.is_orphan && head.is_none() {
            push_comma(&mut json);
            json.push_str(r#""annotations":{"backstage.io/orphan":"true"}"#);
        }
        push_comma(&mut json);
        json.push_str(r#""uid":"#);
        push_str(&mut json, self.uid);
        if let Some(etag) = self.etag {
            json.push_str(r#","etag":"#);
            push_str(&mut json, etag);
        }
        json.push_str(tail);
        json.push_str(r#","relations":"#);
        json.push_str(self.relations_json);
        if let Some(status) = self.status_json {
            json.push_str(r#","status":"#);
            json.push_str(status);
        }
        json.push('}');
        json
    }

    fn rebuild(&self, body_json: &str) -> Option<String> {
        let mut entity: Entity = serde_json::from_str(body_json).ok()?;
        if self.is_orphan {
            entity.set_annotation(ORPHAN, "true");
        }
        let metadata = entity.metadata_mut();
        metadata.insert("uid".to_owned(), Value::from(self.uid));
        if let Some(etag) = self.etag {
            metadata.insert("etag".to_owned(), Value::from(etag));
        }
        let root = entity.as_map_mut();
        root.insert("relations".to_owned(), serde_json::from_str(self.relations_json).ok()?);
        if let Some(status) = self.status_json {
            root.insert("status".to_owned(), serde_json::from_str(status).ok()?);
        }
        Some(entity.into_value().to_string())
    }
}

/// Separates from what stands before, unless an object was only just opened.
fn push_comma(json: &mut String) {
    if !json.ends_with('{') {
        json.push(',');
    }
}

#[cfg(test)]
mod tests;
