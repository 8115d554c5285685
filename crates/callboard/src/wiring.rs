//! Puts the pipeline and the providers together.

use std::path::Path;
use std::sync::Arc;

use callboard_config::Config;
use callboard_engine::{CatalogRules, Pipeline, PipelineParts, RunThreads};
use callboard_integrations::Integrations;
use callboard_processors::{
    AnnotateScmSlugProcessor, CodeOwnersProcessor, DefaultProcessors, FILE_BYTES_MAX, LocalFiles,
    OpenApiResolver, PlaceholderResolvers, default_processors,
};
use callboard_sdk::CatalogProcessor;
use serde_json::Value;

use crate::builder::Added;
use crate::{Error, settings};

/// The name by which an added processor takes the place of the built-in one.
const BUILTIN_KINDS: &str = "BuiltinKindsEntityProcessor";

/// What is made once, and follows the configuration afterwards.
#[derive(Debug)]
pub(crate) struct Wired {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) local_files: LocalFiles,
    /// The largest local file that is read.
    pub(crate) file_bytes_max: u64,
}

impl Wired {
    pub(crate) fn new(
        config: &Config,
        directory: &Path,
        integrations: &Integrations,
        added: &mut Added,
    ) -> Result<Self, Error> {
        let file_bytes_max = config.get_opt_u64("callboard.limits.fileBytes")?.unwrap_or(FILE_BYTES_MAX);
        let locations = locations(config)?;
        let local_files = LocalFiles::new(file_targets(&locations, directory)).with_bytes_max(file_bytes_max);
        let run_threads = added.has_code_that_may_block().then(RunThreads::new).transpose();
        let rules = Arc::new(rules(config, &locations, directory)?);
        let mut parts = PipelineParts::new(rules, Arc::clone(&integrations.scm));
        let defaults = DefaultProcessors {
            reader: Arc::clone(&integrations.reader),
            scm: Arc::clone(&integrations.scm),
            resolvers: resolvers(config, &local_files, added)?,
            file_bytes_max,
            is_builtin_kinds_replaced: added
                .processors
                .iter()
                .any(|processor| processor.name() == BUILTIN_KINDS),
            is_default_disabled: config.get_opt_bool("catalog.disableDefaultProcessors")?.unwrap_or(false),
        };
        parts.processors = default_processors(defaults);
        parts.processors.extend(optional_processors(config, integrations)?);
        parts.processors.append(&mut added.processors);
        let names = parts.processors.iter().map(|processor| processor.name());
        parts.options = settings::processor_options(config, names)?;
        parts.policies = std::mem::take(&mut added.policies);
        if let Some(validators) = added.validators.take() {
            parts.validators = validators;
        }
        parts.limits = settings::run_limits(config)?;
        parts.run_threads = run_threads
            .map_err(|source| Error::Io { what: "no threads to process entities on".to_owned(), source })?;
        if let Some(types) = added.location_types.take() {
            parts.allowed_location_types = types;
        }
        if added.parsers.len() > 1 {
            let message = "Attempted to install second EntityDataParser. Only one can be set.";
            return Err(Error::Setting(message.to_owned()));
        }
        if let Some(parser) = added.parsers.pop() {
            parts.parser = parser;
        }
        Ok(Self { pipeline: Arc::new(Pipeline::new(parts)), local_files, file_bytes_max })
    }

    /// Puts a changed configuration into force, as far as it can be while the daemon runs. An `Err` changes nothing.
    pub(crate) fn update(&self, config: &Config, directory: &Path) -> Result<(), Error> {
        let locations = locations(config)?;
        let rules = rules(config, &locations, directory)?;
        self.pipeline.set_rules(Arc::new(rules));
        self.local_files.set(file_targets(&locations, directory));
        Ok(())
    }
}

/// `catalog.locations`, as written. What is no list of objects is refused: read as an empty one, it would delete what
/// came in through the locations that were meant.
pub(crate) fn locations(config: &Config) -> Result<Vec<Value>, Error> {
    let locations = config.get_opt_configs("catalog.locations")?.unwrap_or_default();
    locations.iter().map(|location| Ok(location.get_opt_value("")?.unwrap_or_default())).collect()
}

fn rules(config: &Config, locations: &[Value], directory: &Path) -> Result<CatalogRules, Error> {
    CatalogRules::parse(config.get_opt_value("catalog.rules")?.as_ref(), locations, directory)
        .map_err(|error| Error::Setting(error.to_string()))
}

fn file_targets(locations: &[Value], directory: &Path) -> Vec<String> {
    let target = |location: &Value| {
        let target = location.get("target")?.as_str()?;
        let is_file = location.get("type")?.as_str()? == "file";
        is_file.then(|| callboard_providers::absolute_file_target(target, directory))
    };
    locations.iter().filter_map(target).collect()
}

