//! One history: bad times, in which everything goes wrong that can, and then rest, at which everything must be right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callboard_engine::Checkup;
use callboard_store::EntityId;
use callboard_store::memory::{MemoryStore, Tables};
use tokio::runtime::Builder;
use tokio::time::Instant;

#[cfg(test)]
use crate::breakage::Breakage;
use crate::clock::SkewedClock;
use crate::cluster::{Cluster, INTERVAL};
use crate::dice::Dice;
use crate::errands::Errands;
use crate::expected::expected;
use crate::faulty_store::SharedStore;
use crate::oracle;
use crate::trace::Trace;
use crate::weather::Weather;
use crate::world::{PROVIDERS, World};

/// Longest that it may take until everything is right again.
const REST_MAX: Duration = Duration::from_mins(5);

/// How often in a second a replica that has nothing to do may ask the store for something.
const CALLS_AT_REST_MAX: u32 = 20;

/// A promise was broken.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which seed gives this history.
    pub seed: u64,
    /// What is wrong.
    pub promise: String,
    /// The last events.
    pub events: Vec<String>,
}

/// What a history was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// A number that stands for all events: the same seed gives the same one.
    pub digest: u64,
    /// How many events there were.
    pub events: usize,
    /// How many entities there were in the end.
    pub entities: usize,
}

/// Runs the history of a seed. A failure tells so many of the last events.
pub fn simulate(seed: u64, events: usize) -> Result<Summary, Failure> {
    run(seed, events, |shared| shared)
}

/// Runs the history of a seed with a defect.
#[cfg(test)]
pub(crate) fn simulate_broken(seed: u64, breakage: Breakage) -> Result<Summary, Failure> {
    let breakage = Some(breakage);
    run(seed, 40, |shared| SharedStore { breakage, ..shared })
}

fn run(
    seed: u64,
    events: usize,
    prepare: impl FnOnce(SharedStore) -> SharedStore,
) -> Result<Summary, Failure> {
    let fail = |promise, events| Failure { seed, promise, events };
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| fail(error.to_string(), Vec::new()))?;
    runtime.block_on(async {
        let dice = Dice::new(seed);
        let shared = prepare(SharedStore {
            memory: MemoryStore::new(),
            dice: dice.clone(),
            weather: Weather::default(),
            trace: Trace::new(events),
            runs: Arc::default(),
            calls: Arc::default(),
            late: Arc::default(),
            #[cfg(test)]
            breakage: None,
        });
        let trace = shared.trace.clone();
        let mut simulation = Simulation::new(shared);
        simulation.history().await.map_err(|promise| fail(promise, trace.last()))?;
        let (digest, events) = trace.digest();
        Ok(Summary { digest, events, entities: simulation.look(|tables| tables.rows.len()) })
    })
}

struct Simulation {
    began: Instant,
    shared: SharedStore,
    world: World,
    cluster: Cluster,
    errands: Errands,
}

impl Simulation {
    fn new(shared: SharedStore) -> Self {
        let world = World::new(&shared.dice);
        let began = Instant::now();
        let cluster = Cluster::new(&shared, &world, began);
        let errands = Errands::new(&world, &shared.dice, &shared.trace);
        Self { began, shared, world, cluster, errands }
    }

