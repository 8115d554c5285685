//! A client of the daemon's API that knows just what the tests ask for.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

use crate::Metrics;

/// How long one answer may take: a dry run of a large tree in an unoptimised build takes seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(40);

/// The longest answer that is read.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// How many errors one page of the errors has.
const ERRORS_PAGE: usize = 1000;

/// A daemon's API at its address.
#[derive(Debug, Clone)]
pub struct Api {
    address: SocketAddr,
    agent: Agent,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status of the answer.
    pub status: u16,
    /// Its body.
    pub body: String,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl Api {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_LIMIT))
            .build();
        Self { address, agent: config.new_agent() }
    }

    /// Where the daemon listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a GET request; `None` when there is no answer, as while a daemon starts or ends.
    pub fn try_get(&self, path: &str) -> Option<Reply> {
        read(self.agent.get(self.url(path)).call()).ok()
    }

    /// Sends a GET request.
    pub fn get(&self, path: &str) -> Reply {
        read(self.agent.get(self.url(path)).call()).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Sends a POST request with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        let request = self.agent.post(self.url(path)).content_type("application/json");
        read(request.send(body.to_string())).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Sends a DELETE request.
    pub fn delete(&self, path: &str) -> Reply {
        read(self.agent.delete(self.url(path)).call())
            .unwrap_or_else(|error| panic!("DELETE {path}: {error}"))
    }

    /// Asks for an entity, and the locations that it came through, to be looked at now.
    pub fn refresh(&self, entity_ref: &str) {
        let reply = self.post("/api/catalog/refresh", &json!({ "entityRef": entity_ref }));
        assert_eq!(reply.status, 200, "{entity_ref}: {reply:?}");
    }

    /// The entity, by its full ref; `None` if it is not there.
    pub fn entity(&self, entity_ref: &str) -> Option<Value> {
        let path = entity_ref.replacen(':', "/", 1);
        let reply = self.get(&format!("/api/catalog/entities/by-name/{path}"));
        match reply.status {
            200 => Some(reply.json()),
            404 => None,
            _ => panic!("{entity_ref}: {reply:?}"),
        }
    }

    /// All entities.
    pub fn entities(&self) -> Vec<Value> {
        let reply = self.get("/api/catalog/entities");
        assert_eq!(reply.status, 200, "{reply:?}");
        match reply.json() {
            Value::Array(entities) => entities,
            other => panic!("{other} is no list of entities"),
        }
    }

    /// The errors that there are now.
    pub fn errors(&self) -> Vec<Value> {
        let mut errors = Vec::new();
        let mut path = format!("/api/catalog/errors?limit={ERRORS_PAGE}");
        loop {
            let reply = self.get(&path);
            assert_eq!(reply.status, 200, "{reply:?}");
            let mut page = reply.json();
            errors.append(page["items"].as_array_mut().expect("errors come in pages"));
            let Some(cursor) = page["pageInfo"]["nextCursor"].as_str() else {
                return errors;
            };
            path = format!("/api/catalog/errors?limit={ERRORS_PAGE}&after={cursor}");
        }
    }

    /// The first error whose location holds `location`.
    pub fn error_at(&self, location: &str) -> Option<Value> {
        let is_there = |error: &Value| error["location"].as_str().is_some_and(|text| text.contains(location));
        self.errors().into_iter().find(is_there)
    }

    /// The metrics.
    pub fn metrics(&self) -> Metrics {
        Metrics::parse(&self.get("/metrics").body)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Reply, ureq::Error> {
    let mut answer = answer?;
    let body = answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_string()?;
    Ok(Reply { status: answer.status().as_u16(), body })
}
