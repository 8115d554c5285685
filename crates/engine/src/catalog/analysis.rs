//! What a repository brings to the catalog, or could bring: for people who want to add theirs.

use callboard_model::format::is_valid_url;
use callboard_model::{Entity, LocationSpec};
use callboard_sdk::CancellationToken;
use serde_json::{Map, Value, json};

use super::{Catalog, CatalogOpError};
use crate::dry_run::check_size;

/// The descriptor file that is looked for if none is named.
const FILE_NAME_DEFAULT: &str = "catalog-info.yaml";

/// Descriptor files of one repository that are read, the shallowest first; as many as Backstage gets from the search
/// that it asks.
const EXISTING_FILES_MAX: usize = 30;

/// What is known of a repository.
#[derive(Debug, Clone)]
pub enum LocationAnalysis {
    /// These descriptor files are there, at least one.
    Existing(Vec<ExistingFile>),
    /// There are none, or nobody could look: an entity to begin with.
    Suggested(Entity),
}

/// A descriptor file that is there.
#[derive(Debug, Clone)]
pub struct ExistingFile {
    /// Where.
    pub location: LocationSpec,
    /// Whether it is registered already.
    pub is_registered: bool,
    /// The processed entities that it and everything below it emit.
    pub entities: Vec<Entity>,
}

impl Catalog {
    /// Looks for descriptor files of this name in the repository behind a URL, and suggests an entity if there are
    /// none. A file that cannot be processed is an error.
    pub async fn analyze_location(
        &self,
        target: &str,
        file_name: Option<&str>,
    ) -> Result<LocationAnalysis, CatalogOpError> {
        if !is_valid_url(target) {
            return Err(CatalogOpError::Input("The given location.target is not a URL".to_owned()));
        }
        let file_name = file_name.filter(|name| !name.is_empty()).unwrap_or(FILE_NAME_DEFAULT);
        let urls = self.existing_urls(target, file_name).await;
        if urls.is_empty() {
            return Ok(LocationAnalysis::Suggested(self.suggestion(target)));
        }
        let mut files = Vec::with_capacity(urls.len());
        let (mut entities, mut bytes) = (0, 0);
        for url in urls {
            let location = LocationSpec::new("url", url);
            let result = self.location_dry_run(&location).await?;
            entities += result.entities.len();
            bytes += serde_json::to_vec(&result.entities).map_or(0, |json| json.len());
            check_size(entities, bytes).map_err(|error| CatalogOpError::Input(error.message))?;
            files.push(ExistingFile { location, is_registered: result.exists, entities: result.entities });
        }
        Ok(LocationAnalysis::Existing(files))
    }

    /// None also where nobody could look. What is suggested then is read by a person before it comes to anything.
    async fn existing_urls(&self, target: &str, file_name: &str) -> Vec<String> {
        let Some(analyzer) = self.analyzers.iter().find(|analyzer| analyzer.supports(target)) else {
            return Vec::new();
        };
        let cancellation = CancellationToken::new();
        // Whoever asked may have gone by then.
        let _on_drop = cancellation.clone().drop_guard();
        let repository = self.pipeline.scm().file(target).map(|file| file.full_name);
        match analyzer.existing_files(target, file_name, &cancellation).await {
            Ok(mut urls) => {
                if urls.len() > EXISTING_FILES_MAX {
                    let found = urls.len();
                    tracing::warn!(
                        repository,
                        found,
                        "only the first {EXISTING_FILES_MAX} descriptor files are read"
                    );
                    urls.truncate(EXISTING_FILES_MAX);
                }
                urls
            }
            Err(error) => {
                let error = format!("{}: {error}", error.name());
                tracing::warn!(repository, error, "cannot look for descriptor files");
                Vec::new()
            }
        }
    }

    fn suggestion(&self, target: &str) -> Entity {
        let scm = self.pipeline.scm();
        let file = scm.file(target);
        let name = file.as_ref().map_or_else(|| last_segment(target), |file| file.name.as_str());
        let mut metadata = Map::from_iter([("name".to_owned(), Value::from(name))]);
        let prefix = match scm.integration_kind(target) {
            Some("github") => Some("github.com"),
            Some("gitlab") => Some("gitlab.com"),
            Some("bitbucketCloud") => Some("bitbucket.org"),
            Some("azure") => Some("dev.azure.com"),
            _ => None,
        };
        if let (Some(prefix), Some(file)) = (prefix, &file) {
            // On Azure a project belongs to an organisation, which is not part of the slug.
            let owner = match prefix {
                "dev.azure.com" => file.owner.rsplit('/').next().unwrap_or_default(),
                _ => file.owner.as_str(),
            };
            let key = format!("{prefix}/project-slug");
            metadata.insert("annotations".to_owned(), json!({ key: format!("{owner}/{}", file.name) }));
        }
        Entity::from(Map::from_iter([
            ("apiVersion".to_owned(), Value::from("backstage.io/v1alpha1")),
            ("kind".to_owned(), Value::from("Component")),
            ("metadata".to_owned(), Value::Object(metadata)),
            ("spec".to_owned(), json!({ "type": "other", "lifecycle": "unknown" })),
        ]))
    }
}

/// What comes nearest to a repository's name in the URL of an unknown host; empty if there is but the host.
fn last_segment(url: &str) -> &str {
    let path =
        url.split(['?', '#']).next().and_then(|url| url.split_once("://")).map_or("", |(_, path)| path);
    let name = path.trim_end_matches('/').rsplit_once('/').map_or("", |(_, name)| name);
    name.strip_suffix(".git").unwrap_or(name)
}

#[cfg(test)]
mod tests;
