//! What the network and the authors of files can do to a catalog: each of it becomes an error with an address, and
//! neither the neighbours nor the memory of the daemon suffer.
#![cfg(test)]

use std::fmt::Write as _;
use std::fs::File;

use callboard_tests::descriptors::{component, described_component, documents, generated_ref, location};
use callboard_tests::{Answer, Daemon, Home, Upstream, settled_snapshot};
use serde_json::{Value, json};

/// What none of these may make the daemon need, however large their bodies are.
const MEMORY_MAX: u64 = 400 << 20;

const MEGABYTE: u64 = 1 << 20;

/// A daemon with one hostile location and a good one.
struct Scene {
    // The daemon is dropped, and with it ended, before what it reads from.
    daemon: Daemon,
    upstream: Upstream,
    _home: Home,
}

impl Scene {
    /// A daemon that reads `hostile.yaml`, which is answered so.
    fn with(answer: impl Into<Answer>) -> Self {
        let upstream = Upstream::new();
        upstream.put("hostile.yaml", answer);
        Self::of(upstream, "hostile.yaml")
    }

    /// A daemon that reads `path` from the upstream.
    fn of(upstream: Upstream, path: &str) -> Self {
        upstream.put("neighbour.yaml", component("neighbour"));
        let home = Home::new();
        let config = home
            .config()
            .allow(&upstream)
            .set("callboard.reading.totalTime", "3s".into())
            .set("callboard.reading.idleTime", "2s".into())
            .location("url", upstream.url(path))
            .location("url", upstream.url("neighbour.yaml"));
        let daemon = home.start(&config);
        Self { daemon, upstream, _home: home }
    }

    /// The error at the hostile location, once it is there.
    fn error(&self) -> Value {
        let location = format!("url:{}", self.upstream.url("hostile.yaml"));
        let error = self.daemon.wait_for("an error with an address", |api| api.error_at("hostile.yaml"));
        assert_eq!(error["location"], location, "{error}");
        error
    }

    /// Waits for an error whose message holds one of `words`, and checks that nothing else was harmed.
    fn fails_with(&self, words: &[&str]) {
        let error = self.error();
        let message = error["message"].as_str().unwrap();
        assert!(words.iter().any(|word| message.contains(word)), "{words:?} not in {message:?}");
        self.harmed_nobody();
    }

    fn harmed_nobody(&self) {
        self.daemon.wait_for("the neighbour", |api| api.entity("component:default/neighbour"));
        let peak = self.daemon.peak_memory();
        assert!(peak < MEMORY_MAX, "{} MB", peak / MEGABYTE);
    }
}

#[test]
fn a_body_of_100_mb_is_given_up() {
    let line = "# nothing but comments, a hundred bytes of them in each line, so that a million lines are enough -\n";
    let scene = Scene::with(Answer::Repeated(line, 1_000_000));
    scene.fails_with(&["limit"]);
}

#[test]
fn a_small_body_that_unpacks_to_100_mb_is_given_up() {
    Scene::with(Answer::GzipBomb).fails_with(&["limit"]);
}

#[test]
fn a_file_of_100_mb_is_not_read() {
    let home = Home::new();
    let path = home.write("hostile.yaml", "");
    // A hole: it takes no room on the disk and all of it in memory.
    File::options().write(true).open(&path).unwrap().set_len(100 * MEGABYTE).unwrap();
    home.write("neighbour.yaml", component("neighbour"));
    let daemon =
        home.start(&home.config().location("file", "hostile.yaml").location("file", "neighbour.yaml"));
    let error = daemon.wait_for("an error with an address", |api| api.error_at("hostile.yaml"));
    assert_eq!(error["location"], format!("file:{}", path.display()));
    daemon.wait_for("the neighbour", |api| api.entity("component:default/neighbour"));
    assert!(daemon.peak_memory() < MEMORY_MAX);
}

#[test]
fn an_alias_bomb_does_not_go_off() {
    let mut bomb = component("bomb").replace("spec:\n", "spec:\n  level0: &level0 [boom, boom]\n");
    for level in 1..40 {
        let below = level - 1;
        writeln!(bomb, "  level{level}: &level{level} [*level{below}, *level{below}]").unwrap();
    }
    Scene::with(bomb).fails_with(&["alias", "limit"]);
}

#[test]
fn a_deep_nest_does_not_break_through_the_stack() {
    let nest = format!("{}  deep: {}{}\n", component("deep"), "[".repeat(100_000), "]".repeat(100_000));
    Scene::with(nest).fails_with(&["deep", "depth", "nest", "limit"]);
}

#[test]
fn a_location_that_includes_itself_is_read_once() {
    let scene = Scene::with(location("ring", &["./hostile.yaml"]));
    scene.harmed_nobody();
    let catalog = settled_snapshot(&scene.daemon);
    assert!(catalog.contains_key("location:default/ring"), "{:?}", catalog.keys());
    assert_eq!(catalog.len(), 4, "{:?}", catalog.keys());
    assert_eq!(scene.daemon.api().errors(), [Value::Null; 0]);
    let warning =
        "Ignored emitted entity location:default/ring whose ref was identical to the one being processed";
    scene.daemon.wait_for("the warning", |_| scene.daemon.log_text().contains(warning).then_some(()));
}

