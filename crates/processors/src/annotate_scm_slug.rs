//! Names the repository of an entity, for plugins that show what its forge knows about it.
//!
//! Not part of a default installation; Backstage has it as a module.

use std::sync::Arc;

use callboard_sdk::{
    CatalogProcessor, Entity, ProcessorContext, ProcessorError, ScmFile, ScmResolver, async_trait,
};
use serde_json::Value;

use crate::annotate_location::takes_annotations;

/// `AnnotateScmSlugEntityProcessor`: adds `github.com/project-slug`, `gitlab.com/project-slug` or
/// `dev.azure.com/project-repo` to entities that were read from such a forge and do not have it.
#[derive(Debug)]
pub struct AnnotateScmSlugProcessor {
    scm: Arc<dyn ScmResolver>,
    kinds: Vec<String>,
}

impl AnnotateScmSlugProcessor {
    /// A processor for Components.
    pub fn new(scm: Arc<dyn ScmResolver>) -> Self {
        Self::for_kinds(scm, ["Component"])
    }

    /// A processor for other kinds; case does not matter.
    pub fn for_kinds(scm: Arc<dyn ScmResolver>, kinds: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { scm, kinds: kinds.into_iter().map(Into::into).collect() }
    }

    fn slug(&self, target: &str) -> Option<(&'static str, String)> {
        let annotation = match self.scm.integration_kind(target)? {
            "github" => "github.com/project-slug",
            "gitlab" => "gitlab.com/project-slug",
            "azure" => "dev.azure.com/project-repo",
            _ => return None,
        };
        let ScmFile { owner, name, .. } = self.scm.file(target)?;
        // On Azure a project belongs to an organisation, which is not part of the slug.
        let owner =
            if annotation.starts_with("dev.azure.com") { owner.rsplit('/').next()? } else { owner.as_str() };
        Some((annotation, format!("{owner}/{name}")))
    }
}

#[async_trait]
impl CatalogProcessor for AnnotateScmSlugProcessor {
    fn name(&self) -> &'static str {
        "AnnotateScmSlugEntityProcessor"
    }

    fn is_pure(&self, _entity: &Entity) -> bool {
        true
    }

    fn fingerprint(&self) -> String {
        format!("1 {} {}", self.kinds.join(","), self.scm.fingerprint())
    }

    async fn pre_process_entity(
        &self,
        mut entity: Entity,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        let location = cx.location();
        let is_wanted = self.kinds.iter().any(|kind| kind.eq_ignore_ascii_case(entity.kind()));
        if is_wanted
            && location.kind == "url"
            && takes_annotations(&entity)
            && let Some((key, slug)) = self.slug(&location.target)
        {
            let present = entity.annotations().and_then(|annotations| annotations.get(key));
            if present.is_none_or(|value| *value == Value::String(String::new())) {
                entity.set_annotation(key, slug);
            }
        }
        Ok(entity)
    }
}

#[cfg(test)]
mod tests {
    use callboard_sdk::model::annotations::MANAGED_BY_LOCATION;
    use callboard_sdk::testkit::{TestKit, entity_conformance};
    use serde_json::json;

    use super::*;
    use crate::test_scm::scm;

    fn entity(kind: &str, location: &str) -> Entity {
        let value = json!({"apiVersion": "a/1", "kind": kind, "metadata": {"name": "n"}});
        let mut entity = Entity::from_value(value).unwrap();
        entity.set_annotation(MANAGED_BY_LOCATION, location);
        entity
    }

    async fn slug(entity: Entity, key: &str) -> Option<String> {
        let run = TestKit::new(AnnotateScmSlugProcessor::new(scm())).pre_process(entity).await;
        run.result.unwrap().annotation(key).map(str::to_owned)
    }

    #[tokio::test]
    async fn slugs_come_from_the_repository() {
        let github = "github.com/project-slug";
        let cases = [
            ("Component", "url:https://github.com/o/r/blob/main/c.yaml", github, Some("o/r")),
            ("component", "url:https://github.com/o/r/blob/main/c.yaml", github, Some("o/r")),
            ("API", "url:https://github.com/o/r/blob/main/c.yaml", github, None),
            ("Component", "file:/o/r/c.yaml", github, None),
            ("Component", "url:https://example.com/o/r/blob/main/c.yaml", github, None),
            (
                "Component",
                "url:https://gitlab.com/g/s/r/-/blob/main/c.yaml",
                "gitlab.com/project-slug",
                Some("g/s/r"),
            ),
            (
                "Component",
                "url:https://dev.azure.com/o/p/_git/r?path=%2Fc.yaml",
                "dev.azure.com/project-repo",
                Some("p/r"),
            ),
        ];
        for (kind, location, key, expected) in cases {
            assert_eq!(slug(entity(kind, location), key).await.as_deref(), expected, "{kind} {location}");
        }
    }

    #[tokio::test]
    async fn a_slug_that_is_there_stays() {
        let mut entity = entity("Component", "url:https://github.com/o/r/blob/main/c.yaml");
        entity.set_annotation("github.com/project-slug", "x/y");
        assert_eq!(slug(entity, "github.com/project-slug").await.as_deref(), Some("x/y"));
    }

    #[tokio::test]
    async fn the_contract_is_kept() {
        let processor = AnnotateScmSlugProcessor::new(scm());
        let entity = entity("Component", "url:https://github.com/o/r/blob/main/c.yaml");
        entity_conformance(processor, &entity).await.unwrap();
    }
}
