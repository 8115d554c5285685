//! The command line, as people and CI jobs meet it: what it prints, and with which code it ends.
#![cfg(test)]

use callboard_tests::descriptors::{component, location};
use callboard_tests::{Finished, Home};
use serde_json::Value;

#[test]
fn it_tells_its_version() {
    let finished = Home::new().run(&["--version"]);
    assert_eq!(finished.code, Some(0));
    assert_eq!(finished.stdout.trim(), concat!("callboard ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn its_help_names_every_command() {
    let finished = Home::new().run(&["--help"]);
    assert_eq!(finished.code, Some(0));
    for word in [
        "serve",
        "ingest",
        "validate",
        "doctor",
        "migrate",
        "processors",
        "config",
        "--config",
        "--log-format",
    ] {
        assert!(finished.stdout.contains(word), "no {word} in {}", finished.stdout);
    }
}

#[test]
fn an_unknown_command_is_refused_with_a_usage() {
    let finished = Home::new().run(&["perform"]);
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.contains("perform") && finished.stderr.contains("Usage"), "{}", finished.stderr);
}

#[test]
fn a_missing_configuration_is_named() {
    let finished = Home::new().run(&["serve", "--config", "nowhere.yaml"]);
    assert!(finished.code.is_some_and(|code| code != 0), "{finished:?}");
    assert!(finished.stderr.contains("nowhere.yaml"), "{}", finished.stderr);
}

#[test]
fn printing_the_configuration_shows_origins_and_hides_secrets() {
    let home = Home::new();
    home.write(
        "app-config.yaml",
        "catalog:\n  processingInterval: { minutes: 7 }\n\
         integrations:\n  github:\n    - host: github.com\n      token: ${FORGE_TOKEN}\n",
    );
    home.write("app-config.local.yaml", "catalog:\n  orphanStrategy: keep\n");
    let mut command = home.command(&["config", "print"]);
    command.env("FORGE_TOKEN", "open-sesame").env("APP_CONFIG_catalog_readonly", "true");
    let output = command.output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stderr}");
    assert!(!stdout.contains("open-sesame") && !stderr.contains("open-sesame"), "{stdout}{stderr}");
    for (key, origin) in [
        ("catalog.processingInterval.minutes: 7", "app-config.yaml:2"),
        ("integrations.github[0].token: ", "app-config.yaml:6"),
        ("catalog.orphanStrategy: keep", "app-config.local.yaml:2"),
        ("catalog.readonly: true", "APP_CONFIG_catalog_readonly"),
    ] {
        let line =
            stdout.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key} in {stdout}"));
        assert!(line.contains(origin), "{origin} in {line}");
    }
}

#[test]
fn checking_the_configuration_finds_misspelt_keys_with_their_place() {
    let home = Home::new();
    home.write("app-config.yaml", "app:\n  title: mine\ncatalog:\n  locatoins: []\n  rules: []\n");
    let finished = home.run(&["config", "check"]);
    assert_eq!(finished.code, Some(0), "a warning is no error: {finished:?}");
    let place = finished.stdout.lines().find(|line| line.contains("app-config.yaml:4"));
    assert!(
        place.is_some_and(|line| line.contains("locatoins") && line.contains("locations")),
        "{finished:?}"
    );
    assert_eq!(finished.stdout.lines().count(), 1, "{finished:?}");
}

