//! Threads on which local files are read.
//!
//! A file system may hang for as long as it likes, such as a network share whose server is gone, and nothing calls
//! back a thread that waits for it. So these threads are few and apart from those of everything else, none of them
//! holds up the end of the process, and where an earlier read hangs no further one is started.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinError;

/// Local files, or searches for them, that one kind of reader has under way at the same time.
const THREADS_MAX: usize = 16;

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileThreadsError {
    #[error("an earlier read of it has not come back yet")]
    Hanging,
    #[error("{0} reads of other files have not come back yet, and no more are risked")]
    AllHanging(usize),
    #[error("there are no threads to read files on")]
    NoThreads,
    #[error("reading was interrupted, {0}")]
    Interrupted(#[from] JoinError),
}

/// A limited number of threads. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct FileThreads(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Here for its threads alone; `None` if it could not be made, and while it is dropped.
    runtime: Option<Runtime>,
    free: Arc<Semaphore>,
    reads: Mutex<Vec<Weak<FileRead>>>,
    max: usize,
}

/// A read under way; ends with its thread.
#[derive(Debug)]
struct FileRead {
    target: String,
    is_given_up: AtomicBool,
}

/// Gives up a read when nobody waits for it any more.
struct Waiting(Weak<FileRead>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(read) = self.0.upgrade() {
            read.is_given_up.store(true, Ordering::Relaxed);
        }
    }
}

impl Default for FileThreads {
    fn default() -> Self {
        Self::new(THREADS_MAX)
    }
}

impl FileThreads {
    fn new(max: usize) -> Self {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.max_blocking_threads(max).thread_name("callboard-files").build().ok();
        Self(Arc::new(Shared { runtime, free: Arc::new(Semaphore::new(max)), reads: Mutex::default(), max }))
    }

    /// Runs `work`, which reads `target` or looks for what it stands for, as soon as a thread is free.
    pub(crate) async fn run<T, E>(
        &self,
        target: &str,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<FileThreadsError> + Send + 'static,
    {
        self.check(target)?;
        let runtime = self.0.runtime.as_ref().ok_or(FileThreadsError::NoThreads)?;
        // Fails when somebody has closed the semaphore, which nobody does.
        let thread = Arc::clone(&self.0.free).acquire_owned().await.ok();
        let read = Arc::new(FileRead { target: target.to_owned(), is_given_up: AtomicBool::new(false) });
        let _waiting = Waiting(Arc::downgrade(&read));
        self.0.reads.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&read));
        let done = runtime.spawn_blocking(move || {
            let _under_way = (read, thread);
            work()
        });
        done.await.map_err(FileThreadsError::from)?
    }

    fn check(&self, target: &str) -> Result<(), FileThreadsError> {
        let mut reads = self.0.reads.lock().unwrap_or_else(PoisonError::into_inner);
        reads.retain(|read| read.strong_count() > 0);
        let is_given_up = |read: &Arc<FileRead>| read.is_given_up.load(Ordering::Relaxed);
        let hanging: Vec<_> = reads.iter().filter_map(Weak::upgrade).filter(is_given_up).collect();
        if hanging.iter().any(|read| read.target == target) {
            return Err(FileThreadsError::Hanging);
        }
        if hanging.len() >= self.0.max {
            return Err(FileThreadsError::AllHanging(self.0.max));
        }
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::mpsc::{Sender, channel};

    use futures::FutureExt as _;

    use super::*;

    type Read<T> = Result<T, FileThreadsError>;

    /// Starts a read of `target` that hangs until the sender is used or dropped, and gives it up.
    pub(crate) async fn hang(threads: &FileThreads, target: &str) -> Sender<()> {
        let (release, held) = channel::<()>();
        let (started, is_started) = tokio::sync::oneshot::channel();
        let read = threads.run(target, move || Read::Ok((started.send(()), held.recv().is_ok())));
        tokio::select! {
            _ = read => panic!("the read came back"),
            started = is_started => started.unwrap(),
        }
        release
    }

    async fn failure(threads: &FileThreads, target: &str) -> String {
        threads.run(target, || Read::Ok(())).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_target_whose_read_hangs_is_not_read_again_until_it_comes_back() {
        let threads = FileThreads::new(2);
        let release = hang(&threads, "/a").await;
        assert_eq!(failure(&threads, "/a").await, "an earlier read of it has not come back yet");
        assert_eq!(threads.run("/b", || Read::Ok(7)).await.unwrap(), 7);
        release.send(()).unwrap();
        while threads.run("/a", || Read::Ok(())).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn nothing_waits_for_a_thread_when_all_of_them_hang() {
        let threads = FileThreads::new(2);
        let _held = (hang(&threads, "/a").await, hang(&threads, "/b").await);
        let expected = "2 reads of other files have not come back yet, and no more are risked";
        assert_eq!(failure(&threads, "/c").await, expected);
    }

    #[tokio::test]
    async fn reads_of_one_target_that_somebody_waits_for_do_not_disturb_each_other() {
        let threads = FileThreads::new(1);
        let (release, held) = channel::<()>();
        let first = threads.run("/a", move || Read::Ok(held.recv().is_ok()));
        let second = threads.run("/a", || Read::Ok(7));
        tokio::pin!(first);
        assert!(first.as_mut().now_or_never().is_none());
        release.send(()).unwrap();
        let (first, second) = futures::join!(first, second);
        assert_eq!((first.unwrap(), second.unwrap()), (true, 7));
    }

    #[tokio::test]
    async fn a_read_that_panics_is_an_error_and_its_thread_is_free_again() {
        let threads = FileThreads::new(1);
        for _ in 0..2 {
            let read: Read<()> = threads.run("/a", || panic!("oh")).await;
            let error = read.unwrap_err().to_string();
            assert!(error.starts_with("reading was interrupted, "), "{error}");
        }
    }

    #[test]
    fn a_read_that_hangs_does_not_hold_up_the_end() {
        let main = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let release = main.block_on(async { hang(&FileThreads::new(1), "/a").await });
        drop(main);
        release.send(()).unwrap();
    }
}
