//! The catalog at work: store, loop and providers, for the commands that need all of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use callboard_config::Config;
use callboard_engine::{Catalog, Engine, LOCATION_STORE, RunningEngine};
use callboard_providers::ConfigLocationProvider;
use callboard_sdk::{Clock, SystemClock};
use callboard_store::{Counts, Store, StoreError};

use crate::database::{Database, Opening};
use crate::wiring::{Wired, locations};
use crate::{CatalogBuilder, Error, checks, settings};

/// A catalog with its loop.
#[derive(Debug)]
pub(crate) struct Running {
    live: Arc<Live>,
    state: State,
}

/// What follows the configuration while the loop runs.
#[derive(Debug)]
pub(crate) struct Live {
    catalog: Catalog,
    clock: Arc<dyn Clock>,
    wired: Wired,
    config_locations: Arc<ConfigLocationProvider>,
    directory: PathBuf,
    /// Whether this process has a loop.
    is_processing: bool,
}

#[derive(Debug)]
enum State {
    Prepared(Option<Box<(Engine, bool)>>),
    Processing(RunningEngine),
    /// `catalog.processingInterval: false`
    ServingOnly,
}

impl Running {
    /// Opens the store, for which it waits for as long as `patience` says, and puts everything together; nothing runs yet.
    pub(crate) async fn prepare(mut builder: CatalogBuilder, patience: Duration) -> Result<Self, Error> {
        let CatalogBuilder { config, integrations, sources, added, .. } = &mut builder;
        let directory = sources.cwd.clone();
        checks::log_findings(config);
        checks::before_start(config, &added.processors, |name| sources.env.contains_key(name))?;
        let engine_settings = settings::engine_settings(config)?;
        let wired = Wired::new(config, &directory, integrations, added)?;
        log_processors(&wired);
        let config_locations = ConfigLocationProvider::new(&locations(config)?, &directory);
        let config_locations = Arc::new(config_locations.map_err(|error| Error::Setting(error.to_string()))?);
        let mut providers = Vec::new();
        for provider in added.providers.drain(..).chain([Arc::clone(&config_locations) as _]) {
            if !settings::is_provider_disabled(config, provider.name())? {
                providers.push(provider);
            }
        }
        let opening = Opening::from_config(config)?;
        let store = Database::from_config(config, &directory)?.open(opening, patience).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let is_processing = engine_settings.is_some();
        let pipeline = Arc::clone(&wired.pipeline);
        let mut settings = engine_settings.unwrap_or_default();
        settings.on_processing_error = added.on_processing_error.take();
        settings.has_location_store = !settings::is_provider_disabled(config, LOCATION_STORE)?;
        let engine = Engine::new(store, pipeline, providers, Arc::clone(&clock), settings)?;
        let analyzers = added.analyzers.drain(..).chain(integrations.analyzers.iter().cloned());
        let catalog = engine.catalog().with_analyzers(analyzers.collect());
        let live = Live { catalog, clock, wired, config_locations, directory, is_processing };
        Ok(Self { live: Arc::new(live), state: State::Prepared(Some(Box::new((engine, is_processing)))) })
    }

    /// Connects the providers and starts the loop, unless this process only serves: it hands over nothing, as others may
    /// have another configuration or newer entities.
    pub(crate) async fn start(&mut self) -> Result<(), Error> {
        let State::Prepared(prepared) = &mut self.state else { return Ok(()) };
        let Some((engine, is_processing)) = prepared.take().map(|prepared| *prepared) else { return Ok(()) };
        self.state = if is_processing {
            engine.connect().await?;
            State::Processing(engine.start().await?)
        } else {
            tracing::info!(
                "'catalog.processingInterval' is false: this process serves the API and processes nothing"
            );
            State::ServingOnly
        };
        Ok(())
    }

    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Comes back when the loop died, and never if there is none.
    pub(crate) async fn died(&mut self) {
        match &mut self.state {
            State::Processing(engine) => engine.died().await,
            State::Prepared(_) | State::ServingOnly => std::future::pending().await,
        }
    }

    /// Comes back when there is nothing left to do, not even orphans to delete.
    pub(crate) async fn settled(&mut self) -> Result<(), Error> {
        let State::Processing(engine) = &mut self.state else { return Ok(()) };
        engine.settled().await?;
        engine.delete_orphans().await?;
        engine.settled().await.map_err(Error::from)
    }

    /// Ends the loop in good order. The store stays open for whoever still reads; it is to be closed.
    pub(crate) async fn stop(self) -> Arc<dyn Store> {
        let store = Arc::clone(self.live.catalog.store());
        if let State::Processing(engine) = self.state {
            engine.stop().await;
        }
        store
    }
}

impl Live {
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.catalog.store()
    }

    pub(crate) async fn counts(&self) -> Result<Counts, StoreError> {
        self.store().counts(self.clock.now()).await
    }

    /// Makes everything due that is looked at again and again.
    pub(crate) async fn refresh_all(&self) -> Result<(), StoreError> {
        self.store().refresh_all(self.clock.now()).await.map(drop)
    }

    /// Puts the locations and rules of a changed configuration into force. After [`Error::Setting`] nothing has
    /// changed; after an error of the store some of it has, and the same call again does the rest.
    pub(crate) async fn update(&self, config: &Config) -> Result<(), Error> {
        let locations = locations(config)?;
        ConfigLocationProvider::new(&locations, &self.directory)
            .map_err(|error| Error::Setting(error.to_string()))?;
        self.wired.update(config, &self.directory)?;
        if !self.is_processing {
            return Ok(());
        }
        self.catalog.pipeline_changed().await?;
        let told = self.config_locations.update(&locations).await;
        told.map(drop).map_err(|error| StoreError::Unavailable(error.into()).into())
    }
}

fn log_processors(wired: &Wired) {
    let processors: Vec<_> =
        wired.pipeline.processors().into_iter().map(|it| format!("{} ({})", it.name, it.priority)).collect();
    tracing::info!("processors in order: {}", processors.join(", "));
}
