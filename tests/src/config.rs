//! The configuration of a daemon under test.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::Upstream;

/// An `app-config.yaml`, written as JSON, which every YAML parser reads and which needs no quoting rules here.
#[derive(Debug, Clone, PartialEq)]
pub struct AppConfig(Value);

impl AppConfig {
    /// Listens on a free port of the loopback interface, keeps its catalog in what `backend.database` says, allows all kinds that the
    /// tests use, visits every location each second, and
    /// clears orphans away as often.
    pub fn new(database: &Value) -> Self {
        let kinds =
            ["Component", "API", "Resource", "System", "Domain", "User", "Group", "Location", "Template"];
        Self(json!({
            "backend": {
                "baseUrl": "http://127.0.0.1:7007",
                "listen": { "host": "127.0.0.1", "port": 0 },
                "database": database,
                "auth": { "dangerouslyDisableDefaultAuthPolicy": true },
            },
            "catalog": {
                "processingInterval": { "seconds": 1 },
                "rules": [{ "allow": kinds }],
                "locations": [],
            },
            "callboard": { "engine": { "janitorInterval": { "seconds": 1 } } },
        }))
    }

    /// Sets the value at a dotted path; objects on the way are made.
    #[must_use]
    pub fn set(mut self, path: &str, value: Value) -> Self {
        let mut place = &mut self.0;
        for key in path.split('.') {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[key];
        }
        *place = value;
        self
    }

    /// Lets the daemon read from `upstream`.
    #[must_use]
    pub fn allow(mut self, upstream: &Upstream) -> Self {
        let entry = json!({ "host": upstream.host() });
        match &mut self.0["backend"]["reading"]["allow"] {
            Value::Array(entries) => entries.push(entry),
            absent => *absent = json!([entry]),
        }
        self
    }

    /// Adds a location.
    #[must_use]
    pub fn location(mut self, kind: &str, target: impl fmt::Display) -> Self {
        let locations = self.0["catalog"]["locations"].as_array_mut().expect("locations are a list");
        locations.push(json!({ "type": kind, "target": target.to_string() }));
        self
    }
}

/// The text of the file.
impl fmt::Display for AppConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:#}", self.0)
    }
}
