//! The catalog of one's own: the built-in parts, and what is added to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use callboard_config::{Config, Reloader, Sources};
use callboard_engine::ProcessingErrorHandler;
use callboard_integrations::Integrations;
use callboard_model::EntityPolicy;
use callboard_model::format::Validators;
use callboard_sdk::{
    CatalogProcessor, Entity, EntityDataParser, EntityProvider, PlaceholderResolver, ProcessorError,
    ScmLocationAnalyzer, ScmResolver, UrlReader,
};
use clap::Parser as _;

use crate::Error;
use crate::cli::{Cli, Command};
use crate::logging::Redaction;
use crate::{commands, logging};

/// Puts a catalog together, and runs what the command line asks for.
///
/// Everything is added before [`run`](Self::run); the order of registration counts among processors of the same
/// priority.
#[derive(Debug)]
pub struct CatalogBuilder {
    pub(crate) cli: Cli,
    pub(crate) sources: Sources,
    pub(crate) config: Config,
    pub(crate) reloader: Reloader,
    pub(crate) redaction: Redaction,
    pub(crate) integrations: Integrations,
    pub(crate) added: Added,
}

/// What was added to the built-in parts.
#[derive(Debug, Default)]
pub(crate) struct Added {
    pub(crate) processors: Vec<Arc<dyn CatalogProcessor>>,
    pub(crate) providers: Vec<Arc<dyn EntityProvider>>,
    pub(crate) analyzers: Vec<Arc<dyn ScmLocationAnalyzer>>,
    pub(crate) resolvers: Vec<(String, Arc<dyn PlaceholderResolver>)>,
    pub(crate) policies: Vec<Box<dyn EntityPolicy>>,
    pub(crate) validators: Option<Validators>,
    pub(crate) parsers: Vec<Arc<dyn EntityDataParser>>,
    pub(crate) location_types: Option<Vec<String>>,
    pub(crate) on_processing_error: Option<ProcessingErrorHandler>,
}

impl Added {
    /// Whether there is code of others that runs during the processing of an entity.
    pub(crate) fn has_code_that_may_block(&self) -> bool {
        let Self { processors, resolvers, policies, validators, parsers, .. } = self;
        let is_empty = processors.is_empty() && resolvers.is_empty() && policies.is_empty();
        !(is_empty && validators.is_none() && parsers.is_empty())
    }
}

impl CatalogBuilder {
    /// Reads the command line, the environment and the configuration, and starts logging. `--help`, `--version`
    /// and a command line that is not understood end the process.
    pub fn from_env() -> Result<Self, Error> {
        let cli = Cli::parse();
        let directory = current_directory()?;
        let sources = Sources {
            args: cli.config.clone(),
            env: environment(),
            cwd: directory.clone(),
            root: directory,
            allow_missing_default: !is_config_needed(&cli),
        };
        let reloader = Reloader::new(sources.clone())?;
        let config = reloader.current();
        let secrets = config.secrets().clone();
        Self::from_config(cli, sources, reloader, config)
            .map_err(|error| error.redacted(|text| secrets.redact(text)))
    }

    fn from_config(cli: Cli, sources: Sources, reloader: Reloader, config: Config) -> Result<Self, Error> {
        let level = cli.log_level.as_ref().or(sources.env.get("LOG_LEVEL"));
        let default_level = if is_config_needed(&cli) { "info" } else { "warn" };
        let level = level.map_or(default_level, String::as_str);
        let redaction = logging::start(cli.log_format, level, config.secrets())?;
        let integrations = match cli.command {
            // Has to work where they cannot, to tell what is wrong with them.
            Some(Command::Config { .. }) => Integrations::from_config(&Config::empty())?,
            _ => Integrations::from_config(&config)?,
        };
        Ok(Self { cli, sources, config, reloader, redaction, integrations, added: Added::default() })
    }

    /// The configuration, for sections of one's own.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Reads what is behind URLs, by the integrations and the allow list of the configuration.
    pub fn url_reader(&self) -> Arc<dyn UrlReader> {
        Arc::clone(&self.integrations.reader)
    }

    /// Knows the URLs of the forges.
    pub fn scm(&self) -> Arc<dyn ScmResolver> {
        Arc::clone(&self.integrations.scm)
    }

    /// Adds a processor. One that is named `BuiltinKindsEntityProcessor` takes the place of the built-in one.
    pub fn add_processor(&mut self, processor: impl CatalogProcessor) -> &mut Self {
        self.added.processors.push(Arc::new(processor));
        self
    }

