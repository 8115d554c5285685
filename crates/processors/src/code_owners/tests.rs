use callboard_sdk::model::annotations::MANAGED_BY_LOCATION;
use callboard_sdk::testkit::{FakeReader, TestKit, entity_conformance};

use super::*;
use crate::test_scm::scm;

const LOCATION: &str = "url:https://github.com/o/r/tree/main/a/c.yaml";
const ROOT: &str = "https://github.com/o/r/tree/main";

fn entity(kind: &str, location: &str, spec: Option<Value>) -> Entity {
    let mut value = json!({"apiVersion": "a/1", "kind": kind, "metadata": {"name": "n"}});
    if let Some(spec) = spec {
        value["spec"] = spec;
    }
    let mut entity = Entity::from_value(value).unwrap();
    entity.set_annotation(MANAGED_BY_LOCATION, location);
    entity
}

fn kit(reader: &FakeReader) -> TestKit {
    TestKit::new(CodeOwnersProcessor::new(Arc::new(reader.clone()), scm()))
}

async fn owner(reader: &FakeReader, entity: Entity) -> Option<String> {
    kit(reader).pre_process(entity).await.result.unwrap().spec_str("owner").map(str::to_owned)
}

#[test]
fn the_last_line_for_everything_names_the_owner() {
    let cases = [
        ("* @org/team", Some("team")),
        ("* @user", Some("User:user")),
        ("* bob@example.com", Some("User:bob")),
        ("* team-a", Some("team-a")),
        ("* @org/a @org/b\n*.js @x\n", Some("a")),
        ("* @org/a\n* @org/b # the second\n", Some("b")),
        ("# * @org/a\n/docs @org/b\n", None),
        ("*", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(main_owner(text).as_deref(), expected, "{text}");
    }
}

#[tokio::test]
async fn files_are_looked_for_in_order() {
    let reader = FakeReader::default();
    assert_eq!(owner(&reader, entity("Component", LOCATION, None)).await, None);
    reader.put(&format!("{ROOT}/docs/CODEOWNERS"), "* @org/docs", None);
    assert_eq!(owner(&reader, entity("Component", LOCATION, None)).await.as_deref(), Some("docs"));
    reader.put(&format!("{ROOT}/.github/CODEOWNERS"), "* @org/hub", None);
    assert_eq!(owner(&reader, entity("Component", LOCATION, None)).await.as_deref(), Some("hub"));
    reader.put(&format!("{ROOT}/CODEOWNERS"), "* @org/root", None);
    assert_eq!(owner(&reader, entity("Component", LOCATION, None)).await.as_deref(), Some("root"));
}

#[tokio::test]
async fn only_missing_owners_of_known_kinds_from_repositories_are_set() {
    let reader = FakeReader::default();
    reader.put(&format!("{ROOT}/CODEOWNERS"), "* @org/root", None);
    let cases = [
        (entity("Template", LOCATION, Some(json!({"owner": ""}))), Some("root")),
        (entity("API", LOCATION, Some(json!({"owner": "own"}))), Some("own")),
        (entity("Group", LOCATION, None), None),
        (entity("API", "file:/a/c.yaml", None), None),
        (entity("API", "url:https://example.com/c.yaml", None), None),
    ];
    for (entity, expected) in cases {
        assert_eq!(owner(&reader, entity.clone()).await.as_deref(), expected, "{entity:?}");
    }
}

#[tokio::test]
async fn an_outage_is_an_error_and_no_loss_of_the_owner() {
    let reader = FakeReader::default();
    reader.put(&format!("{ROOT}/.github/CODEOWNERS"), "* @org/hub", None);
    reader.fail(&format!("{ROOT}/CODEOWNERS"), ReadError::failed("503"));
    let run = kit(&reader).pre_process(entity("Component", LOCATION, None)).await;
    assert_eq!(run.result.unwrap_err().message, "503");
}

#[tokio::test]
async fn an_unchanged_file_gives_the_owner_from_the_cache() {
    let reader = FakeReader::default();
    reader.put(&format!("{ROOT}/CODEOWNERS"), "* @org/root", Some("e1"));
    let mut kit = kit(&reader);
    for _ in 0..3 {
        let run = kit.pre_process(entity("Component", LOCATION, None)).await;
        assert_eq!(run.result.unwrap().spec_str("owner"), Some("root"));
    }
    let sent: Vec<_> = reader.requests().into_iter().map(|request| request.etag).collect();
    assert_eq!(sent, [None, Some("e1".to_owned()), Some("e1".to_owned())]);
}

#[tokio::test]
async fn the_contract_is_kept() {
    let reader = FakeReader::default();
    reader.put(&format!("{ROOT}/CODEOWNERS"), "* @org/root", Some("e1"));
    let processor = CodeOwnersProcessor::new(Arc::new(reader), scm());
    entity_conformance(processor, &entity("Component", LOCATION, None)).await.unwrap();
}
