//! Threads for runs in which code of others may block the thread that it runs on.
//!
//! They do not belong to the runtime of everything else: at its end a runtime waits for its threads, and one that
//! never comes back would keep the process from ending.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callboard_sdk::ProcessorError;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{AbortHandle, JoinError, JoinHandle};
use tokio::time::Instant;

use crate::Pipeline;
use crate::run::{LIMITS_IN_ALL, RunInput, RunOutput, RunProgress, panicked, timed_out, took_too_long};

/// Threads that may be blocked by processors that do not come back, before no further run is risked.
const STUCK_RUNS_MAX: usize = 64;

/// More than there are runs under way: the loop has a limit for its own, and the API one for its requests.
const THREADS_MAX: usize = 1 << 16;

/// Time beyond a processor's own limit until a call that does not even yield is given up.
const STUCK_GRACE: Duration = Duration::from_secs(5);

/// Threads apart from those of everything else, on which runs may block.
#[derive(Debug)]
pub struct RunThreads {
    /// Here for its threads alone; `None` only while it is dropped.
    runtime: Option<Runtime>,
    abandoned: Mutex<Vec<Abandoned>>,
    stuck_max: usize,
}

/// A run on a thread of its own, as long as somebody waits for it.
struct Apart<'t, T> {
    threads: &'t RunThreads,
    task: JoinHandle<T>,
    progress: RunProgress,
    /// How long it may go on, once nobody waits for it any more, before it counts as stuck.
    grace: Duration,
}

/// A run that nobody waits for any more.
#[derive(Debug)]
struct Abandoned {
    task: AbortHandle,
    is_stuck_from: Instant,
}

impl RunThreads {
    /// No threads yet; they come with the runs that need them. An `Err` is the operating system's.
    pub fn new() -> io::Result<Self> {
        Self::with_stuck_max(STUCK_RUNS_MAX)
    }

    pub(crate) fn with_stuck_max(stuck_max: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(THREADS_MAX)
            .thread_name("callboard-run")
            .build()?;
        Ok(Self { runtime: Some(runtime), abandoned: Mutex::default(), stuck_max })
    }

    /// Drives a future on a thread of its own, with the timers and the network of the caller's runtime. `None` if too
    /// many threads did not come back.
    fn spawn<T: Send + 'static>(
        &self,
        progress: RunProgress,
        grace: Duration,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<Apart<'_, T>> {
        if self.stuck() >= self.stuck_max {
            return None;
        }
        let caller = Handle::current();
        let task = self.runtime.as_ref()?.spawn_blocking(move || caller.block_on(future));
        Some(Apart { threads: self, task, progress, grace })
    }

    fn stuck(&self) -> usize {
        let now = Instant::now();
        let mut abandoned = self.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        abandoned.retain(|run| !run.task.is_finished());
        abandoned.iter().filter(|run| run.is_stuck_from <= now).count()
    }
}

impl<T> Drop for Apart<'_, T> {
    fn drop(&mut self) {
        if self.task.is_finished() {
            return;
        }
        self.progress.of_call().free_parse_slots();
        let run = Abandoned { task: self.task.abort_handle(), is_stuck_from: Instant::now() + self.grace };
        self.threads.abandoned.lock().unwrap_or_else(PoisonError::into_inner).push(run);
    }
}

impl Drop for RunThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Pipeline {
    /// Runs an entity so that nothing that its processors do reaches further: if some of them may block their thread, on
    /// one of its own, which is given up if they do so for too long.
    pub(crate) async fn run_contained(self: &Arc<Self>, input: RunInput) -> RunOutput {
        let Some(threads) = self.run_threads() else {
            return self.run(input).await;
        };
        let limit = self.limits().processor_timeout;
        let (pipeline, progress) = (Arc::clone(self), input.progress.clone());
        let run = async move { pipeline.run(input).await };
        let Some(mut apart) = threads.spawn(progress.clone(), limit + STUCK_GRACE, run) else {
            let message = format!("{} processors did not come back; restart the daemon", threads.stuck_max);
            return cut_short(ProcessorError::general(message).with_rule("processor/stuck"));
        };
        let mut watch = Watch::begin(&progress, limit);
        loop {
            match tokio::time::timeout(limit + STUCK_GRACE, &mut apart.task).await {
                Ok(Ok(output)) => return output,
                Ok(Err(error)) => return cut_short(interrupted(error)),
                Err(_) => {
                    let Err(cause) = watch.look() else { continue };
                    apart.grace = Duration::ZERO;
                    let name = self.processor_name(progress.processor());
                    tracing::error!(processor = name, "a processor blocks its thread and does not come back");
                    let message = format!("Processor {name} threw an error");
                    return cut_short(ProcessorError::caused_by("InputError", &message, cause));
                }
            }
        }
    }
}

/// Sees from outside whether a run gets on, for what cannot be seen from within a thread that is blocked.
struct Watch<'p> {
    progress: &'p RunProgress,
    limit: Duration,
    steps: usize,
    calls: usize,
    since: Instant,
}

impl<'p> Watch<'p> {
    fn begin(progress: &'p RunProgress, limit: Duration) -> Self {
        let (steps, calls) = (progress.of_call().steps(), progress.calls());
        Self { progress, limit, steps, calls, since: Instant::now() }
    }

    /// An `Err` if nothing happened since the last look, or one call takes longer than any may.
    fn look(&mut self) -> Result<(), ProcessorError> {
        let before = std::mem::replace(self, Self::begin(self.progress, self.limit));
        if self.steps == before.steps && !self.progress.of_call().is_waiting() {
            return Err(timed_out(self.limit));
        }
        if self.calls == before.calls {
            self.since = before.since;
        }
        if self.since.elapsed() > self.limit.saturating_mul(LIMITS_IN_ALL) + STUCK_GRACE {
            return Err(took_too_long(self.limit));
        }
        Ok(())
    }
}

/// The error of a run of which a task did not come to its end. Text of the runtime has a task number in it: the same
/// failure would look new each time.
pub(crate) fn interrupted(error: JoinError) -> ProcessorError {
    error.try_into_panic().map_or_else(
        |_| ProcessorError::general("the run was cancelled"),
        |panic| panicked("processor", panic.as_ref()),
    )
}

fn cut_short(error: ProcessorError) -> RunOutput {
    RunOutput { result: Err(vec![error]), is_pure: false }
}

#[cfg(test)]
mod tests;
