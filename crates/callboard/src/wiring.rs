//! Puts the pipeline and the providers together.

use std::path::Path;
use std::sync::Arc;

use callboard_config::Config;
use callboard_engine::{CatalogRules, Pipeline, PipelineParts};
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
}

impl Wired {
    pub(crate) fn new(
        config: &Config,
        directory: &Path,
        integrations: &Integrations,
        added: &mut Added,
    ) -> Result<Self, Error> {
        let file_bytes_max = config.get_opt_u64("callboard.limits.fileBytes")?.unwrap_or(FILE_BYTES_MAX);
        let local_files = LocalFiles::new(file_targets(config, directory)).with_bytes_max(file_bytes_max);
        let has_foreign_processors = added.has_code_that_may_block();
        let rules = Arc::new(rules(config, directory)?);
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
        parts.options = settings::processor_options(config)?;
        parts.policies = std::mem::take(&mut added.policies);
        parts.limits = settings::run_limits(config)?;
        parts.has_foreign_processors = has_foreign_processors;
        if let Some(types) = added.location_types.take() {
            parts.allowed_location_types = types;
        }
        if let Some(parser) = added.parser.take() {
            parts.parser = parser;
        }
        Ok(Self { pipeline: Arc::new(Pipeline::new(parts)), local_files })
    }

    /// Puts a changed configuration into force, as far as it can be while the daemon runs. An `Err` changes nothing.
    pub(crate) fn update(&self, config: &Config, directory: &Path) -> Result<(), Error> {
        let rules = rules(config, directory)?;
        self.pipeline.set_rules(Arc::new(rules));
        self.local_files.set(file_targets(config, directory));
        Ok(())
    }
}

/// `catalog.locations`, as written.
pub(crate) fn locations(config: &Config) -> Vec<Value> {
    match config.get_value("catalog.locations") {
        Some(Value::Array(locations)) => locations,
        _ => Vec::new(),
    }
}

fn rules(config: &Config, directory: &Path) -> Result<CatalogRules, Error> {
    CatalogRules::parse(config.get_value("catalog.rules").as_ref(), &locations(config), directory)
        .map_err(|error| Error::Setting(error.to_string()))
}

fn file_targets(config: &Config, directory: &Path) -> Vec<String> {
    let target = |location: &Value| {
        let target = location.get("target")?.as_str()?;
        let is_file = location.get("type")?.as_str()? == "file";
        is_file.then(|| callboard_providers::absolute_file_target(target, directory))
    };
    locations(config).iter().filter_map(target).collect()
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
