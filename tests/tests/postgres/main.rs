//! Daemons on a PostgreSQL server: one that comes later, goes away, or does not let them in; and several on one database.
#![cfg(test)]

mod encryption;
mod forwarder;

use callboard_store::suite::cluster::Cluster;
use callboard_tests::descriptors::component;
use callboard_tests::{AppConfig, Daemon, Home, store};
use forwarder::Forwarder;
use serde_json::json;

/// The message is told when an outage begins.
const OUTAGE: &str = "trying again until the database takes it";

fn config(url: &str) -> AppConfig {
    AppConfig::new(&store::at_url(url))
}

/// A database that is reached by way of a port, which can be closed.
fn behind(forwarder: &Forwarder, cluster: &Cluster) -> String {
    let url = store::new_postgres_url(cluster);
    let (start, database) = url.rsplit_once('/').unwrap();
    let user = start.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map(|(user, _)| user);
    format!("postgres://{}@{}/{database}", user.unwrap(), forwarder.address())
}

/// Whether the daemon says that it is ready.
fn is_ready(daemon: &Daemon) -> bool {
    let reply = daemon.api().try_get("/.backstage/health/v1/readiness");
    reply.is_some_and(|reply| reply.status == 200)
}

#[test]
fn a_server_that_starts_later_is_waited_for() {
    let Some(cluster) = store::postgres() else { return };
    let (home, Some(mut forwarder)) = (Home::new(), Forwarder::new(cluster)) else { return };
    home.write("a.yaml", component("a"));
    home.configure(&config(&behind(&forwarder, cluster)).location("file", "a.yaml"));
    let daemon = home.spawn();
    let waiting = "the database is not available yet; waiting for it";
    callboard_tests::wait_for("the daemon to wait", || daemon.log_text().contains(waiting).then_some(()));
    assert!(daemon.is_running());
    forwarder.open();
    daemon.wait_until_ready();
    daemon.wait_for("the entity", |api| api.entity("component:default/a"));
    assert_eq!(daemon.log_text().matches(waiting).count(), 1);
    assert!(daemon.log_text().contains("the database is available"));
}

#[test]
fn a_server_that_goes_away_is_waited_for_and_nothing_is_lost() {
    let Some(cluster) = store::postgres() else { return };
    let (home, Some(mut forwarder)) = (Home::new(), Forwarder::new(cluster)) else { return };
    forwarder.open();
    home.write("a.yaml", component("a"));
    let daemon = home.start(&config(&behind(&forwarder, cluster)).location("file", "a.yaml"));
    daemon.wait_for("the entity", |api| api.entity("component:default/a"));
    forwarder.close();
    callboard_tests::wait_for("the outage", || daemon.log_text().contains(OUTAGE).then_some(()));
    home.write("a.yaml", component("a") + "---\n" + &component("b"));
    // What it knows, it still answers.
    assert!(is_ready(&daemon));
    let path = "/api/catalog/entities/by-query?filter=kind=component&fields=metadata.name";
    let counted = daemon.api().try_get(path).map(|reply| reply.status);
    assert!(matches!(counted, Some(200 | 503)), "{counted:?}");
    forwarder.open();
    daemon.wait_for("the new entity", |api| api.entity("component:default/b"));
    assert!(is_ready(&daemon));
    assert!(daemon.log_text().contains("the database answers again"));
}

