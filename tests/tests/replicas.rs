//! Several daemons on one PostgreSQL: none does what another one did, and nothing is lost, whichever of them dies and
//! however often the server goes away.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use callboard_bench::random::Random;
use callboard_store::suite::cluster::Cluster;
use callboard_tests::generated::{Access, Generated, assert_same};
use callboard_tests::{
    AppConfig, Daemon, Home, Snapshot, settled_replicas, settled_snapshot, store, wait_for,
};
use serde_json::{Value, json};

/// Another number for a long run.
const ROUNDS: &str = "CALLBOARD_DISTURBANCES";
const ROUNDS_DEFAULT: usize = 6;

/// Plays a run again, as far as the order of disturbances goes.
const SEED: &str = "CALLBOARD_DISTURBANCES_SEED";
const SEED_DEFAULT: u64 = 20_260_301;

const REPLICAS: usize = 3;
const ENTITIES: usize = 300;

/// After so many rounds the catalog is looked at, and the next ones begin with an empty database.
const ROUNDS_OF_SERIES: usize = 3;

/// The rounds out of each five in which the server is stopped.
const STOPS: [usize; 2] = [1, 3];

/// The longest time between two disturbances: in an unoptimised build, less than the first ingest takes.
const PEACE_MS_MAX: usize = 1_000;

/// The most connections that are cut at once.
const CUTS_MAX: usize = 12;

/// Daemons in folders of their own. Dropping them ends them first.
struct Replicas {
    daemons: Vec<Daemon>,
    homes: Vec<Home>,
}

impl Replicas {
    /// Starts them, and does not wait for anything.
    fn spawn(config: &AppConfig) -> Self {
        let homes: Vec<_> = (0..REPLICAS).map(|_| Home::new()).collect();
        let spawn = |home: &Home| {
            home.configure(config);
            home.spawn()
        };
        Self { daemons: homes.iter().map(spawn).collect(), homes }
    }

    /// Kills one, and starts it again at once.
    fn kill(&mut self, number: usize) {
        self.daemons[number].crash();
        self.daemons[number] = self.homes[number].spawn();
    }

    /// How often entities were processed, by replica.
    fn runs(&self) -> Vec<u64> {
        let runs = |daemon: &Daemon| daemon.api().metrics().sum("catalog_processed_entities_count");
        self.daemons.iter().map(runs).collect()
    }

    /// What all indexes hold; waits until they are at one position.
    fn index(&self) -> Value {
        let indexes = wait_for("the indexes to be at one position", || {
            let index = |daemon: &Daemon| {
                let reply = daemon.api().get("/.callboard/v1/index");
                (reply.status == 200).then(|| reply.json())
            };
            let indexes = self.daemons.iter().map(index).collect::<Option<Vec<_>>>()?;
            indexes.iter().all(|it| it["position"] == indexes[0]["position"]).then_some(indexes)
        });
        for index in &indexes {
            assert_eq!(index, &indexes[0]);
        }
        indexes[0].clone()
    }

    /// Ends them in good order; then nothing must be wrong with what they leave.
    fn stop(self) {
        for daemon in &self.daemons {
            daemon.terminate();
        }
        for daemon in &self.daemons {
            assert_eq!(daemon.wait_for_end(), Some(0));
        }
        let finished = self.homes[0].run(&["doctor", "--format", "json"]);
        let report: Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
        assert_eq!((finished.code, &report["violations"]), (Some(0), &0.into()), "{finished:#?}");
    }
}

/// Nothing must be mended behind the back of whoever looks.
fn config(url: &str) -> AppConfig {
    AppConfig::new(&store::at_url(url)).set("callboard.doctor.rowsPerSecond", 0.into())
}

#[test]
fn each_entity_is_processed_once_by_whichever_replica() {
    let Some(cluster) = store::postgres() else { return };
    let url = store::new_postgres_url(cluster);
    let _watch = cluster.watch(&url.parse().unwrap());
    let catalog = Generated::new(ENTITIES, 1, Access::Http);
    // Nobody takes so much at once that nothing is left to the others.
    let config = config(&url)
        .set("catalog.processingInterval", json!({ "hours": 1 }))
        .set("callboard.engine.queue", 10.into())
        .set("callboard.engine.concurrency", 2.into());
    let replicas = Replicas::spawn(&catalog.configure_each(config));
    let expected = catalog.entities() + catalog.files().len();
    wait_for("all entities", || (replicas.index()["entities"] == expected).then_some(()));
    let runs = replicas.runs();
    assert_eq!(runs.iter().sum::<u64>(), expected as u64, "{runs:?}");
    assert!(runs.iter().filter(|runs| **runs > 0).count() > 1, "{runs:?}");
    replicas.stop();
}

