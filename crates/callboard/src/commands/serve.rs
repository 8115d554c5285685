//! `callboard serve`: the daemon.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use callboard_config::{Poll, Reloader};
use callboard_engine::EngineError;
use callboard_server::{Lifecycle, Server, ServerOptions};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::running::{Live, Running};
use crate::{CatalogBuilder, Error};

/// How often the files of the configuration are looked at.
const RELOAD_POLL: Duration = Duration::from_secs(2);

pub(crate) async fn run(builder: CatalogBuilder) -> Result<ExitCode, Error> {
    let mut stop_signal = StopSignal::new()?;
    let reloader = Reloader::new(builder.sources.clone())?;
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| Error::Setting(format!("metrics cannot be recorded: {error}")))?;
    // First of all, so that a port that is taken is told before anything is touched.
    let options = ServerOptions::from_config(&builder.config)?;
    let server = Server::bind(options).await?;
    let address = server.local_addr();
    if builder.config.get_opt_bool("catalog.readonly")?.unwrap_or(false) {
        tracing::info!("Catalog is running in readonly mode");
    }
    let mut running = Running::prepare(builder).await?;
    let lifecycle = Lifecycle::new();
    let server_shutdown = CancellationToken::new();
    let mut serving = Box::pin(server.serve(
        running.live().catalog().clone(),
        lifecycle.clone(),
        metrics,
        server_shutdown.clone(),
    ));
    let start = async {
        running.start().await?;
        lifecycle.set_ready();
        tracing::info!(%address, "listening on http://{address}/api/catalog");
        Ok::<_, Error>(())
    };
    tokio::select! {
        result = start => result?,
        result = &mut serving => return result.map(|()| ExitCode::SUCCESS).map_err(Error::from),
        () = stop_signal.received() => return Ok(ExitCode::SUCCESS),
    }
    let live = Arc::clone(running.live());
    let ended = tokio::select! {
        result = &mut serving => result.map_err(Error::from),
        () = running.died() => Err(EngineError::Died.into()),
        () = follow_config(reloader, live) => Ok(()),
        () = stop_signal.received() => Ok(()),
    };
    tracing::info!("stopping");
    lifecycle.set_stopping();
    server_shutdown.cancel();
    let stop = async {
        if ended.is_ok() {
            // The server drains its requests while the loop drains its runs.
            let (result, ()) = tokio::join!(&mut serving, running.stop());
            result.map_err(Error::from)
        } else {
            running.stop().await;
            Ok(())
        }
    };
    tokio::select! {
        result = stop => result?,
        () = stop_signal.received() => tracing::warn!("stopping at once"),
    }
    ended.map(|()| ExitCode::SUCCESS)
}

/// Puts changes of the configuration into force; tries again while the store does not take them. Never comes back.
async fn follow_config(mut reloader: Reloader, live: Arc<Live>) {
    let mut ticks = tokio::time::interval(RELOAD_POLL);
    let mut changed = None;
    loop {
        ticks.tick().await;
        match reloader.poll() {
            Poll::Unchanged => {}
            Poll::Changed(config) => changed = Some(config),
            Poll::Broken(error) => {
                tracing::error!(%error, "the configuration cannot be read; the last good one stays in force");
            }
        }
        let Some(config) = changed.take() else { continue };
        match live.update(&config).await {
            Ok(()) => tracing::info!(
                "the configuration changed: its locations and rules are in force; other changes wait for a restart"
            ),
            Err(Error::Store(error)) if error.is_retryable() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
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
