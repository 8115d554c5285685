//! What happened: the last events as text, and all of them as one number.

use std::collections::VecDeque;
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// The events of a simulation; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Trace(Arc<Mutex<Events>>);

#[derive(Debug)]
struct Events {
    began: Instant,
    /// How many events are kept.
    kept: usize,
    last: VecDeque<String>,
    hasher: DefaultHasher,
    count: usize,
    /// The first promise that was broken.
    broken: Option<String>,
}

impl Trace {
    pub(crate) fn new(kept: usize) -> Self {
        Self(Arc::new(Mutex::new(Events {
            began: Instant::now(),
            kept,
            last: VecDeque::new(),
            hasher: DefaultHasher::new(),
            count: 0,
            broken: None,
        })))
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn say(&self, event: impl Display) {
        let mut events = self.events();
        let line = format!("[{:10.3}s] {event}", events.began.elapsed().as_secs_f64());
        line.hash(&mut events.hasher);
        events.count += 1;
        if events.last.len() >= events.kept {
            events.last.pop_front();
        }
        events.last.push_back(line);
    }

    /// A promise was broken; the first one counts.
    pub(crate) fn break_promise(&self, promise: impl Display) {
        self.say(format_args!("BROKEN: {promise}"));
        self.events().broken.get_or_insert_with(|| promise.to_string());
    }

    pub(crate) fn broken(&self) -> Option<String> {
        self.events().broken.clone()
    }

    pub(crate) fn last(&self) -> Vec<String> {
        self.events().last.iter().cloned().collect()
    }

    /// A number that stands for all events, and how many there were.
    pub(crate) fn digest(&self) -> (u64, usize) {
        let events = self.events();
        (events.hasher.finish(), events.count)
    }
}