#[test]
fn no_location_is_visited_twice_in_an_interval() {
    const INTERVAL: Duration = Duration::from_secs(2);
    const VISITS: usize = 4;
    let Some(cluster) = store::postgres() else { return };
    let url = store::new_postgres_url(cluster);
    let _watch = cluster.watch(&url.parse().unwrap());
    let catalog = Generated::new(ENTITIES, 2, Access::Http);
    let config = config(&url).set("catalog.processingInterval", json!({ "seconds": INTERVAL.as_secs() }));
    let replicas = Replicas::spawn(&catalog.configure_each(config));
    let visits = wait_for("some visits to each location", || {
        let mut visits: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
        for exchange in catalog.upstream().exchanges() {
            visits.entry(exchange.path).or_default().push(exchange.at);
        }
        let is_enough =
            visits.len() == catalog.files().len() && visits.values().all(|visits| visits.len() >= VISITS);
        is_enough.then_some(visits)
    });
    for (path, visits) in visits {
        let rests: Vec<_> = visits.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(rests.iter().all(|rest| *rest >= INTERVAL), "{path}: {rests:?}");
    }
    replicas.index();
    replicas.stop();
}

#[test]
fn what_was_disturbed_ends_as_what_was_left_in_peace() {
    let Some(mut cluster) = store::own_postgres() else { return };
    let seed = std::env::var(SEED).map_or(SEED_DEFAULT, |seed| seed.parse().unwrap());
    eprintln!("{SEED}={seed}");
    let rounds = std::env::var(ROUNDS).map_or(ROUNDS_DEFAULT, |rounds| rounds.parse().unwrap());
    let rounds: Vec<_> = (0..rounds).collect();
    for (number, rounds) in rounds.chunks(ROUNDS_OF_SERIES).enumerate() {
        let access = if number % 2 == 0 { Access::Disk } else { Access::Http };
        let catalog = Generated::new(ENTITIES, seed + number as u64, access);
        let config = config(&cluster.url(&format!("disturbed_{number}")));
        let disturbed = disturb(&mut cluster, &catalog, &config, rounds);
        let home = Home::new();
        let undisturbed = settled_snapshot(&home.start(&reading(&catalog, home.config())));
        assert!(undisturbed.len() > ENTITIES / 2, "{} entities", undisturbed.len());
        assert_same(&disturbed, &undisturbed);
        assert_eq!(cluster.deadlocks(), Vec::<String>::new());
    }
}

/// On disk one location leads to all files; over HTTP each has its own, so that replicas share the work.
fn reading(catalog: &Generated, config: AppConfig) -> AppConfig {
    match catalog.access() {
        Access::Disk => catalog.configure(config),
        Access::Http => catalog.configure_each(config),
    }
}

#[derive(Debug, Clone, Copy)]
enum Disturbance {
    /// `kill -9` of a replica.
    Kill,
    /// Connections to the server end.
    Cut,
    /// The server dies and comes back.
    Stop,
}

/// Begins with an empty database. Answers what the replicas show when they are left in peace again.
fn disturb(cluster: &mut Cluster, catalog: &Generated, config: &AppConfig, rounds: &[usize]) -> Snapshot {
    let mut random = Random::stream(catalog.seed(), &[3]);
    // The leases of a replica that was killed have to run out before its work is done again.
    let config = reading(catalog, config.clone()).set("callboard.engine.lease", "1s".into());
    let mut replicas = Replicas::spawn(&config);
    let mut removed = BTreeSet::new();
    for round in rounds {
        let mut disturbances = vec![Disturbance::Kill, Disturbance::Cut];
        disturbances.extend(STOPS.contains(&(round % 5)).then_some(Disturbance::Stop));
        random.shuffle(&mut disturbances);
        for disturbance in disturbances {
            // That the moment is arbitrary is the point.
            thread::sleep(Duration::from_millis(random.below(PEACE_MS_MAX) as u64));
            assert!(replicas.daemons.iter().all(Daemon::is_running), "a daemon ended by itself");
            catalog.change(&mut random, *round, &mut removed);
            let victim = random.below(REPLICAS);
            match disturbance {
                Disturbance::Kill => replicas.kill(victim),
                Disturbance::Cut => cut(cluster, random.between(1, CUTS_MAX), random.next_u64()),
                Disturbance::Stop => thread::scope(|scope| {
                    scope.spawn(|| cluster.crash());
                    if random.percent(50) {
                        replicas.kill(victim);
                    }
                }),
            }
        }
    }
    let settled = settled_replicas(&replicas.daemons);
    replicas.index();
    replicas.stop();
    settled
}

/// Ends so many connections of daemons, which the salt picks.
fn cut(cluster: &Cluster, connections: usize, salt: u64) {
    let url = cluster.url("postgres");
    // What follows is meant for the daemons' driver.
    let (url, _) = url.split_once('?').unwrap_or((&url, ""));
    let victims = "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'disturbed\\_%'";
    let cut = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM ({victims} ORDER BY md5(pid::text || '{salt}') LIMIT {connections}) v"
    );
    let psql = cluster.programs().expect("the server is our own").join("psql");
    let output = Command::new(psql).args(["--no-psqlrc", "--command", &cut, url]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
