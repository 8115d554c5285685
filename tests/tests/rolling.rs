//! A rolling restart: of daemons on one database, each is replaced in turn while files change and clients read. No read
//! is lost, and no work.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use callboard_tests::descriptors::{component, described_component, documents};
use callboard_tests::{Answer, AppConfig, Daemon, Home, RawConnection, RawReply, Upstream, store, wait_for};
use serde_json::Value;

const REPLICAS: usize = 3;

/// Files that nobody touches, and entities in each.
const STEADY_FILES: usize = 10;
const PER_FILE: usize = 8;
/// Files that are edited, all of them in each round.
const EDITED_FILES: usize = 6;

const READERS: usize = 2;

const READINESS: &str = "/.backstage/health/v1/readiness";
const COMPONENTS: &str =
    "/api/catalog/entities?filter=kind=component&fields=metadata.name,metadata.description";
const PAGES: &str = "/api/catalog/entities/by-query?filter=kind=component&limit=25&fields=metadata.name";

#[test]
fn daemons_that_are_restarted_in_turn_under_load_lose_no_read_and_no_work() {
    let Some(cluster) = store::postgres() else { return };
    let (files, upstream) = (Home::new(), Upstream::new());
    upstream.put("silent.yaml", Answer::Silence);
    let url = store::new_postgres_url(cluster);
    let config = AppConfig::new(&store::at_url(&url))
        .set("backend.lifecycle.serverShutdownDelay", "1s".into())
        // What is not given back is missing until the end of the test.
        .set("callboard.engine.lease", "1h".into())
        .set("callboard.engine.drainTimeout", "1s".into())
        .set("callboard.reading.totalTime", "1h".into())
        .allow(&upstream)
        .location("file", files.path().join("*.yaml").display())
        // Whoever reads it does not come to an end.
        .location("url", upstream.url("silent.yaml"));
    for file in 0..STEADY_FILES {
        let names = (0..PER_FILE).map(|number| component(&steady(file * PER_FILE + number)));
        files.write(&format!("steady-{file}.yaml"), documents(names));
    }
    let replicas: Vec<_> = (0..REPLICAS).map(|_| Replica::new(&config)).collect();
    for replica in &replicas {
        replica.wait_for_steady();
    }
    let load = Load::default();
    let expected = thread::scope(|scope| {
        let over = Over(&load);
        let editor = scope.spawn(|| load.edit(&files, &replicas));
        for _ in 0..READERS {
            scope.spawn(|| load.read(&replicas));
        }
        for replica in &replicas {
            load.wait_for_more("before the restart");
            replica.stop(&url);
            load.wait_for_more("while one is away");
            replica.start();
        }
        load.wait_for_more("after the restart");
        drop(over);
        editor.join().unwrap()
    });
    for replica in &replicas {
        replica.wait_for_catalog(&expected);
    }
    for replica in &replicas {
        replica.stop(&url);
    }
    assert_eq!(store::held_leases(&url), BTreeSet::new());
}

fn steady(number: usize) -> String {
    format!("steady-{number}")
}

/// A daemon that is started again and again, each time at another port.
struct Replica {
    home: Home,
    daemon: Mutex<Daemon>,
    address: Mutex<SocketAddr>,
    /// Whether it was told to end.
    is_leaving: AtomicBool,
}

impl Replica {
    fn new(config: &AppConfig) -> Self {
        let home = Home::new();
        let daemon = home.start(config);
        let address = Mutex::new(daemon.api().address());
        Self { home, daemon: Mutex::new(daemon), address, is_leaving: AtomicBool::new(false) }
    }

    fn start(&self) {
        let daemon = self.home.restart();
        self.is_leaving.store(false, Ordering::SeqCst);
        *self.address.lock().unwrap() = daemon.api().address();
        *self.daemon.lock().unwrap() = daemon;
    }

    /// Ends it as a service manager does. What it had leased is somebody else's, or free, without the end of a lease.
    fn stop(&self, url: &str) {
        let daemon = self.daemon.lock().unwrap();
        self.is_leaving.store(true, Ordering::SeqCst);
        daemon.terminate();
        assert_eq!(daemon.wait_for_end(), Some(0));
        let left = store::held_leases(url);
        wait_for("the leases of those who are left to end", || {
            let held = store::held_leases(url);
            let stays = |lease: &&String| lease.starts_with("entity") && held.contains(*lease);
            // The read that does not end is held by whoever took it up.
            (left.iter().filter(stays).count() <= 1).then_some(())
        });
        let log = daemon.log_text();
        let complaint = log.lines().find(|line| line.contains("\"ERROR\"") || line.contains("given back"));
        assert_eq!(complaint, None);
    }

    fn wait_for_steady(&self) {
        let daemon = self.daemon.lock().unwrap();
        daemon.wait_for("what is not edited", |api| {
            let found = named(&api.get(COMPONENTS).json());
            (found.len() == STEADY_FILES * PER_FILE).then_some(())
        });
    }

    fn wait_for_catalog(&self, expected: &BTreeMap<String, String>) {
        let daemon = self.daemon.lock().unwrap();
        daemon.wait_for("all that was edited and nothing else", |api| {
            let mut found = named(&api.get(COMPONENTS).json());
            assert_has_steady(found.keys().cloned());
            found.retain(|name, _| !name.starts_with("steady"));
            (found == *expected).then_some(())
        });
    }
}

/// Names and descriptions of entities, of which there is one of each name.
fn named(entities: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut named = BTreeMap::new();
    for entity in entities.as_array().unwrap() {
        let metadata = &entity["metadata"];
        let before = named.insert(text(&metadata["name"]), text(&metadata["description"]));
        assert_eq!(before, None, "{metadata}");
    }
    named
}

