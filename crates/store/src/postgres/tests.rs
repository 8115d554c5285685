//! Tests of the SQL itself.

use super::*;

#[cfg(feature = "testsuite")]
mod connections;
#[cfg(feature = "testsuite")]
mod lost;
#[cfg(feature = "testsuite")]
mod plans;
#[cfg(feature = "testsuite")]
mod processors;
#[cfg(feature = "testsuite")]
mod queue;
#[cfg(feature = "testsuite")]
mod rows;

const STATEMENTS: [&[Statement]; 29] = [
    changes::STATEMENTS,
    claim::STATEMENTS,
    commit::STATEMENTS,
    counts::STATEMENTS,
    delete::STATEMENTS,
    doctor::MENDING_STATEMENTS,
    doctor::STATEMENTS,
    edges::STATEMENTS,
    errors::STATEMENTS,
    errors_read::STATEMENTS,
    forget::STATEMENTS,
    hand_out::STATEMENTS,
    hints::STATEMENTS,
    intake::STATEMENTS,
    jobs::STATEMENTS,
    locations::STATEMENTS,
    locks::STATEMENTS,
    log::STATEMENTS,
    migrate::STATEMENTS,
    names::STATEMENTS,
    orphans::STATEMENTS,
    provider::STATEMENTS,
    put_off::STATEMENTS,
    read::STATEMENTS,
    requests::STATEMENTS,
    results::STATEMENTS,
    schedule::STATEMENTS,
    stitch::STATEMENTS,
    writer::STATEMENTS,
];

#[cfg(feature = "testsuite")]
pub(super) fn cluster() -> Option<&'static crate::suite::cluster::Cluster> {
    let url = std::env::var("CALLBOARD_TEST_POSTGRES").ok();
    let is_required = std::env::var_os("CALLBOARD_REQUIRE_POSTGRES").is_some_and(|value| value == "1");
    crate::suite::cluster::Cluster::shared(url.as_deref(), is_required)
}

/// An empty store, in a database of its own.
#[cfg(feature = "testsuite")]
async fn open_empty() -> Option<PostgresStore> {
    open_with(None).await
}

/// The same; statements fail as the hook says.
#[cfg(feature = "testsuite")]
async fn open_with(fault: Option<FaultHook>) -> Option<PostgresStore> {
    let cluster = cluster()?;
    let migrate = async |database| {
        PostgresStore::open(PostgresOptions::new(database)).await.unwrap().close().await;
    };
    let database = cluster.prepared_database(migrate).await;
    let mut options = PostgresOptions::new(database);
    options.fault = fault;
    Some(PostgresStore::open(options).await.unwrap())
}
