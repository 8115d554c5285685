//! `callboard serve`: the daemon.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use callboard_config::{Config, Poll, Reloader};
use callboard_engine::{Catalog, EngineError};
use callboard_server::{CompareSettings, Lifecycle, Server, ServerOptions, View};
use callboard_store::error_chain;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::running::{Live, Running};
use crate::logging::Redaction;
use crate::{CatalogBuilder, Error, settings};

/// How often the files of the configuration are looked at.
const RELOAD_POLL: Duration = Duration::from_secs(2);

pub(crate) async fn run(builder: CatalogBuilder) -> Result<ExitCode, Error> {
    let mut stop_signal = StopSignal::new()?;
    let (reloader, redaction) = (builder.reloader.clone(), builder.redaction.clone());
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| Error::Setting(format!("metrics cannot be recorded: {error}")))?;
    // First of all, so that a port that is taken is told before anything is touched.
    let options = ServerOptions::from_config(&builder.config)?;
    let entity_cache_bytes = options.entity_cache_bytes;
    let comparing = compare_settings(&builder.config)?;
    let server = Server::bind(options).await?;
    let address = server.local_addr();
    if builder.config.get_opt_bool("catalog.readonly")?.unwrap_or(false) {
        tracing::info!("Catalog is running in readonly mode");
    }
    let lifecycle = Lifecycle::new();
    let server_shutdown = CancellationToken::new();
    // From here on, so that a platform does not take a long migration for a daemon that hangs.
    let mut serving = Box::pin(server.serve(lifecycle.clone(), metrics, server_shutdown.clone()));
    let start = async {
        // A database that is started later is waited for; a platform sees that this process is not ready.
        let mut running = Running::prepare(builder, Duration::MAX).await?;
        running.start().await?;
        Ok::<_, Error>(running)
    };
    let mut running = tokio::select! {
        result = start => result?,
        result = &mut serving => return result.map(|()| ExitCode::SUCCESS).map_err(Error::from),
        () = stop_signal.received() => return Ok(ExitCode::SUCCESS),
    };
    let live = Arc::clone(running.live());
    let news = watch_config(reloader)?;
    let reading = async {
        let catalog = live.catalog().clone();
        let view = view_of(&catalog, entity_cache_bytes).await?;
        lifecycle.set_ready(catalog, view.clone());
        tracing::info!(%address, "listening on http://{address}/api/catalog");
        if let Some(settings) = comparing {
            view.keep_comparing(settings).await;
        }
        std::future::pending::<Result<(), Error>>().await
    };
    let ended = tokio::select! {
        result = &mut serving => result.map_err(Error::from),
        result = reading => result,
        () = running.died() => Err(EngineError::Died.into()),
        reason = live.store().shut_out() => Err(reason.into()),
        () = follow_config(news, Arc::clone(&live), redaction) => Ok(()),
        () = stop_signal.received() => Ok(()),
    };
    if let Err(error) = &ended {
        tracing::error!(error = error_chain(error), "this process cannot go on");
    }
    tracing::info!("stopping");
    lifecycle.set_stopping();
    server_shutdown.cancel();
    let stop = async {
        if ended.is_ok() {
            // The server drains its requests, which read the store, while the loop drains its runs.
            let (result, store) = tokio::join!(&mut serving, running.stop());
            store.close().await;
            result.map_err(Error::from)
        } else {
            running.stop().await.close().await;
            Ok(())
        }
    };
    tokio::select! {
        result = stop => result?,
        () = stop_signal.received() => tracing::warn!("stopping at once"),
    }
    ended.map(|()| ExitCode::SUCCESS)
}

/// How the query index is compared with the store; `None` means not at all.
fn compare_settings(config: &Config) -> Result<Option<CompareSettings>, Error> {
    let settings = settings::doctor_settings(config)?;
    Ok(settings.map(|settings| CompareSettings {
        entities_per_second: settings.rows_per_second,
        interval: settings.interval,
        mends: settings.mends,
    }))
}

/// What the API reads from; the store may be busy for a while.
async fn view_of(catalog: &Catalog, cache_bytes: u64) -> Result<View, Error> {
    loop {
        match View::of(catalog, cache_bytes).await {
            Err(error) if error.is_retryable() => {
                let error = error_chain(&error);
                tracing::warn!(error, "cannot build the query index yet; trying again");
                tokio::time::sleep(RELOAD_POLL).await;
            }
            result => return result.map_err(Error::from),
        }
    }
}

/// Looks at the files of the configuration, on a thread that nobody waits for: a file system that does not answer holds up
/// neither requests nor the end of the process.
fn watch_config(mut reloader: Reloader) -> Result<mpsc::Receiver<Poll>, Error> {
    let (tell, told) = mpsc::channel(1);
    let watch = move || {
        while !tell.is_closed() {
            std::thread::sleep(RELOAD_POLL);
            match reloader.poll() {
                Poll::Unchanged => {}
                news => drop(tell.blocking_send(news)),
            }
        }
    };
    let spawned = std::thread::Builder::new().name("callboard-config".to_owned()).spawn(watch);
    spawned.map_err(|source| Error::Io { what: "cannot start a thread".to_owned(), source })?;
    Ok(told)
}

/// Puts changes of the configuration into force; tries again while the store does not take them. Never comes back.
async fn follow_config(mut news: mpsc::Receiver<Poll>, live: Arc<Live>, redaction: Redaction) {
    let mut changed = None;
    loop {
        let waiting = if changed.is_some() { RELOAD_POLL } else { Duration::MAX };
        match tokio::time::timeout(waiting, news.recv()).await {
            Err(_) | Ok(Some(Poll::Unchanged)) => {}
            Ok(Some(Poll::Changed(config))) => {
                redaction.follow(config.secrets());
                changed = Some(config);
            }
            Ok(Some(Poll::Broken(error))) => {
                tracing::error!(%error, "the configuration cannot be read; the last good one stays in force");
            }
            Ok(None) => {
                tracing::error!("the configuration is not looked at any more");
                return std::future::pending().await;
            }
        }
        let Some(config) = changed.take() else { continue };
        match live.update(&config).await {
            Ok(()) => tracing::info!(
                "the configuration changed: its locations and rules are in force; other changes wait for a restart"
            ),
            // Until the store knows of the new rules, nothing is processed.
            Err(Error::Store(error)) => {
                tracing::warn!(
                    error = error_chain(&error),
                    "the changed configuration is not in force yet; trying again"
                );
                changed = Some(config);
            }
            Err(error) => {
                tracing::error!(%error, "the changed configuration cannot be used; the last good one stays in force");
            }
        }
    }
}

/// What asks the process to end: Ctrl-C, or a service manager.
struct StopSignal {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl StopSignal {
    fn new() -> Result<Self, Error> {
        let listen = |kind| {
            signal(kind).map_err(|source| Error::Io { what: "cannot listen for signals".to_owned(), source })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
