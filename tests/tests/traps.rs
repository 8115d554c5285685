//! What catalogs lost, doubled or stood still over for users of the reference system, as far as only a whole daemon
//! shows it. Rules of the store are in `callboard_store::suite::traps`. Where people told of it, the thread is named.
#![cfg(test)]

use std::thread;

use callboard_tests::descriptors::{component, documents};
use callboard_tests::{Api, Daemon, Home, settled_snapshot};
use serde_json::{Value, json};

/// A restitch storm with 50,000 of them is the same at this size, if stitches are counted.
const MEMBERS: usize = 2_000;
const MEMBERS_PER_FILE: usize = 200;

const STITCHED: &str = "catalog_stitched_entities_count";
const ROWS_WRITTEN: &str = "callboard_store_rows_written_total";

fn member(number: usize, title: &str, group: &str) -> String {
    format!(
        "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata:\n  name: u{number:04}\n  title: {title}\nspec:\n  \
         memberOf: [{group}]\n"
    )
}

/// Writes the file of the first members, of whom the first one is this.
fn write_first_members(home: &Home, first: String) {
    let others = (1..MEMBERS_PER_FILE).map(|number| member(number, "x", "all"));
    home.write("users/00.yaml", documents([first].into_iter().chain(others)));
}

fn members(api: &Api) -> Option<usize> {
    let group = api.entity("group:default/all")?;
    let relations = group["relations"].as_array()?;
    Some(relations.iter().filter(|relation| relation["type"] == "hasMember").count())
}

fn changed(api: &Api) -> u64 {
    api.metrics().labelled(STITCHED, "result", "changed")
}

/// A group was assembled again for each of its members, for hours (backstage#27628).
#[test]
fn a_group_with_thousands_of_members_is_assembled_a_few_times_and_not_for_each_of_them() {
    let home = Home::new();
    home.write(
        "groups.yaml",
        "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata:\n  name: all\nspec:\n  type: team\n  children: []\n",
    );
    for file in 1..MEMBERS / MEMBERS_PER_FILE {
        let numbers = file * MEMBERS_PER_FILE..(file + 1) * MEMBERS_PER_FILE;
        home.write(
            &format!("users/{file:02}.yaml"),
            documents(numbers.map(|number| member(number, "x", "all"))),
        );
    }
    write_first_members(&home, member(0, "x", "all"));
    let daemon = home.start(&home.config().location("file", "groups.yaml").location("file", "users/*.yaml"));
    daemon.wait_for("all members", |api| (members(api)? == MEMBERS).then_some(()));
    let entities = settled_snapshot(&daemon).len() as u64;
    assert_eq!(entities, MEMBERS as u64 + 3);
    let metrics = daemon.api().metrics();
    let stitched = metrics.sum(STITCHED);
    assert!(stitched < entities + entities / 20, "{stitched} stitches of {entities} entities");
    let written = metrics.by_label(ROWS_WRITTEN, "table");
    assert_eq!(written["peer_relations"], MEMBERS as u64, "{written:?}");
    assert!(written["final_entities"] < entities + entities / 20, "{written:?}");

    let first = "user:default/u0000";
    for (what, file, is_shown, stitches) in [
        ("a title", member(0, "y", "all"), (Some("y"), MEMBERS), 1),
        ("one less", member(0, "y", "other"), (Some("y"), MEMBERS - 1), 2),
        ("one more", member(0, "y", "all"), (Some("y"), MEMBERS), 2),
    ] {
        let before = changed(daemon.api());
        write_first_members(&home, file);
        daemon.wait_for(what, |api| {
            let entity = api.entity(first)?;
            ((entity["metadata"]["title"].as_str(), members(api)?) == is_shown).then_some(())
        });
        settled_snapshot(&daemon);
        assert_eq!(changed(daemon.api()) - before, stitches, "{what}");
    }
}

