//! SIGINT and SIGTERM as a flag, so that an interrupted run still passes through its destructors: the daemon that it
//! started is killed and the temporary folder removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::error::BenchError;

/// Whether the tool has been asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen for signals, on a thread that lives as long as the process.
    pub fn watch() -> Self {
        let interrupt = Self::default();
        let raised = interrupt.clone();
        thread::spawn(move || {
            // Without a handler the signals keep their default effect, which ends the process.
            if wait_for_signal().is_ok() {
                raised.0.store(true, Ordering::Relaxed);
            }
        });
        interrupt
    }

    #[cfg(test)]
    pub(crate) fn raised() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Returns when the process receives SIGINT or SIGTERM.
pub fn wait_for_signal() -> Result<(), BenchError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::Runtime)?;
    runtime.block_on(async {
        let mut interrupted = signal(SignalKind::interrupt()).map_err(BenchError::Runtime)?;
        let mut terminated = signal(SignalKind::terminate()).map_err(BenchError::Runtime)?;
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        Ok(())
    })
}
