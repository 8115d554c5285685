//! Settings of the server, from `backend` and `catalog` of the configuration.

mod from_config;
mod listen;

use std::time::Duration;

use callboard_store::LocationConflict;
use http::HeaderMap;

use crate::actions::ActionFilter;
use crate::cors::Cors;
use crate::{security_headers, view};

pub use listen::ListenAddress;

/// Settings of the server. [`ServerOptions::default`] is what an empty configuration gives.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where to listen.
    pub listen: ListenAddress,
    /// Whether registered locations may not be changed.
    pub(crate) readonly: bool,
    /// What registering a location again does, unless the request says it.
    pub(crate) location_conflict: LocationConflict,
    /// Added to the answers of the health endpoints.
    pub(crate) health_headers: HeaderMap,
    /// Added to all answers.
    pub(crate) security_headers: HeaderMap,
    /// Off if `None`.
    pub(crate) cors: Option<Cors>,
    /// How long requests wait while the daemon starts.
    pub(crate) startup_request_pause: Duration,
    /// How long the server goes on serving after readiness failed.
    pub(crate) shutdown_delay: Duration,
    /// How long requests in flight may take after that.
    pub(crate) drain_limit: Duration,
    /// How long a head may take to arrive, and a connection may idle; without end if `None`.
    pub(crate) headers_timeout: Option<Duration>,
    /// How long a body may take to arrive; without end if `None`.
    pub(crate) request_timeout: Option<Duration>,
    /// How many connections are open at most.
    pub(crate) connections_max: usize,
    /// Which actions there are.
    pub(crate) actions: ActionFilter,
    /// How much of the entities' text is kept in memory, in bytes.
    pub entity_cache_bytes: u64,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: ListenAddress::default(),
            readonly: false,
            location_conflict: LocationConflict::Reject,
            health_headers: HeaderMap::new(),
            security_headers: security_headers::headers(&[], None).unwrap_or_default(),
            cors: None,
            startup_request_pause: Duration::from_secs(5),
            shutdown_delay: Duration::ZERO,
            drain_limit: Duration::from_secs(10),
            headers_timeout: Some(Duration::from_secs(30)),
            request_timeout: Some(Duration::from_mins(1)),
            connections_max: 1024,
            actions: ActionFilter::default(),
            entity_cache_bytes: view::CACHE_BYTES,
        }
    }
}