#[test]
fn locations_that_include_each_other_come_to_rest() {
    let upstream = Upstream::new();
    upstream.put("hen.yaml", location("hen", &["./egg.yaml"]));
    upstream.put("egg.yaml", documents([location("egg", &["./hen.yaml"]), component("chick")]));
    let scene = Scene::of(upstream, "hen.yaml");
    scene.harmed_nobody();
    let catalog = settled_snapshot(&scene.daemon);
    for entity_ref in ["location:default/hen", "location:default/egg", "component:default/chick"] {
        assert!(catalog.contains_key(entity_ref), "{:?}", catalog.keys());
    }
    assert_eq!(catalog.len(), 6, "{:?}", catalog.keys());
}

#[test]
fn ten_thousand_documents_in_a_file_all_arrive() {
    const DOCUMENTS: usize = 10_000;
    let file = documents((0..DOCUMENTS).map(|number| component(&format!("part-{number}"))));
    let scene = Scene::with(file);
    scene.daemon.wait_for("all documents", |api| {
        let shown = api.metrics().labelled("catalog_entities_count", "kind", "component");
        (shown > DOCUMENTS as u64).then_some(())
    });
    assert!(scene.daemon.api().entity("component:default/part-9999").is_some());
    scene.harmed_nobody();
}

#[test]
fn bytes_that_are_no_text_are_an_error_of_their_document() {
    let mut file = documents([component("good"), component("NAME")]).into_bytes();
    let at = file.windows(4).position(|window| window == b"NAME").unwrap();
    file[at] = 0xFF;
    let scene = Scene::with(file);
    scene.error();
    scene.harmed_nobody();
}

#[test]
fn an_upstream_that_drips_is_given_up() {
    Scene::with(Answer::Drip).fails_with(&["longer than", "nothing came"]);
}

#[test]
fn an_upstream_that_never_answers_is_given_up() {
    Scene::with(Answer::Silence).fails_with(&["longer than", "nothing came"]);
}

#[test]
fn a_redirect_to_a_forbidden_host_is_not_followed() {
    let forbidden = Upstream::new();
    forbidden.put("secret.yaml", component("secret"));
    let scene = Scene::with(Answer::Redirect(forbidden.url("secret.yaml")));
    scene.fails_with(&["not allowed"]);
    assert_eq!(forbidden.exchanges(), []);
    assert_eq!(scene.daemon.api().entity("component:default/secret"), None);
}

#[test]
fn a_redirect_to_itself_ends() {
    let upstream = Upstream::new();
    upstream.put("hostile.yaml", Answer::Redirect(upstream.url("hostile.yaml")));
    Scene::of(upstream, "hostile.yaml").fails_with(&["redirect"]);
}

#[test]
fn a_page_for_people_is_no_descriptor() {
    let scene = Scene::with(Answer::Html);
    scene.error();
    scene.harmed_nobody();
    // The neighbour and its location.
    assert_eq!(settled_snapshot(&scene.daemon).len(), 2);
}

#[test]
fn what_was_read_once_outlives_every_failure_of_its_source() {
    let good = described_component("kept", "as it was read");
    let scene = Scene::with(good.clone());
    scene.daemon.wait_for("the first read", |api| api.entity("component:default/kept"));
    let location_ref = generated_ref("url", &scene.upstream.url("hostile.yaml"));
    let failures = [
        ("absent", Answer::Status(404)),
        ("broken", Answer::Status(500)),
        ("forbidden", Answer::Status(403)),
        ("too many requests", Answer::Status(429)),
        ("truncated", Answer::Truncated(good.clone().into_bytes().into())),
        ("html", Answer::Html),
        ("garbage", Answer::from("{".to_owned())),
        ("silent", Answer::Silence),
    ];
    for (what, answer) in failures {
        scene.upstream.put("hostile.yaml", answer);
        scene.daemon.api().refresh(&location_ref);
        scene.error();
        let source = scene.daemon.wait_for("the location to say so", |api| {
            let entity = api.entity(&location_ref)?;
            entity["status"]["items"].is_array().then_some(entity)
        });
        assert_eq!(source["status"]["items"][0]["level"], "error", "{what}");
        let kept = scene.daemon.api().entity("component:default/kept").expect(what);
        assert_eq!(kept["metadata"]["description"], "as it was read", "{what}");

        scene.upstream.put("hostile.yaml", good.clone());
        scene.daemon.api().refresh(&location_ref);
        scene.daemon.wait_for("the error to go away", |api| api.errors().is_empty().then_some(()));
    }
    scene.harmed_nobody();
}

#[test]
fn a_crowd_of_silent_hosts_does_not_stop_the_others() {
    let (home, good) = (Home::new(), Upstream::new());
    good.put("neighbour.yaml", component("neighbour"));
    let silent: Vec<_> = (0..4).map(|_| Upstream::new()).collect();
    let mut config = home.config().set("catalog.processingInterval", json!({ "seconds": 30 })).allow(&good);
    for upstream in &silent {
        config = config.allow(upstream);
        for number in 0..8 {
            let path = format!("silent-{number}.yaml");
            upstream.put(&path, Answer::Silence);
            config = config.location("url", upstream.url(&path));
        }
    }
    let daemon = home.start(&config.location("url", good.url("neighbour.yaml")));
    daemon.wait_for("the neighbour", |api| api.entity("component:default/neighbour"));
    assert!(daemon.peak_memory() < MEMORY_MAX);
}
