//! Entities whose descriptions move: to another file, to another entity's file, to another spelling. Clients remember
//! uids and links, so none of it may look like an end and a new beginning.
#![cfg(test)]

use std::fs;

use callboard_tests::descriptors::{component, described_component, location};
use callboard_tests::{Api, Daemon, Home, Upstream, settled_snapshot};
use serde_json::Value;

const ENTITY: &str = "component:default/a";

const SOURCE: &str = "backstage.io/managed-by-location";

fn source(entity: &Value) -> &str {
    entity["metadata"]["annotations"][SOURCE].as_str().unwrap()
}

fn source_of(api: &Api, entity_ref: &str) -> Option<String> {
    Some(source(&api.entity(entity_ref)?).to_owned())
}

/// Waits until the entity comes from `place`. It has to be there with its uid all the time.
fn stays_until_it_comes_from(daemon: &Daemon, uid: &Value, place: &str) {
    daemon.wait_for(place, |api| {
        let entity = api.entity(ENTITY).expect("the entity was gone for a moment");
        assert_eq!(&entity["metadata"]["uid"], uid, "{place}");
        (source(&entity) == place).then_some(())
    });
}

#[test]
fn a_file_renamed_below_a_glob_keeps_its_entity() {
    let home = Home::new();
    for (file, name) in [("catalog/one.yaml", "a"), ("catalog/other.yaml", "b")] {
        home.write(file, component(name));
    }
    fs::create_dir(home.path().join("catalog/sub")).unwrap();
    let daemon = home.start(&home.config().location("file", "catalog/**/*.yaml"));
    let uid = daemon.wait_for("the entity", |api| Some(api.entity(ENTITY)?["metadata"]["uid"].clone()));
    // One name sorts before the other file's, one behind it, and one lies in another folder.
    let mut before = home.path().join("catalog/one.yaml");
    for name in ["catalog/zzz.yaml", "catalog/aaa.yaml", "catalog/sub/one.yaml", "catalog/one.yaml"] {
        let path = home.path().join(name);
        fs::rename(&before, &path).unwrap();
        stays_until_it_comes_from(&daemon, &uid, &format!("file:{}", path.display()));
        before = path;
    }
    // A rename together with a change is still the same entity.
    let path = home.write("catalog/new.yaml", described_component("a", "renamed and changed"));
    fs::remove_file(&before).unwrap();
    stays_until_it_comes_from(&daemon, &uid, &format!("file:{}", path.display()));
    daemon.wait_for("no errors", |api| api.errors().is_empty().then_some(()));
    assert_eq!(settled_snapshot(&daemon)[ENTITY]["metadata"]["description"], "renamed and changed");
    let entity = daemon.api().entity(ENTITY).unwrap();
    assert_eq!(entity["metadata"]["uid"], uid);
}

#[test]
fn a_target_renamed_within_a_location_keeps_its_entity() {
    let (home, upstream) = (Home::new(), Upstream::new());
    upstream.put("one.yaml", component("a"));
    upstream.put("all.yaml", location("all", &["./one.yaml"]));
    let daemon = home.start(&home.config().allow(&upstream).location("url", upstream.url("all.yaml")));
    let uid = daemon.wait_for("the entity", |api| Some(api.entity(ENTITY)?["metadata"]["uid"].clone()));
    upstream.put("two.yaml", component("a"));
    upstream.put("one.yaml", callboard_tests::Answer::Status(404));
    upstream.put("all.yaml", location("all", &["./two.yaml"]));
    stays_until_it_comes_from(&daemon, &uid, &format!("url:{}", upstream.url("two.yaml")));
    daemon.wait_for("no errors", |api| api.errors().is_empty().then_some(()));
}

/// Two entities in two files of the configuration, and then the other way round, several times.
fn swap_entities(orphan_strategy: &str) {
    let home = Home::new();
    let paths = ["x.yaml", "y.yaml"].map(|file| home.path().join(file));
    let names = ["a", "b"];
    let write = |round: usize| {
        for (number, name) in names.into_iter().enumerate() {
            let file = &paths[(number + round) % 2];
            home.write(file.to_str().unwrap(), described_component(name, &format!("round {round}")));
        }
    };
    write(0);
    let config = home.config().set("catalog.orphanStrategy", orphan_strategy.into());
    let daemon = home.start(&config.location("file", "x.yaml").location("file", "y.yaml"));
    for round in 0..4 {
        if round > 0 {
            write(round);
        }
        for (number, name) in names.into_iter().enumerate() {
            let place = format!("file:{}", paths[(number + round) % 2].display());
            let entity_ref = format!("component:default/{name}");
            daemon.wait_for(&format!("{name} of {place}"), |api| {
                (source_of(api, &entity_ref)? == place).then_some(())
            });
        }
        daemon.wait_for("no errors", |api| api.errors().is_empty().then_some(()));
    }
    let catalog = settled_snapshot(&daemon);
    assert_eq!(daemon.api().errors(), [Value::Null; 0]);
    // The two and the Locations of the configuration.
    assert_eq!(catalog.len(), 4, "{:?}", catalog.keys());
    for name in names {
        let metadata = &catalog[&format!("component:default/{name}")]["metadata"];
        assert_eq!(metadata["description"], "round 3", "{metadata}");
        assert!(metadata["annotations"].get("backstage.io/orphan").is_none(), "{metadata}");
    }
}

#[test]
fn two_files_that_swap_their_entities_come_to_rest() {
    swap_entities("delete");
}

#[test]
fn two_files_that_swap_their_entities_come_to_rest_where_orphans_are_kept() {
    swap_entities("keep");
}
