//! One thing wrong among many that are right: it is told with its address, and all else is as
//! `docs/errors.md` says.
#![cfg(test)]

use callboard_tests::descriptors::{component, described_component, documents, location};
use callboard_tests::{Answer, Api, Daemon, Home, Upstream, settled_snapshot};
use serde_json::Value;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn description(api: &Api, name: &str) -> Option<Value> {
    Some(api.entity(&format!("component:default/{name}"))?["metadata"]["description"].clone())
}

fn wait_for_description(daemon: &Daemon, name: &str, text: &str) {
    daemon.wait_for(&format!("{name} {text}"), |api| (description(api, name)? == text).then_some(()));
}

fn wait_for_no_errors(daemon: &Daemon) {
    daemon.wait_for("no errors", |api| api.errors().is_empty().then_some(()));
}

/// A Location with many targets, and a neighbour that has nothing to do with it.
fn many_targets() -> (Home, Upstream) {
    let (home, upstream) = (Home::new(), Upstream::new());
    for name in NAMES {
        upstream.put(&format!("{name}.yaml"), described_component(name, "first"));
    }
    upstream.put(
        "all.yaml",
        location("all", &NAMES.map(|name| format!("./{name}.yaml")).each_ref().map(String::as_str)),
    );
    upstream.put("neighbour.yaml", described_component("neighbour", "first"));
    (home, upstream)
}

fn start(home: &Home, upstream: &Upstream) -> Daemon {
    let config = home.config().allow(upstream);
    home.start(
        &config.location("url", upstream.url("all.yaml")).location("url", upstream.url("neighbour.yaml")),
    )
}

#[test]
fn a_target_that_breaks_is_told_and_its_siblings_stay_as_they_were() {
    let (home, upstream) = many_targets();
    let daemon = start(&home, &upstream);
    for name in NAMES {
        wait_for_description(&daemon, name, "first");
    }
    for answer in [Answer::Status(404), Answer::from("kind: [\n".to_owned())] {
        upstream.put("c.yaml", answer);
        let error = daemon.wait_for("the error", |api| api.error_at("c.yaml"));
        assert_eq!(error["location"], format!("url:{}", upstream.url("c.yaml")), "{error}");
        assert_eq!(error["entityRef"], "location:default/all", "{error}");
        // What changes meanwhile waits, here and nowhere else.
        upstream.put("b.yaml", described_component("b", "second"));
        upstream.put("neighbour.yaml", described_component("neighbour", "second"));
        wait_for_description(&daemon, "neighbour", "second");
        settled_snapshot(&daemon);
        for name in NAMES {
            assert_eq!(description(daemon.api(), name), Some("first".into()), "{name}");
        }
        assert_eq!(daemon.api().errors().len(), 1, "{:?}", daemon.api().errors());

        upstream.put("c.yaml", described_component("c", "first"));
        wait_for_description(&daemon, "b", "second");
        wait_for_no_errors(&daemon);
        for name in ["b", "neighbour"] {
            upstream.put(&format!("{name}.yaml"), described_component(name, "first"));
            wait_for_description(&daemon, name, "first");
        }
    }
}

#[test]
fn a_location_with_a_bad_target_from_the_start_brings_in_all_of_them_once_it_is_good() {
    let (home, upstream) = many_targets();
    upstream.put("c.yaml", Answer::Status(404));
    let daemon = start(&home, &upstream);
    daemon.wait_for("the error", |api| api.error_at("c.yaml"));
    wait_for_description(&daemon, "neighbour", "first");
    settled_snapshot(&daemon);
    assert_eq!(daemon.api().errors().len(), 1, "{:?}", daemon.api().errors());
    for name in NAMES {
        assert_eq!(description(daemon.api(), name), None, "{name}");
    }
    upstream.put("c.yaml", described_component("c", "first"));
    for name in NAMES {
        wait_for_description(&daemon, name, "first");
    }
    wait_for_no_errors(&daemon);
}

#[test]
fn values_of_a_wrong_type_deep_below_are_told_with_their_document() {
    let home = Home::new();
    let good = || documents(["a", "b", "c"].map(|name| described_component(name, "first")));
    home.write("top.yaml", location("top", &["./middle.yaml"]));
    home.write("middle.yaml", location("middle", &["./deep.yaml", "./d.yaml"]));
    home.write("d.yaml", described_component("d", "first"));
    home.write("neighbour.yaml", component("neighbour"));
    let path = home.write("deep.yaml", good());
    let config = home.config().location("file", "top.yaml").location("file", "neighbour.yaml");
    let daemon = home.start(&config);
    let below = ["a", "b", "c", "d"];
    for name in below {
        wait_for_description(&daemon, name, "first");
    }
    let name = "kind: Component\nmetadata:\n  name: b\n";
    let cases = [
        (name.replace(" b", " 4711"), "/metadata/name", "envelope"),
        (format!("{name}  annotations: [x, y]\n"), "/metadata/annotations", "emitted/annotations"),
        (name.replace("Component", "true"), "/kind", "envelope"),
    ];
    for (wrong, pointer, rule) in cases {
        home.write("deep.yaml", good().replace(name, &wrong));
        let error = daemon.wait_for(pointer, |api| api.error_at("deep.yaml"));
        let line = component("a").lines().count() + 1;
        assert_eq!(error["location"], format!("file:{}", path.display()), "{error}");
        assert_eq!((&error["document"], &error["line"]), (&1.into(), &line.into()), "{error}");
        assert_eq!((&error["pointer"], &error["rule"]), (&pointer.into(), &rule.into()), "{error}");
        assert_eq!(error["entityRef"], "location:default/middle", "{error}");
        // All of the Location stays as it was, and nothing but that.
        home.write("d.yaml", described_component("d", pointer));
        home.write("neighbour.yaml", described_component("neighbour", pointer));
        wait_for_description(&daemon, "neighbour", pointer);
        settled_snapshot(&daemon);
        for name in below {
            assert_eq!(description(daemon.api(), name), Some("first".into()), "{name} and {wrong}");
        }
        assert_eq!(daemon.api().errors().len(), 1, "{:?}", daemon.api().errors());

        home.write("deep.yaml", good());
        wait_for_description(&daemon, "d", pointer);
        wait_for_no_errors(&daemon);
        home.write("d.yaml", described_component("d", "first"));
        wait_for_description(&daemon, "d", "first");
    }
}