    fn look<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        self.shared.memory.look(look)
    }

    async fn history(&mut self) -> Result<(), String> {
        let rounds = 1 + self.shared.dice.below(2);
        for _ in 0..rounds {
            self.bad_times().await?;
            self.recover().await?;
            self.come_to_rest(&[]).await?;
        }
        self.stay_at_rest().await?;
        let unread = self.world.make_unknown();
        self.shared.trace.say(format_args!("cannot be read: {unread:?}"));
        self.come_to_rest(&unread).await?;
        self.world.heal();
        self.shared.trace.say("everything can be read again");
        self.come_to_rest(&[]).await?;
        self.begin_afresh().await
    }

    /// Time passes.
    async fn pass(&mut self, time: Duration) -> Result<(), String> {
        const STEP: Duration = Duration::from_millis(500);
        let until = Instant::now() + time;
        loop {
            self.cluster.tend();
            if let Some(promise) = self.shared.trace.broken() {
                return Err(promise);
            }
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(rest.min(STEP)).await;
        }
    }

    async fn bad_times(&mut self) -> Result<(), String> {
        let badness = u32::try_from(self.shared.dice.below(5)).unwrap_or_default();
        self.shared.trace.say(format_args!("bad times: {badness}"));
        self.shared.weather.set(badness);
        for _ in 0..15 + self.shared.dice.below(25) {
            let rest = self.shared.dice.millis(0..2_500);
            self.pass(rest).await?;
            self.happen();
            self.examine().await?;
        }
        Ok(())
    }

    /// Something happens.
    fn happen(&mut self) {
        let dice = self.shared.dice.clone();
        let replica = dice.below(self.cluster.len());
        match dice.below(20) {
            0..=5 => self.shared.trace.say(self.world.edit()),
            6 | 7 => self.shared.trace.say(self.world.trouble()),
            8 | 9 => {
                let provider = dice.one_of(PROVIDERS);
                if let Some(face) = self.cluster.any_up() {
                    self.errands.provide(&face, provider);
                }
            }
            10..=14 => {
                if let Some(catalog) = self.cluster.any_up().and_then(|face| face.catalog()) {
                    self.errands.ask(catalog);
                }
            }
            15 => self.cluster.crash(replica),
            16 if dice.below(3) == 0 => self.cluster.reconfigure(replica),
            16 => self.cluster.roll(replica),
            17 => self.cluster.cut(replica, dice.millis(500..15_000)),
            18 => {
                let off = dice.one_of([-20_000, -2_000, 0, 2_000, 20_000]);
                self.cluster.skew(replica, off);
            }
            _ => self.world.heal(),
        }
    }

    /// Faults are over. Who was not heard says it again, as providers do from time to time.
    async fn recover(&mut self) -> Result<(), String> {
        self.shared.trace.say("faults are over");
        self.shared.weather.set(0);
        self.world.heal();
        self.cluster.heal();
        self.come_up().await?;
        self.errands.finish().await;
        // The second time, whoever stood in the way is gone.
        for _ in 0..2 {
            if let Some(face) = self.cluster.any_up() {
                for provider in PROVIDERS {
                    self.errands.say_all(&face, provider).await;
                }
            }
            self.pass(INTERVAL.max * 3).await?;
        }
        Ok(())
    }

    async fn come_up(&mut self) -> Result<(), String> {
        for _ in 0..120 {
            self.pass(Duration::from_secs(1)).await?;
            if self.cluster.is_up() {
                return Ok(());
            }
        }
        Err("not all replicas come up again".to_owned())
    }

    /// Waits until everything is right. `unread` cannot be read.
    async fn come_to_rest(&mut self, unread: &[String]) -> Result<(), String> {
        let until = Instant::now() + REST_MAX;
        // What was right before must not count.
        self.pass(INTERVAL.max * 3).await?;
        loop {
            match self.check(unread) {
                Ok(()) => return self.examine().await,
                Err(promise) if Instant::now() >= until => return Err(promise),
                Err(_) => self.pass(INTERVAL.max).await?,
            }
        }
    }

    fn check(&self, unread: &[String]) -> Result<(), String> {
        self.look(|tables| {
            for id in self.errands.registered() {
                if !tables.locations.contains_key(&id) {
                    return Err(format!("P1: location {id} was registered and is gone"));
                }
            }
            oracle::check(&self.world, tables, unread)?;
            let restless = expected(&self.world, tables)?.restless(tables);
            for (replica, face) in self.cluster.faces().iter().enumerate() {
                oracle::check_view(tables, replica, &face.view(), &restless)?;
            }
            Ok(())
        })
    }

    /// The doctor finds nothing, at any moment.
    async fn examine(&self) -> Result<(), String> {
        let (store, clock) = (self.shared.memory.clone(), SkewedClock::new(self.began));
        let mut checkup = Checkup::new(Arc::new(store), Arc::new(clock), true, false);
        while let Some(page) = checkup.next_page().await.map_err(|error| error.to_string())? {
            if let Some(finding) = page.findings.first() {
                return Err(format!("the doctor finds {:?}", finding.violation));
            }
        }
        Ok(())
    }

    /// While nothing happens, what depends on the world is looked at once in each interval, and nothing else is.
    async fn stay_at_rest(&mut self) -> Result<(), String> {
        const INTERVALS: u32 = 4;
        drop((self.shared.take_runs(), self.shared.take_calls()));
        let position = self.look(|tables| tables.position);
        let time = INTERVAL.max * INTERVALS;
        self.pass(time).await?;
        self.check_still(position)?;
        let (runs, calls) = (self.shared.take_runs(), self.shared.take_calls());
        let replicas = u32::try_from(self.cluster.len()).unwrap_or(u32::MAX);
        let calls_each = calls / replicas / u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        if calls_each > CALLS_AT_REST_MAX {
            return Err(format!("P7: nothing happens, and the store is asked {calls_each} times a second"));
        }
        self.look(|tables| {
            check_runs(tables, &runs, INTERVALS, &expected(&self.world, tables)?.restless(tables))
        })
    }

    /// Other replicas process everything anew, and nothing changes.
    async fn begin_afresh(&mut self) -> Result<(), String> {
        let depends_on_order =
            self.look(|tables| Ok::<_, String>(expected(&self.world, tables)?.depends_on_order()))?;
        let position = self.look(|tables| tables.position);
        self.cluster.replace();
        self.pass(Duration::from_secs(1)).await?;
        self.come_up().await?;
        self.come_to_rest(&[]).await?;
        // Providers say what they have when they connect.
        if depends_on_order { Ok(()) } else { self.check_still(position) }
    }

    /// No final entity is another one than at this position of the change log.
    fn check_still(&self, position: i64) -> Result<(), String> {
        self.look(|tables| {
            let restless = expected(&self.world, tables)?.restless(tables);
            let mut changed = tables.changes.iter().filter(|change| change.position > position);
            match changed.find(|it| !restless.contains(&it.entity_ref)) {
                Some(change) => Err(format!("P6: nothing happens, and {} changes", change.entity_ref)),
                None => Ok(()),
            }
        })
    }
}

fn check_runs(
    tables: &Tables,
    runs: &BTreeMap<EntityId, u32>,
    intervals: u32,
    restless: &BTreeSet<String>,
) -> Result<(), String> {
    let time = INTERVAL.max * intervals;
    let most = u32::try_from(time.as_millis() / INTERVAL.min.as_millis()).unwrap_or(u32::MAX) + 1;
    for (entity_ref, row) in tables.rows.iter().filter(|(it, _)| !restless.contains(it.as_ref())) {
        let count = runs.get(&row.id).copied().unwrap_or_default();
        let (least, most) = if entity_ref.starts_with("location:") { (intervals / 2, most) } else { (0, 0) };
        if count < least || count > most {
            return Err(format!("{entity_ref} was processed {count} times in {intervals} intervals"));
        }
    }
    Ok(())
}