/// Each of those that nobody touches is there once.
fn assert_has_steady(names: impl Iterator<Item = String>) {
    let mut found: Vec<_> = names.filter(|name| name.starts_with("steady")).collect();
    found.sort();
    let mut expected: Vec<_> = (0..STEADY_FILES * PER_FILE).map(steady).collect();
    expected.sort();
    assert_eq!(found, expected);
}

/// What goes on meanwhile, and how far it came.
#[derive(Default)]
struct Load {
    is_over: AtomicBool,
    edits: AtomicUsize,
    reads: AtomicUsize,
}

/// Ends the load, also when the test fails.
struct Over<'a>(&'a Load);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst)
    }

    fn wait_for_more(&self, when: &str) {
        let now = || (self.edits.load(Ordering::SeqCst), self.reads.load(Ordering::SeqCst));
        let (edits, reads) = now();
        wait_for(&format!("edits and reads {when}"), || {
            let (edits_now, reads_now) = now();
            // The edit that was under way then does not count.
            (edits_now > edits + 1 && reads_now > reads + READERS).then_some(())
        });
    }

    /// Changes all files that are to be edited, and waits until that is shown, again and again. Answers what is in them
    /// at the end.
    fn edit(&self, files: &Home, replicas: &[Replica]) -> BTreeMap<String, String> {
        let mut client = Client::new(replicas);
        let mut round = 0;
        let mut expected = BTreeMap::new();
        while self.goes_on() {
            expected.clear();
            for file in 0..EDITED_FILES {
                // One entity stays and changes, and one comes while another one goes.
                let entities = [format!("edited-{file}"), format!("edited-{file}-{round}")];
                let description = format!("in round {round}");
                let texts = entities.iter().map(|name| described_component(name, &description));
                files.write(&format!("edited-{file}.yaml"), documents(texts));
                expected.extend(entities.into_iter().map(|name| (name, description.clone())));
            }
            wait_for("the edit to be shown", || {
                let mut found = named(&client.get(COMPONENTS).json());
                found.retain(|name, _| name.starts_with("edited"));
                (found == expected).then_some(())
            });
            self.edits.fetch_add(1, Ordering::SeqCst);
            round += 1;
        }
        expected
    }

    /// Reads in all ways.
    fn read(&self, replicas: &[Replica]) {
        let mut client = Client::new(replicas);
        let mut number = 0;
        while self.goes_on() {
            let name = steady(number % (STEADY_FILES * PER_FILE));
            let entity = client.get(&format!("/api/catalog/entities/by-name/component/default/{name}"));
            assert_eq!(entity.json()["metadata"]["name"], *name);
            assert_has_steady(named(&client.get(COMPONENTS).json()).into_keys());
            assert_has_steady(client.walk().into_iter());
            self.reads.fetch_add(1, Ordering::SeqCst);
            number += 1;
        }
    }
}

/// Asks the replicas in turn, as a load balancer does, those that say that they are ready. Keeps its connections.
struct Client<'a> {
    replicas: &'a [Replica],
    next: usize,
    connections: Vec<Option<(SocketAddr, RawConnection)>>,
}

impl<'a> Client<'a> {
    fn new(replicas: &'a [Replica]) -> Self {
        Self { replicas, next: 0, connections: replicas.iter().map(|_| None).collect() }
    }

    /// The answer of the next replica that is ready.
    fn get(&mut self, path: &str) -> RawReply {
        wait_for("a replica that is ready", || {
            (0..REPLICAS).find_map(|_| {
                self.next = (self.next + 1) % REPLICAS;
                self.get_from(self.next, path)
            })
        })
    }

    /// Nothing if it is on its way out.
    fn get_from(&mut self, number: usize, path: &str) -> Option<RawReply> {
        if !self.is_ready(number) {
            return None;
        }
        let reply = self.ask(number, path);
        let is_leaving = self.replicas[number].is_leaving.load(Ordering::SeqCst);
        match reply {
            Ok(Some(reply)) if reply.status == 503 && is_leaving => None,
            Ok(Some(reply)) if reply.status == 200 => Some(reply),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && is_leaving => None,
            other => panic!("GET {path} of replica {number}: {other:?}"),
        }
    }

    /// Whether the replica says that it is ready. The server may have ended a connection that was kept.
    fn is_ready(&mut self, number: usize) -> bool {
        let kept = self.ask(number, READINESS);
        let reply = if matches!(kept, Ok(Some(_))) { kept } else { self.ask(number, READINESS) };
        matches!(reply, Ok(Some(reply)) if reply.status == 200)
    }

    /// On the connection that was kept, or else on a new one.
    fn ask(&mut self, number: usize, path: &str) -> io::Result<Option<RawReply>> {
        let address = *self.replicas[number].address.lock().unwrap();
        let mut connection = match self.connections[number].take() {
            Some((of, connection)) if of == address => connection,
            _ => RawConnection::try_open(address)?,
        };
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))?;
        let reply = connection.answer()?;
        if reply.as_ref().is_some_and(|reply| reply.header("connection") != Some("close")) {
            self.connections[number] = Some((address, connection));
        }
        Ok(reply)
    }

    /// All names, page by page, each of the pages from another replica.
    fn walk(&mut self) -> Vec<String> {
        let (mut names, mut path) = (Vec::new(), PAGES.to_owned());
        loop {
            let page = self.get(&path).json();
            let items = page["items"].as_array().unwrap();
            names.extend(items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["pageInfo"]["nextCursor"].as_str() else { return names };
            path = format!("/api/catalog/entities/by-query?limit=25&fields=metadata.name&cursor={cursor}");
        }
    }
}
