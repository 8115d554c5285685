//! The catalogs that the cases are about.

use std::collections::HashMap;

use callboard_tests::{AppConfig, Daemon, Home, RawConnection, raw_request, settled_snapshot};
use serde_json::Value;

use crate::answer::{Answer, names};

/// The names of the ten entities of the fixture.
pub(crate) const ALL: [&str; 10] =
    ["alpha", "api-one", "beta", "db", "gamma", "guest", "jane", "loc", "sys", "team-a"];

/// The fixture that most cases are about: ten entities, the Location that they come through among them.
pub(crate) const FIXTURE: &str = include_str!("fixture.yaml");

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

/// A daemon and what it shows.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) daemon: Daemon,
    pub(crate) home: Home,
}

impl Catalog {
    /// A catalog of the fixture.
    pub(crate) fn of_fixture() -> Self {
        let catalog = Self::of(FIXTURE);
        catalog.get("/entities?fields=metadata.name").finds(&ALL);
        catalog
    }

    /// A catalog of the entities in this text.
    pub(crate) fn of(descriptors: &str) -> Self {
        let home = Home::new();
        home.write("all.yaml", descriptors);
        let config = home.config().location("file", "all.yaml");
        Self::start(home, &config)
    }

    /// A catalog as it is configured, once all of it is there.
    pub(crate) fn start(home: Home, config: &AppConfig) -> Self {
        let daemon = home.start(config);
        settled_snapshot(&daemon);
        let errors = daemon.api().errors();
        assert!(errors.is_empty(), "{errors:?}");
        Self { daemon, home }
    }

    /// Sends a request to a path below the mount of the API.
    pub(crate) fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let mut connection = RawConnection::open(self.daemon.api().address());
        let request = raw_request(method, &format!("/api/catalog{url}"), headers, body);
        // An answer may come before all of a long body was taken.
        drop(connection.send_beside(request));
        let reply = if method == "HEAD" { connection.answer_to_head() } else { connection.answer() };
        let reply = reply.ok().flatten().unwrap_or_else(|| panic!("{method} {url} is not answered"));
        let sent = body.unwrap_or_default().to_owned();
        Answer { method: method.to_owned(), url: url.to_owned(), sent, reply }
    }

    pub(crate) fn get(&self, url: &str) -> Answer {
        self.send("GET", url, &[], None)
    }

    pub(crate) fn delete(&self, url: &str) -> Answer {
        self.send("DELETE", url, &[], None)
    }

    pub(crate) fn post(&self, url: &str, body: &Value) -> Answer {
        self.post_text(url, &body.to_string())
    }

    pub(crate) fn put(&self, url: &str, body: &Value) -> Answer {
        self.send("PUT", url, &JSON, Some(&body.to_string()))
    }

    /// Posts what claims to be JSON.
    pub(crate) fn post_text(&self, url: &str, body: &str) -> Answer {
        self.send("POST", url, &JSON, Some(body))
    }

    /// An entity by its full ref.
    pub(crate) fn entity(&self, entity_ref: &str) -> Value {
        self.daemon.api().entity(entity_ref).unwrap_or_else(|| panic!("{entity_ref} is not there"))
    }

    pub(crate) fn uid(&self, entity_ref: &str) -> String {
        self.entity(entity_ref)["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// These names in the order of the uids of their entities.
    pub(crate) fn by_uid(&self, wanted: &[&str]) -> Vec<String> {
        let entities = Value::Array(self.daemon.api().entities());
        let uids: HashMap<String, String> = names(&entities)
            .into_iter()
            .zip(entities.as_array().unwrap())
            .map(|(name, entity)| (name, entity["metadata"]["uid"].as_str().unwrap().to_owned()))
            .collect();
        let mut ordered = strings(wanted);
        ordered.sort_by_key(|name| uids[name].clone());
        ordered
    }
}

/// These texts as owned ones.
pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
