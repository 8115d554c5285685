//! The REST API, health and metrics: what a Backstage frontend, its backend plugins and the people who run the daemon
//! reach over HTTP.
//!
//! Paths, bodies, messages and headers are those of the catalog backend of Backstage, since its clients depend on
//! them; what differs is written in `docs/compatibility.md`. The crate reads from the store and asks the engine's
//! [`Catalog`](callboard_engine::Catalog) for everything else; it holds no state of its own but connections.
//!
//! The way of a request, from the outside in:
//! 1. the connection: bounded in number, in time and in memory;
//! 2. security headers, CORS, compression, `If-None-Match`;
//! 3. the path in its normal form, then routing;
//! 4. below `/api/catalog`: errors get their bodies, and requests wait while the daemon starts;
//! 5. the endpoint, one file each below `catalog`: it checks the request, calls, and maps the answer.
#![warn(missing_docs)]

mod actions;
mod api_error;
mod catalog;
mod conditional;
mod connections;
mod cors;
mod error;
mod health;
mod index_contents;
mod lifecycle;
mod metrics;
mod openapi;
mod options;
mod position;
mod reply;
mod request;
mod router;
mod security_headers;
mod server;
mod stall;
mod state;
mod target;
#[cfg(test)]
mod testing;
mod view;

pub use error::ServerError;
pub use lifecycle::Lifecycle;
pub use options::{ListenAddress, ServerOptions};
pub use server::Server;
pub use view::{CompareSettings, View};
