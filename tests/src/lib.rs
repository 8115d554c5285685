//! What the end-to-end tests share: they run the real binary in a folder of its own, talk to it over HTTP as its users
//! do, and read what it logged.
//!
//! Nothing of the daemon's code is linked in, but what starts a PostgreSQL server. A test takes a [`Home`] (folder, configuration, database), an
//! [`Upstream`] (a web server that can misbehave) and starts a [`Daemon`]. Everything that has to be waited for is
//! waited for by [`wait_for`], which looks again and again up to a limit, and says what it waited for when it gives up.
//!
//! | variable | meaning |
//! |---|---|
//! | `CALLBOARD_BINARY` | the binary to test, instead of one built from this workspace in the profile of the tests |
//! | `CALLBOARD_CORPUS` | the folder of the [`corpus`] |
//! | `CALLBOARD_REQUIRE_CORPUS=1` | a missing corpus is a failure; otherwise its tests say so and do nothing |
//! | `CALLBOARD_REQUIRE_NODE=1` | a missing Node.js is a failure; otherwise the tests of `catalog-client` are left out |
//! | `CALLBOARD_TEST_STORE` | `postgres`: the daemons keep their catalogs in PostgreSQL; otherwise in SQLite |
//! | `CALLBOARD_TEST_POSTGRES` | URL of a PostgreSQL server to be used, instead of one that is started |
//! | `CALLBOARD_REQUIRE_POSTGRES=1` | a missing PostgreSQL server is a failure; otherwise the tests that are about it say so and do nothing |
//! | `CALLBOARD_DISTURBANCES` | how many rounds of disturbances replicas on one database go through; 5 if it is not there |
//! | `CALLBOARD_DISTURBANCES_SEED` | the seed of their order, for one that was printed |
//! | `CALLBOARD_CRASH_ROUNDS` | how often each crash test kills the daemon; 12 if it is not there |
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a broken expectation is a failed test, and the log of the daemon belongs into its output"
)]

mod api;
mod binary;
mod config;
pub mod corpus;
mod daemon;
pub mod descriptors;
pub mod generated;
mod home;
mod metrics;
mod process;
mod raw_http;
mod settle;
pub mod store;
mod upstream;
mod wait;

pub use api::{Api, Reply};
pub use binary::{binary, workspace_root};
pub use config::AppConfig;
pub use daemon::Daemon;
pub use home::Home;
pub use metrics::Metrics;
pub use process::Finished;
pub use raw_http::{RawConnection, RawReply, raw_request};
pub use settle::{Snapshot, settled_replicas, settled_snapshot, snapshot};
pub use upstream::{Answer, Exchange, Upstream};
pub use wait::wait_for;
