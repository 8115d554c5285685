//! All replicas: what starts, stops and crashes them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callboard_engine::{DoctorSettings, EngineSettings, Interval, OrphanStrategy, Randomness};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clock::SkewedClock;
use crate::faulty_store::{FaultyStore, SharedStore};
use crate::replica::{Face, Parts, live};
use crate::upstream::Upstream;
use crate::world::World;

/// Rest between two runs of an entity.
pub(crate) const INTERVAL: Interval = Interval { min: Duration::from_secs(10), max: Duration::from_secs(15) };
/// Rest between two passes of the doctor.
const DOCTOR_INTERVAL: Duration = Duration::from_secs(20);
/// Replicas that were told to stop, or could not start, come back after at most so many milliseconds.
const DOWN_MILLIS_MAX: u64 = 4_000;

/// All replicas.
#[derive(Debug)]
pub(crate) struct Cluster {
    store: SharedStore,
    members: Vec<Member>,
}

/// A replica, up or down.
#[derive(Debug)]
struct Member {
    parts: Parts,
    cut_until: Arc<Mutex<Option<Instant>>>,
    life: JoinSet<Result<(), String>>,
    stop: Option<oneshot::Sender<()>>,
    down_until: Instant,
}

impl Cluster {
    pub(crate) fn new(store: &SharedStore, world: &World, began: Instant) -> Self {
        let SharedStore { dice, weather, trace, .. } = store.clone();
        let settings = settings(store);
        trace.say(format_args!("settings: {settings:?}"));
        let member = |replica| {
            let cut_until: Arc<Mutex<Option<Instant>>> = Arc::default();
            let own = FaultyStore { shared: store.clone(), replica, cut_until: Arc::clone(&cut_until) };
            let upstream = Upstream {
                world: world.clone(),
                dice: dice.clone(),
                weather: weather.clone(),
                trace: trace.clone(),
            };
            let parts = Parts {
                replica,
                store: Arc::new(own),
                clock: SkewedClock::new(began),
                upstream,
                settings: settings.clone(),
                version: 1,
                trace: trace.clone(),
                face: Face::default(),
            };
            Member { parts, cut_until, life: JoinSet::new(), stop: None, down_until: began }
        };
        let members = (0..=dice.below(3)).map(member).collect();
        Self { store: store.clone(), members }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn faces(&self) -> Vec<Face> {
        self.members.iter().map(|member| member.parts.face.clone()).collect()
    }

    /// A replica that is up.
    pub(crate) fn any_up(&self) -> Option<Face> {
        let up: Vec<Face> = self.faces().into_iter().filter(|face| face.catalog().is_some()).collect();
        self.store.dice.pick(&up).cloned()
    }

    /// Notices who ended, and starts who was down for long enough.
    pub(crate) fn tend(&mut self) {
        let SharedStore { dice, trace, .. } = &self.store;
        for member in &mut self.members {
            let replica = member.parts.replica;
            if let Some(ended) = member.life.try_join_next() {
                if let Ok(Err(error)) | Err(error) = ended.map_err(|error| error.to_string()) {
                    trace.say(format_args!("replica {replica} cannot go on: {error}"));
                    if error.contains("panicked") {
                        trace.break_promise(error);
                    }
                }
                member.parts.face.clear();
                member.stop = None;
                member.down_until = Instant::now() + dice.millis(0..DOWN_MILLIS_MAX);
            }
            if member.life.is_empty() && member.down_until <= Instant::now() {
                trace.say(format_args!("replica {replica} starts"));
                let (stop, stopped) = oneshot::channel();
                let randomness = Randomness::seeded(dice.seed());
                member.life.spawn(live(member.parts.clone(), stopped, randomness));
                member.stop = Some(stop);
            }
        }
    }

    /// Ends a replica where it stands.
    pub(crate) fn crash(&mut self, replica: usize) {
        if let Some(member) = self.members.get_mut(replica) {
            self.store.trace.say(format_args!("replica {replica} crashes"));
            member.life = JoinSet::new();
            member.stop = None;
            member.parts.face.clear();
            member.down_until = Instant::now() + self.store.dice.millis(0..DOWN_MILLIS_MAX);
        }
    }

    /// Tells a replica to stop; it comes back, maybe with other processors.
    pub(crate) fn roll(&mut self, replica: usize) {
        let version = 1 + self.store.dice.below(2);
        if let Some(member) = self.members.get_mut(replica) {
            self.store.trace.say(format_args!("replica {replica} is to stop; next version {version}"));
            member.parts.version = version;
            drop(member.stop.take());
        }
    }

    /// The configuration of a replica changes, maybe; if it is up, while it works.
    pub(crate) fn reconfigure(&mut self, replica: usize) {
        let configuration = self.store.dice.below(3);
        if let Some(member) = self.members.get_mut(replica) {
            self.store.trace.say(format_args!("replica {replica} gets configuration {configuration}"));
            let replace = |now: &mut usize| std::mem::replace(now, configuration) != configuration;
            member.parts.face.configuration.send_if_modified(replace);
        }
    }

    pub(crate) fn cut(&mut self, replica: usize, time: Duration) {
        if let Some(member) = self.members.get_mut(replica) {
            self.store.trace.say(format_args!("replica {replica} is cut off for {time:?}"));
            *member.cut_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
        }
    }

    pub(crate) fn skew(&mut self, replica: usize, millis: i64) {
        if let Some(member) = self.members.get_mut(replica) {
            self.store.trace.say(format_args!("the clock of replica {replica} is {millis} ms off"));
            member.parts.clock.set_skew(millis);
        }
    }

    pub(crate) fn heal(&mut self) {
        for member in &mut self.members {
            *member.cut_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
            member.parts.clock.set_skew(0);
            member.parts.version = 2;
        }
    }

    /// Other replicas take the place of these: maybe fewer, with other processors, that work in another way.
    pub(crate) fn replace(&mut self) {
        self.members.truncate(1 + self.store.dice.below(self.members.len()));
        let settings = settings(&self.store);
        self.store.trace.say(format_args!("{} other replicas: {settings:?}", self.members.len()));
        for member in &mut self.members {
            member.parts.settings = settings.clone();
            member.parts.version = 3;
            drop(member.stop.take());
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.members.iter().all(|member| member.parts.face.catalog().is_some())
    }
}

fn settings(store: &SharedStore) -> EngineSettings {
    let dice = &store.dice;
    EngineSettings {
        interval: INTERVAL,
        orphans: OrphanStrategy::Delete,
        concurrency: dice.one_of([1, 3, 8]),
        queue_max: dice.one_of([4, 16, 200]),
        commit_batch_max: dice.one_of([1, 5, 100]),
        pending_bytes_max: dice.one_of([1 << 10, 1 << 20]),
        stitch_batch_max: dice.one_of([1, 7, 100]),
        lease: Duration::from_secs(10),
        janitor_interval: Duration::from_secs(7),
        drain_timeout: Duration::from_secs(3),
        changes_kept: dice.one_of([10, 100_000]),
        doctor: Some(DoctorSettings {
            rows_per_second: dice.one_of([5, 1_000]),
            interval: DOCTOR_INTERVAL,
            mends: true,
        }),
        ..EngineSettings::default()
    }
}
