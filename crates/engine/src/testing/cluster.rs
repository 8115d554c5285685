//! A database that several processes may share.

use callboard_store::suite::cluster::Cluster;

/// A PostgreSQL server, where one is to be had.
pub(crate) fn cluster() -> Option<&'static Cluster> {
    let url = std::env::var("CALLBOARD_TEST_POSTGRES").ok();
    let is_required = std::env::var_os("CALLBOARD_REQUIRE_POSTGRES").is_some_and(|value| value == "1");
    Cluster::shared(url.as_deref(), is_required)
}
