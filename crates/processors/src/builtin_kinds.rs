//! The built-in kinds: sorts their arrays, checks their fields, and states their relations.

use callboard_sdk::model::{KindCheck, builtin_relations, check_builtin_kind, sort_builtin_arrays};
use callboard_sdk::{
    CatalogProcessor, Entity, ProcessorContext, ProcessorError, Recognized, async_trait, results,
};

/// `BuiltinKindsEntityProcessor`: knows API, Component, Domain, Group, Location, Resource, System and User.
///
/// The sorted order of arrays such as `spec.dependsOn` is visible to clients.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltinKindsProcessor;

#[async_trait]
impl CatalogProcessor for BuiltinKindsProcessor {
    fn name(&self) -> &'static str {
        "BuiltinKindsEntityProcessor"
    }

    fn is_pure(&self, _entity: &Entity) -> bool {
        true
    }

    fn fingerprint(&self) -> String {
        "1".to_owned()
    }

    async fn pre_process_entity(
        &self,
        mut entity: Entity,
        _cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        sort_builtin_arrays(&mut entity);
        Ok(entity)
    }

    async fn validate_entity_kind(&self, entity: &Entity) -> Result<Recognized, ProcessorError> {
        Ok(match check_builtin_kind(entity)? {
            KindCheck::Valid => Recognized::Yes,
            KindCheck::NotMine => Recognized::No,
        })
    }

    async fn post_process_entity(
        &self,
        entity: Entity,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        for relation in builtin_relations(&entity)? {
            cx.emit(results::relation(relation))?;
        }
        Ok(entity)
    }
}

#[cfg(test)]
mod tests {
    use callboard_sdk::testkit::{TestKit, entity_conformance};
    use serde_json::{Value, json};

    use super::*;

    fn entity(kind: &str, spec: Value) -> Entity {
        let mut value = json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": kind,
            "metadata": { "name": "n", "namespace": "ns1" },
        });
        value["spec"] = spec;
        Entity::from_value(value).unwrap()
    }

    #[tokio::test]
    async fn every_field_gives_its_pair_of_relations() {
        let own = ["o"; 1];
        let cases = [
            (
                "Component",
                json!({
                    "type": "t", "lifecycle": "l", "owner": "o", "subcomponentOf": "c", "providesApis": own,
                    "consumesApis": own, "dependsOn": ["resource:r", "component:c"], "dependencyOf": ["component:d"],
                    "system": "s",
                }),
                18 - 2,
            ),
            (
                "API",
                json!({"type": "t", "lifecycle": "l", "definition": "d", "owner": "o", "system": "s"}),
                4,
            ),
            (
                "Resource",
                json!({
                    "type": "t", "owner": "o", "dependsOn": ["resource:r", "component:c"],
                    "dependencyOf": ["component:d"], "system": "s",
                }),
                10,
            ),
            ("System", json!({"owner": "o", "domain": "d"}), 4),
            ("Domain", json!({"owner": "o", "subdomainOf": "d"}), 4),
            ("Location", json!({"type": "url", "target": "x"}), 0),
        ];
        for (kind, spec, expected) in cases {
            let mut kit = TestKit::new(BuiltinKindsProcessor);
            let entity = entity(kind, spec);
            assert_eq!(kit.validate(&entity).await, Ok(Recognized::Yes), "{kind}");
            assert_eq!(kit.post_process(entity).await.relations().len(), expected, "{kind}");
        }
    }

    #[tokio::test]
    async fn refs_take_namespace_and_kind_from_their_field() {
        let entity = entity("System", json!({"owner": "user:ns2/bob", "domain": "d"}));
        let run = TestKit::new(BuiltinKindsProcessor).post_process(entity).await;
        let targets: Vec<_> = run
            .relations()
            .iter()
            .filter(|relation| relation.source.to_canonical() == "system:ns1/n")
            .map(|relation| (relation.kind.clone(), relation.target.to_canonical()))
            .collect();
        let expected =
            [("ownedBy", "user:ns2/bob"), ("partOf", "domain:ns1/d")].map(|(a, b)| (a.into(), b.to_owned()));
        assert_eq!(targets, expected);
    }

    #[tokio::test]
    async fn a_dependency_without_a_kind_fails_the_entity() {
        let entity = entity("Resource", json!({"type": "t", "owner": "o", "dependsOn": ["r"]}));
        let error = TestKit::new(BuiltinKindsProcessor).post_process(entity).await.result.unwrap_err();
        let expected = "Entity reference \"r\" had missing or empty kind (e.g. did not start with \"component:\" or similar)";
        assert_eq!(error.message, expected);
    }

    #[tokio::test]
    async fn arrays_of_texts_are_sorted() {
        let entity = entity("User", json!({"memberOf": ["b", "a"]}));
        let run = TestKit::new(BuiltinKindsProcessor).pre_process(entity).await;
        assert_eq!(run.result.unwrap().spec().unwrap()["memberOf"], json!(["a", "b"]));
    }

    #[tokio::test]
    async fn foreign_kinds_are_left_to_others_and_invalid_ones_refused() {
        let kit = TestKit::new(BuiltinKindsProcessor);
        assert_eq!(kit.validate(&entity("Template", json!({}))).await, Ok(Recognized::No));
        assert_eq!(kit.validate(&entity("System", json!({}))).await.unwrap_err().name, "TypeError");
    }

    #[tokio::test]
    async fn the_contract_is_kept() {
        entity_conformance(BuiltinKindsProcessor, &entity("System", json!({"owner": "o"}))).await.unwrap();
    }
}
