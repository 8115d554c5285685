//! Starting, stopping, and changes of the configuration and of files while the daemon runs.
#![cfg(test)]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use callboard_tests::descriptors::{component, described_component, generated_ref};
use callboard_tests::{Api, Daemon, Home, Upstream, settled_snapshot, wait_for};
use serde_json::{Value, json};

#[test]
fn a_second_daemon_on_the_same_database_is_refused() {
    let home = Home::new();
    // Of PostgreSQL any number of daemons may share one.
    let database = json!({ "client": "sqlite", "connection": home.path().join("callboard.sqlite") });
    let first = home.start(&home.config().set("backend.database", database));
    let second = home.spawn();
    let code = second.wait_for_end();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    let log = second.log_text();
    assert!(log.contains("callboard.sqlite"), "the message does not name the database: {log}");
    let names_the_reason =
        ["lock", "in use", "another", "other process"].iter().any(|word| log.contains(word));
    assert!(names_the_reason, "the message does not say why: {log}");
    assert!(first.is_running());
}

#[test]
fn a_port_that_is_taken_is_told_before_anything_is_touched() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let home = Home::new();
    home.configure(&home.config().set("backend.listen.port", port.into()));
    let daemon = home.spawn();
    let code = daemon.wait_for_end();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    assert!(daemon.log_text().contains(&port.to_string()), "{}", daemon.log_text());
    assert!(!home.path().join("callboard.sqlite").exists());
}

#[test]
fn the_database_is_free_after_a_crash() {
    let home = Home::new();
    let first = home.start(&home.config());
    first.crash();
    assert!(home.restart().is_running());
}

