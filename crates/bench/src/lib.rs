//! Measures a Callboard daemon from outside, with nothing of its code linked in: a seeded generator of catalogs, a
//! static file server with validators, and a runner that starts a daemon on them and reads off what it cost.
//!
//! The daemon is known only by its command line, its configuration, its metrics and its REST API. What the runner
//! assumes of the first, third and fourth stands in [`ingest::contract`], of the second in [`generate::app_config`].

pub mod error;
pub mod generate;
pub mod http_client;
pub mod ingest;
pub mod interrupt;
pub mod random;
pub mod serve;

pub use error::BenchError;
