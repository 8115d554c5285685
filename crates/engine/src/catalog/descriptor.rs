//! Descriptors that come with a question, so that nobody has to read them from anywhere.

use callboard_model::Entity;
use callboard_sdk::{Emit, EntityDataParser as _, LocationSpec, ProcessorError, YamlParser};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::Catalog;

impl Catalog {
    /// Reads a text in YAML as if it were a file at `location`: the entity or the error of each document, empty ones
    /// left out, of `documents_max` documents at most. As with files, only so many are parsed at the same time.
    pub async fn parse_descriptor(
        &self,
        text: &str,
        location: &LocationSpec,
        documents_max: usize,
    ) -> Vec<Result<Entity, ProcessorError>> {
        // Nobody closes the semaphore, so this does not fail.
        let _slot = self.pipeline.parse_slots().acquire().await.ok();
        let parser = YamlParser::default();
        let parse = || {
            let items = parser.parse(text.as_bytes(), location).take(documents_max);
            let documents = items.filter_map(|item| match item {
                Emit::Entity { entity, .. } => Some(Ok(entity)),
                Emit::Error { error, .. } => Some(Err(error)),
                _ => None,
            });
            documents.collect()
        };
        // With aliases, a short text may have many values.
        if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
            tokio::task::block_in_place(parse)
        } else {
            parse()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use callboard_sdk::testkit::FakeClock;
    use callboard_store::Store;
    use callboard_store::sqlite::{SqliteOptions, SqliteStore};

    use super::*;
    use crate::testing::parts;
    use crate::{Pipeline, Wake};

    #[tokio::test]
    async fn a_text_is_read_document_by_document() {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(SqliteOptions::memory()).await.unwrap());
        let pipeline = Arc::new(Pipeline::new(parts([])));
        let catalog = Catalog::new(store, pipeline, Arc::new(FakeClock::default()), Wake::default());
        let location = LocationSpec::new("url", "https://example.com/a.yaml");
        let text = "kind: A\n---\n---\na: [\n---\nword\n---\nkind: B\n";
        let read = async |documents_max| {
            let documents = catalog.parse_descriptor(text, &location, documents_max).await;
            let told = |document: Result<Entity, ProcessorError>| match document {
                Ok(entity) => entity.kind().to_owned(),
                Err(error) => error.rule.unwrap_or_default(),
            };
            documents.into_iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(read(10).await, ["A", "yaml/syntax", "document/object", "B"]);
        assert_eq!(read(2).await, ["A", "yaml/syntax"]);
    }
}