/// An entity that is spelled in several ways, and one that depends on it.
const FOO: &str = "component:default/foo";
const USER: &str = "component:default/user";

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|entity| entity["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the entity is there in this spelling, and looks whether everything that names it shows it once. Answers
/// its uid.
fn uid_of_foo(daemon: &Daemon, spelling: &str) -> String {
    let api = daemon.api();
    let relation = |kind: &str, target: &str| json!({ "type": kind, "targetRef": target });
    let has = |entity: &Value, relation: &Value| {
        entity["relations"].as_array().is_some_and(|relations| relations.contains(relation))
    };
    let entity = daemon.wait_for(spelling, |api| {
        let (entity, user) = (api.entity(FOO)?, api.entity(USER)?);
        let is_whole = entity["metadata"]["name"] == spelling
            && has(&entity, &relation("dependencyOf", USER))
            && has(&user, &relation("dependsOn", FOO));
        (is_whole && api.errors().is_empty()).then_some(entity)
    });
    for asked in ["Foo", "FOO"] {
        assert_eq!(api.entity(&format!("component:default/{asked}")).as_ref(), Some(&entity));
    }
    for filter in ["metadata.name=foo", "metadata.name=FOO", "relations.dependencyof=component:default/user"]
    {
        let path = format!("/api/catalog/entities/by-query?orderField=metadata.name,asc&filter={filter}");
        assert_eq!(names(&api.get(&path).json()), [spelling], "{filter}");
    }
    let facets = api.get("/api/catalog/entity-facets?facet=metadata.name&filter=kind=component").json();
    let facets = facets["facets"]["metadata.name"].as_array().unwrap();
    let found = facets.iter().filter(|facet| facet["value"].as_str().unwrap().eq_ignore_ascii_case("foo"));
    assert_eq!(found.collect::<Vec<_>>(), [&json!({ "value": spelling, "count": 1 })]);
    entity["metadata"]["uid"].as_str().unwrap().to_owned()
}

#[test]
fn a_name_in_another_case_is_the_same_entity_in_a_new_spelling() {
    let home = Home::new();
    home.write("a.yaml", component("Foo"));
    home.write("user.yaml", component("user") + "  dependsOn: [component:FOO]\n");
    let daemon = home.start(&home.config().location("file", "a.yaml").location("file", "user.yaml"));
    let uid = uid_of_foo(&daemon, "Foo");
    for spelling in ["foo", "FOO"] {
        home.write("a.yaml", component(spelling));
        daemon.wait_for(spelling, |api| {
            let entity = api.entity(FOO).expect("the entity was gone for a moment");
            (entity["metadata"]["name"] == spelling).then_some(())
        });
        assert_eq!(uid_of_foo(&daemon, spelling), uid, "{spelling}");
    }
}

/// One file goes and another one comes, in either order.
fn respell_in_another_file(locations: &[&str], is_new_first: bool) {
    let home = Home::new();
    home.write("both/old.yaml", component("Foo"));
    home.write("both/new.yaml", component("another"));
    home.write("user.yaml", component("user") + "  dependsOn: [component:foo]\n");
    let config = home.config().location("file", "user.yaml");
    let config = locations.iter().fold(config, |config, target| config.location("file", target));
    let daemon = home.start(&config);
    let uid = uid_of_foo(&daemon, "Foo");
    if is_new_first {
        home.write("both/new.yaml", component("foo"));
        daemon.wait_for("both to be told", |api| (!api.errors().is_empty()).then_some(()));
        assert_eq!(daemon.api().entity(FOO).unwrap()["metadata"]["uid"], *uid);
        home.write("both/old.yaml", component("another"));
    } else {
        home.write("both/old.yaml", component("others"));
        daemon.wait_for("the end of the old one", |api| api.entity(FOO).is_none().then_some(()));
        home.write("both/new.yaml", component("foo"));
    }
    let after = uid_of_foo(&daemon, "foo");
    assert_eq!(after == uid, is_new_first, "{locations:?}");
    settled_snapshot(&daemon);
    assert_eq!(uid_of_foo(&daemon, "foo"), after);
}

#[test]
fn a_name_in_another_case_in_another_file_is_shown_once_whichever_comes_first() {
    thread::scope(|scope| {
        for locations in [&["both/*.yaml"][..], &["both/old.yaml", "both/new.yaml"]] {
            for is_new_first in [true, false] {
                scope.spawn(move || respell_in_another_file(locations, is_new_first));
            }
        }
    });
}