#[test]
fn checking_the_configuration_finds_what_the_daemon_refuses_with_its_place() {
    let home = Home::new();
    let text = "backend:\n  database: { client: mysql2 }\nintegrations:\n  github:\n    - { host: 'a b', token: open-sesame }\n";
    home.write("app-config.yaml", text);
    let finished = home.run(&["config", "check"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for (place, key) in [("app-config.yaml:2", "'backend.database.client'"), ("app-config.yaml:5", "'a b'")] {
        let is_found = |line: &str| line.contains(place) && line.contains(key) && line.contains("error");
        assert!(finished.stdout.lines().any(is_found), "{place} {key} in {finished:?}");
    }
    let printed = home.run(&["config", "print"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert!(printed.stdout.contains("host: a b") && !printed.stdout.contains("open-sesame"), "{printed:?}");
    let served = home.run(&["serve"]);
    assert_eq!(served.code, Some(1), "{served:?}");
}

#[test]
fn a_key_that_is_refused_as_such_is_told_once() {
    let home = Home::new();
    home.write(
        "app-config.yaml",
        "integrations:\n  azure:\n    - host: dev.azure.com\n      token: some-token\n",
    );
    let finished = home.run(&["config", "check"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert_eq!(finished.stdout.lines().count(), 1, "{finished:?}");
    assert!(finished.stdout.contains("app-config.yaml:4:7: error: "), "{finished:?}");
    assert!(finished.stdout.contains("use 'credentials' instead"), "{finished:?}");
}

#[test]
fn what_is_wrong_at_start_is_told_without_secrets() {
    let home = Home::new();
    let forge = |url: &str| {
        format!("integrations:\n  github:\n    - {{ host: git.example.com, apiBaseUrl: '{url}' }}\n")
    };
    for (config, told) in [
        (forge("https://u:open-sesame@git.example.com:99999"), "'https://u:***@git.example.com:99999'"),
        (forge("//u:open-sesame@git.example.com"), "'//u:***@git.example.com'"),
        ("backend:\n  listen: https://u:open-sesame@example.com\n".to_owned(), "https://u:***@example.com"),
    ] {
        home.write("app-config.yaml", config);
        let finished = home.run(&["serve"]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains(told) && !finished.output().contains("open-sesame"), "{finished:?}");
    }
}

#[test]
fn checking_the_configuration_of_the_tests_finds_nothing() {
    let home = Home::new();
    home.configure(&home.config());
    let finished = home.run(&["config", "check", "--format", "json"]);
    assert_eq!((finished.code, finished.stdout.trim()), (Some(0), "[]"), "{finished:?}");
}

#[test]
fn processors_are_listed_in_the_order_of_backstage() {
    let finished = Home::new().run(&["processors", "--format", "json"]);
    let names = json(&finished)
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect::<Vec<_>>();
    let expected = [
        "FileReaderProcessor",
        "url-reader",
        "AnnotateLocationEntityProcessor",
        "PlaceholderProcessor",
        "BuiltinKindsEntityProcessor",
    ];
    let mut positions = Vec::new();
    for name in expected {
        positions
            .push(names.iter().position(|it| it == name).unwrap_or_else(|| panic!("{name} in {names:?}")));
    }
    assert!(positions[3] < positions[4], "placeholders come before kinds: {names:?}");
}

#[test]
fn a_good_file_is_valid() {
    let home = Home::new();
    home.write("catalog-info.yaml", component("good"));
    for target in ["catalog-info.yaml", "."] {
        let finished = home.run(&["validate", target]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
}

#[test]
fn a_bad_file_is_invalid_with_line_and_rule() {
    let home = Home::new();
    let path = home.write("bad.yaml", component("good") + "---\n" + &component("not good"));
    let finished = home.run(&["validate", "--format", "json", "bad.yaml"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let report = json(&finished);
    assert_eq!(report["valid"], false);
    let file = &report["files"][0];
    assert_eq!(file["errors"].as_array().unwrap().len(), 1, "{report}");
    let error = &file["errors"][0];
    assert_eq!(error["file"], path.canonicalize().unwrap().display().to_string());
    assert_eq!(error["line"], 14, "{error}");
    assert_eq!(error["pointer"], "/metadata/name");
    assert!(error["message"].as_str().unwrap().contains("\"metadata.name\" is not valid"), "{error}");
    let text = home.run(&["validate", "bad.yaml"]);
    assert_eq!(text.code, Some(1));
    assert!(text.stdout.contains("bad.yaml:14"), "{}", text.stdout);
}

#[test]
fn validation_follows_locations() {
    let home = Home::new();
    home.write("all.yaml", location("all", &["./a.yaml", "./gone.yaml"]));
    home.write("a.yaml", component("a"));
    let finished = home.run(&["validate", "all.yaml"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stdout.contains("gone.yaml"), "{finished:?}");
}

#[test]
fn a_missing_file_is_an_error() {
    let finished = Home::new().run(&["validate", "gone.yaml"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.output().contains("gone.yaml"), "{finished:?}");
}

#[test]
fn ingesting_once_counts_what_came_in() {
    let home = Home::new();
    home.write("all.yaml", location("all", &["./a.yaml", "./b.yaml"]));
    home.write("a.yaml", component("a"));
    home.write("b.yaml", component("b"));
    home.configure(&home.config().location("file", "all.yaml"));
    let finished = home.run(&["ingest", "--once", "--format", "json"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary = json(&finished);
    assert_eq!(summary["entities"], serde_json::json!({ "component": 2, "location": 2 }), "{summary}");
    assert_eq!(summary["errors"], 0);
    // What it left is what a daemon goes on with.
    let daemon = home.restart();
    assert!(daemon.api().entity("component:default/b").is_some());
}

#[test]
fn ingesting_once_with_errors_shows_them_and_fails() {
    let home = Home::new();
    home.write("good.yaml", component("good"));
    home.write("bad.yaml", "kind: [\n");
    home.configure(&home.config().location("file", "good.yaml").location("file", "bad.yaml"));
    let finished = home.run(&["ingest", "--once"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let row = finished.stdout.lines().find(|line| line.contains("bad.yaml"));
    assert!(row.is_some_and(|row| row.contains("bad.yaml:2")), "{}", finished.stdout);
    assert!(finished.stdout.contains("component"), "{}", finished.stdout);
}

fn json(finished: &Finished) -> Value {
    assert!(!finished.stdout.is_empty(), "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}
