//! The schema that every entity must fit, whatever its kind.

use serde_json::Value;

use crate::entity::Entity;
use crate::error::ModelError;
use crate::schema::{Checked, each, filled, object, one_of, only, properties, required, text, values, word};

/// Checks the parts of an entity that all kinds share.
///
/// Fails with a `TypeError` such as `/metadata/tags must be array - type: array`. Only the first fault is reported.
pub fn check_entity_schema(entity: &Entity) -> Result<(), ModelError> {
    first_complaint(entity).map_err(|complaint| complaint.into_type_error("entity-schema"))
}

/// The same check, for callers with their own wording.
pub(crate) fn first_complaint(entity: &Entity) -> Checked {
    let root = entity.as_map();
    required(root, &["apiVersion", "kind", "metadata"])?;
    only(root, &["apiVersion", "kind", "metadata", "spec", "relations", "status"])?;
    properties(
        root,
        &[
            ("apiVersion", &filled),
            ("kind", &filled),
            ("metadata", &metadata),
            ("spec", &|spec| object(spec).map(drop)),
            ("relations", &|relations| each(relations, &relation)),
            ("status", &status),
        ],
    )
}

fn metadata(value: &Value) -> Checked {
    let metadata = object(value)?;
    required(metadata, &["name"])?;
    properties(
        metadata,
        &[
            ("uid", &filled),
            ("etag", &filled),
            ("name", &filled),
            ("namespace", &filled),
            ("title", &filled),
            ("description", &text),
            ("labels", &|labels| values(labels, &text)),
            ("annotations", &|annotations| values(annotations, &text)),
            ("tags", &|tags| each(tags, &filled)),
            ("links", &|links| each(links, &link)),
        ],
    )
}

fn link(value: &Value) -> Checked {
    let link = object(value)?;
    required(link, &["url"])?;
    properties(link, &[("url", &filled), ("title", &filled), ("icon", &filled), ("type", &filled)])
}

fn relation(value: &Value) -> Checked {
    let relation = object(value)?;
    required(relation, &["type", "targetRef"])?;
    only(relation, &["type", "target", "targetRef"])?;
    properties(relation, &[("type", &word), ("target", &reference), ("targetRef", &filled)])
}

fn reference(value: &Value) -> Checked {
    let reference = object(value)?;
    let keys = ["kind", "namespace", "name"];
    required(reference, &keys)?;
    only(reference, &keys)?;
    properties(reference, &[("kind", &filled), ("namespace", &filled), ("name", &filled)])
}

fn status(value: &Value) -> Checked {
    properties(object(value)?, &[("items", &|items| each(items, &status_item))])
}

fn status_item(value: &Value) -> Checked {
    let item = object(value)?;
    required(item, &["type", "level", "message"])?;
    properties(
        item,
        &[
            ("type", &filled),
            ("level", &|level| one_of(level, &["info", "warning", "error"])),
            ("message", &text),
            ("error", &status_error),
        ],
    )
}

fn status_error(value: &Value) -> Checked {
    let error = object(value)?;
    required(error, &["name", "message"])?;
    properties(error, &[("name", &filled), ("message", &text), ("code", &text), ("stack", &text)])
}

#[cfg(test)]
mod tests;
