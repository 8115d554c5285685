//! Says on every entity where it came from, where it can be viewed and edited, and where its source code is.

use std::sync::Arc;

use callboard_sdk::model::annotations::{
    EDIT_URL, MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION, SOURCE_LOCATION, VIEW_URL,
};
use callboard_sdk::{
    CatalogProcessor, Entity, LocationSpec, ProcessorContext, ProcessorError, ScmResolver, async_trait,
};
use serde_json::Value;

/// Lower-case hex digits that make a word a commit.
const COMMIT_DIGITS_MIN: usize = 40;

/// `AnnotateLocationEntityProcessor`: adds the annotations of the entity's location, never overriding one.
#[derive(Debug)]
pub struct AnnotateLocationProcessor {
    scm: Arc<dyn ScmResolver>,
}

impl AnnotateLocationProcessor {
    /// A processor that knows the forges of `scm`.
    pub fn new(scm: Arc<dyn ScmResolver>) -> Self {
        Self { scm }
    }

    fn annotations(
        &self,
        location: &LocationSpec,
        origin: &LocationSpec,
    ) -> Result<Vec<(&'static str, String)>, ProcessorError> {
        let mut annotations = vec![
            (MANAGED_BY_LOCATION, location.location_ref()?.to_string()),
            (MANAGED_BY_ORIGIN_LOCATION, origin.location_ref()?.to_string()),
        ];
        if location.kind != "url" {
            return Ok(annotations);
        }
        let target = &location.target;
        annotations.push((VIEW_URL, target.clone()));
        if !is_pinned_to_commit(target)
            && let Some(edit_url) = self.scm.resolve_edit_url(target)
        {
            annotations.push((EDIT_URL, edit_url));
        }
        if self.scm.integration_kind(target).is_some() {
            let directory =
                self.scm.resolve_url("./", target).map_err(|text| ProcessorError::new("TypeError", text))?;
            annotations.push((SOURCE_LOCATION, format!("url:{directory}")));
        }
        annotations.retain(|(_, value)| !value.is_empty());
        Ok(annotations)
    }
}

#[async_trait]
impl CatalogProcessor for AnnotateLocationProcessor {
    fn name(&self) -> &'static str {
        "AnnotateLocationEntityProcessor"
    }

    fn is_pure(&self, _entity: &Entity) -> bool {
        true
    }

    fn fingerprint(&self) -> String {
        format!("1 {}", self.scm.fingerprint())
    }

    async fn pre_process_entity(
        &self,
        mut entity: Entity,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        if !takes_annotations(&entity) {
            return Ok(entity);
        }
        for (key, value) in self.annotations(cx.location(), cx.origin_location())? {
            if !entity.annotations().is_some_and(|annotations| annotations.contains_key(key)) {
                entity.set_annotation(key, value);
            }
        }
        Ok(entity)
    }
}

/// Whether annotations can be added without replacing something of a wrong type, which later checks complain about.
pub(crate) fn takes_annotations(entity: &Entity) -> bool {
    match entity.as_map().get("metadata") {
        None => true,
        Some(Value::Object(metadata)) => metadata.get("annotations").is_none_or(Value::is_object),
        Some(_) => false,
    }
}

/// Whether a URL shows one commit for ever, so that there is nothing to edit behind it.
fn is_pinned_to_commit(url: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    url.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .any(|word| word.len() >= COMMIT_DIGITS_MIN && word.bytes().all(is_hex))
}

#[cfg(test)]
mod tests {
    use callboard_sdk::testkit::{TestKit, entity_conformance};
    use serde_json::json;

    use super::*;
    use crate::test_scm::scm;

    fn entity(location: &str, more: &[(&str, &str)]) -> Entity {
        let value = json!({"apiVersion": "a/1", "kind": "Component", "metadata": {"name": "n"}});
        let mut entity = Entity::from_value(value).unwrap();
        entity.set_annotation(MANAGED_BY_LOCATION, location);
        entity.set_annotation(MANAGED_BY_ORIGIN_LOCATION, "url:https://example.com/origin.yaml");
        for (key, value) in more {
            entity.set_annotation(*key, *value);
        }
        entity
    }

    async fn annotated(entity: Entity) -> Entity {
        let processor = AnnotateLocationProcessor::new(scm());
        TestKit::new(processor).pre_process(entity).await.result.unwrap()
    }

    #[tokio::test]
    async fn annotations_depend_on_the_location() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let pinned = format!("https://github.com/o/r/blob/{hash}/c.yaml");
        let pinned_source = format!("url:https://github.com/o/r/tree/{hash}/");
        let upper = hash.to_uppercase();
        let upper_pinned = format!("https://github.com/o/r/blob/{upper}/c.yaml");
        let (upper_edit, upper_source) = (
            format!("https://github.com/o/r/edit/{upper}/c.yaml"),
            format!("url:https://github.com/o/r/tree/{upper}/"),
        );
        let bitbucket = "https://bitbucket.org/w/r/src/main/c.yaml";
        let azure = "https://dev.azure.com/o/p/_git/r?path=%2Fc.yaml";
        let cases = [
            (
                "https://github.com/o/r/blob/main/a/c.yaml",
                Some("https://github.com/o/r/edit/main/a/c.yaml"),
                Some("url:https://github.com/o/r/tree/main/a/"),
            ),
            (
                "https://gitlab.com/g/r/-/blob/main/c.yaml",
                Some("https://gitlab.com/g/r/-/edit/main/c.yaml"),
                Some("url:https://gitlab.com/g/r/-/blob/main/"),
            ),
            (
                bitbucket,
                Some("https://bitbucket.org/w/r/src/main/c.yaml?mode=edit&at=main"),
                Some("url:https://bitbucket.org/w/r/src/main/"),
            ),
            (azure, Some(azure), Some("url:https://dev.azure.com/o/p/_git/r?path=%2F")),
            (&pinned, None, Some(&pinned_source)),
            (&upper_pinned, Some(&upper_edit), Some(&upper_source)),
            ("https://example.com/c.yaml", None, None),
        ];
        for (target, edit, source) in cases {
            let entity = annotated(entity(&format!("url:{target}"), &[])).await;
            let found = [VIEW_URL, EDIT_URL, SOURCE_LOCATION].map(|key| entity.annotation(key));
            assert_eq!(found, [Some(target), edit, source], "{target}");
        }
    }

    #[tokio::test]
    async fn files_get_nothing_but_their_locations() {
        let before = entity("file:/a/catalog-info.yaml", &[]);
        assert_eq!(annotated(before.clone()).await, before);
    }

    #[tokio::test]
    async fn what_the_entity_says_itself_stays() {
        let own = [(VIEW_URL, "view"), (EDIT_URL, "edit"), (SOURCE_LOCATION, "source")];
        let before = entity("url:https://github.com/o/r/blob/main/c.yaml", &own);
        assert_eq!(annotated(before.clone()).await, before);
    }

    #[tokio::test]
    async fn the_contract_is_kept() {
        let processor = AnnotateLocationProcessor::new(scm());
        let entity = entity("url:https://github.com/o/r/blob/main/c.yaml", &[]);
        entity_conformance(processor, &entity).await.unwrap();
    }
}
