//! Threads for runs in which code of others may block the thread that it runs on.
//!
//! They do not belong to the runtime of everything else: at its end a runtime waits for its threads, and one that
//! never comes back would keep the process from ending.

use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// A limited number of threads.
#[derive(Debug)]
pub(crate) struct RunThreads {
    /// Here for its threads alone; `None` only while it is dropped.
    runtime: Option<Runtime>,
    free: Arc<Semaphore>,
}

impl RunThreads {
    pub(crate) fn new(max: usize) -> io::Result<Self> {
        let runtime =
            Builder::new_current_thread().max_blocking_threads(max).thread_name("callboard-run").build()?;
        Ok(Self { runtime: Some(runtime), free: Arc::new(Semaphore::new(max)) })
    }

    /// Drives a future on a thread of its own, with the timers and the network of the caller's runtime. `None` if no
    /// thread is free.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        let thread = Arc::clone(&self.free).try_acquire_owned().ok()?;
        let caller = Handle::current();
        let runtime = self.runtime.as_ref()?;
        Some(runtime.spawn_blocking(move || {
            let _taken = thread;
            caller.block_on(future)
        }))
    }
}

impl Drop for RunThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_thread_is_free_again_when_its_run_ends_however_that_is() {
        let threads = RunThreads::new(1).unwrap();
        for _ in 0..2 {
            assert_eq!(threads.spawn(async { 7 }).unwrap().await.unwrap(), 7);
            assert!(threads.spawn(async { panic!("oh") }).unwrap().await.is_err());
        }
        let (release, held) = mpsc::channel::<()>();
        let blocked = threads.spawn(async move { held.recv().is_ok() }).unwrap();
        assert!(threads.spawn(async {}).is_none());
        release.send(()).unwrap();
        assert!(blocked.await.unwrap());
        assert!(threads.spawn(async {}).is_some());
    }

    #[test]
    fn a_thread_that_does_not_come_back_does_not_hold_up_the_end() {
        let (release, held) = mpsc::channel::<()>();
        let main = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        main.block_on(async {
            let threads = RunThreads::new(1).unwrap();
            let (started, is_started) = tokio::sync::oneshot::channel();
            let blocked = threads.spawn(async move { (started.send(()), held.recv().is_ok()) });
            is_started.await.unwrap();
            drop((threads, blocked));
        });
        drop(main);
        release.send(()).unwrap();
    }
}