#[test]
fn a_server_that_refuses_is_told_by_key_and_without_the_password() {
    let Some(cluster) = store::postgres() else { return };
    let home = Home::new();
    let url = store::new_postgres_url(cluster);
    let stranger = url.replace("callboard@", "stranger:hidden-pw@");
    let not_created = config(&url).set("backend.database.ensureExists", json!(false));
    let table = [
        (not_created, ["there is no such database", "'backend.database.ensureExists: true'"]),
        (config(&stranger), ["does not let the user in", "'backend.database.connection'"]),
        (
            config(&url.replace("sslmode=disable", "sslmode=verify-full")),
            ["cannot be encrypted", "'ssl: false'"],
        ),
    ];
    for (config, expected) in table {
        home.configure(&config);
        let finished = home.run(&["serve", "--config", "app-config.yaml", "--log-format", "json"]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        for text in expected {
            assert!(finished.output().contains(text), "{text}: {finished:?}");
        }
        assert!(!finished.output().contains("hidden-pw"), "{finished:?}");
        let printed = home.run(&["config", "print", "--config", "app-config.yaml"]);
        assert!(!printed.output().contains("hidden-pw"), "{printed:?}");
    }
}

#[test]
fn a_replica_that_only_serves_takes_changes_which_others_process() {
    let Some(cluster) = store::postgres() else { return };
    let (working, serving) = (Home::new(), Home::new());
    let target = working.write("a.yaml", component("a"));
    let url = store::new_postgres_url(cluster);
    let rules = json!([{ "allow": ["Component", "Location"] }]);
    let config = config(&url).set("catalog.rules", rules);
    let only_serving = config.clone().set("catalog.processingInterval", json!(false));
    // On its own it hands over nothing and processes nothing, and its configured location is not in the catalog.
    let replica = serving.start(&only_serving.clone().location("file", target.display()));
    assert_eq!(replica.api().entities(), Vec::<serde_json::Value>::new());
    let worker = working.start(&config.location("file", target.display()));
    worker.wait_for("the entity", |api| api.entity("component:default/a"));
    let entity = replica.wait_for("the entity", |api| api.entity("component:default/a"));
    // Nor does one with other rules that starts later stand in the way of those that work.
    let later = Home::new();
    let later = later.start(&only_serving.set("catalog.rules", json!([{ "allow": ["Component", "API"] }])));
    assert!(later.api().entity("component:default/a").is_some());
    // What it deletes is gone for whoever asks it next, and the others bring it back.
    let uid = entity["metadata"]["uid"].as_str().unwrap().to_owned();
    assert_eq!(replica.api().delete(&format!("/api/catalog/entities/by-uid/{uid}")).status, 204);
    let is_old = |entity: serde_json::Value| entity["metadata"]["uid"] == uid.as_str();
    assert!(!replica.api().entity("component:default/a").is_some_and(is_old));
    replica.wait_for("the entity once more", |api| api.entity("component:default/a"));
    let log = replica.log_text();
    assert!(log.contains("this process serves the API and processes nothing"), "{log}");
    assert!(!log.contains("configured locations handed over"), "{log}");
}

#[test]
fn a_daemon_that_a_newer_program_shuts_out_ends_and_says_why() {
    let Some(cluster) = store::postgres() else { return };
    let home = Home::new();
    home.write("a.yaml", component("a"));
    let database = store::at_url(&store::new_postgres_url(cluster));
    let daemon = home.start(&AppConfig::new(&database).location("file", "a.yaml"));
    daemon.wait_for("the entity", |api| api.entity("component:default/a"));
    store::make_newer(&database, 99, 1);
    // It may go on with these tables, and not with those.
    store::make_newer(&database, 100, 50);
    assert_eq!(daemon.wait_for_end(), Some(1));
    let log = daemon.log_text();
    assert!(
        log.contains("a newer version of this program migrated the database to schema version 100"),
        "{log}"
    );
    let finished = home.run(&["serve", "--config", "app-config.yaml"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
}

#[test]
fn of_daemons_that_process_differently_the_one_that_started_last_does_the_work() {
    let Some(cluster) = store::postgres() else { return };
    let files = Home::new();
    let target = files.write("a.yaml", component("a"));
    let config = config(&store::new_postgres_url(cluster))
        .set("catalog.processingInterval", json!({ "seconds": 1 }))
        .location("file", target.display());
    let allowing = |kinds: &[&str]| config.clone().set("catalog.rules", json!([{ "allow": kinds }]));
    let (old, new) = (allowing(&["Component", "Location"]), allowing(&["Component", "Location", "API"]));
    let is_superseded = |daemon: &Daemon, superseded: &str| {
        let line = format!("callboard_processing_superseded {superseded}\n");
        daemon.wait_for("the processors in force", |api| {
            api.get("/metrics").body.contains(&line).then_some(())
        });
    };
    let homes = [Home::new(), Home::new(), Home::new()];
    let first = homes[0].start(&old);
    is_superseded(&first, "0");
    let second = homes[1].start(&new);
    is_superseded(&first, "1");
    files.write("a.yaml", component("a") + "---\n" + &component("b"));
    first.wait_for("what the second one processed", |api| api.entity("component:default/b"));
    assert!(is_ready(&first));
    is_superseded(&second, "0");
    drop(second);
    // As when the upgrade is undone.
    let third = homes[2].start(&old);
    is_superseded(&first, "0");
    is_superseded(&third, "0");
    let log = first.log_text();
    assert_eq!(log.matches("another process started with other processors").count(), 1, "{log}");
    assert_eq!(log.matches("the processors of this process are in force again").count(), 1, "{log}");
}
