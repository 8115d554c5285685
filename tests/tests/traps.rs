//! What catalogs lost, doubled or stood still over for users of the reference system, as far as only a whole daemon
//! shows it. Rules of the store are in `callboard_store::suite::traps`. Where people told of it, the thread is named.
#![cfg(test)]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::thread;

use callboard_tests::descriptors::{component, documents, generated_ref};
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

/// Entities of which nothing changes during a walk.
const RESTING: usize = 120;
/// Others that come, go and change their titles meanwhile, between them in every order.
const MOVING: usize = 60;
const PAGE_LEN: usize = 25;
/// Twice what they would be if nothing came, and far less than a walk without an end.
const PAGES_MAX: usize = 20;
const FIELDS: &str = "metadata.name,metadata.uid";

/// An entity that is spelled in several ways, and one that depends on it.
const FOO: &str = "component:default/foo";
const USER: &str = "component:default/user";

fn titled(name: &str, title: &str) -> String {
    component(name).replace("  name:", &format!("  title: {title}\n  name:"))
}

/// The title of one of those that move; a third of them is not there, in each round others.
fn moving_title(number: usize, round: usize) -> Option<String> {
    let shifted = number + round;
    (!shifted.is_multiple_of(3)).then(|| format!("t{}", shifted % 7))
}

fn moving(round: usize) -> String {
    let entity =
        |number| moving_title(number, round).map(|title| titled(&format!("part-{number:02}-moves"), &title));
    documents((0..MOVING).filter_map(entity))
}

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|entity| entity["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Name and uid of each entity of a page. What was deleted and comes back is another one.
type Page = Vec<(String, String)>;

fn page_of(list: &Value) -> Page {
    let uid = |entity: &Value| entity["metadata"]["uid"].as_str().unwrap().to_owned();
    names(list).into_iter().zip(list["items"].as_array().unwrap().iter().map(uid)).collect()
}

/// The pages that follow each other by cursors of the first kind, and the last cursor of the other kind. Something
/// changes before each page.
fn walk(api: &Api, first: &str, [onward, back]: [&str; 2], change: &dyn Fn()) -> (Vec<Page>, Option<String>) {
    let (mut pages, mut path, mut last_back) = (Vec::new(), first.to_owned(), None);
    loop {
        assert!(pages.len() < PAGES_MAX, "the walk has no end: {pages:?}");
        change();
        let reply = api.get(&path);
        assert_eq!(reply.status, 200, "{reply:?}");
        let page = reply.json();
        pages.push(page_of(&page));
        let cursor = |key: &str| page["pageInfo"][key].as_str().map(str::to_owned);
        last_back = cursor(back).or(last_back);
        let Some(next) = cursor(onward) else { return (pages, last_back) };
        path = at(&next);
    }
}

fn at(cursor: &str) -> String {
    let cursor = cursor.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("/api/catalog/entities/by-query?limit={PAGE_LEN}&fields={FIELDS}&cursor={cursor}")
}

fn resting(pages: &[Page]) -> Vec<&str> {
    pages.iter().flatten().map(|(name, _)| name.as_str()).filter(|name| name.ends_with("rests")).collect()
}

/// Nothing is there twice, unless the order goes by what changes.
fn check_distinct(pages: &[Page], order: &str) {
    let all = pages.concat();
    let distinct: BTreeSet<_> = all.iter().collect();
    assert!(distinct.len() == all.len() || order.contains("title"), "{order}: {pages:?}");
}

/// Changes what moves, and waits until that is shown.
fn move_on(home: &Home, daemon: &Daemon, round: usize) {
    let path = home.write("moving.yaml", moving(round));
    daemon.api().refresh(&generated_ref("file", path.to_str().unwrap()));
    // Of three that follow each other one comes, one goes, and one gets another title.
    daemon.wait_for("the change", |api| {
        let is_shown = |number| {
            let entity = api.entity(&format!("component:default/part-{number:02}-moves"));
            let title = entity.map(|entity| entity["metadata"]["title"].as_str().map(str::to_owned));
            title.flatten() == moving_title(number, round)
        };
        (0..3).all(is_shown).then_some(())
    });
}

/// Walks to the end and back again.
fn check_walks(api: &Api, order: &str, change: &dyn Fn()) {
    let query = format!("/api/catalog/entities/by-query?fields={FIELDS}&filter=kind=component{order}");
    let whole = [page_of(&api.get(&format!("{query}&limit=1000")).json())];
    let expected = resting(&whole);
    assert_eq!(expected.len(), RESTING);
    let first = format!("{query}&limit={PAGE_LEN}");
    let (mut pages, back) = walk(api, &first, ["nextCursor", "prevCursor"], change);
    assert_eq!(resting(&pages), expected, "onward{order}");
    check_distinct(&pages, order);
    let last = pages.split_off(pages.len() - 1);
    let before_last = expected.len() - resting(&last).len();
    let (mut pages, _) = walk(api, &at(&back.unwrap()), ["prevCursor", "nextCursor"], change);
    pages.reverse();
    assert_eq!(resting(&pages), expected[..before_last], "back{order}");
    check_distinct(&pages, order);
}

/// Pages had rows of the pages before them once more (backstage#25632), and others on none of them.
#[test]
fn pages_neither_repeat_nor_miss_what_rests_while_others_come_and_go() {
    let home = Home::new();
    let rests = |number: usize| titled(&format!("part-{number:03}-rests"), &format!("t{}", number % 7));
    let resting = home.write("resting.yaml", documents((0..RESTING).map(rests)));
    let moves = home.write("moving.yaml", moving(0));
    let config = home.config().set("callboard.engine.janitorInterval", json!({ "milliseconds": 50 }));
    let daemon = home.start(&config.location("file", resting.display()).location("file", moves.display()));
    settled_snapshot(&daemon);
    let round = Cell::new(0);
    let change = || {
        round.set(round.get() + 1);
        move_on(&home, &daemon, round.get());
    };
    for order in ["", "&orderField=metadata.name,asc", "&orderField=metadata.title,desc"] {
        check_walks(daemon.api(), order, &change);
    }
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
