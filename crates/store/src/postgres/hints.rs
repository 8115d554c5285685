//! Telling other processes that something changed, so that they need not wait for the time at which they look anyway.
//!
//! A hint is told after the commit, and on a connection of its own: in a transaction, `NOTIFY` would make all commits of
//! the server wait for each other. What is to be told gathers for a moment, so that a busy process tells some hints a
//! second. Whoever could not listen for a while takes that as a hint of everything.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time;

use super::PostgresStore;
use super::session::in_time;
use crate::rules::statement::statements;
use crate::{Hint, error_chain};

const CHANNEL: &str = "callboard";
/// How long hints gather.
const GATHER: Duration = Duration::from_millis(50);
/// How long to wait before the server is asked again after a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// After so long without any hint the connection is made anew: the server may be gone without a word.
const QUIET_MAX: Duration = Duration::from_mins(1);
/// How long the server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// How long the server may take to end the connections.
const CLOSE_MAX: Duration = Duration::from_secs(1);

statements! {
    TELL = "SELECT pg_notify($1, $2)";
}

/// Some hints.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct HintSet(u8);

impl HintSet {
    pub(super) fn add(&mut self, hint: Hint) {
        self.0 |= 1 << hint as u8;
    }

    fn contains(self, hint: Hint) -> bool {
        self.0 & (1 << hint as u8) != 0
    }

    fn all() -> Self {
        let mut all = Self::default();
        for hint in Hint::ALL {
            all.add(hint);
        }
        all
    }
}

/// The way from and to other processes.
#[derive(Debug)]
pub(super) struct Hints {
    shared: Arc<Shared>,
    telling: PgPool,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Tells this process from the others.
    name: String,
    /// What is to be told.
    untold: AtomicU8,
    is_untold: Notify,
    /// What was heard, by hint.
    heard: [Notify; Hint::ALL.len()],
}

impl Hints {
    /// `pool` makes pools of one connection.
    pub(super) fn begin(pool: impl Fn() -> PgPool + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            name: format!("{:016x}", super::nonce()),
            untold: AtomicU8::new(0),
            is_untold: Notify::new(),
            heard: Default::default(),
        });
        let telling = pool();
        let mut tasks = JoinSet::new();
        tasks.spawn(tell(Arc::clone(&shared), telling.clone()));
        tasks.spawn(listen(Arc::clone(&shared), pool));
        Self { shared, telling, tasks: Mutex::new(tasks) }
    }

    fn tell(&self, hints: HintSet) {
        if hints != HintSet::default() {
            self.shared.untold.fetch_or(hints.0, Ordering::AcqRel);
            self.shared.is_untold.notify_one();
        }
    }

    async fn heard(&self, hint: Hint) {
        if let Some(heard) = self.shared.heard.get(hint as usize) {
            heard.notified().await;
        }
    }

    pub(super) async fn close(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
        // There is nothing on them that would be lost.
        drop(time::timeout(CLOSE_MAX, self.telling.close()).await);
    }
}

impl Shared {
    fn hear(&self, hints: HintSet) {
        for (hint, heard) in Hint::ALL.into_iter().zip(&self.heard) {
            if hints.contains(hint) {
                heard.notify_one();
            }
        }
    }

    fn payload(&self, hints: u8) -> String {
        format!("{} {hints}", self.name)
    }

    /// The hints of another process. What is not understood may mean anything.
    fn read(&self, payload: &str) -> HintSet {
        match payload.split_once(' ') {
            Some((name, _)) if name == self.name => HintSet::default(),
            Some((_, hints)) => hints.parse().map_or(HintSet::all(), HintSet),
            None => HintSet::all(),
        }
    }
}

async fn tell(shared: Arc<Shared>, connections: PgPool) {
    loop {
        shared.is_untold.notified().await;
        let payload = shared.payload(shared.untold.swap(0, Ordering::AcqRel));
        let telling = sqlx::query(TELL.sql).bind(CHANNEL).bind(payload).execute(&connections);
        if let Err(error) = in_time(ANSWER_MAX, telling).await {
            tracing::debug!(error = error_chain(&error), "other processes are not told of changes");
        }
        time::sleep(GATHER).await;
    }
}

async fn listen(shared: Arc<Shared>, pool: impl Fn() -> PgPool) {
    loop {
        // Another pool each time: whoever listened tries to unlisten, and has the connection until that is answered.
        if let Err(error) = listen_once(&shared, &pool()).await {
            tracing::debug!(error = error_chain(&error), "other processes are not heard");
            time::sleep(PAUSE).await;
        }
    }
}

/// Listens until nothing was heard for a while.
async fn listen_once(shared: &Shared, connections: &PgPool) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(connections).await?;
    in_time(ANSWER_MAX, listener.listen(CHANNEL)).await?;
    // From here on nothing is missed.
    shared.hear(HintSet::all());
    while let Ok(heard) = time::timeout(QUIET_MAX, listener.try_recv()).await {
        shared.hear(match heard? {
            Some(told) => shared.read(told.payload()),
            // The connection was lost, and is there again.
            None => HintSet::all(),
        });
    }
    Ok(())
}

impl PostgresStore {
    pub(super) fn tell_others(&self, hints: HintSet) {
        if let Some(channel) = &self.hints {
            channel.tell(hints);
        }
    }

    pub(super) async fn hint_of_others(&self, hint: Hint) {
        match &self.hints {
            Some(channel) => channel.heard(hint).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_of_oneself_are_passed_over() {
        let shared = |name: &str| Shared {
            name: name.to_owned(),
            untold: AtomicU8::new(0),
            is_untold: Notify::new(),
            heard: Default::default(),
        };
        let (one, other) = (shared("a"), shared("b"));
        let mut due = HintSet::default();
        due.add(Hint::Due);
        assert_eq!(other.read(&one.payload(due.0)), due);
        assert_eq!(one.read(&one.payload(due.0)), HintSet::default());
        for strange in ["", "b", "b x", "b 1000"] {
            assert_eq!(one.read(strange), HintSet::all());
        }
    }
}