    /// Adds an entity provider. It comes before the built-in ones, and replaces one of the same name.
    pub fn add_entity_provider(&mut self, provider: impl EntityProvider) -> &mut Self {
        self.added.providers.push(Arc::new(provider));
        self
    }

    /// Adds what knows which descriptor files the repositories of a forge have. It is asked before the built-in ones.
    pub fn add_location_analyzer(&mut self, analyzer: impl ScmLocationAnalyzer) -> &mut Self {
        self.added.analyzers.push(Arc::new(analyzer));
        self
    }

    /// Adds a resolver for the placeholder `$key`. A key that was added before is refused by [`run`](Self::run).
    pub fn add_placeholder_resolver(&mut self, key: &str, resolver: impl PlaceholderResolver) -> &mut Self {
        self.added.resolvers.push((key.to_owned(), Arc::new(resolver)));
        self
    }

    /// Adds a policy that every entity must pass, after the built-in ones.
    pub fn add_policy(&mut self, policy: impl EntityPolicy + 'static) -> &mut Self {
        self.added.policies.push(Box::new(policy));
        self
    }

    /// Replaces validators of single fields: `set` is handed those of earlier calls, at first the standard ones. The
    /// fingerprint in [`Validators`] has to change whenever one of them may come to another answer.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), callboard::Error> {
    /// # let mut builder = callboard::CatalogBuilder::from_env()?;
    /// builder.set_field_validators(|validators| {
    ///     validators.tag = |tag| !tag.trim().is_empty();
    ///     validators.fingerprint += "any tag; ";
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_field_validators(&mut self, set: impl FnOnce(&mut Validators)) -> &mut Self {
        set(self.added.validators.get_or_insert_default());
        self
    }

    /// Puts another parser in the place of the one for YAML. A second one is refused by [`run`](Self::run).
    pub fn set_entity_data_parser(&mut self, parser: impl EntityDataParser) -> &mut Self {
        self.added.parsers.push(Arc::new(parser));
        self
    }

    /// Has `handler` called with each unprocessed entity whose errors begin or change; not again while they stay the
    /// same. It is called on the threads of the loop and must not block; what it does has no effect on the entity, not
    /// even a panic.
    pub fn set_on_processing_error_handler(
        &mut self,
        handler: impl Fn(&Entity, &[ProcessorError]) + Send + Sync + 'static,
    ) -> &mut Self {
        self.added.on_processing_error = Some(ProcessingErrorHandler::new(handler));
        self
    }

    /// Sets the types of locations that may be registered; only `url` by default.
    pub fn set_allowed_location_types(&mut self, types: impl IntoIterator<Item = String>) -> &mut Self {
        self.added.location_types = Some(types.into_iter().collect());
        self
    }

    /// Runs what the command line asks for; the daemon by default. The code is for the process to end with.
    pub async fn run(self) -> Result<ExitCode, Error> {
        let redaction = self.redaction.clone();
        self.run_command().await.map_err(|error| error.redacted(|text| redaction.redact(text)))
    }

    async fn run_command(self) -> Result<ExitCode, Error> {
        match &self.cli.command {
            None | Some(Command::Serve) => commands::serve::run(self).await,
            Some(Command::Ingest { format, .. }) => {
                let format = *format;
                commands::ingest::run(self, format).await
            }
            Some(Command::Doctor { repair, format }) => {
                let (repair, format) = (*repair, *format);
                commands::doctor::run(self, repair, format).await
            }
            Some(Command::Migrate { check, format }) => {
                let (check, format) = (*check, *format);
                commands::migrate::run(self, check, format).await
            }
            Some(Command::Validate { targets, format }) => {
                let (targets, format) = (targets.clone(), *format);
                commands::validate::run(self, &targets, format).await
            }
            Some(Command::Processors { format }) => {
                let format = *format;
                commands::processors::run(self, format)
            }
            Some(Command::Config { command }) => {
                let command = *command;
                commands::config::run(self, command)
            }
        }
    }
}

/// What checks files or the configuration itself has no need of an app-config.yaml.
fn is_config_needed(cli: &Cli) -> bool {
    matches!(
        cli.command,
        None | Some(
            Command::Serve | Command::Ingest { .. } | Command::Doctor { .. } | Command::Migrate { .. }
        )
    )
}

fn current_directory() -> Result<PathBuf, Error> {
    std::env::current_dir()
        .map_err(|source| Error::Io { what: "cannot find out the working directory".to_owned(), source })
}

/// Variables that are not UTF-8 cannot be meant for the configuration.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
