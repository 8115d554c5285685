use std::sync::Arc;

use callboard_config::Config;
use callboard_integrations::Integrations;
use callboard_sdk::testkit::FakeClock;
use callboard_sdk::{ReadError, ScmLocationAnalyzer, async_trait};
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::{LocationConflict, Store};

use super::*;
use crate::testing::{Act, Fake, document, emitted, failure, parts};
use crate::{Pipeline, Wake};

/// Knows GitHub, and has this to say about any of its repositories.
#[derive(Debug)]
struct Analyzer(Result<Vec<String>, ReadError>);

#[async_trait]
impl ScmLocationAnalyzer for Analyzer {
    fn supports(&self, url: &str) -> bool {
        url.starts_with("https://github.com/")
    }

    async fn existing_files(
        &self,
        url: &str,
        file_name: &str,
        _cancellation: &CancellationToken,
    ) -> Result<Vec<String>, ReadError> {
        let found = self.0.clone()?;
        Ok(found.iter().map(|path| format!("{url}/{path}/{file_name}")).collect())
    }
}

/// Reads from two places.
async fn catalog(found: Result<&[&str], ReadError>) -> Catalog {
    let entity = |name: &str| Act::Emit(emitted(document("Component", name)));
    let reader = Fake::new("reader")
        .read("url:https://github.com/o/r/a/catalog-info.yaml", [entity("a")])
        .read("url:https://github.com/o/r/b/my.yaml", [entity("b"), entity("c")])
        .read("url:https://github.com/o/r/bad/catalog-info.yaml", [failure("it is broken")]);
    let mut parts = parts([reader]);
    parts.scm = Integrations::from_config(&Config::empty()).unwrap().scm;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(SqliteOptions::memory()).await.unwrap());
    let found = found.map(|paths| paths.iter().map(|&path| path.to_owned()).collect());
    Catalog::new(store, Arc::new(Pipeline::new(parts)), Arc::new(FakeClock::default()), Wake::default())
        .with_analyzers(vec![Arc::new(Analyzer(found))])
}

async fn suggestion(catalog: &Catalog, target: &str) -> Value {
    match catalog.analyze_location(target, None).await.unwrap() {
        LocationAnalysis::Suggested(entity) => serde_json::to_value(entity).unwrap(),
        LocationAnalysis::Existing(files) => panic!("{files:?}"),
    }
}

#[tokio::test]
async fn where_nothing_is_an_entity_is_suggested() {
    let catalog = catalog(Ok(&[])).await;
    let rows = [
        ("https://github.com/o/r", "r", Some(("github.com/project-slug", "o/r"))),
        ("https://github.com/o/r.git/", "r", Some(("github.com/project-slug", "o/r"))),
        ("https://gitlab.com/g/s/p", "p", Some(("gitlab.com/project-slug", "g/s/p"))),
        ("https://bitbucket.org/w/r/src/main/", "r", Some(("bitbucket.org/project-slug", "w/r"))),
        ("https://dev.azure.com/o/p/_git/r", "r", Some(("dev.azure.com/project-slug", "p/r"))),
        ("https://amazonaws.com/b/k", "k", None),
        ("https://git.example.com/o/r.git?x=1", "r", None),
        ("https://git.example.com/o/r/blob/main/c.yaml", "r", None),
        ("https://github.com/o", "o", None),
        ("https://git.example.com", "", None),
    ];
    for (target, name, annotation) in rows {
        let mut metadata = json!({ "name": name });
        if let Some((key, slug)) = annotation {
            metadata["annotations"] = json!({ key: slug });
        }
        let expected = json!({
            "apiVersion": "backstage.io/v1alpha1", "kind": "Component",
            "metadata": metadata, "spec": { "type": "other", "lifecycle": "unknown" },
        });
        assert_eq!(suggestion(&catalog, target).await, expected, "{target}");
    }
    for target in ["nope", "", "/o/r", "https://"] {
        let error = catalog.analyze_location(target, None).await.unwrap_err();
        assert_eq!(error.to_string(), "The given location.target is not a URL", "{target}");
    }
}

#[tokio::test]
async fn so_is_one_where_nobody_can_look() {
    let catalog = catalog(Err(ReadError::failed("no network"))).await;
    let entity = suggestion(&catalog, "https://github.com/o/r").await;
    assert_eq!(entity["metadata"]["annotations"]["github.com/project-slug"], "o/r");
}

#[tokio::test]
async fn files_that_are_there_are_shown_with_all_that_they_bring_in() {
    let catalog = catalog(Ok(&["a"])).await;
    let location = LocationSpec::new("url", "https://github.com/o/r/a/catalog-info.yaml");
    for is_registered in [false, true] {
        let found = catalog.analyze_location("https://github.com/o/r", Some("")).await.unwrap();
        let LocationAnalysis::Existing(files) = found else { panic!("{found:?}") };
        let [file] = files.as_slice() else { panic!("{files:?}") };
        assert_eq!((&file.location, file.is_registered), (&location, is_registered));
        let kinds: Vec<_> = file.entities.iter().map(Entity::kind).collect();
        assert_eq!(kinds, ["Location", "Component"]);
        catalog.location_register(&location, LocationConflict::Refresh).await.unwrap();
    }
}

#[tokio::test]
async fn files_may_have_another_name_and_there_are_not_more_than_can_be_read() {
    let catalog = catalog(Ok(&["b"; EXISTING_FILES_MAX + 5])).await;
    let found = catalog.analyze_location("https://github.com/o/r", Some("my.yaml")).await.unwrap();
    let LocationAnalysis::Existing(files) = found else { panic!("{found:?}") };
    assert_eq!(files.len(), EXISTING_FILES_MAX);
    assert!(files.iter().all(|file| file.entities.len() == 3));
}

#[tokio::test]
async fn a_file_that_cannot_be_processed_is_told() {
    let catalog = catalog(Ok(&["a", "bad"])).await;
    let error = catalog.analyze_location("https://github.com/o/r", None).await.unwrap_err();
    assert!(
        matches!(error, CatalogOpError::Input(_)) && error.to_string().contains("it is broken"),
        "{error}"
    );
}
