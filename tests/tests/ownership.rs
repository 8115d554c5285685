//! Who an entity belongs to: what several sources hand over stays as long as one of them does, and what nobody hands
//! over any more leaves nothing behind.
#![cfg(test)]

use callboard_tests::descriptors::{component, generated_ref};
use callboard_tests::{Api, Daemon, Home, Upstream, settled_snapshot};
use serde_json::{Value, json};

/// Registers a URL and answers the id of its location.
fn register(api: &Api, url: &str) -> String {
    let reply = api.post("/api/catalog/locations", &json!({ "type": "url", "target": url }));
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()["location"]["id"].as_str().unwrap().to_owned()
}

fn unregister(api: &Api, id: &str) {
    let reply = api.delete(&format!("/api/catalog/locations/{id}"));
    assert_eq!(reply.status, 204, "{reply:?}");
}

fn wait_for_nothing(daemon: &Daemon) {
    daemon.wait_for("the catalog to be empty", |api| api.entities().is_empty().then_some(()));
    assert_eq!(daemon.api().errors(), [Value::Null; 0]);
}

/// The entity and its location, with their uids.
fn both(api: &Api, location_ref: &str) -> Option<[Value; 2]> {
    let uid = |entity_ref: &str| Some(api.entity(entity_ref)?["metadata"]["uid"].clone());
    Some([uid("component:default/a")?, uid(location_ref)?])
}

#[test]
fn a_url_of_the_configuration_that_is_also_registered_outlives_its_registration() {
    let (home, upstream) = (Home::new(), Upstream::new());
    upstream.put("a.yaml", component("a"));
    let url = upstream.url("a.yaml");
    let location_ref = generated_ref("url", &url);
    let config = home.config().allow(&upstream);
    let daemon = home.start(&config.clone().location("url", &url));
    let first = daemon.wait_for("the entity", |api| both(api, &location_ref));
    let id = register(daemon.api(), &url);
    settled_snapshot(&daemon);
    unregister(daemon.api(), &id);
    let catalog = settled_snapshot(&daemon);
    assert_eq!(catalog.len(), 2, "{:?}", catalog.keys());
    assert_eq!(both(daemon.api(), &location_ref), Some(first));
    assert_eq!(daemon.api().errors(), [Value::Null; 0]);
    home.configure(&config);
    wait_for_nothing(&daemon);
}

#[test]
fn a_registered_url_that_is_also_in_the_configuration_outlives_its_being_there() {
    let (home, upstream) = (Home::new(), Upstream::new());
    upstream.put("a.yaml", component("a"));
    let url = upstream.url("a.yaml");
    let location_ref = generated_ref("url", &url);
    let config = home.config().allow(&upstream);
    let daemon = home.start(&config);
    let id = register(daemon.api(), &url);
    let first = daemon.wait_for("the entity", |api| both(api, &location_ref));
    // A neighbour shows that a change of the configuration is in force.
    upstream.put("neighbour.yaml", component("neighbour"));
    let neighbour = upstream.url("neighbour.yaml");
    home.configure(&config.clone().location("url", &url).location("url", &neighbour));
    daemon.wait_for("the neighbour", |api| api.entity("component:default/neighbour"));
    settled_snapshot(&daemon);
    home.configure(&config);
    daemon.wait_for("the neighbour to be gone", |api| {
        api.entity("component:default/neighbour").is_none().then_some(())
    });
    let catalog = settled_snapshot(&daemon);
    assert_eq!(catalog.len(), 2, "{:?}", catalog.keys());
    assert_eq!(both(daemon.api(), &location_ref), Some(first));
    assert_eq!(daemon.api().errors(), [Value::Null; 0]);
    unregister(daemon.api(), &id);
    wait_for_nothing(&daemon);
}

#[test]
fn an_entity_that_never_succeeded_leaves_nothing_behind() {
    let (home, upstream) = (Home::new(), Upstream::new());
    // One breaks a rule of its kind, one cannot be parsed.
    let no_owner = component("a").replace("  owner: team-a\n", "");
    let unparsable = component("a").replace("  name: a", "  name: [a");
    let daemon = home.start(&home.config().allow(&upstream));
    for (content, subject) in [(no_owner, Some("component:default/a")), (unparsable, None)] {
        upstream.put("a.yaml", content);
        let url = upstream.url("a.yaml");
        let location_ref = generated_ref("url", &url);
        let id = register(daemon.api(), &url);
        let error = daemon.wait_for("the error", |api| api.error_at("a.yaml"));
        assert_eq!(error["entityRef"], subject.unwrap_or(&location_ref), "{error}");
        assert_eq!(daemon.api().entity("component:default/a"), None);
        unregister(daemon.api(), &id);
        daemon.wait_for("the error to be gone", |api| api.errors().is_empty().then_some(()));
        wait_for_nothing(&daemon);
    }
    // Its name is free for somebody else.
    upstream.put("other.yaml", component("a"));
    register(daemon.api(), &upstream.url("other.yaml"));
    daemon.wait_for("the entity", |api| api.entity("component:default/a"));
    assert_eq!(daemon.api().errors(), [Value::Null; 0]);
}