fn resolvers(
    config: &Config,
    local_files: &LocalFiles,
    added: &mut Added,
) -> Result<PlaceholderResolvers, Error> {
    let mut resolvers = PlaceholderResolvers::builtin(local_files);
    let refused = |error: callboard_processors::ResolverConflict| Error::Setting(error.to_string());
    if is_enabled(config, "openapi")? {
        for key in ["openapi", "asyncapi"] {
            resolvers.add(key, Arc::new(OpenApiResolver::new(local_files.clone()))).map_err(refused)?;
        }
    }
    for (key, resolver) in added.resolvers.drain(..) {
        resolvers.add(key, resolver).map_err(refused)?;
    }
    Ok(resolvers)
}

/// Processors that nearly everybody installs; there, but off until they are configured.
fn optional_processors(
    config: &Config,
    integrations: &Integrations,
) -> Result<Vec<Arc<dyn CatalogProcessor>>, Error> {
    let mut processors: Vec<Arc<dyn CatalogProcessor>> = Vec::new();
    if is_enabled(config, "codeOwners")? {
        let (reader, scm) = (Arc::clone(&integrations.reader), Arc::clone(&integrations.scm));
        processors.push(Arc::new(CodeOwnersProcessor::new(reader, scm)));
    }
    if is_enabled(config, "annotateScmSlug")? {
        processors.push(Arc::new(AnnotateScmSlugProcessor::new(Arc::clone(&integrations.scm))));
    }
    Ok(processors)
}

fn is_enabled(config: &Config, name: &str) -> Result<bool, Error> {
    Ok(config.get_opt_bool(&format!("callboard.processors.{name}"))?.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use callboard_model::format::Validators;
    use callboard_sdk::{Entity, LocationSpec, YamlParser};
    use serde_json::json;

    use super::*;

    fn wired(mut added: Added) -> Result<Wired, Error> {
        let config = Config::empty();
        let integrations = Integrations::from_config(&config).unwrap();
        Wired::new(&config, Path::new("/"), &integrations, &mut added)
    }

    #[test]
    fn a_second_parser_is_refused() {
        let with = |parsers| {
            let parsers = std::iter::repeat_with(|| Arc::new(YamlParser::default()) as _).take(parsers);
            wired(Added { parsers: parsers.collect(), ..Added::default() }).map(drop)
        };
        assert!(with(0).is_ok() && with(1).is_ok());
        let message = with(2).unwrap_err().to_string();
        assert_eq!(message, "Attempted to install second EntityDataParser. Only one can be set.");
    }

    #[test]
    fn locations_that_are_no_list_of_objects_are_refused_and_none_are_none() {
        let read = |catalog: Value| locations(&Config::from_value("c", json!({ "catalog": catalog })));
        let refused = [
            (
                json!({"locations": {"type": "url"}}),
                "'catalog.locations' in 'c', got object, wanted object-array",
            ),
            (json!({"locations": "x"}), "'catalog.locations' in 'c', got string, wanted object-array"),
            (json!({"locations": ["x"]}), "'catalog.locations[0]' in 'c', got string, wanted object-array"),
            (json!("x"), "'catalog' in 'c', got string, wanted object"),
        ];
        for (catalog, expected) in refused {
            let message = read(catalog).unwrap_err().to_string();
            assert_eq!(message, format!("Invalid type in config for key {expected}"));
        }
        assert!(read(json!({})).unwrap().is_empty() && read(json!({"locations": null})).unwrap().is_empty());
        let location = json!({"type": "url", "target": "https://example.com/a.yaml"});
        assert_eq!(read(json!({"locations": [location]})).unwrap(), [location]);
    }

    #[tokio::test]
    async fn validators_that_were_replaced_are_in_force() {
        let validators = Validators { tag: |tag| tag == "UP", ..Validators::default() };
        let standard = wired(Added::default()).unwrap();
        let own = wired(Added { validators: Some(validators), ..Added::default() }).unwrap();
        let system = json!({
            "apiVersion": "backstage.io/v1alpha1", "kind": "System",
            "metadata": {"name": "n", "tags": ["UP"]}, "spec": {"owner": "o"},
        });
        let system = Entity::from_value(system).unwrap();
        let location = LocationSpec::new("url", "https://example.com/a.yaml");
        assert_eq!(own.pipeline.validate(system.clone(), &location).await, []);
        assert_eq!(standard.pipeline.validate(system, &location).await.len(), 1);
    }

    #[test]
    fn code_of_others_is_kept_off_the_threads_of_the_runtime() {
        let validators = Some(Validators::default());
        assert!(Added { validators, ..Added::default() }.has_code_that_may_block());
        let parsers: Vec<Arc<dyn callboard_sdk::EntityDataParser>> = vec![Arc::new(YamlParser::default())];
        assert!(Added { parsers, ..Added::default() }.has_code_that_may_block());
        assert!(!Added::default().has_code_that_may_block());
    }
}
