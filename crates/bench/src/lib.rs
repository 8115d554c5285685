//! Measures a Callboard daemon from outside, with nothing of its code linked in: a seeded generator of catalogs, a
//! static file server with validators, and three runners that start daemons on them. [`ingest`] reads off what it costs to
//! take a catalog in, to keep it and to see a change; [`read`] how fast the API answers, and at what cost; [`replicas`]
//! what several daemons on one PostgreSQL do better than one, and whether any of them does the work of another one:
//!
//! ```sh
//! callboard-bench ingest --entities 10000 --cycles 3 --change-one
//! callboard-bench read --entities 10000 --clients 1,16 --scenario by-name,ordered-page
//! callboard-bench replicas --entities 10000 --replicas 3
//! ```
//!
//! The daemon is known only by its command line, its configuration, its metrics and its REST API. What the runners
//! assume of the first, third and fourth stands in [`daemon::contract`], of the second in [`generate::app_config`], and
//! what is asked of the API in [`read::scenario`].

pub mod daemon;
pub mod error;
mod figures;
pub mod generate;
pub mod http_client;
pub mod ingest;
pub mod interrupt;
pub mod random;
pub mod read;
pub mod replicas;
pub mod serve;
pub mod store;
mod table;
pub mod test_bed;

pub use error::BenchError;
