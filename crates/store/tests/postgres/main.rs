//! The rules of every store, kept by the PostgreSQL store; and what is special about it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use callboard_store::Store as _;
use callboard_store::postgres::{PostgresOptions, PostgresStore};
use callboard_store::suite::cluster::{Cluster, Watch};
use callboard_store::suite::world::World;
use callboard_store::suite::{self, FaultHook};
use sqlx::postgres::PgConnectOptions;

fn cluster() -> Option<&'static Cluster> {
    let url = std::env::var("CALLBOARD_TEST_POSTGRES").ok();
    Cluster::shared(url.as_deref(), is_required())
}

fn is_required() -> bool {
    std::env::var_os("CALLBOARD_REQUIRE_POSTGRES").is_some_and(|value| value == "1")
}

/// A database with the tables of an empty store.
async fn database() -> Option<PgConnectOptions> {
    let migrate = async |database| {
        PostgresStore::open(PostgresOptions::new(database)).await.unwrap().close().await;
    };
    Some(cluster()?.prepared_database(migrate).await)
}

async fn open() -> Option<PostgresStore> {
    Some(PostgresStore::open(PostgresOptions::new(database().await?)).await.unwrap())
}

async fn open_with_faults(fault: FaultHook) -> Option<PostgresStore> {
    let mut options = PostgresOptions::new(database().await?);
    options.fault = Some(fault);
    Some(PostgresStore::open(options).await.unwrap())
}

/// Two openings of one store, of which neither may ever wait for the other in vain.
async fn open_twice() -> Option<([PostgresStore; 2], Watch)> {
    let database = database().await?;
    let watch = cluster()?.watch(&database);
    let options = PostgresOptions::new(database);
    let first = PostgresStore::open(options.clone()).await.unwrap();
    Some(([first, PostgresStore::open(options).await.unwrap()], watch))
}

callboard_store::store_suite!(open);
// A history takes half a second here.
callboard_store::fault_suite!(open_with_faults, 1);
callboard_store::shared_store_suite!(open_twice);

#[tokio::test]
async fn sources_in_each_others_way_leave_what_one_after_the_other_would() {
    let Some((stores, _watch)) = open_twice().await else { return };
    let worlds = stores.each_ref().map(|store| World::new(store));
    suite::traps::sources::sources_in_each_others_way_leave_what_one_after_the_other_would(worlds).await;
}