#[test]
fn a_request_to_terminate_ends_the_daemon_well() {
    let home = Home::new();
    home.write("a.yaml", component("a"));
    let config = home.config().location("file", "a.yaml");
    let daemon = home.start(&config);
    wait_for_component(&daemon, "a");
    daemon.terminate();
    assert_eq!(daemon.wait_for_end(), Some(0));
    // It left nothing behind that a next one would trip over, and what it knew is there at once.
    let next = home.restart();
    assert!(next.api().entity("component:default/a").is_some());
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let (home, upstream) = (Home::new(), Upstream::new());
    upstream.put("slow.yaml", callboard_tests::Answer::Drip);
    // A dry run that waits for its upstream is a request that takes its time.
    let daemon = home.start(&home.config().allow(&upstream).set("callboard.reading.totalTime", "2s".into()));
    let mut stream = TcpStream::connect(daemon.api().address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let body = format!("{{\"type\":\"url\",\"target\":\"{}\"}}", upstream.url("slow.yaml"));
    let head = format!(
        "POST /api/catalog/locations?dryRun=true HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    wait_for("the dry run to read", || (upstream.count("slow.yaml", 200) > 0).then_some(()));
    daemon.terminate();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(daemon.wait_for_end(), Some(0));
}

#[test]
fn what_is_asked_before_the_server_closes_is_answered_out_of_the_store() {
    let home = Home::new();
    home.write("a.yaml", component("a"));
    let delay = "backend.lifecycle.serverShutdownDelay";
    let config = home.config().location("file", "a.yaml").set(delay, "2s".into());
    let daemon = home.start(&config.set("callboard.api.entityCacheBytes", 0.into()));
    wait_for_component(&daemon, "a");
    daemon.terminate();
    let mut answered = 0;
    while let Some(reply) = daemon.api().try_get("/api/catalog/entities/by-name/component/default/a") {
        let is_closing = reply.status == 503;
        assert!(reply.status == 200 || is_closing, "{reply:?}");
        answered += usize::from(!is_closing);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(answered > 0);
    assert_eq!(daemon.wait_for_end(), Some(0));
    assert!(!daemon.log_text().contains("cannot follow the change log"), "{}", daemon.log_text());
}

#[test]
fn reads_under_way_do_not_keep_the_daemon_from_ending() {
    let (home, upstream) = (Home::new(), Upstream::new());
    upstream.put("silent.yaml", callboard_tests::Answer::Silence);
    let daemon = home.start(&home.config().allow(&upstream).location("url", upstream.url("silent.yaml")));
    wait_for("the daemon to read", || (upstream.count("silent.yaml", 200) > 0).then_some(()));
    daemon.terminate();
    assert_eq!(daemon.wait_for_end(), Some(0));
}

#[test]
fn a_location_added_to_the_configuration_is_read_without_a_restart() {
    let home = Home::new();
    for name in ["a", "b"] {
        home.write(&format!("{name}.yaml"), component(name));
    }
    let config = home.config().location("file", "a.yaml");
    let daemon = home.start(&config);
    wait_for_component(&daemon, "a");
    home.configure(&config.clone().location("file", "b.yaml"));
    wait_for_component(&daemon, "b");
    home.configure(&config);
    daemon.wait_for("b to be gone again", |api| api.entity("component:default/b").is_none().then_some(()));
    assert!(daemon.api().entity("component:default/a").is_some());
}

#[test]
fn a_registered_location_comes_and_goes_with_its_registration() {
    let (home, upstream) = (Home::new(), Upstream::new());
    upstream.put("a.yaml", component("a"));
    let daemon = home.start(&home.config().allow(&upstream));
    let body = json!({ "type": "url", "target": upstream.url("a.yaml") });
    let reply = daemon.api().post("/api/catalog/locations", &body);
    assert_eq!(reply.status, 201, "{reply:?}");
    wait_for_component(&daemon, "a");
    assert_eq!(daemon.api().post("/api/catalog/locations", &body).status, 409);
    let id = reply.json()["location"]["id"].as_str().unwrap().to_owned();
    assert_eq!(daemon.api().delete(&format!("/api/catalog/locations/{id}")).status, 204);
    daemon.wait_for("the catalog to be empty", |api| api.entities().is_empty().then_some(()));
}

#[test]
fn a_dry_run_shows_what_would_come_and_keeps_none_of_it() {
    let (home, upstream) = (Home::new(), Upstream::new());
    upstream.put("a.yaml", component("a"));
    let daemon = home.start(&home.config().allow(&upstream));
    let target = upstream.url("a.yaml");
    let body = json!({ "type": "url", "target": target });
    let dry_run = || {
        let reply = daemon.api().post("/api/catalog/locations?dryRun=true", &body);
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()
    };
    let written = || daemon.api().metrics().sum("callboard_store_rows_written_total");
    let before = written();
    let shown = dry_run();
    assert_eq!(written(), before);
    let location = &shown["location"];
    assert_eq!(shown["exists"], false);
    assert_eq!(
        (&location["id"], &location["type"], &location["target"]),
        (&json!(format!("url:{target}")), &json!("url"), &json!(target))
    );
    let mut names: Vec<_> =
        shown["entities"].as_array().unwrap().iter().map(|entity| &entity["metadata"]["name"]).collect();
    names.sort_by_key(|name| name.as_str());
    let generated = generated_ref("url", &target).replace("location:default/", "");
    assert_eq!(names, [&json!("a"), &json!(generated)]);
    let registered = || daemon.api().get("/api/catalog/locations").json();
    assert_eq!(registered(), json!([]));
    assert_eq!((daemon.api().entities(), daemon.api().errors()), (Vec::new(), Vec::new()));

    assert_eq!(daemon.api().post("/api/catalog/locations", &body).status, 201);
    wait_for_component(&daemon, "a");
    let before = (registered(), settled_snapshot(&daemon));
    assert_eq!(dry_run()["exists"], true);
    assert_eq!((registered(), settled_snapshot(&daemon)), before);
}

#[test]
fn each_step_of_an_entity_can_be_followed_in_the_log() {
    let home = Home::new();
    let entity = |kind: &str, name: &str, spec: &str| {
        format!(
            "apiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec: {{ {spec} }}\n"
        )
    };
    home.write("group.yaml", entity("Group", "g", "type: team, children: [], members: [u]"));
    home.write("user.yaml", entity("User", "u", "memberOf: [g]"));
    let config = home.config().location("file", "group.yaml");
    home.configure(&config);
    let arguments = ["serve", "--config", "app-config.yaml", "--log-format", "json", "--log-level", "debug"];
    let daemon = Daemon::spawn(&mut home.command(&arguments), &home.next_log());
    daemon.wait_until_ready();
    let wait_for_line = |line: &str| {
        daemon.wait_for(line, |_| daemon.log_text().contains(&format!("{line}\"")).then_some(()));
    };
    daemon.wait_for("the group", |api| api.entity("group:default/g"));
    wait_for_line("Processing group:default/g");
    wait_for_line("Stitching group:default/g");
    // The user says once more what the group said already.
    home.configure(&config.location("file", "user.yaml"));
    wait_for_line("Stitching user:default/u");
    wait_for_line("Skipped stitching of group:default/g, no changes");
}

#[test]
fn a_broken_configuration_changes_nothing() {
    let home = Home::new();
    for name in ["a", "b"] {
        home.write(&format!("{name}.yaml"), component(name));
    }
    let config = home.config().location("file", "a.yaml");
    let daemon = home.start(&config);
    wait_for_component(&daemon, "a");
    let before = settled_snapshot(&daemon);
    let complaints = || {
        let log = daemon.log_text();
        log.lines().filter(|line| line.contains("app-config.yaml") && is_complaint(line)).count()
    };
    let no_list = "catalog:\n  locations: { type: file, target: b.yaml }\n";
    for (number, broken) in ["catalog:\n  locations: [\n", no_list, ""].into_iter().enumerate() {
        home.write("app-config.yaml", broken);
        daemon.wait_for("the daemon to say that the configuration is broken", |_| {
            (complaints() > number).then_some(())
        });
        assert_eq!(settled_snapshot(&daemon), before, "{broken}");
    }
    home.configure(&config.location("file", "b.yaml"));
    wait_for_component(&daemon, "b");
}

#[test]
fn a_configuration_file_that_cannot_be_read_to_its_end_holds_up_nothing() {
    let home = Home::new();
    home.write("a.yaml", component("a"));
    home.write("token.txt", "some-token");
    let config = home
        .config()
        .set("integrations.github", json!([{ "host": "github.com", "token": { "$file": "token.txt" } }]));
    let daemon = home.start(&config);
    let (pipe, place) = (home.path().join("pipe"), home.path().join("token.txt"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::rename(&pipe, &place).unwrap();
    // Opening comes to its end once the daemon reads; there is never anything to read.
    let writer = fs::File::options().write(true).open(&place).unwrap();
    let body = json!({ "type": "url", "target": "https://example.com/a.yaml" });
    assert_eq!(daemon.api().post("/api/catalog/locations", &body).status, 201);
    daemon.terminate();
    assert_eq!(daemon.wait_for_end(), Some(0));
    drop(writer);
}

#[test]
fn an_error_in_a_file_is_shown_until_it_is_repaired() {
    let home = Home::new();
    let path = home.write("a.yaml", component("a"));
    let daemon = home.start(&home.config().location("file", "a.yaml"));
    wait_for_component(&daemon, "a");

    home.write("a.yaml", component("a").replace("  name: a", "  name: [a"));
    let error = daemon.wait_for("the error", |api| api.error_at("a.yaml"));
    assert_eq!(error["location"], format!("file:{}", path.display()), "{error}");
    assert!(error["line"].as_u64().is_some_and(|line| (3..=9).contains(&line)), "{error}");
    assert!(daemon.api().entity("component:default/a").is_some(), "the last good state is gone");

    home.write("a.yaml", described_component("a", "repaired"));
    daemon.wait_for("the repaired entity", |api| {
        let entity = api.entity("component:default/a")?;
        (entity["metadata"]["description"] == "repaired").then_some(())
    });
    daemon.wait_for("the error to be gone", |api| api.errors().is_empty().then_some(()));
}

#[test]
fn an_entity_that_breaks_a_rule_keeps_its_last_good_state_and_says_so() {
    let home = Home::new();
    home.write("a.yaml", component("a"));
    let daemon = home.start(&home.config().location("file", "a.yaml"));
    wait_for_component(&daemon, "a");
    home.write("a.yaml", component("a").replace("  owner: team-a\n", ""));
    let entity = daemon.wait_for("the status of the entity", |api| {
        let entity = api.entity("component:default/a")?;
        entity["status"]["items"].is_array().then_some(entity)
    });
    assert_eq!(entity["spec"]["owner"], Value::from("team-a"));
    let item = &entity["status"]["items"][0];
    assert_eq!((&item["type"], &item["level"]), (&"backstage.io/catalog-processing".into(), &"error".into()));
    let errors = daemon.api().errors();
    assert_eq!(errors[0]["entityRef"], "component:default/a", "{errors:?}");
}

#[test]
fn two_files_with_one_entity_are_a_conflict_until_one_lets_go() {
    let home = Home::new();
    let described = |text: &str| described_component("shared", text);
    home.write("first.yaml", described("first"));
    let config = home.config().location("file", "first.yaml");
    let daemon = home.start(&config);
    wait_for_component(&daemon, "shared");
    home.write("second.yaml", described("second"));
    home.configure(&config.location("file", "second.yaml"));
    let conflict = daemon.wait_for("the conflict", |api| {
        api.errors().into_iter().find(|error| error["category"] == "conflict")
    });
    let text = conflict.to_string();
    assert!(text.contains("first.yaml") && text.contains("second.yaml"), "{text}");
    let path = |name: &str| home.path().join(name).display().to_string();
    let line = format!(
        "Detected conflicting entityRef component:default/shared already referenced by file:{} and now also file:{}",
        path("first.yaml"),
        path("second.yaml")
    );
    daemon.wait_for("the conflict in the log", |_| daemon.log_text().contains(&line).then_some(()));
    let description =
        |api: &Api| Some(api.entity("component:default/shared")?["metadata"]["description"].clone());
    assert_eq!(description(daemon.api()).unwrap(), "first");

    home.write("first.yaml", component("other"));
    daemon.wait_for("the second file to take over", |api| (description(api)? == "second").then_some(()));
    daemon.wait_for("the conflict to be over", |api| api.errors().is_empty().then_some(()));
    wait_for_component(&daemon, "other");
}

fn wait_for_component(daemon: &Daemon, name: &str) {
    daemon.wait_for(name, |api| api.entity(&format!("component:default/{name}")));
}

/// Whether a line of the log is a warning or an error.
fn is_complaint(line: &str) -> bool {
    let line = line.to_lowercase();
    line.contains("warn") || line.contains("error")
}
